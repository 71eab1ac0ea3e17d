"""The validation as a page: may this version serve, what speaks against it, and every figure with what judged it.

The page is made from the signed result and the evidence that it names, and from nothing else: made again, it has the
same bytes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from features.declaration import Group
from features.words import Text
from models.store import ModelStore
from training import plot_words, report_words
from training.markup import Content, Markup, alike, both, element, joined
from training.picture import pictured
from training.plots_performance import captured_money_by_decile, lift_by_decile
from training.report_layout import page, section, table
from training.validation import plots
from training.validation import words as said
from training.validation.battery import CHECKS
from training.validation.findings import Cell, Figure, Finding, Table, Verdict, number
from training.validation.kept import frame_of
from training.validation.result import REPORT, Result, written
from training.validation.standing import read

TITLE = Text(en="May this version serve?", zh="该版本可否使用？")
OVERLINE = Text(en="repayrank validation", zh="模型验证报告")
VERDICTS = {
    Verdict.PASS: Text(en="Yes. No check warns or refuses.", zh="可以使用：没有警示或不通过的检查。"),
    Verdict.WARN: Text(en="Yes, with warnings.", zh="可以使用，但有警示。"),
    Verdict.REFUSE: Text(en="No. It is refused.", zh="不可使用：验证不通过。"),
    Verdict.NOT_JUDGED: Text(en="Nothing could be judged.", zh="无法评定。"),
}
REFUSES = Text(en="What refuses it", zh="不通过的检查")
WARNS = Text(en="What warns", zh="警示的检查")
UNJUDGED = Text(en="What could not be judged", zh="未能评定的检查")
GROUNDS = Text(en="What this report rests on", zh="本报告的依据")
HEADS = (
    Text(en="Question, and what was found", zh="检查与结论"),
    Text(en="Verdict", zh="结果"),
    Text(en="Figure (95 % interval)", zh="指标（95%置信区间）"),
    Text(en="Warns when", zh="警示条件"),
    Text(en="Refuses when", zh="不通过条件"),
    Text(en="Source of the thresholds", zh="阈值来源"),
)
ROWS, FIGURES = 40, 12
"""Rows of a table, and figures of a check, that are shown."""
MORE = Text(en="and {count} more", zh="另有{count}项")
BEHIND = Text(en="Tables behind the figures", zh="指标明细表")
ROC = Text(
    en="The curve with the band in which each of its points lies at 95 %; scores of models that had not seen the case.",
    zh="ROC曲线及各点的95%置信带；评分均来自未见过该样本的模型。",
)
CAPTURED = Text(
    en="Share of the money that went bad which the first loans hold, by expected loss and by simpler orders.",
    zh="按预期损失及其他顺序排序时，前列借据持有的坏账金额比例。",
)
LIFT = Text(
    en="How many times more often each tenth went bad than all loans together.",
    zh="各十分位的坏账率为全体的倍数。",
)
TENTHS = Text(
    en="Each dot is a tenth of the cases by probability, with its 95 % interval; on the diagonal, what was expected is "
    "what happened.",
    zh="每个点为按概率划分的十分位及其95%置信区间；落在对角线上表示预期与实际一致。",
)
BANDS = Text(
    en="The same for the bands of the lender's scale that the points fall into.", zh="按评分等级划分的同一图形。"
)
PSI = Text(
    en="The scores' stability index by month; the dark part is beyond what chance makes of so few.",
    zh="各月评分PSI；深色为超出随机波动的部分。",
)
GINI = Text(en="The Gini coefficient by month, with 95 % intervals.", zh="各月Gini系数及95%置信区间。")
GROUPS = Text(
    en="By group, with 95 % intervals; on the dashed line groups are alike. Groups of too few cases are not shown.",
    zh="各群体指标及95%置信区间；虚线表示群体间无差异。样本过少的群体不显示。",
)
PARTS = Text(
    en="Share that went bad in each tenth of the ability and of the willingness part; a part that means something "
    "falls from left to right.",
    zh="按能力与意愿部分划分的十分位坏账率；有意义的部分应由左向右下降。",
)
AXES = {"ratio": (1.0, plot_words.RATIO), "difference": (0.0, plot_words.DIFFERENCE)}


def report(result: Result, frame: pl.DataFrame) -> str:
    """Return the page of a validation; the same bytes for the same result and evidence."""
    title = f"{TITLE.en} · {TITLE.zh} · {result.card} {result.version}"
    ideas = dict.fromkeys(finding.check.partition(".")[0] for finding in result.findings)
    return page(
        title,
        [
            _header(result),
            _summary(result),
            *(_idea(result, frame, idea) for idea in ideas),
            _grounds(result),
        ],
    )


def write_report(store: ModelStore, card: str, version: str, folder: Path) -> tuple[Path, str]:
    """Write the page of a kept validation beside it, from what is stored; return its path and SHA-256.

    Raises
    ------
    ModelRefused : the result or the evidence is not what was signed
    """
    result = read(store, card, version, folder)
    return folder / REPORT, written(folder / REPORT, report(result, frame_of(folder, result)).encode())


def _header(result: Result) -> Markup:
    facts: list[tuple[Text, Content]] = [
        (report_words.CARD, result.card),
        (report_words.MODEL_VERSION, result.version),
        (Text(en="Judged on", zh="评定样本"), both(said.MODES.get(result.mode, Text(en=result.mode, zh=result.mode)))),
        (report_words.OBSERVED_ON, " – ".join(dict.fromkeys((result.first_on, result.last_on)))),
        (Text(en="Validated by", zh="验证人"), result.by),
        (Text(en="At (UTC)", zh="时间（UTC）"), result.at.replace("T", " ").replace("+00:00", "")),
    ]
    return element(
        "header",
        element("p", both(OVERLINE), class_="overline"),
        element("h1", both(TITLE)),
        element("dl", [element("div", element("dt", both(name)), element("dd", told)) for name, told in facts]),
    )


def _summary(result: Result) -> Markup:
    counts = Counter(finding.verdict for finding in result.findings)
    told = {verdict.value: counts[verdict] for verdict in Verdict}
    lists = [
        joined([element("h3", both(title)), element("ul", [_sentence(one) for one in found], class_="checks")])
        for title, verdict in ((REFUSES, Verdict.REFUSE), (WARNS, Verdict.WARN), (UNJUDGED, Verdict.NOT_JUDGED))
        if (found := [one for one in result.findings if one.verdict is verdict])
    ]
    return element(
        "section",
        element("p", both(VERDICTS[result.verdict]), class_=f"verdict {result.verdict.value}"),
        element("p", both(said.counted(told)), class_="lead"),
        element(
            "div",
            [
                _tile(Text(en="Cases", zh="样本数"), f"{result.cases:,}"),
                _tile(Text(en="Went bad", zh="坏样本"), f"{result.bad:,} ({result.bad / result.cases:.1%})"),
                *_tiles_of(result),
            ],
            class_="tiles",
        ),
        element("div", lists, class_="against"),
        class_="summary",
    )


def _tiles_of(result: Result) -> Iterator[Markup]:
    for check, name in (
        ("discrimination.auc", "auc"),
        ("discrimination.ks", "ks"),
        ("calibration.slope", "slope"),
        ("calibration.brier", "brier"),
    ):
        finding = result.finding(check)
        figure = None if finding is None else finding.figure(name)
        if figure is not None:
            yield _tile(said.called(name), number(figure.value), _interval(figure))


def _tile(name: Text, figure: str, note: str = "") -> Markup:
    return element(
        "div",
        element("p", alike(name), class_="name"),
        element("p", figure, class_="figure"),
        element("p", note, class_="note"),
        class_="tile",
    )


def _sentence(finding: Finding) -> Markup:
    return element("li", element("code", finding.check), both(finding.words))


def _idea(result: Result, frame: pl.DataFrame, idea: str) -> Markup:
    findings = [finding for finding in result.findings if finding.check.startswith(f"{idea}.")]
    tables = [one for finding in findings for one in finding.tables if one.rows]
    pictures = list(_pictures(result, frame, idea))
    content = [table(HEADS, [_row(one) for one in findings], class_="figures judged", plain=("",) * len(HEADS))]
    if pictures:
        content.append(element("div", pictures, class_="pair"))
    if tables:
        content.append(element("details", element("summary", both(BEHIND)), [_table(one) for one in tables]))
    return section(said.called(idea, said.IDEAS), *content)


def _row(finding: Finding) -> Markup:
    title = next((check.title for check in CHECKS if check.name == finding.check), None)
    threshold = finding.threshold
    return element(
        "tr",
        element(
            "td",
            element("code", finding.check),
            both(title) if title else "",
            element("p", both(finding.words), class_="found"),
            class_="words",
        ),
        element("td", element("span", both(finding.verdict.text), class_=f"mark {finding.verdict.value}")),
        element("td", [_figure(one) for one in finding.figures[:FIGURES]], _more(len(finding.figures) - FIGURES)),
        element("td", both(said.bound(threshold.warn)) if threshold else ""),
        element("td", both(said.bound(threshold.refuse)) if threshold else ""),
        element("td", threshold.source if threshold else "", class_="source"),
    )


def _figure(figure: Figure) -> Markup:
    of = f" · {figure.of}" if figure.of else ""
    named = said.called(figure.name)
    return element(
        "p",
        element("span", alike(Text(en=f"{named.en}{of}", zh=f"{named.zh}{of}")), class_="name"),
        element("span", number(figure.value), class_="strong"),
        f" {_interval(figure)}",
        class_="one",
    )


def _interval(figure: Figure) -> str:
    return "" if figure.low is None or figure.high is None else f"({number(figure.low)} – {number(figure.high)})"


def _more(left: int) -> Content:
    return element("p", both(MORE.filled(count=f"{left:,}")), class_="quiet") if left > 0 else ""


def _table(told: Table) -> Markup:
    heads = tuple(said.called(name, said.COLUMNS) for name in told.columns)
    numeric = [all(row[place] is None or _is_number(row[place]) for row in told.rows) for place in range(len(heads))]
    plain = tuple("number" if one else "" for one in numeric)
    rows = [
        element(
            "tr",
            [
                element("td", _cell(cell, name), class_=kind)
                for cell, name, kind in zip(row, told.columns, plain, strict=True)
            ],
        )
        for row in told.rows[:ROWS]
    ]
    built = table(heads, rows, class_="figures", plain=plain)
    return element("figure", element("h4", both(told.title)), built, _more(len(told.rows) - ROWS))


def _cell(cell: Cell, column: str) -> Content:
    if _is_number(cell):
        assert isinstance(cell, int | float)
        return number(float(cell))
    if cell is None:
        return "–"
    told = str(cell)
    few = told == said.FEW.en or (column == "not_judged" and told)
    return both(said.FEW) if few else told


def _is_number(cell: Cell) -> bool:
    return isinstance(cell, int | float) and not isinstance(cell, bool)


def _pictures(result: Result, frame: pl.DataFrame, idea: str) -> Iterator[Markup]:
    bad = frame.get_column("bad").to_numpy().astype(np.bool_)
    if idea == "discrimination" and (auc := _figure_of(result, "discrimination.auc")) is not None:
        log_odds, probability = (frame.get_column(name).to_numpy() for name in ("log_odds", "probability"))
        money = frame.get_column("exposure_minor").to_numpy()
        yield pictured("roc", plots.roc_with_band(bad, log_odds, auc), ROC)
        if money[bad].any():
            loss = np.log(np.maximum(probability * money, 1.0))
            yield pictured("money", captured_money_by_decile(bad, loss, money, probability), CAPTURED)
        yield pictured("lift", lift_by_decile(bad, log_odds), LIFT)
    if idea == "calibration":
        for name, check, words in (("tenths", "calibration.bands", TENTHS), ("bands", "calibration.band_ratio", BANDS)):
            found = _table_of(result, check, "bands")
            if found is not None:
                yield pictured(name, plots.calibration_by_band(found), words)
    if idea == "stability":
        if (months := _table_of(result, "stability.scores", "months")) is not None:
            yield pictured("psi", plots.index_by_month(months), PSI)
        if (months := _table_of(result, "stability.gini_slope", "months")) is not None:
            yield pictured("gini", plots.gini_by_month(months), GINI)
    if idea == "fairness":
        yield from _groups(result)
    if idea == "parts" and "log_odds" in frame.columns:
        parts = [frame.get_column(group.value).to_numpy() for group in (Group.ABILITY, Group.WILLINGNESS)]
        yield pictured("parts", plots.parts_by_tenth(bad, *parts), PARTS)


def _groups(result: Result) -> Iterator[Markup]:
    for finding in result.findings:
        named = finding.figures[0].name if finding.figures else ""
        if finding.check.startswith("fairness.") and named in AXES:
            same, axis = AXES[named]
            figures: Sequence[Figure] = [one for one in finding.figures if one.name == named]
            words = next(check.title for check in CHECKS if check.name == finding.check)
            picture = plots.by_group(figures, same, axis.en)
            yield pictured(finding.check.partition(".")[2], picture, words, GROUPS)


def _figure_of(result: Result, check: str) -> Figure | None:
    finding = result.finding(check)
    return finding.figures[0] if finding is not None and finding.figures else None


def _table_of(result: Result, check: str, name: str) -> Table | None:
    finding = result.finding(check)
    return next((one for one in finding.tables if one.name == name), None) if finding is not None else None


def _grounds(result: Result) -> Markup:
    facts: list[tuple[Text, str]] = [
        (Text(en="Policy", zh="验证策略"), f"{result.policy_version}, SHA-256 {result.policy}"),
        (Text(en="Version's manifest", zh="模型清单"), f"SHA-256 {result.manifest}"),
        (Text(en="Evidence", zh="证据文件"), f"SHA-256 {result.evidence}"),
        (Text(en="Values and outcomes", zh="特征取值与结果"), f"SHA-256 {result.values}"),
        (Text(en="Feature fingerprint", zh="特征指纹"), result.fingerprint),
        (Text(en="Book", zh="资产包"), result.portfolio),
        (Text(en="MLflow run", zh="MLflow运行"), result.run),
        (Text(en="Packages", zh="软件版本"), ", ".join(f"{name} {told}" for name, told in result.packages.items())),
        (Text(en="Seconds", zh="用时（秒）"), number(float(sum(result.seconds.values())))),
    ]
    return element(
        "footer",
        element("h2", both(GROUNDS)),
        element(
            "dl",
            [element("div", element("dt", both(name)), element("dd", element("code", told))) for name, told in facts],
        ),
    )
