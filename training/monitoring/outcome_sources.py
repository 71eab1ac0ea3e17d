"""Where outcomes come from: a file that the lender sends, or the later tables of its book."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl

from features.errors import DataRefused, Fault, TablesRefused
from features.history import History
from features.portfolios import Portfolio
from features.portfolios.reading import rows_of
from models.cards import Card
from training.monitoring.outcomes import BAD, GOOD, INDETERMINATE, LINE, SAID
from training.outcomes import outcomes, with_ended_windows

COLUMNS = ("score_id", "loan_id", "observed_on", "bad", "recovered_minor", "paid_minor", "overridden", "treatment")
KNOWN_ON = "known_on"
OUTCOMES: Mapping[str, str] = {
    "true": BAD, "1": BAD, "yes": BAD,
    "false": GOOD, "0": GOOD, "no": GOOD,
    INDETERMINATE: INDETERMINATE,
}  # fmt: skip
YES_NO: Mapping[str, bool] = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
TREATMENT = r"^[a-z0-9_-]{1,40}$"
AMOUNT = r"^[0-9]{1,15}$"
EXPECTED: Mapping[str, str] = {
    "score_id": "the score_id of an answer",
    "observed_on": "a day such as 2026-03-31",
    KNOWN_ON: "a day such as 2026-06-30, not before the observation date",
    "bad": "true, false or indeterminate; empty where this row does not say",
    "recovered_minor": "a whole number of minor units, 0 or more",
    "paid_minor": "a whole number of minor units, 0 or more",
    "overridden": "true, false or empty",
    "treatment": "the short name of a treatment: small letters, digits, - and _",
}
SAYING = ("bad", "recovered_minor", "paid_minor", "overridden", "treatment")


@dataclass(frozen=True)
class Sent:
    """Outcomes that belong to decisions on record, as `OutcomeStore.add` takes them.

    Attributes
    ----------
    rows : of each the columns of a stored line, `observed_on` and `row`
    without_decision : rows of whose loan or score id no decision is on record
    not_in_book : decisions on loans that the book does not have, or whose borrowers were erased
    not_known_yet : decisions of which the book cannot know the outcome yet
    """

    rows: pl.DataFrame
    without_decision: int = 0
    not_in_book: int = 0
    not_known_yet: int = 0


def from_file(file: Path, decisions: pl.DataFrame, *, known_on: date | None = None) -> Sent:
    """Return the outcomes in a CSV or Parquet file.

    Parameters
    ----------
    decisions : `score_id`, `observed_on`, and `loan_id` where the file goes by loans
    known_on : the day from which they were known, where the file has no column of it

    Raises
    ------
    DataRefused : it cannot be read, or lacks a column
    TablesRefused : values that are not what the columns hold; rows are named by number, never by value
    """
    told = _checked(file, _texts(file), known_on)
    keys = ["score_id"] if by_score_id(file) else ["loan_id", "observed_on"]
    other = {"observed_on"} - set(keys)
    joined = told.drop(*other, strict=False).join(decisions, on=keys, how="left", maintain_order="left")
    found = joined.filter(pl.col("score_id").is_not_null() & pl.col("observed_on").is_not_null())
    early = found.filter(pl.col(KNOWN_ON) < pl.col("observed_on")).get_column("row")
    if len(early):
        faults = [Fault("outcomes", row, KNOWN_ON, EXPECTED[KNOWN_ON]) for row in early.unique().sort().to_list()]
        raise TablesRefused(faults, where=str(file), heights={"outcomes": told.height})
    lost = told.height - found.get_column("row").n_unique()
    return Sent(found.select("row", "observed_on", *LINE), without_decision=lost)


def by_score_id(file: Path) -> bool:
    """Return whether a file names decisions by their score ids; it names loans otherwise."""
    return "score_id" in rows_of(file, "outcomes", most=1).columns


def from_book(book: Portfolio, card: Card, decisions: pl.DataFrame, *, as_of: date | None = None) -> Sent:
    """Return the outcomes that a book's later tables tell of, each known from the day on which its window ended.

    Parameters
    ----------
    decisions : `score_id`, `loan_id`, `observed_on`
    as_of : windows that end later are left out

    Raises
    ------
    DataRefused : the book knows no outcome of these loans
    """
    window = pl.duration(days=card.window_days)
    loans = book.tables.loans.get_column("loan_id").unique()
    here = decisions.filter(pl.col("loan_id").is_in(loans.implode()))
    ended = here.with_columns(known_on=(pl.col("observed_on") + window).cast(pl.Date))
    ended = ended if as_of is None else ended.filter(pl.col(KNOWN_ON) <= as_of)
    ended = _with_sent(book, card, ended)
    if ended.is_empty():
        return Sent(pl.DataFrame(schema=_SENT), not_in_book=decisions.height - here.height, not_known_yet=here.height)
    cases = ended.select("loan_id", "observed_on").unique(maintain_order=True)
    history = History.as_of(cases, book.tables, zone=book.zone, allocation=book.allocation)
    members = with_ended_windows(book, card, history).members
    told = outcomes(book, card, members)
    bad = pl.col("bad")
    known = members.cases.select("loan_id", "observed_on").with_columns(
        told.bad.alias("bad"), told.recovered_minor.cast(pl.Int64).alias("recovered_minor")
    )
    lines = ended.join(known, on=["loan_id", "observed_on"], how="inner", maintain_order="left").select(
        "score_id", "observed_on", KNOWN_ON, "recovered_minor",
        outcome=pl.when(bad.is_null()).then(pl.lit(INDETERMINATE)).when(bad).then(pl.lit(BAD)).otherwise(pl.lit(GOOD)),
    )  # fmt: skip
    absent = {name: pl.lit(None, LINE[name]).alias(name) for name in SAID if name not in lines.columns}
    rows = lines.with_row_index("row").with_columns(pl.col("row").cast(pl.Int64), *absent.values())
    return Sent(
        rows.select(*_SENT),
        not_in_book=decisions.height - here.height,
        not_known_yet=here.height - lines.height,
    )


_SENT = {"row": pl.Int64(), "observed_on": pl.Date(), **LINE}


def _with_sent(book: Portfolio, card: Card, cases: pl.DataFrame) -> pl.DataFrame:
    """Return the cases of which a book that sends outcomes has one within the performance window."""
    if book.outcomes is None:
        return cases
    window = pl.duration(days=card.window_days)
    inside = cases.join(book.outcomes.select("loan_id", "happened_on"), on="loan_id").filter(
        pl.col("happened_on") > pl.col("observed_on"), pl.col("happened_on") <= pl.col("observed_on") + window
    )
    return cases.join(inside.select("score_id").unique(), on="score_id", how="semi", maintain_order="left")


def _texts(file: Path) -> pl.DataFrame:
    """Return a file's rows as text, whatever a Parquet file holds."""
    found = rows_of(file, "a column `score_id`, or `loan_id` and `observed_on`, and what became of each")
    return found.select(pl.all().cast(pl.String).str.strip_chars()).with_columns(
        pl.when(pl.all() != "").then(pl.all())  # an empty cell says nothing
    )


