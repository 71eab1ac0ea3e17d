"""A promotion as a risk officer reads it in a terminal: who goes up, who goes down, what became of them, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.box import HORIZONTALS
from rich.table import Table

from features.declaration import Group
from features.words import written_money
from models.champions import Promotion
from training.promotion.swap_sets import CARD, UNSEEN
from training.promotion.words import BASE, CALIBRATION, GROUPS, TITLES, TOTAL, Move, View

BAND_MOVES = (Move.SAME, Move.RISKIER, Move.SAFER)
PLACE_MOVES = (Move.SAME, Move.EARLIER, Move.LATER)
SIDE_MOVES = (Move.STAYS_IN, Move.COMES_IN, Move.GOES_OUT)
SCORES = {
    CARD: "swap sets at each cut, by the new version as it will serve",
    UNSEEN: "out of sample: the same by models of the new version that had not seen the case",
}
NONE = "-"
Row = Mapping[str, Any]


def tables(sets: Mapping[str, Any], labels: Mapping[str, str], *, features: int) -> list[Table]:
    """Return the tables of swap sets.

    Parameters
    ----------
    labels : the features' names in words
    features : how many of those that moved most are shown
    """
    rows, currency = sets["sets"], sets["currency"]
    card = [row for row in rows if row["scores"] == CARD]
    heads = {View.BAND: "band now", View.PLACE: "tenth now"}
    told = [
        _by_move(f"{sets['cases']:,} cases {TITLES[view].en}", heads[view], _grouped(card, view), moves, currency)
        for view, moves in ((View.BAND, BAND_MOVES), (View.PLACE, PLACE_MOVES))
    ]
    kinds = dict.fromkeys(row["scores"] for row in rows)
    return [*told, *(_cuts(sets, scores) for scores in kinds), _why(sets, labels, features)]


def history(changes: Iterable[Promotion]) -> Table:
    """Return every change of a champion, oldest first."""
    table = _table("every change, oldest first")
    for name in ("change", "version", "before", "by", "at", "reason"):
        table.add_column(name, justify="right" if name in {"change", "version", "before"} else "left")
    for one in changes:
        cells = (
            one.generation,
            one.version or NONE,
            one.before or NONE,
            one.by or NONE,
            one.at[:19] or NONE,
            one.reason,
        )
        table.add_row(*map(str, cells))
    return table


def _grouped(rows: Sequence[Row], view: View) -> dict[str, dict[Move, Row]]:
    """Return, for each band or tenth before, the sum of the sets of each move."""
    told: dict[str, dict[Move, Row]] = {}
    for row in rows:
        if row["view"] == view:
            of = told.setdefault(row["before"], {})
            of[Move(row["move"])] = _sum([*filter(None, [of.get(Move(row["move"]))]), row])
    return told


def _by_move(
    title: str,
    head: str,
    told: Mapping[str, Mapping[Move, Row]],
    moves: Sequence[Move],
    currency: str,
    *,
    total: bool = True,
) -> Table:
    table = _table(title)
    table.add_column(head)
    for move in moves:
        for name in (move.text.en, "bad", "at risk"):
            table.add_column(name, justify="right")
    for before, of in told.items():
        table.add_row(before, *(cell for move in moves for cell in _cells(of.get(move), currency)))
    if total:
        sums = {move: _sum([of[move] for of in told.values() if move in of]) for move in moves}
        table.add_section()
        table.add_row("all", *(cell for move in moves for cell in _cells(sums[move], currency)))
    return table


def _cuts(sets: Mapping[str, Any], scores: str) -> Table:
    """Return the swap sets at each cut, by one kind of score of the second version."""
    told: dict[str, dict[Move, Row]] = {}
    for row in sets["sets"]:
        if row["scores"] == scores and row["view"] in {View.FIRST, View.CUT}:
            name = _first(sets) if row["view"] == View.FIRST else f"band {row['cut']} or riskier"
            told.setdefault(name, {})[Move(row["move"])] = row
    return _by_move(SCORES[scores], "cut", told, SIDE_MOVES, sets["currency"], total=False)


def _first(sets: Mapping[str, Any]) -> str:
    return f"first {sets['first_share']:.0%} of the list"


def _why(sets: Mapping[str, Any], labels: Mapping[str, str], features: int) -> Table:
    rows = sets["why"]
    columns = [
        (View.BAND, Move.RISKIER),
        (View.BAND, Move.SAFER),
        (View.FIRST, Move.COMES_IN),
        (View.FIRST, Move.GOES_OUT),
    ]
    cell = {(View(row["view"]), Move(row["move"]), row["kind"], row["name"]): row["difference"] for row in rows}
    table = _table(
        "why: mean difference of the log-odds of a bad outcome, new version less old",
        "base, calibration and groups add up to the total; positive: the new version sees more risk",
    )
    table.add_column("what moved them")
    for view, move in columns:
        of_list = "" if view is View.BAND else f": first {sets['first_share']:.0%}"
        table.add_column(f"{move.text.en}{of_list}", justify="right")

    def line(title: str, kind: str, name: str) -> None:
        found = (cell.get((view, move, kind, name)) for view, move in columns)
        table.add_row(title, *(NONE if value is None else f"{value:+.3f}" for value in found))

    line(BASE.en, "base", "base")
    line(CALIBRATION.en, "calibration", "calibration")
    for group in Group:
        line(GROUPS[group].en, "group", group.value)
    table.add_section()
    line(TOTAL.en, "total", "total")
    table.add_section()
    for name in _most_moved(rows, columns)[:features]:
        line(labels.get(name, name), "feature", name)
    return table


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


def _table(title: str, caption: str | None = None) -> Table:
    return Table(
        title=title, caption=caption, title_justify="left", caption_justify="left", box=HORIZONTALS, highlight=False
    )
