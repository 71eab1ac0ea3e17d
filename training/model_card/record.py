"""The sections that say what a card cannot see, what to watch, who answers for it, and every file it is made of."""

from __future__ import annotations

from collections.abc import Mapping

from features.words import Text
from models.cards import Population
from models.champions import FOUND
from training import report_words
from training.model_card.blocks import NOT_RECORDED, Block, Fact, Facts, Sentence, grid, plain
from training.model_card.figures import THRESHOLDS, thresholds, told, whole
from training.model_card.identity import QUESTION, TITLES
from training.model_card.source import Nothing, Source
from training.validation.findings import Finding, Verdict

LIMITS = (
    *report_words.LIMITS_TOLD[:2],
    Text(
        en="A leak that is no stronger than honest features looks like one of them.",
        zh="不强于正常特征的结果泄漏无法与之区分。",
    ),
    Text(
        en="A fact that a lender does not send is unknown to it; unknown and none are told apart.",
        zh="未提供的信息即为未知；“未知”与“没有”有所区分。",
    ),
)
ON_OWN = Text(
    en="On its own cases the calibration is judged by the scores that it was fitted to; only later cases show whether "
    "it lasts.",
    zh="以自身样本评定时，校准即以这些评分拟合；能否持续须以其后样本检验。",
)
NEVER_GRANTED = Text(
    en="What would have become of applications that were not granted is not known.",
    zh="未获批准的申请其后结果不可知。",
)
WATCHED = (
    "stability.scores",
    "stability.features",
    "stability.gini_slope",
    "calibration.in_the_large",
    "calibration.slope",
    "calibration.band_ratio",
    "discrimination.auc",
)
TRAINED, VALIDATED = Text(en="Trained by", zh="训练人"), Text(en="Validated by", zh="验证人")
WHEN = Text(en="At (UTC)", zh="时间（UTC）")


def limits(source: Source) -> list[Block]:
    """Return what the version cannot see, and what the validation could not judge."""
    card = source.card.card
    unjudged = [one for one in source.result.findings if one.verdict is Verdict.NOT_JUDGED]
    sentences = [*LIMITS, report_words.LIMIT_ONE_WINDOW.filled(days=card.window_days)]
    if source.kept.own and not source.card.provenance["hold_out"]:
        sentences.append(ON_OWN)
    if card.population is Population.APPLICANTS:
        sentences.append(NEVER_GRANTED)
    blocks: list[Block] = [Sentence(one) for one in sentences]
    if unjudged:
        blocks.append(
            grid(
                Text(en="What the validation could not judge", zh="验证未能评定的检查"),
                (QUESTION, Text(en="Why", zh="原因")),
                [(_title(one), one.words) for one in unjudged],
                quoted=(1,),
            )
        )
    return blocks


def monitoring(source: Source) -> list[Block]:
    """Return which figures are watched at which thresholds, and what later cases have said so far."""
    blocks: list[Block] = [
        grid(
            Text(en="What is watched as months go by", zh="逐月监测的指标"),
            (QUESTION, *THRESHOLDS),
            [(_title(one), *thresholds(source.rule(one.check))) for one in map(source.finding, WATCHED)],
        )
    ]
    if not source.later:
        return [*blocks, Sentence(Text(en="No later cases have judged it yet.", zh="尚无其后样本的评定。"))]
    rows = [
        (
            plain(f"{result.first_on} – {result.last_on}"),
            whole(result.cases),
            whole(result.bad),
            plain("–") if auc is None else told(auc),
            result.verdict.text,
            plain(result.by),
            plain(_instant(result.at)),
        )
        for result, auc in source.later
    ]
    heads = (
        Text(en="Observed on", zh="观察点"), Text(en="Cases", zh="样本数"), Text(en="Bad", zh="坏样本"),
        Text(en="AUC", zh="AUC"), Text(en="Verdict", zh="结果"), VALIDATED, WHEN,
    )  # fmt: skip
    return [*blocks, grid(Text(en="Judged on later cases", zh="其后样本的评定"), heads, rows)]


def approvals(source: Source) -> list[Block]:
    """Return who trained, validated and promoted the version, and when."""
    result, provenance = source.result, source.card.provenance
    if not result.by or not result.at:
        raise Nothing("a validation that nobody answers for")
    blocks: list[Block] = [
        Facts(
            (
                Fact(TRAINED, _known(provenance, "trained_by")),
                Fact(Text(en="Trained at (UTC)", zh="训练时间（UTC）"), _known(provenance, "trained_at", instant=True)),
                Fact(Text(en="Training run", zh="训练运行"), plain(provenance["run"])),
                Fact(VALIDATED, plain(result.by)),
                Fact(Text(en="Validated at (UTC)", zh="验证时间（UTC）"), plain(_instant(result.at))),
                Fact(Text(en="Validation run", zh="验证运行"), plain(result.run)),
                Fact(Text(en="Validation policy", zh="验证策略"), plain(result.policy_version)),
            )
        )
    ]
    if not source.served:
        return [*blocks, Sentence(Text(en="It has never been champion.", zh="该版本从未成为冠军模型。"))]
    rows = [
        (
            whole(change.generation),
            plain(change.before) if change.before else Text(en="none", zh="无"),
            NOT_RECORDED if change.by in {"", FOUND} else plain(change.by),
            plain(_instant(change.at)) if change.at else NOT_RECORDED,
        )
        for change in source.served
    ]
    heads = (
        Text(en="Change", zh="变更序号"),
        Text(en="Version before", zh="此前版本"),
        Text(en="Promoted by", zh="晋升操作人"),
        WHEN,
    )
    return [*blocks, grid(Text(en="When it became champion", zh="成为冠军模型的时间"), heads, rows)]


def versions(source: Source) -> list[Block]:
    """Return versions of packages and the hashes of the version's files and of the validation on its own cases."""
    result, provenance = source.result, source.card.provenance
    fitted = {"python": provenance["python"], **provenance["packages"]}
    if not source.files:
        raise Nothing("a manifest that names files")
    packages = [
        (plain(name), plain(fitted.get(name, "–")), plain(result.packages.get(name, "–")))
        for name in dict.fromkeys((*fitted, *result.packages))
    ]
    hashes = {
        "manifest.json": result.manifest,
        **source.files,
        **source.hashes,
        "evidence.parquet": result.evidence,
        "policy.toml": result.policy,
    }
    return [
        grid(
            Text(en="Packages", zh="软件版本"),
            (
                Text(en="Package", zh="软件包"),
                Text(en="Fitted with", zh="拟合时"),
                Text(en="Validated with", zh="验证时"),
            ),
            packages,
        ),
        Facts((Fact(Text(en="Version of the sentences", zh="文本版本"), plain(source.card.catalog.texts_version)),)),
        grid(
            Text(en="Files, SHA-256", zh="文件（SHA-256）"),
            (Text(en="File", zh="文件"), Text(en="SHA-256", zh="SHA-256")),
            [(plain(name), plain(digest)) for name, digest in hashes.items()],
        ),
    ]


def _title(finding: Finding) -> Text:
    return TITLES.get(finding.check, plain(finding.check))


def _known(provenance: Mapping[str, object], name: str, *, instant: bool = False) -> Text:
    told_of = str(provenance.get(name, ""))
    return plain(_instant(told_of) if instant else told_of) if told_of else NOT_RECORDED


def _instant(at: str) -> str:
    return at.replace("T", " ").replace("+00:00", "")
