"""`repayrank train` and `repayrank evaluate`: a card fitted on known outcomes, and how good it is on unseen loans."""

from __future__ import annotations

import json
import shlex
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from features.errors import UsageError
from models.verb_options import (
    DEFAULT_HOME,
    AsOfOption,
    CardOption,
    DataOption,
    HomeOption,
    PortfolioOption,
    SeedOption,
    ZoneOption,
    day,
    open_book,
    require_card,
    require_folder,
    say,
    tell,
)

if TYPE_CHECKING:
    from training.cohort import Cohort


def train(
    portfolio: PortfolioOption,
    card: CardOption = None,
    data: DataOption = None,
    home: HomeOption = DEFAULT_HOME,
    as_of: AsOfOption = None,
    zone: ZoneOption = None,
    seed: SeedOption = 0,
    tuned: Annotated[bool, typer.Option("--tuned", help="With what `repayrank tune` found for this card.")] = False,
    parameters: Annotated[
        Path | None, typer.Option("--parameters", help="With the parameters of a file that `repayrank tune` wrote.")
    ] = None,
    by: Annotated[
        str | None,
        typer.Option("--by", help="Who trains, by name or role, for the record; by default the user of this machine."),
    ] = None,
) -> None:
    """Fit a card on a book whose outcomes are known; sign it and record it in MLflow.

    It serves at once where no version of the card serves yet. Else it is a challenger: `validate` judges it, and
    `promote` lets it serve.

    Example: `repayrank train --portfolio taiwan --card collection`
    """
    from models.cards import card_of
    from training.train import train as train_card
    from training.tuning.result import size_asked_for

    require_folder(home)
    require_card(card)
    book = open_book(portfolio, zone, data)
    wanted = card_of(book, card or book.card)
    size = size_asked_for(home, wanted.name, tuned=tuned, parameters=parameters)
    done = train_card(
        book, wanted, home, as_of=day(as_of), seed=seed, measure_depth=True, parameters=size, by=by, say=say
    )
    told = done.metrics
    say(f"out of fold: AUC {told['auc']:.4f}, KS {told['ks']:.3f}, Brier {told['brier']:.4f}")
    say(f"look at the runs: mlflow ui --backend-store-uri sqlite:///{home / 'mlflow' / 'mlflow.db'}")
    named = f"{wanted.name} card version {done.card.version}"
    if done.serves:
        say("it serves at once: no version of the card served before")
        tell(f"{named} is the champion in {done.folder}")
        return
    given = {"--data": data, "--zone": zone, "--home": None if home == DEFAULT_HOME else home}
    version = f"--portfolio {shlex.quote(portfolio)} --card {wanted.name} --version {done.card.version}"
    version += "".join(f" {option} {shlex.quote(str(value))}" for option, value in given.items() if value is not None)
    say(f"next: repayrank validate {version} --by WHO\nthen: repayrank promote {version} --by WHO")
    tell(f"{named} is a challenger in {done.folder}; version {done.champion} serves until it is promoted")


