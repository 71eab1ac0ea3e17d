"""The sections that say what a card is: the verdict on it, what it is for, what it was made from, how it is built."""

from __future__ import annotations

from collections import Counter

import numpy as np

from features.declaration import Feature, Group, Risk
from features.words import Text, written_money
from models.cards import Population
from training.model_card.blocks import NOT_RECORDED, NOT_STATED, Block, Fact, Facts, Sentence, grid, plain
from training.model_card.figures import THRESHOLDS, per_cent, thresholds, told, whole
from training.model_card.source import Nothing, Source
from training.validation import words as said
from training.validation.battery import CHECKS
from training.validation.findings import Finding, Verdict, number
from training.validation.remade import differs, same
from training.validation.report import VERDICTS

TITLES = {check.name: check.title for check in CHECKS}
QUESTION = Text(en="Question", zh="检查")
POPULATIONS = {
    Population.APPLICANTS: Text(en="applicants", zh="申请人"),
    Population.NOT_OVERDUE: Text(en="loans that are not overdue", zh="未逾期借据"),
    Population.OVERDUE: Text(en="loans that are overdue", zh="逾期借据"),
    Population.ALL: Text(en="all loans", zh="全部借据"),
}
CALIBRATIONS = {
    "identity": Text(en="none was needed: the scores are probabilities as they are", zh="无需校准：评分即为概率"),
    "sigmoid": Text(en="a straight line in log-odds", zh="对数几率的线性变换"),
    "isotonic": Text(en="a rising line of several pieces in log-odds", zh="对数几率的分段递增变换"),
}
DIRECTIONS = {
    Risk.RISES: Text(en="risk never falls as it rises", zh="数值上升时风险不降"),
    Risk.FALLS: Text(en="risk never rises as it rises", zh="数值上升时风险不升"),
    Risk.FREE: Text(en="free", zh="不限"),
}


def verdict(source: Source) -> list[Block]:
    """Return what the validation says of the version, and what warns or refuses."""
    result = source.result
    if not result.findings:
        raise Nothing("a validation without findings")
    counts = Counter(finding.verdict for finding in result.findings)
    against = [one for one in result.findings if one.verdict in (Verdict.WARN, Verdict.REFUSE)]
    blocks: list[Block] = [
        Sentence(VERDICTS[result.verdict]),
        Sentence(said.counted({one.value: counts[one] for one in Verdict})),
    ]
    if against:
        blocks.append(
            grid(
                Text(en="What warns or refuses, as it was signed", zh="警示或不通过的检查（按签名结果）"),
                (QUESTION, Text(en="Verdict", zh="结果"), Text(en="Figure", zh="指标"), *THRESHOLDS),
                [(_question(one), one.verdict.text, told(one), *thresholds(source.rule(one.check))) for one in against],
            )
        )
    return blocks


def purpose(source: Source) -> list[Block]:
    """Return what the card is for and what it is not for, in the lender's words."""
    about = source.about
    approved = [Fact(Text(en="Approved use", zh="批准用途"), one, quoted=True) for one in about.approved_uses]
    return [
        Facts(
            (
                Fact(Text(en="Card", zh="评分卡"), source.card.card.title, quoted=True),
                Fact(Text(en="Purpose", zh="用途"), about.purpose, quoted=True),
                Fact(Text(en="For", zh="适用对象"), POPULATIONS[source.card.card.population]),
                *(approved or [Fact(Text(en="Approved use", zh="批准用途"), NOT_STATED)]),
                *(Fact(Text(en="Not for", zh="不适用于"), one, quoted=True) for one in about.out_of_scope),
                Fact(Text(en="Owner", zh="负责人"), about.owner or NOT_STATED, quoted=True),
                Fact(Text(en="Contact", zh="联系方式"), about.contact or NOT_STATED, quoted=True),
            )
        )
    ]


def data(source: Source) -> list[Block]:
    """Return what the version was fitted on and judged on, and what bad means."""
    card, kept, result = source.card, source.kept, source.result
    reference, provenance = card.reference, card.provenance
    _require_same_population(source)
    days = list(reference["observed_on"])
    outcomes = reference["outcomes"]
    rows = [
        Fact(Text(en="Book", zh="资产包"), plain(provenance["portfolio"])),
        Fact(Text(en="Source", zh="数据来源"), plain(provenance["source"])),
        Fact(Text(en="Bad outcome", zh="坏结果定义"), card.card.outcome, quoted=True),
        Fact(Text(en="Performance window, days", zh="表现期（天）"), plain(card.card.window_days)),
        Fact(Text(en="Observed on", zh="观察点"), plain(" – ".join(dict.fromkeys((days[0], days[-1]))))),
        Fact(Text(en="Observation dates", zh="观察点个数"), plain(len(days))),
        Fact(Text(en="Fitted on, cases", zh="拟合样本数"), whole(reference["loans"])),
        Fact(Text(en="Share of them bad", zh="拟合样本坏账率"), per_cent(reference["bad_share"])),
        Fact(Text(en="Outcomes known: bad", zh="结果已知：坏"), whole(outcomes.get("bad", 0))),
        Fact(Text(en="Outcomes known: good", zh="结果已知：好"), whole(outcomes.get("good", 0))),
        Fact(Text(en="Left out: neither good nor bad", zh="剔除：不确定样本"), whole(outcomes.get("indeterminate", 0))),
        Fact(Text(en="Share held out of the fit", zh="留出比例"), per_cent(provenance["hold_out"])),
        Fact(Text(en="Judged on", zh="评定样本"), said.MODES[result.mode]),
        Fact(Text(en="Judged on, cases", zh="评定样本数"), whole(len(kept))),
        Fact(Text(en="Of them bad", zh="其中坏样本"), whole(int(kept.bad.sum()))),
        Fact(
            Text(en="Amount at risk of them", zh="其风险敞口合计"),
            plain(written_money(int(kept.exposure.sum()), reference["currency"])),
        ),
        Fact(Text(en="SHA-256 of names, values and outcomes", zh="特征、取值与结果的SHA-256"), plain(result.values)),
    ]
    helpers = reference.get("helpers", 0 if card.card.helped_by is None else None)
    if helpers != 0:  # a version of an earlier release does not say whether they were there to help
        by = plain(f"{card.card.helped_by} × {number(card.card.helper_weight)}")
        helped = Text(en="Helped by loans of the card", zh="辅助样本来自评分卡")
        rows.append(Fact(helped, NOT_RECORDED if helpers is None else by))
    return [
        Facts(tuple(rows)),
        Sentence(
            Text(
                en="Only what was recorded before an observation date is used of it.",
                zh="每个观察点仅使用其之前已记录的信息。",
            )
        ),
    ]


