"""The sections that say what a card is worth: order, probabilities, products and periods, fairness, explanations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure as Picture

from features.declaration import Group
from features.words import Text
from training.model_card.blocks import Block, Drawing, Fact, Facts, Grid, Sentence, grid, plain
from training.model_card.figures import THRESHOLDS, amount, interval, per_cent, thresholds, told, whole, written
from training.model_card.identity import QUESTION, TITLES
from training.model_card.source import Nothing, Source
from training.plot_style import svg
from training.plot_words import in_words
from training.report_words import PRODUCTS
from training.validation import plots
from training.validation import words as said
from training.validation.findings import Cell, Figure, Table, Verdict
from training.validation.remade import differs
from training.validation.report import ROC

HEADLINE = (
    ("discrimination.auc", "auc", Text(en="AUC", zh="AUC")),
    ("discrimination.auc", "gini", Text(en="Gini coefficient", zh="Gini系数")),
    ("discrimination.ks", "ks", Text(en="KS", zh="KS")),
    ("discrimination.lift", "lift", Text(en="Lift of the first on the list", zh="名单头部提升度")),
    (
        "discrimination.money",
        "captured_by_loss",
        Text(en="Bad money that the first hold, by expected loss", zh="名单头部坏账金额占比（按预期损失）"),
    ),
    (
        "discrimination.money",
        "captured_by_amount",
        Text(en="Bad money that the first hold, by amount", zh="名单头部坏账金额占比（按金额）"),
    ),
    ("calibration.in_the_large", "predicted", Text(en="Expected share of bad loans", zh="预期坏账率")),
    ("calibration.in_the_large", "observed", Text(en="Observed share of bad loans", zh="实际坏账率")),
    ("calibration.in_the_large", "intercept", Text(en="Calibration in the large, log-odds", zh="总体校准（对数几率）")),
    ("calibration.slope", "slope", Text(en="Calibration slope", zh="校准斜率")),
    ("calibration.brier", "brier", Text(en="Brier score", zh="Brier分数")),
    ("calibration.brier", "skill", Text(en="Brier skill", zh="Brier技巧得分")),
)
FIRST = Text(en="The first on the list, share of the loans", zh="名单头部占借据比例")
AGAINST = (
    ("benchmark.logistic", Text(en="AUC above logistic regression", zh="AUC高于逻辑回归")),
    ("benchmark.scorecard", Text(en="AUC above a scorecard", zh="AUC高于传统评分卡")),
)
EXPLANATIONS = (
    "explanation.deletion",
    "explanation.perturbed_first",
    "explanation.perturbed_four",
    "explanation.seeds",
    "explanation.neighbours",
)
PARTS = ("parts.promise_kept", "parts.paid_when_reached", "parts.hardship", "parts.correlation", "parts.placebo")
LEFT_OUT = Text(en="(too few cases)", zh="（样本不足）")
FAIR = ("fairness.adverse_impact", "fairness.equal_opportunity", "fairness.calibration")
PROXIES = ("fairness.proxy_together", "fairness.proxy")
BANDS = Text(
    en="Expected and observed share of bad loans in each band of the score, with 95 % intervals; on the diagonal, what "
    "was expected is what happened.",
    zh="各评分等级的预期与实际坏账率及95%置信区间；落在对角线上表示预期与实际一致。",
)
AS_SIGNED = Text(
    en="These figures need the features' values, which are not kept; they are told as the validation was signed.",
    zh="上列指标需要未保存的特征取值，按已签名的验证结果列示。",
)


def performance(source: Source) -> list[Block]:
    """Return how good the version is, all together, by tenth, band, product and period, out of sample."""
    if not source.kept.scored:
        raise Nothing("scores of models that had not seen the cases")
    rows = [Fact(FIRST, per_cent(source.rule("discrimination.lift")["first_share"]))]
    rows += [Fact(words, written(source.figure(check, name))) for check, name, words in HEADLINE]
    rows += [Fact(name, told(source.finding(check))) for check, name in AGAINST]
    return [
        Facts(tuple(rows)),
        *_drawings(source),
        *_deciles(source),
        *_bands(source),
        *_segments(source, "product", Text(en="By product", zh="按产品")),
        *_segments(source, "month", Text(en="By observation month", zh="按观察月份")),
        *_months(source),
    ]


def fairness(source: Source) -> list[Block]:
    """Return how groups of borrowers are treated; a group of too few cases is named and nothing of it is told."""
    blocks: list[Block] = []
    for check in FAIR:
        found = source.table(check, "groups")
        finding = source.finding(check)
        if found is not None and finding.figures:
            blocks.append(_groups(check, found))
    if blocks:
        blocks.append(_judged(source, FAIR, Text(en="The worst group of each question", zh="各检查中最差的群体")))
    else:
        blocks.append(Sentence(source.finding(FAIR[0]).words, quoted=True))
    title = Text(en="What the signed validation tells of the features", zh="已签名验证对特征的结论")
    return [*blocks, _judged(source, ("fairness.inputs", *PROXIES), title), Sentence(AS_SIGNED)]


def explanation(source: Source) -> list[Block]:
    """Return whether the reasons are the model's own, whether they last, and what the two parts are worth."""
    return [
        Facts(
            (Fact(Text(en="Largest error of base and parts", zh="基准与各部分之和的最大误差"), amount(_error(source))),)
        ),
        _judged(source, EXPLANATIONS, Text(en="Are the reasons true, and do they last", zh="原因是否忠实且稳定")),
        Sentence(
            Text(
                en="Ability and willingness have no label of their own; they are held against what came later.",
                zh="能力与意愿没有各自的标签，以其后发生的情况加以检验。",
            )
        ),
        _judged(source, PARTS, Text(en="What the two parts are worth", zh="两个部分的价值")),
    ]


