"""A promotion as a risk officer reads it in a terminal: who goes up, who goes down, what became of them, and why.

Titles and heads stand in English and under it in Chinese, names of rows in both beside each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.table import Table

from features.declaration import Group
from features.words import Text, written_money
from models.champions import FOUND, Promotion
from models.terminal import beside, under
from training.promotion import words
from training.promotion.notes import reason_in_words
from training.promotion.swap_sets import CARD, UNSEEN
from training.promotion.words import TITLES, Move, View
from training.terminal import table

BAND_MOVES = (Move.SAME, Move.RISKIER, Move.SAFER)
PLACE_MOVES = (Move.SAME, Move.EARLIER, Move.LATER)
SIDE_MOVES = (Move.STAYS_IN, Move.COMES_IN, Move.GOES_OUT)
SCORES = {CARD: words.AS_IT_WILL_SERVE, UNSEEN: words.OUT_OF_SAMPLE}
NONE = "-"
Row = Mapping[str, Any]


def tables(sets: Mapping[str, Any], labels: Mapping[str, Text], *, features: int) -> list[Table]:
    """Return the tables of swap sets.

    Parameters
    ----------
    labels : the features' names in words
    features : how many of those that moved most are shown
    """
    rows, currency = sets["sets"], sets["currency"]
    card = [row for row in rows if row["scores"] == CARD]
    told = [
        _by_move(TITLES[view].filled(cases=f"{sets['cases']:,}"), view, _grouped(card, view), moves, currency)
        for view, moves in ((View.BAND, BAND_MOVES), (View.PLACE, PLACE_MOVES))
    ]
    kinds = dict.fromkeys(row["scores"] for row in rows)
    return [*told, *(_cuts(sets, scores) for scores in kinds), _why(sets, labels, features)]


def history(changes: Iterable[Promotion]) -> Table:
    """Return every change of a champion, oldest first."""
    told = table(words.CHANGES)
    for head in (words.CHANGE, words.VERSION, words.BEFORE):
        told.add_column(under(head), justify="right")
    for head in (words.BY, words.AT, words.REASON):
        told.add_column(under(head))
    for one in changes:
        cells = (
            one.generation,
            one.version or NONE,
            one.before or NONE,
            beside(words.FOUND_BY_HAND) if one.by == FOUND else one.by or NONE,
            one.at[:19] or NONE,
            under(reason_in_words(one.reason)) if one.reason else "",
        )
        told.add_row(*map(str, cells))
    return told


def _grouped(rows: Sequence[Row], view: View) -> dict[str, dict[Move, Row]]:
    """Return, for each band or tenth before, the sum of the sets of each move."""
    told: dict[str, dict[Move, Row]] = {}
    for row in rows:
        if row["view"] == view:
            of = told.setdefault(row["before"], {})
            of[Move(row["move"])] = _sum([*filter(None, [of.get(Move(row["move"]))]), row])
    return told


def _by_move(
    title: Text,
    view: View,
    told: Mapping[str, Mapping[Move, Row]],
    moves: Sequence[Move],
    currency: str,
    caption: Text | None = None,
) -> Table:
    found = table(title, caption)
    found.add_column(under(words.HEADS[view]))
    for move in moves:
        for head in (move.text, words.BAD, words.AT_RISK):
            found.add_column(under(head), justify="right")
    for name, of in told.items():
        found.add_row(name, *(cell for move in moves for cell in _cells(of.get(move), currency)))
    if view is not View.CUT:  # each case stands once in a band and a tenth, but in several cuts
        sums = {move: _sum([of[move] for of in told.values() if move in of]) for move in moves}
        found.add_section()
        found.add_row(beside(words.ALL), *(cell for move in moves for cell in _cells(sums[move], currency)))
    return found


def _cuts(sets: Mapping[str, Any], scores: str) -> Table:
    """Return the swap sets at each cut, by one kind of score of the second version."""
    told: dict[str, dict[Move, Row]] = {}
    share = _first_share(sets)
    for row in sets["sets"]:
        if row["scores"] == scores and row["view"] in {View.FIRST, View.CUT}:
            first = row["view"] == View.FIRST
            name = words.FIRST.filled(share=share) if first else words.OR_RISKIER.filled(band=row["cut"])
            told.setdefault(beside(name), {})[Move(row["move"])] = row
    first, cut = TITLES[View.FIRST].filled(share=share), TITLES[View.CUT]
    caption = Text(en=f"{first.en}; {cut.en}", zh=f"{first.zh}；{cut.zh}")
    return _by_move(SCORES[scores], View.CUT, told, SIDE_MOVES, sets["currency"], caption)


def _first_share(sets: Mapping[str, Any]) -> str:
    return f"{sets['first_share']:.0%}"


def _why(sets: Mapping[str, Any], labels: Mapping[str, Text], features: int) -> Table:
    rows = sets["why"]
    columns = [
        (View.BAND, Move.RISKIER),
        (View.BAND, Move.SAFER),
        (View.FIRST, Move.COMES_IN),
        (View.FIRST, Move.GOES_OUT),
    ]
    cell = {(View(row["view"]), Move(row["move"]), row["kind"], row["name"]): row["difference"] for row in rows}
    told = table(words.WHY, words.ADDS_UP)
    told.add_column(under(words.WHAT_MOVED))
    for view, move in columns:
        in_first = words.MOVE_IN_FIRST.filled(move=move.text, share=_first_share(sets))
        told.add_column(under(move.text if view is View.BAND else in_first), justify="right")

    def line(title: Text, kind: str, name: str) -> None:
        found = (cell.get((view, move, kind, name)) for view, move in columns)
        told.add_row(beside(title), *(NONE if value is None else f"{value:+.3f}" for value in found))

    line(words.BASE, "base", "base")
    line(words.CALIBRATION, "calibration", "calibration")
    for group in Group:
        line(group.text, "group", group.value)
    told.add_section()
    line(words.TOTAL, "total", "total")
    told.add_section()
    for name in _most_moved(rows, columns)[:features]:
        line(labels.get(name, Text(en=name, zh=name)), "feature", name)
    return told


def _most_moved(rows: Sequence[Row], columns: Sequence[tuple[View, Move]]) -> list[str]:
    """Return the features whose contributions moved most in the moves that are shown."""
    size: dict[str, float] = {}
    for row in rows:
        if row["kind"] == "feature" and (View(row["view"]), Move(row["move"])) in columns:
            size[row["name"]] = size.get(row["name"], 0.0) + abs(row["difference"]) * row["cases"]
    return sorted(size, key=lambda name: (-size[name], name))


def _sum(rows: Sequence[Row]) -> Row:
    names = ("cases", "bad", "exposure_minor", "bad_exposure_minor")
    return {name: sum(row[name] for row in rows) for name in names}


def _cells(row: Row | None, currency: str) -> tuple[str, str, str]:
    if row is None or not row["cases"]:
        return NONE, NONE, NONE
    return f"{row['cases']:,}", f"{row['bad'] / row['cases']:.1%}", written_money(row["exposure_minor"], currency)
