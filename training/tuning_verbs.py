"""`repayrank tune`: is there a better size of a card's trees than the default ones?"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from features.errors import ConfigurationRefused, UsageError
from models.verb_options import (
    DEFAULT_HOME,
    LARGEST_SEED,
    AsOfOption,
    CardOption,
    DataOption,
    HomeOption,
    PortfolioOption,
    ZoneOption,
    day,
    open_book,
    require_card,
    require_folder,
    say,
    tell,
)

if TYPE_CHECKING:
    from training.tuning.tune import Outcome

SECONDS_A_MINUTE = 60
DEFAULT_TRIALS = 40
WIDTHS: Mapping[str, str] = {
    "trial": "d",
    "objective": ".4f",
    "gini": ".4f",
    "trees": "d",
    "learning_rate": ".4f",
    "num_leaves": "d",
    "max_depth": "d",
    "min_data_in_leaf": "d",
    "lambda_l2": ".2f",
    "feature_fraction": ".2f",
    "bagging_fraction": ".2f",
}
"""The columns of the table of trials, and how each is written."""


def tune(
    portfolio: PortfolioOption,
    card: CardOption = None,
    data: DataOption = None,
    home: HomeOption = DEFAULT_HOME,
    trials: Annotated[int, typer.Option("--trials", min=1, help="Trials in all, with those already done.")] = (
        DEFAULT_TRIALS
    ),
    minutes: Annotated[
        float | None,
        typer.Option("--minutes", min=0, help="Begin no trial after so long; the command may be repeated."),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option("--split", help="`time`, `borrower` or `folds` (stratified); by default what the cases allow."),
    ] = None,
    folds: Annotated[int, typer.Option("--folds", min=2, help="Inner folds, where cases are split in folds.")] = 5,
    test_from: Annotated[
        datetime | None,
        typer.Option(
            "--test-from", formats=["%Y-%m-%d"], help="With --split time: first observation date that is set apart."
        ),
    ] = None,
    embargo_days: Annotated[
        int | None,
        typer.Option(
            "--embargo-days", min=0, help="Days left out before judged ones; the performance window if not said."
        ),
    ] = None,
    seed: Annotated[
        int,
        typer.Option("--seed", min=0, max=LARGEST_SEED, help="The same seed tries the same sizes in the same order."),
    ] = 0,
    as_of: AsOfOption = None,
    zone: ZoneOption = None,
) -> None:
    """Search for a better size of a card's trees, and tell on loans set apart whether it is better than the default.

    Stopped in whatever way, the same command goes on where it was. `repayrank train --tuned` uses the outcome.

    Example: `repayrank tune --portfolio taiwan --card collection --trials 40`
    """
    _require_optuna()
    from models.cards import card_of
    from training.cohort import cohort
    from training.splits import KINDS
    from training.tuning.tune import tune as tuned

    require_folder(home)
    require_card(card)
    if split is not None and split not in KINDS:
        raise UsageError(f"no split '{split}'", where="--split", expected=f"one of {', '.join(KINDS)}", do="correct it")
    book = open_book(portfolio, zone, data)
    cases = cohort(book, card_of(book, card or book.card), day(as_of))
    if cases.left_out:
        say(cases.left_out)
    own_by, own_from = book.split or (None, None)
    try:
        outcome = tuned(
            cases,
            home,
            portfolio=book.name,
            source=book.source,
            seed=seed,
            trials=trials,
            seconds=None if minutes is None else minutes * SECONDS_A_MINUTE,
            by=split or own_by,
            folds=folds,
            test_from=day(test_from) or own_from,
            embargo_days=embargo_days,
            say=say,
        )
    except KeyboardInterrupt:
        say("stopped; the same command goes on where this one was")
        raise
    _told(outcome, home)


def _require_optuna() -> None:
    if importlib.util.find_spec("optuna") is None:
        raise ConfigurationRefused(
            "not installed: optuna",
            where="repayrank tune",
            expected="the optional library of the extra 'tune'",
            do="install it with: pip install 'repayrank[tune]' -c constraints.txt",
        )


def _told(outcome: Outcome, home: Path) -> None:
    from training.tuning.tune import row

    tuned = outcome.tuned
    tell(table([row(one) for one in outcome.best]))
    if outcome.importance:
        shares = ", ".join(f"{name} {share:.0%}" for name, share in outcome.importance.items())
        tell(f"what moved the objective: {shares}")
    tell(tuned.verdict.words)
    say(f"look at the trials: mlflow ui --backend-store-uri sqlite:///{home / 'mlflow' / 'mlflow.db'}")
    use = "use it with" if tuned.verdict.gained else "nothing speaks for using it; to do so all the same:"
    say(f"{use} repayrank train --card {tuned.card} --tuned")
    tell(f"size of trial {tuned.provenance['trial']} of {tuned.provenance['trials']}: {outcome.path}")


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return trials as lines of text, the first of them the columns' names."""
    written = [list(WIDTHS), *([format(one[name], kind) for name, kind in WIDTHS.items()] for one in rows)]
    widths = [max(map(len, column)) for column in zip(*written, strict=True)]
    return "\n".join(
        "  ".join(f"{cell:>{width}}" for cell, width in zip(line, widths, strict=True)) for line in written
    )