def _drawings(source: Source) -> list[Block]:
    auc = source.figure("discrimination.auc", "auc")
    bands = source.table("calibration.band_ratio", "bands")
    told: list[Block] = []
    if auc is not None:
        told.append(_drawing("roc", plots.roc_with_band(source.kept.bad, source.kept.log_odds, auc), ROC))
    if bands is not None:
        told.append(_drawing("bands", plots.calibration_by_band(bands), BANDS))
    return told


def _drawing(name: str, picture: Picture, said: Text) -> Drawing:
    # In English its words stand in the picture.
    return Drawing(name, svg(picture, name), Text(en=said.en, zh=said.zh + in_words(picture).zh))


def _error(source: Source) -> float:
    """Return how far base and parts miss the score of a case at most, worked out anew; refused beyond the bound."""
    kept = source.kept
    whole_of = kept.columns["card_log_odds"]
    parts = sum(kept.columns[f"card_{group.value}"] for group in Group)
    error = float(np.abs(source.card.model.base_ + parts - whole_of).max())
    if kept.policy.rules["explanation.exact_sum"].verdict(Figure("error", error)) is Verdict.REFUSE:
        raise differs(kept, "explanation.exact_sum error", f"{error:.1e} by the evidence, beyond the policy's bound")
    return error


def _judged(source: Source, checks: Sequence[str], title: Text) -> Grid:
    findings = [source.finding(check) for check in checks]
    return grid(
        title,
        (
            QUESTION,
            Text(en="Figure (95 % interval)", zh="指标（95%区间）"),
            Text(en="Verdict", zh="结果"),
            *THRESHOLDS,
        ),
        [(TITLES[one.check], told(one), one.verdict.text, *thresholds(source.rule(one.check))) for one in findings],
    )


def _deciles(source: Source) -> list[Block]:
    found = source.table("discrimination.auc", "deciles")
    if found is None:
        return []
    column = _columns(found)
    return [
        grid(
            found.title,
            [said.called(name, said.COLUMNS) for name in ("tenth", "cases", "predicted", "observed")]
            + [Text(en="Interval of the observed", zh="实际比例区间")]
            + [said.called(name, said.COLUMNS) for name in ("lift", "found")],
            [
                (
                    whole(_float(row[column["tenth"]])),
                    whole(_float(row[column["cases"]])),
                    per_cent(_float(row[column["predicted"]])),
                    per_cent(_float(row[column["observed"]])),
                    _shares(row[column["low"]], row[column["high"]]),
                    amount(_float(row[column["lift"]])),
                    per_cent(_float(row[column["found"]])),
                )
                for row in found.rows
            ],
        )
    ]