def _checked(file: Path, texts: pl.DataFrame, known_on: date | None) -> pl.DataFrame:
    _require_columns(file, texts.columns, known_on)
    rows = texts.with_row_index("row").with_columns(pl.col("row").cast(pl.Int64))
    made = rows.select("row", *(_read(name, rows) for name in (*COLUMNS, KNOWN_ON)))
    if KNOWN_ON not in texts.columns:
        made = made.with_columns(pl.lit(known_on).alias(KNOWN_ON))
    faults = list(_faults(rows, made))
    if faults:
        raise TablesRefused(faults, where=str(file), heights={"outcomes": rows.height})
    named = "score_id" if "score_id" in texts.columns else "loan_id"
    return made.drop({"score_id", "loan_id"} - {named}).rename({"bad": "outcome"})


def _require_columns(file: Path, columns: list[str], known_on: date | None) -> None:
    missing = [] if "score_id" in columns else [name for name in ("loan_id", "observed_on") if name not in columns]
    missing += [] if KNOWN_ON in columns or known_on is not None else [KNOWN_ON]
    missing += [] if set(SAYING) & set(columns) else ["bad"]
    if missing:
        raise DataRefused(
            f"no column {', '.join(f'`{name}`' for name in missing)}",
            where=str(file),
            expected="score_id, or loan_id with observed_on; known_on; bad, and what else is known of each",
            do="add it; where all were known on one day, --as-of says it",
        )


def _read(name: str, rows: pl.DataFrame) -> pl.Expr:
    """Return a column as what it holds; what is none of it becomes missing, and is found by that."""
    if name not in rows.columns:
        return pl.lit(None, _KINDS[name]).alias(name)
    text = pl.col(name)
    readers = {
        "bad": text.str.to_lowercase().replace_strict(OUTCOMES, default=None, return_dtype=pl.String),
        "overridden": text.str.to_lowercase().replace_strict(YES_NO, default=None, return_dtype=pl.Boolean),
        "recovered_minor": _if_like(text, AMOUNT).cast(pl.Int64),
        "paid_minor": _if_like(text, AMOUNT).cast(pl.Int64),
        "observed_on": text.str.to_date("%Y-%m-%d", strict=False),
        KNOWN_ON: text.str.to_date("%Y-%m-%d", strict=False),
        "treatment": _if_like(text, TREATMENT),
    }
    return readers.get(name, text).alias(name)


def _if_like(text: pl.Expr, pattern: str) -> pl.Expr:
    return pl.when(text.str.contains(pattern)).then(text)


_KINDS: Mapping[str, pl.DataType] = {
    **{name: pl.String() for name in ("score_id", "loan_id", "bad", "treatment")},
    **{name: pl.Int64() for name in ("recovered_minor", "paid_minor")},
    "overridden": pl.Boolean(),
    "observed_on": pl.Date(),
    KNOWN_ON: pl.Date(),
}


def _faults(rows: pl.DataFrame, made: pl.DataFrame) -> Iterator[Fault]:
    """Yield each value that could not be read, and each row that names no decision or says nothing."""
    needed = {"score_id"} if "score_id" in rows.columns else {"loan_id", "observed_on"}
    for name in (*COLUMNS, KNOWN_ON):
        if name not in rows.columns:
            continue
        unread = made.get_column(name).is_null()
        wrong = unread if name in {*needed, KNOWN_ON} else unread & rows.get_column(name).is_not_null()
        expected = EXPECTED.get(name, "a value in each row")
        yield from (Fault("outcomes", row, name, expected) for row in made.filter(wrong).get_column("row").to_list())
    silent = made.select(pl.all_horizontal(pl.col(name).is_null() for name in SAYING).alias("silent")).to_series()
    broken = made.filter(silent).get_column("row").to_list()
    said = rows.select(pl.any_horizontal(pl.col(name).is_not_null() for name in SAYING if name in rows.columns))
    tried = set(rows.filter(said.to_series()).get_column("row").to_list())
    yield from (Fault("outcomes", row, "bad", EXPECTED["bad"]) for row in broken if row not in tried)
