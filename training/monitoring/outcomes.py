"""Outcomes that became known after the decision: each loan's, with the day from which it was known.

    HOME/outcomes/CARD/2026-03.csv      one line for each thing that was said of a decision observed in the month

Lines are added and never changed or taken away, and stand in one order: the same outcomes give the same bytes, however
often and in whatever order they were loaded. A decision stands under its score id; no line names a loan or a borrower.
What is said of one decision may be said in parts, first what became of it and later what was paid, but never twice in
different ways: that is refused, and nothing of the file is kept.
"""

from __future__ import annotations

import fcntl
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from features.errors import ConfigurationRefused, DataRefused, Fault, TablesRefused
from training.validation.result import OWNER_ONLY, written

BAD, GOOD, INDETERMINATE = "bad", "good", "indeterminate"
SAID = ("outcome", "recovered_minor", "paid_minor", "overridden", "treatment")
"""What may be said of a decision, once."""
LINE: dict[str, pl.DataType] = {
    "score_id": pl.String(),
    "outcome": pl.String(),
    "recovered_minor": pl.Int64(),
    "paid_minor": pl.Int64(),
    "overridden": pl.Boolean(),
    "treatment": pl.String(),
    "known_on": pl.Date(),
}
FOLDER, LOCK = "outcomes", ".lock"
FOLDER_MODE = 0o700


@dataclass(frozen=True)
class Added:
    """How many lines are new, and how many were there."""

    new: int
    known: int


@dataclass(frozen=True)
class OutcomeStore:
    """The outcomes of a card's decisions in a home."""

    home: Path
    card: str

    @property
    def folder(self) -> Path:
        """Where they lie."""
        return self.home / FOLDER / self.card

    def read(self) -> pl.DataFrame:
        """Return all lines, in order.

        Raises
        ------
        ConfigurationRefused : a file is not as it was written
        """
        parts = [_read(path) for path in sorted(self.folder.glob("*.csv"))]
        return pl.concat(parts) if parts else pl.DataFrame(schema=LINE)

    def add(self, told: pl.DataFrame, *, where: str) -> Added:
        """Keep outcomes that are new; all of them or none.

        Parameters
        ----------
        told : the columns of `LINE`, `observed_on`, and `row`: where each stands in what was sent, from 0
        where : what was sent, for a refusal

        Raises
        ------
        TablesRefused : a decision has another outcome already, or two in what was sent; the rows are named
        """
        with self._alone():
            kept = self.read()
            _require_agreement(kept, told, where)
            lines = told.select(*LINE, month=pl.col("observed_on").dt.strftime("%Y-%m")).unique()
            new = lines.join(kept, on=list(LINE), how="anti", nulls_equal=True)
            for part in new.partition_by("month"):
                path = self.folder / f"{part.item(0, 'month')}.csv"
                before = [_read(path)] if path.exists() else []
                whole = pl.concat([*before, part.drop("month")]).sort(*LINE, nulls_last=False)
                written(path, _bytes(whole), OWNER_ONLY)
        return Added(new.height, lines.height - new.height)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other loads out: two that read before either wrote would lose lines."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=FOLDER_MODE)
        descriptor = os.open(self.folder / LOCK, os.O_RDWR | os.O_CREAT, OWNER_ONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def first_known(lines: pl.DataFrame) -> pl.DataFrame:
    """Return one row for each decision: everything that was said of it, and the day on which its outcome was known.

    Returns
    -------
    The columns of `LINE`, in the order of score ids
    """
    ordered = lines.sort("known_on", "score_id")
    return (
        ordered.group_by("score_id")
        .agg(
            *(pl.col(name).drop_nulls().first() for name in SAID),
            known_on=pl.col("known_on").filter(pl.col("outcome").is_not_null()).min(),
        )
        .sort("score_id")
        .select(*LINE)
    )


def _require_agreement(kept: pl.DataFrame, told: pl.DataFrame, where: str) -> None:
    """Refuse what says something else of a decision than was said before."""
    every = pl.concat([kept.with_columns(row=pl.lit(None, pl.Int64)), told.select(*LINE, pl.col("row").cast(pl.Int64))])
    faults = []
    for name in SAID:
        several = every.drop_nulls(name).group_by("score_id").agg(n=pl.col(name).n_unique())
        wrong = several.filter(pl.col("n") > 1).get_column("score_id")
        # Of two in one file the later row is named: the earlier may be the one that was there.
        rows = every.filter(pl.col("score_id").is_in(wrong.implode()), pl.col(name).is_not_null())
        blamed = rows.group_by("score_id").agg(row=pl.col("row").max()).get_column("row").drop_nulls().unique().sort()
        expected = "what was said before of the same decision"
        faults += [Fault("outcomes", row, _column(name), expected) for row in blamed.to_list()]
    if faults:
        raise TablesRefused(sorted(faults, key=_place), where=where)


def _place(fault: Fault) -> tuple[int, str]:
    return fault.row or 0, fault.column or ""


def _column(name: str) -> str:
    return "bad" if name == "outcome" else name


def _bytes(lines: pl.DataFrame) -> bytes:
    stream = io.BytesIO()
    lines.write_csv(stream)
    return stream.getvalue()


def _read(path: Path) -> pl.DataFrame:
    try:
        found = pl.read_csv(path, schema=LINE)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise _damaged(path) from error
    if found.get_column("score_id").null_count() or found.get_column("known_on").null_count():
        raise _damaged(path)
    return found


def _damaged(path: Path) -> ConfigurationRefused:
    return ConfigurationRefused(
        "a file of outcomes that is not as it was written",
        where=str(path),
        expected="lines as `repayrank outcomes load` writes them",
        do="put the file back from a copy, or take it away and load the outcomes again",
    )


def nothing_known(where: str) -> DataRefused:
    """Return the refusal of outcomes of which none belongs to a decision."""
    return DataRefused(
        "no outcome of a decision on record",
        where=where,
        expected="score ids of answers, or loans with the observation dates of their decisions",
        do="name the home of the service that decided, and the card",
    )