def evaluate(
    portfolio: PortfolioOption,
    card: CardOption = None,
    data: DataOption = None,
    folds: Annotated[int, typer.Option("--folds", min=2, help="How many, where cases are split in folds.")] = 5,
    split: Annotated[
        str | None,
        typer.Option("--split", help="`time`, `borrower` or `folds` (stratified); by default what the cases allow."),
    ] = None,
    test_from: Annotated[
        datetime | None,
        typer.Option("--test-from", formats=["%Y-%m-%d"], help="With --split time: first observation date judged."),
    ] = None,
    embargo_days: Annotated[
        int | None,
        typer.Option("--embargo-days", min=0, help="Days left out before it; by default the performance window."),
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option("--only", help="Judge a card of this feature alone; may be given again.")
    ] = None,
    seed: SeedOption = 0,
    as_of: AsOfOption = None,
    zone: ZoneOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    against: Annotated[
        bool, typer.Option("--compare", help="Add a WoE scorecard, HistGradientBoosting, XGBoost and CatBoost.")
    ] = False,
    separable: Annotated[bool, typer.Option(help="Measure without the constraint that keeps groups apart.")] = True,
    monotone: Annotated[bool, typer.Option(help="Measure without the declared directions.")] = True,
    shallow: Annotated[bool, typer.Option(help="Measure without the bound on the depth of trees.")] = True,
) -> None:
    """Judge a card on loans it has not seen, split through the same function as `train`.

    Example: `repayrank evaluate --portfolio taiwan --card collection --folds 5 --seed 0 --json`
    """
    from models.cards import card_of
    from training.cohort import cohort
    from training.evaluation import compare
    from training.evaluation import evaluate as judge
    from training.recovery import judge_recovery
    from training.rivals import rivals
    from training.splits import KINDS, splits

    require_card(card)
    if split is not None and split not in KINDS:
        raise UsageError(f"no split '{split}'", where="--split", expected=f"one of {', '.join(KINDS)}", do="correct it")
    others = rivals(seed) if against else {}
    book = open_book(portfolio, zone, data)
    wanted = card_of(book, card or book.card)
    cases = cohort(book, wanted, day(as_of))
    if cases.left_out:
        say(cases.left_out)
    if only:
        cases = cases.features(_chosen(cases, only))
    _require_enough_for(folds, cases)
    own_by, own_from = book.split or (None, None)
    among = splits(
        cases,
        by=split or own_by,
        folds=folds,
        seed=seed,
        test_from=day(test_from) or own_from,
        embargo_days=embargo_days,
    )
    result = judge(
        cases,
        among,
        seed=seed,
        separable=separable,
        monotone=monotone,
        shallow=shallow,
        truth=book.truth,
        say=say,
    )
    recovery = judge_recovery(cases, among, seed=seed)
    if recovery:
        result["recovery"] = recovery
    if others:
        result["compared"] = compare(cases, among, others, say=say)
    if as_json:
        tell(json.dumps(result))
        return
    tell(_evaluation_table(wanted.name, result))


def _chosen(cases: Cohort, names: list[str]) -> tuple[str, ...]:
    known = [feature.name for feature in cases.matrix.features]
    strange = [name for name in names if name not in known]
    if strange:
        raise UsageError(
            f"features that the book's cases do not have: {', '.join(strange)}",
            where="--only",
            expected="names of features that are known for the book, as `repayrank features` lists them",
            do="correct the names",
        )
    return tuple(names)


def _require_enough_for(folds: int, cases: Cohort) -> None:
    rarer = int(min(cases.bad.sum(), (~cases.bad).sum()))
    if folds > rarer:
        raise UsageError(
            f"{folds} folds for {rarer} loans of the rarer outcome",
            where="--folds",
            expected="a loan of each outcome in every fold",
            do=f"ask for {rarer} folds or fewer",
        )


def _evaluation_table(card: str, result: dict[str, Any]) -> str:
    columns = ("auc", "auc_sd", "ks", "brier", "log_loss")
    named = {f"repayrank {card}": result, **result.get("compared", {})}
    width = max(map(len, named))
    lines = [f"{'':{width}}  " + "  ".join(f"{column:>8}" for column in columns)]
    lines += [
        f"{name:{width}}  " + "  ".join(f"{_figure(figures[column]):>8}" for column in columns)
        for name, figures in named.items()
    ]
    lines.append(
        f"judged on {result['judged']:,} of {result['rows']:,} cases, each by a card that had not seen it "
        f"({'one split' if result['splits'] == 1 else str(result['splits']) + ' splits'})"
    )
    lines.append(
        f"all cases: {result['base_rate']:.1%} bad, {result['counts'].get('indeterminate', 0):,} more "
        f"indeterminate, {result['features']} features; additivity error {result['additivity_error']:.1e}, "
        f"monotone violations {result['monotone_violations']}"
    )
    lines.append(result["against"]["words"])
    lines += result["warnings"]
    if "recovery" in result:
        told = result["recovery"]
        lines.append(
            f"recovery: AUC of any payment {told['auc_any_payment']:.4f}; the first tenth by expected money holds "
            f"{told['first_tenth']:.0%} of what came back, by amount {told['first_tenth_by_amount']:.0%}; expected "
            f"over recovered {told['calibration']:.2f}"
        )
    if "truth" in result:
        found, without = result["truth"]["spearman"], result["truth"]["auc_without"]
        lines.append(
            "rank correlation with the truth: " + ", ".join(f"{name} {told:.2f}" for name, told in found.items())
        )
        lines.append("AUC with a group shuffled: " + ", ".join(f"{name} {told:.4f}" for name, told in without.items()))
    return "\n".join(lines)


def _figure(figure: float | None) -> str:
    return "-" if figure is None else f"{figure:.4f}"
