"""A comparison of a challenger with the champion, as a person reads it on a terminal, in English and in Chinese."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from features.words import Text, listed
from models.score_pairs import PASSED_OVER_FOR
from models.terminal import beside, tell_both, under
from training import shadow_words as words
from training.promotion.words import Move
from training.shadow_comparison import Against, Calibrated, Captured, Comparison, Distance, Judged
from training.statistics.intervals import Interval
from training.statistics.segments import NotJudged
from training.terminal import console, table

if TYPE_CHECKING:
    from rich.table import Table

INDENT, WHO_WIDTH = 2, 11
"""Columns of a terminal before and for the name of a version, where both versions are told of in turn."""


def show(told: Comparison) -> None:
    """Print a comparison."""
    for one in told.against:
        for of_it in tables(told, one):
            console().print(of_it)
        for sentence in sentences(one):
            tell_both(sentence)
    tell_both(counted(told))


def tables(told: Comparison, one: Against) -> tuple[Table, Table]:
    """Return how far two scores lie apart, month by month, and the swap set at each band."""
    title = words.TITLE.filled(challenger=told.challenger, champion=one.champion, card=told.card)
    distances = table(title)
    distances.add_column(under(words.MONTH))
    for head in (words.DECISIONS, words.PSI, words.RANKED, words.SHIFT, Move.SAFER.text, Move.RISKIER.text):
        distances.add_column(under(head), justify="right")
    for month, distance in one.months.items():
        distances.add_row(month, *_distance(distance))
    distances.add_section()
    distances.add_row(beside(words.ALL), *_distance(one.all))
    swaps = table(words.SWAPS.filled(title=title))
    swaps.add_column(under(words.CUT))
    for head in (words.BOTH, words.SWAPPED_IN, words.SWAPPED_OUT, words.NEITHER):
        swaps.add_column(under(head), justify="right")
    for swap in one.swaps:
        swaps.add_row(swap.band, *(f"{n:,}" for n in (swap.both, swap.swapped_in, swap.swapped_out, swap.neither)))
    return distances, swaps


def sentences(one: Against) -> Iterator[Text]:
    """Yield what stands under the tables: what the swap sets leave out, and what became of the loans."""
    if one.under_newest_policy < one.all.pairs:
        yield words.NEWEST_POLICY.filled(count=f"{one.under_newest_policy:,}")
    if one.matured is None:
        return
    counts = ((words.OPEN, one.matured.open), (words.UNDECIDED, one.matured.undecided), (words.SEEN, one.matured.seen))
    parts = [text.filled(count=f"{count:,}") for text, count in counts if count]
    left: Text | str = words.LEFT.filled(counts=listed(parts)) if parts else ""
    judged = one.matured.judged
    if isinstance(judged, NotJudged):
        yield words.NOT_JUDGED.filled(why=words.why_not(judged.why), left=left)
        return
    yield words.MATURED.filled(cases=f"{judged.cases:,}", bad=f"{judged.bad:,}", left=left)
    yield words.difference(judged.difference, words.THE_CHAMPION.filled(version=one.champion))
    yield from _scores(judged)


def counted(told: Comparison) -> Text:
    """Return how many decisions were compared, and how many were not and why."""
    compared = words.COMPARED.filled(count=f"{told.outcomes['scored']:,}")
    passed = [
        text.filled(count=f"{told.outcomes[name]:,}") for name, text in PASSED_OVER_FOR.items() if told.outcomes[name]
    ]
    return words.PASSED_OVER.filled(compared=compared, counts=listed(passed)) if passed else compared


def _distance(one: Distance) -> tuple[str, ...]:
    ranked = "-" if one.rank_correlation is None else f"{one.rank_correlation:.3f}"
    return f"{one.pairs:,}", f"{one.psi:.4f}", ranked, f"{one.shift:+.3f}", f"{one.safer:.1%}", f"{one.riskier:.1%}"


def _scores(judged: Judged) -> Iterator[Text]:
    for who, auc, interval, calibrated, held in (
        (
            words.CHAMPION,
            judged.champion_auc,
            judged.champion_interval,
            judged.champion_calibration,
            judged.champion_captured,
        ),
        (
            words.CHALLENGER,
            judged.challenger_auc,
            judged.challenger_interval,
            judged.challenger_calibration,
            judged.challenger_captured,
        ),
    ):
        told = words.AUC.filled(
            auc=f"{auc:.4f}", interval=words.from_to(interval, ".4f"), calibrated=_calibrated(calibrated, judged)
        )
        yield _of(who, told)
        yield _of(None, _held(held, judged.held_by))


def _of(who: Text | None, told: Text) -> Text:
    """Return a sentence behind the name of the version that it is of; Chinese letters are two columns wide."""
    from rich.cells import set_cell_size

    names = ("", "") if who is None else (who.en, who.zh)
    english, chinese = (" " * INDENT + set_cell_size(name, WHO_WIDTH) for name in names)
    return Text(en=english + told.en, zh=chinese + told.zh)


def _calibrated(one: Calibrated, judged: Judged) -> Text:
    return words.CALIBRATED.filled(
        expected=f"{one.expected:.2%}",
        found=f"{judged.bad / judged.cases:.2%}",
        brier=f"{one.brier:.4f}",
        slope=f"{one.slope:.2f}",
        slopes=words.from_to(one.slope_interval, ".2f"),
        level=f"{one.in_the_large:+.2f}",
        levels=words.from_to(one.in_the_large_interval, ".2f"),
    )


def _held(one: Captured, what: str) -> Text:
    parts = [
        words.HELD_PART.filled(
            share=f"{share:.0%}", held=f"{held:.0%}", interval=words.from_to(Interval(low, high), ".0%")
        )
        for share, held, low, high in zip(one.shares, one.captured, one.low, one.high, strict=True)
    ]
    return words.HELD[what].filled(parts=listed(parts))
