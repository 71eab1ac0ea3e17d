"""`repayrank challenge`: which version is scored beside the one that serves."""

from __future__ import annotations

from typing import Annotated

import typer

from features.errors import UsageError
from features.words import Text
from models.terminal import tell_both
from models.verb_options import DEFAULT_HOME, HomeOption, require_card, require_folder

CHALLENGES = Text(
    en="version {version} challenges version {champion} of the {card} card",
    zh="{card}评分卡：挑战者模型版本{version}，冠军模型版本{champion}",
)
IN_PLACE = Text(en="{challenges}, in place of version {before}", zh="{challenges}，取代版本{before}")
NONE = Text(en="no version challenges the {card} card", zh="{card}评分卡没有挑战者模型")
NONE_ANY_MORE = Text(
    en="no version challenges the {card} card any more; until now version {before} did",
    zh="{card}评分卡不再有挑战者模型；此前为版本{before}",
)

ChallengedCardOption = Annotated[str, typer.Option("--card", help="The card whose champion is challenged.")]


def challenge(
    card: ChallengedCardOption,
    version: Annotated[
        str | None, typer.Option("--version", help="The version to be scored beside the champion.")
    ] = None,
    stop: Annotated[bool, typer.Option("--stop", help="Score none any more; what was scored stays.")] = False,
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """Let a version challenge the champion: it is scored in shadow and answered to nobody.

    Example: `repayrank challenge --card collection --version 2`, then `repayrank shadow --card collection`
    """
    from models.challengers import challenge as named
    from models.challengers import withdraw
    from models.store import ModelStore

    require_card(card)
    require_folder(home)
    if stop == (version is not None):
        raise UsageError(
            "both --version and --stop" if stop else "neither --version nor --stop",
            where="the command line",
            expected="one of them",
            do="name the version that is to challenge the champion, or stop the one that does",
        )
    store = ModelStore(home)
    if version is None:
        before = withdraw(store, card)
        tell_both((NONE_ANY_MORE if before else NONE).filled(card=card, before=before or ""))
        return
    before = named(store, card, version)
    told = CHALLENGES.filled(version=version, champion=store.champion(card), card=card)
    tell_both(told if before in {None, version} else IN_PLACE.filled(challenges=told, before=before))
