"""What a promotion says of itself before it is made, when it is and afterwards, in both languages."""

from __future__ import annotations

import re

from features.words import Text
from training.promotion.words import NO_VERSION_BEFORE, VALIDATED
from training.validation.findings import Verdict

# What to know of a change before it is made
KNEW = Text(
    en="the version that serves knew the observation dates of {known} of these {cases} cases: where it was fitted on "
    "them, its own sets look better than they will",
    zh="这{cases}笔样本中有{known}笔的观察点为当前冠军模型所知：若其拟合时用过这些样本，其各集合会显得好于实际",
)
NO_UNSEEN = Text(
    en="the validation has no scores by models that had not seen the cases",
    zh="验证结果中没有未见过这些样本的模型的评分",
)
NOT_COUNTED = Text(
    en="its validation does not count: {found}",
    zh="其验证结果未通过核验，原因见英文说明",
)
NEVER_VALIDATED = Text(en="it was never validated: it served before", zh="该版本从未验证，但此前曾在用")
REFUSED_BY = Text(en="its validation refuses it: {checks}", zh="其验证结论为不通过：{checks}")

# What the change is
SERVES = Text(en="{card} card version {version} serves", zh="{card}评分卡版本{version}晋升为冠军模型")
SERVES_AGAIN = Text(en="{card} card version {version} serves again", zh="{card}评分卡版本{version}恢复为冠军模型")
IN_PLACE = Text(en="{change} in the place of version {before}", zh="{change}，取代版本{before}")
UNDONE = Text(en="{change}; change {number} is undone", zh="{change}；变更{number}已撤销")
DRY_RUN = Text(
    en="not done, for this was a dry run: {change}; with {seen} no other change comes between",
    zh="仅为演练，并未执行：{change}；加上 {seen} 则其间不会有其他变更",
)
DONE = Text(en="{change}, by change {number}: {folder}", zh="{change}（变更{number}）：{folder}")
AS_IT_DID = Text(
    en="version {version} of the {card} card serves, as it did", zh="{card}评分卡仍由版本{version}提供评分"
)

# Who is told of it, and who could not be
MADE = Text(
    en="change {number} is made: version {version} serves; now the log and MLflow are told",
    zh="变更{number}已生效：冠军模型为版本{version}；现在通知决策日志与MLflow",
)
NO_LOG = Text(
    en="no decision log in {folder}: the change is told to it once there is one",
    zh="{folder} 中没有决策日志：日志建立后再补记本次变更",
)
LOG_NOT_TOLD = Text(
    en="the decision log could not be told of change {number} ({kind}): it stands, and the next `repayrank promote` "
    "tells it",
    zh="变更{number}未能记入决策日志（{kind}）：变更有效，下次运行 repayrank promote 时补记",
)
MLFLOW_NOT_TOLD = Text(
    en="MLflow could not be told ({kind}): what serves stands; `repayrank promote --mirror` tells it",
    zh="未能通知MLflow（{kind}）：冠军模型不受影响；运行 repayrank promote --mirror 补报",
)
NOT_IN_MLFLOW = Text(
    en="MLflow does not know version {version}, which was trained elsewhere: its alias stays where it was",
    zh="MLflow中没有版本{version}（在别处训练）：其别名保持不变",
)
DAMAGED = Text(
    en="{where}: {found}; {do}",
    zh="{where}：变更记录未通过核验，原因见英文说明；请从备份恢复该目录或将其移开，冠军模型与其无关",
)
NO_EFFECT = Text(
    en="change {number} had no effect: whoever made it version {version} died before it did",
    zh="变更{number}未生效：进程在版本{version}成为冠军模型之前终止",
)
PUT_IN_PLACE = Text(en="the record of change {number} was put into its place", zh="变更{number}的记录已归位")

_VALIDATED = re.compile(VALIDATED.filled(by="(.+)", day=r"(\d{4}-\d{2}-\d{2})", verdict="(.+)").en)
"""Histories hold this sentence in English: a release that words it otherwise has to know the one before as well."""
_VERDICTS = {verdict.text.en: verdict.text for verdict in Verdict}


def reason_in_words(reason: str) -> Text:
    """Return the reason of a change in both languages where the release gave it; a person's own words as they are.

    >>> reason_in_words("validated by model validation on 2026-11-29: warn").zh
    '由model validation于2026-11-29验证：警示'
    """
    if reason == NO_VERSION_BEFORE.en:
        return NO_VERSION_BEFORE
    found = _VALIDATED.fullmatch(reason)
    if found is None or found[3] not in _VERDICTS:
        return Text(en=reason, zh=reason)
    return VALIDATED.filled(by=found[1], day=found[2], verdict=_VERDICTS[found[3]])
