"""Every heading and sentence of a comparison of a challenger with the champion, in English and in Chinese."""

from __future__ import annotations

import re

from features.words import Text
from training.statistics.intervals import CONFIDENCE, Interval
from training.statistics.paired import Difference

# The tables
TITLE = Text(
    en="version {challenger} against version {champion} of the {card} card",
    zh="{card}评分卡：挑战者模型版本{challenger}与冠军模型版本{champion}比较",
)
MONTH = Text(en="month", zh="月份")
DECISIONS = Text(en="decisions", zh="决策数")
PSI = Text(en="PSI", zh="群体稳定性指数")
RANKED = Text(en="rank corr.", zh="秩相关")
SHIFT = Text(en="shift of log-odds", zh="对数几率平均差")
ALL = Text(en="all", zh="合计")
SWAPS = Text(en="swap sets, {title}", zh="换入与换出，{title}")
CUT = Text(en="in this band or riskier", zh="该等级及更高风险等级")
BOTH = Text(en="both", zh="两者均在")
SWAPPED_IN = Text(en="swapped in", zh="换入")
SWAPPED_OUT = Text(en="swapped out", zh="换出")
NEITHER = Text(en="neither", zh="两者均不在")
NEWEST_POLICY = Text(
    en="swap sets: {count} decisions under the newest policy alone", zh="换入与换出：仅含按最新策略作出的{count}笔决策"
)

# Who took part
COMPARED = Text(en="{count} decisions compared", zh="共比较{count}笔决策")
PASSED_OVER = Text(en="{compared}; passed over: {counts}", zh="{compared}；未计入：{counts}")

# What became of the loans
MATURED = Text(
    en="matured outcomes: {cases} decisions, {bad} bad{left}", zh="成熟结果：{cases}笔决策，其中{bad}笔变坏{left}"
)
NOT_JUDGED = Text(en="matured outcomes: not judged, {why}{left}", zh="成熟结果：未评定，{why}{left}")
LEFT = Text(en=" ({counts})", zh="（{counts}）")
OPEN = Text(en="{count} without an outcome yet", zh="{count}笔尚无结果")
UNDECIDED = Text(en="{count} neither good nor bad", zh="{count}笔结果不确定")
SEEN = Text(
    en="{count} observed no later than what a version was fitted on", zh="{count}笔的观察点不晚于某一版本拟合所用样本"
)
CHAMPION = Text(en="champion", zh="冠军模型")
CHALLENGER = Text(en="challenger", zh="挑战者模型")
THE_CHAMPION = Text(en="the champion, version {version}", zh="冠军模型（版本{version}）")
AUC = Text(en="AUC {auc} ({interval}); {calibrated}", zh="AUC {auc}（{interval}）；{calibrated}")
CALIBRATED = Text(
    en="expected {expected} bad, found {found}; Brier {brier}; slope {slope} ({slopes}), level {level} ({levels})",
    zh="预期坏账率{expected}，实际{found}；Brier分数{brier}；斜率{slope}（{slopes}），校准偏差{level}（{levels}）",
)
HELD = {
    "money": Text(
        en="of the money that went bad, held by the first {parts}", zh="坏账金额捕获率（按风险由高到低）：前{parts}"
    ),
    "loans": Text(
        en="of the loans that went bad, held by the first {parts}", zh="坏账借据捕获率（按风险由高到低）：前{parts}"
    ),
}
HELD_PART = Text(en="{share}: {held} ({interval})", zh="{share}：{held}（{interval}）")
BETTER = Text(en="better: {told}", zh="更好：{told}")
WORSE = Text(en="worse: {told}", zh="更差：{told}")
NOT_TOLD_APART = Text(en="not told apart: {told}", zh="无法区分优劣：{told}")
DIFFERENCE = Text(
    en="{auc} AUC against {other} ({confidence} interval {interval})",
    zh="AUC较{other}相差{auc}（{confidence}区间{interval}）",
)
FROM_TO = Text(en="{low} to {high}", zh="{low}至{high}")

_TOO_FEW = (
    (r"(\d+) bad and (\d+) good cases; expected at least (\d+) of each", r"坏样本\1笔、好样本\2笔；各需至少\3笔"),
    (r"probabilities that are all the same; .*", "概率全部相同，无从评定斜率"),
    (
        r"log-odds that tell the bad cases from the good ones without error; .*",
        "对数几率将好坏样本完全分开，斜率为无穷大",
    ),
    (r"bad cases that all weigh nothing; .*", "坏样本的金额均为零"),
)
"""Why nothing is judged, as `training.statistics` says it, and the same in Chinese."""


def why_not(why: str) -> Text:
    """Return in both languages why outcomes are not judged.

    >>> why_not("0 bad and 3 good cases; expected at least 2 of each").zh
    '坏样本0笔、好样本3笔；各需至少2笔'
    """
    for pattern, chinese in _TOO_FEW:
        found = re.fullmatch(pattern, why)
        if found is not None:
            return Text(en=why, zh=found.expand(chinese))
    return Text(en=why, zh="原因见英文说明")  # a reason that is guessed would be worse than none


def from_to(interval: Interval, form: str) -> Text:
    """Return the bounds of an interval, each in a form such as `.4f`."""
    return FROM_TO.filled(low=format(interval.low, form), high=format(interval.high, form))


def difference(of: Difference, other: Text) -> Text:
    """Return a difference of two AUCs in a sentence: which is better, and whether that is sure."""
    told = DIFFERENCE.filled(
        auc=f"{of.auc:+.4f}",
        other=other,
        confidence=f"{CONFIDENCE:.0%}",
        interval=from_to(Interval(of.low, of.high), "+.4f"),
    )
    words = BETTER if of.low > 0 else WORSE if of.high < 0 else NOT_TOLD_APART
    return words.filled(told=told)
