"""`repayrank tune`: is there a better size of a card's trees than the default ones?"""

from __future__ import annotations

import importlib.util
import signal
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from features.errors import ConfigurationRefused, UsageError

if TYPE_CHECKING:
    from training.tuning.tune import Outcome

SECONDS_A_MINUTE = 60
LARGEST_SEED = 2**31 - 1
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
    portfolio: Annotated[
        str,
        typer.Option("--portfolio", help="A built-in book (`taiwan`, `simulated`), a portfolio file, or a folder."),
    ],
    card: Annotated[
        str | None,
        typer.Option("--card", help="`application`, `behaviour`, `collection` or `all`; by default the book's own."),
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", help="Folder of the files that a portfolio file names; its own by default.")
    ] = None,
    home: Annotated[
        Path, typer.Option("--home", envvar="REPAYRANK_HOME", help="Folder of models, searches and MLflow records.")
    ] = Path(".repayrank"),
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
    as_of: Annotated[
        datetime | None,
        typer.Option("--as-of", formats=["%Y-%m-%d"], help="Observation date; what was recorded later does not exist."),
    ] = None,
    zone: Annotated[
        str | None, typer.Option("--zone", help="IANA zone in which your days end; UTC for a folder.")
    ] = None,
) -> None:
    """Search for a better size of a card's trees, and tell on loans set apart whether it is better than the default.

    Stopped in whatever way, the same command goes on where it was. `repayrank train --tuned` uses the outcome.

    Example: `repayrank tune --portfolio taiwan --card collection --trials 40`
    """
    _require_optuna()
    from features.portfolios import open_portfolio
    from models.cards import card_named, card_of
    from training.cohort import cohort
    from training.splits import KINDS
    from training.tuning.tune import tune as tuned

    if card is not None:
        card_named(card)
    if split is not None and split not in KINDS:
        raise UsageError(f"no split '{split}'", where="--split", expected=f"one of {', '.join(KINDS)}", do="correct it")
    book = open_portfolio(portfolio, zone, data=data)
    # Polars 2.1 takes Ctrl-C with its first query and lets none through.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    cases = cohort(book, card_of(book, card or book.card), None if as_of is None else as_of.date())
    if cases.left_out:
        _say(cases.left_out)
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
            test_from=own_from if test_from is None else test_from.date(),
            embargo_days=embargo_days,
            say=_say,
        )
    except KeyboardInterrupt:
        _say("stopped; the same command goes on where this one was")
        raise
    _tell(outcome, home)


def _require_optuna() -> None:
    if importlib.util.find_spec("optuna") is None:
        raise ConfigurationRefused(
            "not installed: optuna",
            where="repayrank tune",
            expected="the optional library of the extra 'tune'",
            do="install it with: pip install 'repayrank[tune]' -c constraints.txt",
        )


def _tell(outcome: Outcome, home: Path) -> None:
    from training.tuning.tune import row

    tuned = outcome.tuned
    typer.echo(table([row(one) for one in outcome.best]))
    if outcome.importance:
        shares = ", ".join(f"{name} {share:.0%}" for name, share in outcome.importance.items())
        typer.echo(f"what moved the objective: {shares}")
    typer.echo(tuned.verdict.words)
    _say(f"look at the trials: mlflow ui --backend-store-uri sqlite:///{home / 'mlflow' / 'mlflow.db'}")
    use = "use it with" if tuned.verdict.gained else "nothing speaks for using it; to do so all the same:"
    _say(f"{use} repayrank train --card {tuned.card} --tuned")
    typer.echo(f"size of trial {tuned.provenance['trial']} of {tuned.provenance['trials']}: {outcome.path}")


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return trials as lines of text, the first of them the columns' names."""
    written = [list(WIDTHS), *([format(one[name], kind) for name, kind in WIDTHS.items()] for one in rows)]
    widths = [max(map(len, column)) for column in zip(*written, strict=True)]
    return "\n".join(
        "  ".join(f"{cell:>{width}}" for cell, width in zip(line, widths, strict=True)) for line in written
    )


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - progress belongs on the terminal, results on stdout