def _bands(source: Source) -> list[Block]:
    found = source.table("calibration.band_ratio", "bands")
    if found is None:
        return []
    column = _columns(found)
    return [
        grid(
            Text(en="By band of the score", zh="按评分等级"),
            [said.called(name, said.COLUMNS) for name in ("band", "cases", "bad", "predicted", "observed")]
            + [Text(en="Interval of the observed", zh="实际比例区间")],
            [
                (
                    plain(row[column["band"]]),
                    whole(_float(row[column["cases"]])),
                    whole(_float(row[column["bad"]])),
                    per_cent(_float(row[column["predicted"]])),
                    per_cent(_float(row[column["observed"]])),
                    _shares(row[column["low"]], row[column["high"]]),
                )
                for row in found.rows
            ],
        )
    ]


def _segments(source: Source, kind: str, title: Text) -> list[Block]:
    found = source.table("discrimination.segments", "segments")
    if found is None:
        return []
    column = _columns(found)
    rows = [row for row in found.rows if row[column["kind"]] == kind]
    heads = [said.called(name, said.COLUMNS) for name in ("segment", "cases", "bad", "auc")]
    return [
        grid(
            title,
            [*heads, Text(en="Interval", zh="区间")],
            [
                (
                    PRODUCTS.get(str(row[column["segment"]]), plain(row[column["segment"]])),
                    whole(_float(row[column["cases"]])),
                    plain("–") if row[column["bad"]] is None else whole(_float(row[column["bad"]])),
                    LEFT_OUT if row[column["not_judged"]] else amount(_float(row[column["auc"]])),
                    plain("–") if row[column["not_judged"]] else interval(*_ends(row, column)),
                )
                for row in rows
            ],
        )
    ]


def _months(source: Source) -> list[Block]:
    gini = source.table("stability.gini_slope", "months")
    if gini is None:
        return [Sentence(source.finding("stability.gini_slope").words, quoted=True)]
    psi = source.table("stability.scores", "months")
    of_month = {} if psi is None else {row[0]: row[_columns(psi)["psi"]] for row in psi.rows}
    column = _columns(gini)
    return [
        grid(
            Text(en="Does it last: month by month", zh="稳定性：逐月"),
            [said.called(name, said.COLUMNS) for name in ("month", "gini")]
            + [Text(en="Interval", zh="区间"), said.called("psi")],
            [
                (
                    plain(row[column["month"]]),
                    LEFT_OUT if row[column["gini"]] is None else amount(_float(row[column["gini"]])),
                    interval(*_ends(row, column)),
                    amount(_optional(of_month.get(row[0]))),
                )
                for row in gini.rows
            ],
        )
    ]


def _groups(check: str, found: Table) -> Grid:
    column = _columns(found)
    measured = found.columns[4]
    heads = [said.called(name, said.COLUMNS) for name in ("attribute", "group", "compared_with", "cases", measured)]
    rows = []
    for row in found.rows:
        few = row[column["cases"]] is None
        rows.append(
            (
                *(plain(row[column[name]]) for name in ("attribute", "group", "compared_with")),
                LEFT_OUT if few else whole(_float(row[column["cases"]])),
                plain("–") if few else amount(_float(row[column[measured]])),
                interval(*_ends(row, column)),
            )
        )
    return grid(TITLES[check], [*heads, Text(en="Interval", zh="区间")], rows)


def _columns(table: Table) -> dict[str, int]:
    return {name: place for place, name in enumerate(table.columns)}


def _ends(row: Sequence[Cell], column: dict[str, int]) -> tuple[float | None, float | None]:
    return _optional(row[column["low"]]), _optional(row[column["high"]])


def _shares(low: Cell, high: Cell) -> Text:
    return plain(f"{_float(low):.1%} – {_float(high):.1%}")


def _optional(cell: Cell) -> float | None:
    return None if cell is None else _float(cell)


def _float(cell: Cell) -> float:
    assert isinstance(cell, int | float), "a number of a table"
    return float(cell)