def features(source: Source) -> list[Block]:
    """Return the features by group, with their words, their direction and their share of what the trees gained."""
    catalog = source.card.catalog
    if not len(catalog):
        raise Nothing("a card without features")
    gains = np.asarray(source.card.model.booster_.feature_importance("gain"), dtype=np.float64)
    shares = dict(zip(catalog.names, gains / gains.sum() if gains.sum() > 0 else gains, strict=True))
    blocks: list[Block] = []
    for group in Group:
        members = sorted(catalog.of_group(group), key=lambda one: -shares[one.name])
        if members:
            blocks.append(
                grid(
                    Text(
                        en="{group}: {count} features, {share} of the gain", zh="{group}：{count}个特征，占增益{share}"
                    ).filled(
                        group=group.text,
                        count=f"{len(members):,}",
                        share=f"{sum(shares[one.name] for one in members):.1%}",
                    ),
                    (
                        Text(en="Feature", zh="特征"),
                        Text(en="In words", zh="含义"),
                        Text(en="Direction", zh="方向"),
                        Text(en="Share of the gain", zh="增益占比"),
                    ),
                    [_feature(one, shares[one.name]) for one in members],
                    quoted=(1,),
                )
            )
    return blocks


def model(source: Source) -> list[Block]:
    """Return how the model is built: trees, constraints, calibration."""
    card = source.card
    fitted, size = card.model, card.provenance["size"]
    directions = Counter(feature.risk for feature in card.catalog)
    calibration = fitted.calibration_
    return [
        Sentence(
            Text(
                en="Boosted trees, each of one group of features; the score is the sum of base, ability, willingness "
                "and circumstances, then calibrated.",
                zh="梯度提升树，每棵树只用一组特征；评分为基准、能力、意愿与客观情况之和，再经校准。",
            )
        ),
        Facts(
            (
                Fact(Text(en="Trees", zh="树的数量"), whole(fitted.trees_)),
                Fact(Text(en="Leaves of a tree, at most", zh="每棵树叶节点上限"), whole(size["num_leaves"])),
                Fact(Text(en="Depth, at most", zh="深度上限"), plain(size["max_depth"])),
                Fact(Text(en="Cases in a leaf, at least", zh="叶节点样本下限"), whole(size["min_data_in_leaf"])),
                Fact(Text(en="Learning rate", zh="学习率"), plain(number(size["learning_rate"]))),
                Fact(Text(en="Seed", zh="随机种子"), plain(card.provenance["seed"])),
                Fact(Text(en="Features", zh="特征数"), whole(len(card.catalog))),
                Fact(
                    Text(en="Risk may only rise with", zh="风险递增的特征数"),
                    whole(directions[Risk.RISES]),
                ),
                Fact(
                    Text(en="Risk may only fall with", zh="风险递减的特征数"),
                    whole(directions[Risk.FALLS]),
                ),
                Fact(Text(en="No direction is asked of", zh="不设方向的特征数"), whole(directions[Risk.FREE])),
                Fact(
                    Text(en="Steps against a direction, as signed", zh="违反方向的步数（按签名结果）"),
                    told(source.finding("monotonicity.score")),
                ),
                Fact(Text(en="Calibration", zh="校准方式"), CALIBRATIONS[calibration.kind]),
                Fact(Text(en="Knots of the calibration", zh="校准节点数"), whole(len(calibration.raw))),
                Fact(Text(en="Base, log-odds", zh="基准（对数几率）"), plain(number(fitted.base_))),
                Fact(
                    Text(en="Recovery model", zh="回收模型"),
                    Text(en="yes", zh="有") if card.recovery is not None else Text(en="no", zh="无"),
                ),
                Fact(Text(en="Feature fingerprint", zh="特征指纹"), plain(card.fingerprint)),
            )
        ),
    ]


def _feature(feature: Feature, share: float) -> tuple[Text, ...]:
    return plain(feature.name), feature.label, DIRECTIONS[feature.risk], per_cent(share)


def _question(finding: Finding) -> Text:
    return TITLES.get(finding.check, plain(finding.check))


def _require_same_population(source: Source) -> None:
    """Refuse a reference that is not of the cases that judged the version, where these are those it was fitted on."""
    kept, reference = source.kept, source.card.reference
    if not kept.scored or source.card.provenance["hold_out"]:
        return
    for name, claimed, found in (
        ("loans of the signed card", float(reference["loans"]), float(len(kept))),
        ("bad_share of the signed card", reference["bad_share"], float(kept.bad.mean())),
    ):
        if not same(claimed, found):
            raise differs(kept, name, f"{number(claimed)} in the card, {number(found)} by the evidence")
