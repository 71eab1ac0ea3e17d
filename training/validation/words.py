"""What the checks' ideas, figures, columns and thresholds are called in a report, in English and in Chinese."""

from __future__ import annotations

import re
from collections.abc import Mapping

from features.words import Text

IDEAS: Mapping[str, Text] = {
    "reproducibility": Text(en="Can it be made again?", zh="能否复现"),
    "point_in_time": Text(en="Does it see the future?", zh="是否使用了未来信息"),
    "leakage": Text(en="Does something give the outcome away?", zh="是否存在结果泄漏"),
    "discrimination": Text(en="Does it order the loans?", zh="区分能力"),
    "calibration": Text(en="Are the probabilities right?", zh="概率校准"),
    "stability": Text(en="Does it last?", zh="稳定性"),
    "benchmark": Text(en="Is it better than what is simple?", zh="与简单模型比较"),
    "monotonicity": Text(en="Does it keep to its directions?", zh="单调方向"),
    "sensitivity": Text(en="Is it sane where nobody has been?", zh="敏感性与极端输入"),
    "fairness": Text(en="Is it fair?", zh="公平性"),
    "explanation": Text(en="Are the reasons true, and do they last?", zh="解释的忠实与稳定"),
    "parts": Text(en="Do ability and willingness mean what they say?", zh="能力与意愿的含义"),
    "reasons": Text(en="Can it be told?", zh="原因能否说明"),
}
FIGURES: Mapping[str, Text] = {
    "different": Text(en="data differ", zh="数据不同"),
    "files_that_differ": Text(en="files that differ", zh="不同的文件数"),
    "log_odds_difference": Text(en="largest difference, log-odds", zh="对数几率最大差"),
    "values_changed": Text(en="values changed", zh="变化的取值数"),
    "cases": Text(en="cases", zh="样本数"),
    "auc_above_chance": Text(en="AUC above chance", zh="AUC超出随机"),
    "auc_alone": Text(en="AUC alone", zh="单独AUC"),
    "gain_share": Text(en="share of the gain", zh="增益占比"),
    "share_of_bad": Text(en="share of the bad cases", zh="占坏样本比例"),
    "features": Text(en="features", zh="特征数"),
    "auc_above_others": Text(en="AUC above all others", zh="超出其余特征的AUC"),
    "auc": Text(en="AUC", zh="AUC"),
    "gini": Text(en="Gini coefficient", zh="Gini系数"),
    "bad": Text(en="bad cases", zh="坏样本数"),
    "ks": Text(en="KS", zh="KS"),
    "bias": Text(en="bias", zh="偏差"),
    "lift": Text(en="lift", zh="提升度"),
    "captured": Text(en="bad cases held", zh="捕获坏样本"),
    "captured_above_amount": Text(en="bad money above order by amount", zh="较按金额排序多捕获的坏账金额"),
    "captured_by_score": Text(en="bad money held, by score", zh="按评分捕获的坏账金额"),
    "captured_by_loss": Text(en="bad money held, by expected loss", zh="按预期损失捕获的坏账金额"),
    "captured_by_amount": Text(en="bad money held, by amount", zh="按金额捕获的坏账金额"),
    "intercept": Text(en="intercept", zh="截距"),
    "predicted": Text(en="predicted", zh="预测"),
    "observed": Text(en="observed", zh="实际"),
    "slope": Text(en="slope", zh="斜率"),
    "p_value": Text(en="p-value", zh="p值"),
    "statistic": Text(en="statistic", zh="统计量"),
    "freedom": Text(en="degrees of freedom", zh="自由度"),
    "z": Text(en="z", zh="z值"),
    "skill": Text(en="Brier skill", zh="Brier技巧得分"),
    "brier": Text(en="Brier score", zh="Brier分数"),
    "reliability": Text(en="reliability", zh="可靠性"),
    "resolution": Text(en="resolution", zh="分辨力"),
    "uncertainty": Text(en="uncertainty", zh="不确定性"),
    "within_variance": Text(en="variance within bands", zh="组内方差"),
    "within_covariance": Text(en="covariance within bands", zh="组内协方差"),
    "ratio": Text(en="ratio", zh="比值"),
    "psi": Text(en="PSI", zh="PSI"),
    "moved": Text(en="change of the Gini", zh="Gini变动"),
    "mean": Text(en="mean", zh="均值"),
    "residual_sd": Text(en="spread about the line", zh="残差标准差"),
    "auc_difference": Text(en="AUC difference", zh="AUC之差"),
    "fitted_on": Text(en="benchmark fitted on", zh="基准拟合样本数"),
    "violations": Text(en="steps against a direction", zh="违反方向的步数"),
    "impossible": Text(en="impossible probabilities", zh="无效概率数"),
    "largest_move": Text(en="largest move, log-odds", zh="对数几率最大变动"),
    "log_odds_of_nothing_known": Text(en="log-odds where nothing is known", zh="全部缺失时的对数几率"),
    "least_log_odds": Text(en="least log-odds", zh="最小对数几率"),
    "most_log_odds": Text(en="most log-odds", zh="最大对数几率"),
    "difference": Text(en="difference", zh="差值"),
    "error": Text(en="largest error", zh="最大误差"),
    "share_that_falls": Text(en="share that falls", zh="下降的比例"),
    "mean_fall": Text(en="mean fall, log-odds", zh="平均下降（对数几率）"),
    "mean_fall_of_another": Text(en="mean fall by another's facts", zh="替换其他原因的平均下降"),
    "area_by_reasons": Text(en="area, by reasons", zh="按原因排序的面积"),
    "area_by_lot": Text(en="area, by lot", zh="随机排序的面积"),
    "share_that_stays": Text(en="share that stays", zh="不变的比例"),
    "overlap": Text(en="share of reasons that stay", zh="保留的原因比例"),
    "least": Text(en="least", zh="最小值"),
    "mean_distance": Text(en="mean distance", zh="平均距离"),
    "auc_of_the_other": Text(en="AUC of the other part", zh="另一部分的AUC"),
    "rank_correlation": Text(en="rank correlation", zh="秩相关"),
    "auc_lost": Text(en="AUC lost", zh="AUC损失"),
    "reasons_a_case": Text(en="reasons a case", zh="每个样本的原因数"),
    "told_by_a_member_that_lowers": Text(en="told by a fact that lowers", zh="由降低风险的事实陈述"),
}
COLUMNS: Mapping[str, Text] = {
    **FIGURES,
    "what": Text(en="what", zh="项目"),
    "fitted on": Text(en="fitted on", zh="拟合时"),
    "fitted with": Text(en="fitted with", zh="拟合时"),
    "found": Text(en="bad found so far", zh="累计捕获坏样本"),
    "here": Text(en="here", zh="当前"),
    "package": Text(en="package", zh="软件包"),
    "feature": Text(en="feature", zh="特征"),
    "poisoned": Text(en="poisoned", zh="篡改后变化"),
    "deleted": Text(en="deleted", zh="删除后变化"),
    "state": Text(en="state", zh="状态"),
    "outcome": Text(en="outcome", zh="结果"),
    "tenth": Text(en="tenth", zh="十分位"),
    "low": Text(en="low", zh="下限"),
    "high": Text(en="high", zh="上限"),
    "exposure_minor": Text(en="amount at risk, minor units", zh="风险敞口（最小货币单位）"),
    "bad_minor": Text(en="amount that went bad, minor units", zh="坏账金额（最小货币单位）"),
    "kind": Text(en="kind", zh="类别"),
    "segment": Text(en="segment", zh="细分"),
    "not_judged": Text(en="not judged", zh="未评定"),
    "band": Text(en="band", zh="分档"),
    "expected": Text(en="expected bad", zh="预期坏样本"),
    "month": Text(en="month", zh="月份"),
    "beyond_chance": Text(en="beyond chance", zh="超出随机部分"),
    "reference": Text(en="reference cases", zh="基准样本数"),
    "current": Text(en="cases of the month", zh="当月样本数"),
    "bins": Text(en="bins", zh="分箱数"),
    "standard_deviation": Text(en="standard deviation", zh="标准差"),
    "mean_down": Text(en="mean move, down", zh="下移平均变动"),
    "mean_up": Text(en="mean move, up", zh="上移平均变动"),
    "largest": Text(en="largest move", zh="最大变动"),
    "group": Text(en="group", zh="群体"),
    "mean_move": Text(en="mean move", zh="平均变动"),
    "word": Text(en="word", zh="词"),
    "attribute": Text(en="attribute", zh="属性"),
    "compared_with": Text(en="compared with", zh="对照群体"),
    "note": Text(en="note", zh="备注"),
    "lacking": Text(en="lacking", zh="缺少"),
}
FEW = Text(en="too few cases", zh="样本不足")
MODES: Mapping[str, Text] = {
    "own cases": Text(en="the version's own cases, out of sample", zh="该版本自身样本（样本外评分）"),
    "later cases": Text(en="cases observed after the version's own", zh="该版本之后观察的样本"),
}
_WHEN = {"": "", "surely": "确定", "possibly": "可能"}
_BOUNDS = {"above": "高于", "at least": "不低于", "below": "低于", "at most": "不高于", "outside": "超出"}
_BOUND = re.compile(r"^(?:(surely|possibly) )?(above|at least|below|at most|outside) (\S+)(?: to (\S+))?$")


def called(name: str, names: Mapping[str, Text] = FIGURES) -> Text:
    """Return what a figure or a column is called; its own name where it is new."""
    return names.get(name, Text(en=name, zh=name))


def bound(told: str) -> Text:
    """Return a threshold as a finding tells it, in both languages.

    >>> bound("surely outside 0.9000 to 1.1000").zh
    '确定超出0.9000至1.1000'
    """
    if not told:
        return Text(en="never", zh="从不")
    found = _BOUND.match(told)
    if found is None:
        return Text(en=told, zh=told)
    when, kind, first, second = found.groups()
    return Text(en=told, zh=f"{_WHEN[when or '']}{_BOUNDS[kind]}{first}{f'至{second}' if second else ''}")


def counted(verdicts: Mapping[str, int]) -> Text:
    """Return how many checks gave which verdict."""
    return Text(
        en="{pass_} pass, {warn} warn, {refuse} refuse, {not_judged} not judged",
        zh="{pass_}项通过，{warn}项警示，{refuse}项不通过，{not_judged}项未评定",
    ).filled(**{("pass_" if name == "pass" else name): f"{count:,}" for name, count in verdicts.items()})
