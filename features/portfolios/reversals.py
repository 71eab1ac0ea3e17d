"""Payments that were taken back: from the reversal's recording on the original counts for what is left of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import polars as pl

from features.portfolios.draft_words import REVERSED, speaks
from features.portfolios.mapping import ROW, Source

KEY = ["payment_id", "recorded_at"]
TEXTS = 50
"""A column of more different texts says nothing of the kind of a row."""


@dataclass(frozen=True)
class Settled:
    """Payments without the rows that took others back.

    Attributes
    ----------
    frame : table `payments`; what a reversal left of a payment is a correction of it, recorded when the reversal was
    rows : the number that each row has in the file
    reversed, unmatched : how many rows took a payment back, and how many of which no payment was found
    """

    frame: pl.DataFrame
    rows: pl.Series
    reversed: int
    unmatched: int


def settled(source: Source, payments: pl.DataFrame) -> Settled:
    """Return payments of which some rows take others back, as the table's `reversals` say.

    A reversal belongs to the payment that it names; else to the latest of the same loan and amount, on its own day or
    before, that was not taken back yet. One recorded no later than its payment leaves no trace of it but the rest.
    """
    marks = _marks(source, payments)
    rows = source.rows.get_column(ROW)
    named = source.spec.reversals.of if source.spec.reversals is not None else None
    of = source.column(named, "payments") if named is not None else None
    told = payments.with_columns(
        place=pl.arange(payments.height, eager=True),
        of=of if of is not None else pl.lit(None, pl.String),
    ).with_columns(rows.alias(ROW))
    taking = told.filter(marks).sort("paid_on", "place", maintain_order=True)
    kept = told.filter(marks.not_())
    left = {row["place"]: row for row in kept.filter(_wanted(kept, taking)).iter_rows(named=True)}
    by_id: dict[Any, list[int]] = {}
    by_amount: dict[Any, list[int]] = {}
    for place, row in left.items():
        by_id.setdefault(row["payment_id"], []).append(place)
        by_amount.setdefault((row["loan_id"], row["amount"]), []).append(place)
    corrections: list[dict[str, Any]] = []
    replaced: dict[int, int] = {}
    done: set[int] = set()
    unmatched = 0
    for taken in taking.iter_rows(named=True):
        amount = abs(taken["amount"] or 0)
        same = by_id.get(taken["of"], []) if of is not None else by_amount.get((taken["loan_id"], amount), [])
        found = [place for place in same if place not in done and _before(left[place], taken)]
        if not found:
            unmatched += 1
            continue
        place = max(found, key=lambda one: (left[one]["paid_on"], one))
        original = left[place]
        rest = max((original["amount"] or 0) - amount, 0)
        original["amount"] = rest
        if rest == 0:
            done.add(place)
        if taken["recorded_at"] is None or original["recorded_at"] is None:
            replaced[place] = rest
        elif taken["recorded_at"] > original["recorded_at"]:
            corrections.append({**original, "recorded_at": taken["recorded_at"], ROW: taken[ROW]})
        else:
            replaced[place] = rest
    whole = kept.with_columns(
        amount=pl.col("place").replace_strict(replaced, default=pl.col("amount"), return_dtype=pl.Int64)
    )
    if corrections:
        # Of two parts taken back at one instant the later row says what is left.
        more = pl.DataFrame(corrections, schema=whole.schema).unique(KEY, keep="last", maintain_order=True)
        whole = pl.concat([whole, more])
    return Settled(whole.drop("place", "of", ROW), whole.get_column(ROW), taking.height - unmatched, unmatched)


def _marks(source: Source, payments: pl.DataFrame) -> pl.Series:
    told = source.spec.reversals
    assert told is not None, "the table says which rows take others back"
    if told.below_zero:
        return (payments.get_column("amount") < 0).fill_null(value=False)
    text = source.column(str(told.column), "payments")
    if text is None:
        return pl.repeat(value=False, n=payments.height, dtype=pl.Boolean, eager=True)
    return text.is_in(list(told.values)).fill_null(value=False)


def _wanted(kept: pl.DataFrame, taking: pl.DataFrame) -> pl.Expr:
    """Return the mark of payments that a reversal could mean: of its loan, or named by it."""
    loans, ids = taking.get_column("loan_id").unique(), taking.get_column("of").drop_nulls().unique()
    return pl.col("loan_id").is_in(loans.implode()) | pl.col("payment_id").is_in(ids.implode())


def _is_reversal(text: str) -> bool:
    return speaks(text, REVERSED)


def _before(original: dict[str, Any], taken: dict[str, Any]) -> bool:
    if original["paid_on"] is None or taken["paid_on"] is None:
        return False
    return bool(original["paid_on"] <= taken["paid_on"])


def left_out_reversals(source: Source, payments: pl.DataFrame, amount: str | None, loan: str | None) -> Iterator[str]:
    """Yield a sentence where `where` leaves out rows that look like reversals and keeps the payments they took back.

    Parameters
    ----------
    payments : the rows that stay, as table `payments`
    amount, loan : the file's columns of the amount and of the loan
    """
    out = source.left_out
    if out is None or not out.height or amount not in out.columns:
        return
    looks = source.notation.numbers(out.get_column(str(amount)).cast(pl.String, strict=False)) < 0
    looks = looks.fill_null(value=False)
    for column in out.get_columns():
        if column.dtype == pl.String and column.n_unique() <= TEXTS:
            looks |= column.map_elements(_is_reversal, return_dtype=pl.Boolean).fill_null(value=False)
    suspects = out.filter(looks)
    if not suspects.height:
        return
    stay = ""
    if loan in out.columns and source.rows.height:
        pair = [pl.col(str(loan)), pl.col(str(amount)).cast(pl.String).str.strip_chars().str.strip_prefix("-")]
        kept = source.rows.select(pair).unique()
        count = suspects.select(pair).join(kept, on=[str(loan), str(amount)], how="semi").height
        stay = f"; for {count:,} of them a payment of the same loan and amount stays, and counts as received"
    yield (
        f"table 'payments': `where` leaves out rows that look like reversals, {suspects.height:,} of them{stay}. Do: "
        "say which rows are reversals, under [tables.payments.reversals], instead of leaving them out"
    )
