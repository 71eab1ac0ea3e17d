"""Every sentence that `repayrank shadow` says while it scores, in English and in Chinese."""

from __future__ import annotations

from collections.abc import Mapping

from features.words import Text, counted, listed
from models.score_pairs import PASSED_OVER_FOR, Outcome

BEGINS = Text(
    en="scoring the decisions of the {card} card in shadow; SIGTERM or Ctrl-C ends it",
    zh="正在对{card}评分卡的决策作影子评分；以SIGTERM或Ctrl-C结束",
)
STEP = Text(
    en="version {version}: {records} worked through, {left} left; {decisions}",
    zh="版本{version}：已处理{records}，剩余{left}条；{decisions}",
)
DONE = Text(
    en="version {version} of the {card} card in shadow: {decisions}; {records} worked through: {folder}",
    zh="{card}评分卡版本{version}影子评分：{decisions}；已处理{records}：{folder}",
)
LOOKS_AGAIN = Text(en="looks again later: {why}", zh="稍后再试，原因见英文说明")
NONE_ANY_MORE = Text(
    en="no version challenges the {card} card any more, so the work ends",
    zh="{card}评分卡已没有挑战者模型，影子评分结束",
)
REFUSED = Text(
    en="version {version} is refused, version {before} goes on: {why}",
    zh="版本{version}未通过核验，原因见英文说明；继续使用版本{before}",
)
IN_PLACE = Text(
    en="version {version} challenges from now on, in place of version {before}",
    zh="挑战者模型自此为版本{version}，取代版本{before}",
)

_SCORED = Text(en="{count} scored", zh="{count}已评分")
_PASSED_OVER = Text(en="{scored}; passed over: {counts}", zh="{scored}；未评分：{counts}")


def decisions(done: Mapping[str, int]) -> Text:
    """Return how many decisions were scored, and how many were not and why.

    >>> decisions({"scored": 1, "erased": 2}).en
    '1 decision scored; passed over: 2 of borrowers who were erased'
    """
    scored = done.get(Outcome.SCORED, 0)
    told = _SCORED.filled(count=Text(en=counted(scored, "decision"), zh=f"{scored:,}笔决策"))
    passed = [text.filled(count=f"{done[of]:,}") for of, text in PASSED_OVER_FOR.items() if done.get(of)]
    return _PASSED_OVER.filled(scored=told, counts=listed(passed)) if passed else told


def records(number: int) -> Text:
    """Return how many records of the log.

    >>> records(1).en, records(1200).zh
    ('1 record', '1,200条记录')
    """
    return Text(en=counted(number, "record"), zh=f"{number:,}条记录")
