"""A comparison of a challenger with the champion, as a person reads it on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from models.verb_options import TABLE_WIDTH, tell
from training.shadow_comparison import Against, Calibrated, Captured, Comparison, Distance, Judged
from training.statistics.intervals import Interval
from training.statistics.segments import NotJudged

PASSED_OVER = {
    "erased": "of borrowers who were erased",
    "own": "that the challenger had decided itself",
    "other_features": "on ready features that it does not read",
    "refused": "that it takes no part in",
}


def show(told: Comparison) -> None:
    """Print a comparison."""
    from rich.console import Console
    from rich.table import Table

    console = Console(width=None if sys.stdout.isatty() else TABLE_WIDTH)
    for one in told.against:
        who = f"version {told.challenger} against version {one.champion} of the {told.card} card"
        table = Table(
            "month", "decisions", "PSI", "rank corr.", "shift of log-odds", "to a safer band", "riskier", title=who
        )
        for month, distance in [*one.months.items(), ("all", one.all)]:
            table.add_row(month, *_distance(distance))
        console.print(table)
        swaps = Table(
            "in this band or riskier", "both", "swapped in", "swapped out", "neither", title=f"swap sets, {who}"
        )
        for swap in one.swaps:
            swaps.add_row(swap.band, *(f"{n:,}" for n in (swap.both, swap.swapped_in, swap.swapped_out, swap.neither)))
        console.print(swaps)
        if one.under_newest_policy < one.all.pairs:
            tell(f"swap sets: {one.under_newest_policy:,} decisions under the newest policy alone")
        for line in _matured(one):
            tell(line)
    passed = [f"{told.outcomes[name]:,} {words}" for name, words in PASSED_OVER.items() if told.outcomes[name]]
    tell(f"{told.outcomes['scored']:,} decisions compared" + (f"; passed over: {', '.join(passed)}" if passed else ""))


def _distance(one: Distance) -> tuple[str, ...]:
    ranked = "-" if one.rank_correlation is None else f"{one.rank_correlation:.3f}"
    return f"{one.pairs:,}", f"{one.psi:.4f}", ranked, f"{one.shift:+.3f}", f"{one.safer:.1%}", f"{one.riskier:.1%}"


def _matured(one: Against) -> Iterator[str]:
    if one.matured is None:
        return
    left = {
        "without an outcome yet": one.matured.open,
        "neither good nor bad": one.matured.undecided,
        "observed no later than what a version was fitted on": one.matured.seen,
    }
    told = ", ".join(f"{count:,} {words}" for words, count in left.items() if count)
    judged = one.matured.judged
    if isinstance(judged, NotJudged):
        yield f"matured outcomes: not judged, {judged.why}" + (f" ({told})" if told else "")
        return
    yield f"matured outcomes: {judged.cases:,} decisions, {judged.bad:,} bad" + (f" ({told})" if told else "")
    yield judged.difference.words(f"the champion, version {one.champion}")
    yield from _scores(judged)


def _scores(judged: Judged) -> Iterator[str]:
    for who, auc, interval, calibrated, held in (
        (
            "champion",
            judged.champion_auc,
            judged.champion_interval,
            judged.champion_calibration,
            judged.champion_captured,
        ),
        (
            "challenger",
            judged.challenger_auc,
            judged.challenger_interval,
            judged.challenger_calibration,
            judged.challenger_captured,
        ),
    ):
        yield f"  {who:<11}AUC {auc:.4f} ({_interval(interval)}); {_calibrated(calibrated, judged)}"
        yield f"  {'':<11}{_held(held, judged.held_by)}"


def _calibrated(one: Calibrated, judged: Judged) -> str:
    return (
        f"expected {one.expected:.2%} bad, found {judged.bad / judged.cases:.2%}; Brier {one.brier:.4f}; slope "
        f"{one.slope:.2f} ({_interval(one.slope_interval, 2)}), level {one.in_the_large:+.2f} "
        f"({_interval(one.in_the_large_interval, 2)})"
    )


def _held(one: Captured, what: str) -> str:
    told = ", ".join(
        f"{share:.0%}: {held:.0%} ({low:.0%} to {high:.0%})"
        for share, held, low, high in zip(one.shares, one.captured, one.low, one.high, strict=True)
    )
    return f"{'money' if what == 'money' else 'loans'} that went bad in the first {told}"


def _interval(one: Interval, digits: int = 4) -> str:
    return f"{one.low:.{digits}f} to {one.high:.{digits}f}"
