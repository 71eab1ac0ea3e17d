"""`repayrank challenge`: which version is scored beside the one that serves."""

from __future__ import annotations

from typing import Annotated

import typer

from features.errors import UsageError
from models.verb_options import DEFAULT_HOME, HomeOption, require_card, require_folder, tell

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
        tell(f"no version challenges the {card} card any more" + (f"; until now {before} did" if before else ""))
        return
    before = named(store, card, version)
    instead = f" in place of version {before}" if before not in {None, version} else ""
    tell(f"version {version} challenges version {store.champion(card)} of the {card} card{instead}")
