"""Whether every feature keeps its promises on a lender's own loans: no future, no order, no neighbour, no odd value."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from features.catalog import Catalog
from features.declaration import Feature
from features.errors import DataRefused
from features.history import History
from features.portfolios.portfolio import Portfolio
from features.tables import BORROWER, Tables, declaration
from features.words import Unit

MOST_LOANS = 300
SEEDS = (7, 11)
EARLIER_DAYS = 61
LATER_DAYS = 31
"""Days from a case's observation date to its second one: before it where the loan was known then, else after it."""
AFTER = "2d"
"""From an observation date to a recording that comes after it in every time zone."""
MOVED = "-17d"
NEW = "new-"
LOAN = "loan_id"
Values = npt.NDArray[np.float64]


def check_promises(
    portfolio: Portfolio,
    say: Callable[[str], None] = lambda _: None,
    *,
    as_of: date | None = None,
    features: Catalog | None = None,
) -> list[str]:
    """Return every promise that a feature breaks on a book's own tables, in words; none when all are kept.

    Checked on up to 300 loans, always the same for the same book: rows recorded after the observation date change
    nothing; the order of rows changes nothing; a borrower alone has the values that it has among others, to the bit;
    known values are finite and possible for their unit; and two observation dates in one cohort hold what each holds
    alone.

    Parameters
    ----------
    say : told what is checked, and at the end how many features, loans and values were
    as_of : the observation date, in place of the book's own
    features : the features to check; by default all of the book's catalog

    Raises
    ------
    UsageError : the book has no observation date of its own and none is given
    DataRefused : no loan is known on the observation date
    """
    catalog = portfolio.catalog if features is None else features
    sample = _sample(portfolio, as_of)
    check = _Check(portfolio, catalog, sample)
    borrowers = sample.cases.get_column(BORROWER).n_unique()
    say(
        f"{len(catalog)} features of portfolio '{portfolio.name}' on {len(sample.cases)} cases "
        f"of {borrowers} borrowers, observed {_span(sample.cases)}"
    )
    breaches: list[str] = []
    for promise, kept in (
        ("nothing recorded after the observation date counts", check.later_records),
        ("the order of rows does not count", check.order),
        ("no other borrower counts", check.others),
        ("every known value is finite and possible", check.bounds),
        ("two observation dates in one cohort are what each is alone", check.dates),
    ):
        found = list(kept())
        say(f"  {promise}: {f'broken by {len(found)} features' if found else 'kept'}")
        breaches += found
    loans = sample.cases.get_column(LOAN).n_unique()
    say(f"{len(catalog)} features, {loans} loans and {check.compared:,} values checked: {_told(len(breaches))}")
    return breaches


@dataclass(frozen=True)
class _Sample:
    """Cases with `loan_id`, `observed_on` and the loan's borrower, and the tables of their loans."""

    cases: pl.DataFrame
    tables: Tables


class _Check:
    """The five checks on one sample."""

    def __init__(self, portfolio: Portfolio, catalog: Catalog, sample: _Sample) -> None:
        self.portfolio, self.catalog, self.sample = portfolio, catalog, sample
        self.compared = 0
        self.base = self._values(sample.cases, sample.tables)

    def later_records(self) -> Iterator[str]:
        """Yield the features that rows recorded later change, each with the tables whose rows do."""
        later = {name: with_later_rows(name, frame, self.sample.cases) for name, frame in self.sample.tables.items()}
        poisoned = self._values(self.sample.cases, Tables(**later))
        for feature, count in self._differing(self.base, poisoned):
            tables = [name for name, frame in later.items() if self._changed_by(feature, name, frame)]
            through = f" of table {' and '.join(tables)}" if tables else ""
            yield f"feature '{feature.name}': rows{through} recorded after the observation date change it, {count}"

    def order(self) -> Iterator[str]:
        """Yield the features that the order of rows changes."""
        seen: set[str] = set()
        for seed in SEEDS:
            shuffled = Tables(**{name: _shuffled(frame, seed) for name, frame in self.sample.tables.items()})
            cases = _shuffled(self.sample.cases.with_row_index("place__"), seed)
            values = self._values(cases, shuffled)[np.argsort(cases.get_column("place__").to_numpy())]
            for feature, count in self._differing(self.base, values):
                if feature.name not in seen:
                    seen.add(feature.name)
                    yield f"feature '{feature.name}': the order of rows in the tables changes it, {count}"

    def others(self) -> Iterator[str]:
        """Yield the features of which a borrower alone has other values than among others."""
        alone = np.empty_like(self.base)
        cases = self.sample.cases.with_row_index("place__")
        for _, own in cases.group_by(BORROWER, maintain_order=True):
            tables = self.sample.tables.of_loans(own.get_column(LOAN).unique())
            alone[own.get_column("place__").to_numpy()] = self._values(own, tables)
        for feature, count in self._differing(self.base, alone):
            yield f"feature '{feature.name}': a borrower alone has another value than among others, {count}"

    def bounds(self) -> Iterator[str]:
        """Yield the features with values that their unit, their levels or their cap rule out."""
        for feature, column in zip(self.catalog, self.base.T, strict=True):
            known = column[~np.isnan(column)]
            self.compared += len(known)
            low, high = _bounds(feature)
            wrong = [
                (~np.isfinite(known), "is not finite"),
                ((known < low) | (known > high), f"is outside {_range(low, high)}, for unit {feature.unit.value}"),
            ]
            if feature.unit is Unit.CATEGORY:
                wrong.append((known != np.round(known), "is no level"))
            for found, words in wrong:
                if found.any():
                    yield f"feature '{feature.name}': a value {words}, {_cases(int(found.sum()), len(known))}"
                    break

    def dates(self) -> Iterator[str]:
        """Yield the features that a second observation date of the same loans changes."""
        second = _second_dates(self.sample)
        both = pl.concat([self.sample.cases.select(second.columns), second])
        together = self._values(both, self.sample.tables)
        apart = np.concatenate([self.base, self._values(second, self.sample.tables)])
        for feature, count in self._differing(apart, together):
            yield f"feature '{feature.name}': the same loan on a second observation date changes it, {count}"

    def _values(self, cases: pl.DataFrame, tables: Tables, catalog: Catalog | None = None) -> Values:
        days = cases.select(LOAN, "observed_on")
        book = self.portfolio
        history = History.as_of(days, tables, zone=book.zone, allocation=book.allocation)
        return (catalog or self.catalog).values(history).values

    def _changed_by(self, feature: Feature, name: str, frame: pl.DataFrame) -> bool:
        tables = replace(self.sample.tables, **{name: frame})
        changed = self._values(self.sample.cases, tables, Catalog((feature,)))
        return bool(differs(self.base[:, [self.catalog.names.index(feature.name)]], changed).any())

    def _differing(self, first: Values, second: Values) -> Iterator[tuple[Feature, str]]:
        """Yield each feature whose values differ by a bit, and in how many cases."""
        self.compared += first.size
        counts = differs(first, second).sum(axis=0)
        for feature, count in zip(self.catalog, counts.tolist(), strict=True):
            if count:
                yield feature, _cases(count, len(first))


def differs(first: Values, second: Values) -> npt.NDArray[np.bool_]:
    """Return where values differ by a bit; missing is equal to missing."""
    one, other = (np.ascontiguousarray(values).view(np.uint64) for values in (first, second))
    missing = np.isnan(first) & np.isnan(second)
    return np.logical_and(np.not_equal(one, other), np.logical_not(missing))


def _sample(portfolio: Portfolio, as_of: date | None) -> _Sample:
    """Return whole borrowers, spread evenly over the book in the order of their ids, with all their cases."""
    loans = portfolio.tables.loans
    cases = replace(portfolio, tables=Tables(loans=loans)).history(as_of).cases.select(LOAN, "observed_on")
    owners = loans.sort("recorded_at", BORROWER).unique(LOAN, keep="last").select(LOAN, BORROWER)
    known = cases.join(owners, on=LOAN, how="inner").sort(BORROWER, LOAN, "observed_on")
    if known.is_empty():
        raise DataRefused(
            "no loan is known on the observation date",
            where=f"portfolio '{portfolio.name}'",
            expected="loans that were recorded by then",
            do="name a later date with --as-of",
        )
    sizes = known.group_by(BORROWER, maintain_order=True).agg(loans=pl.col(LOAN).n_unique())
    step = max(1, -(-int(sizes.get_column("loans").sum()) // MOST_LOANS))
    chosen = sizes.gather_every(step)
    within = chosen.filter((pl.col("loans").cum_sum() <= MOST_LOANS) | (pl.int_range(pl.len()) == 0))
    kept = known.filter(pl.col(BORROWER).is_in(within.get_column(BORROWER).implode()))
    return _Sample(kept, portfolio.tables.of_loans(kept.get_column(LOAN).unique(maintain_order=True)))


def with_later_rows(name: str, frame: pl.DataFrame, cases: pl.DataFrame) -> pl.DataFrame:
    """Return a table with every fact recorded anew, and with facts that were not there, after the observation date."""
    declared = declaration(name)
    about = declared.about
    last = cases.group_by(about).agg(observed__=pl.col("observed_on").max())
    rows = frame.join(last, on=about, how="inner", maintain_order="left")
    instant = pl.col("observed__").dt.offset_by(AFTER).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    identity = declared.identity()
    restated = rows.with_columns(
        **{
            column: _other(column, dtype, declared.happened)
            for column, dtype in frame.schema.items()
            if column not in {*identity, about, "recorded_at"} and not column.endswith("_id")
        },
        recorded_at=instant,
    )
    own = [column for column in identity if column != about]
    # What was not there before has an identity of its own; a loan or a borrower's facts have none but their owner's.
    fresh = restated.with_columns(**{column: _fresh(column, frame.schema[column], declared.happened) for column in own})
    return pl.concat([frame, *(part.select(frame.columns) for part in ([restated, fresh] if own else [restated]))])


def _other(column: str, dtype: Any, happened: str | None) -> pl.Expr:  # noqa: PLR0911 - one line per type
    """Return other values of a column, of its own kind, none of them missing."""
    old = pl.col(column)
    if isinstance(dtype, pl.Date):
        return _day(column, happened)
    if isinstance(dtype, pl.Boolean):
        return old.not_().fill_null(value=True)
    if isinstance(dtype, pl.Enum):
        words = dtype.categories.to_list()
        turned = dict(zip(words, [*words[1:], words[0]], strict=True))
        return old.cast(pl.String).replace_strict(turned, default=words[0]).cast(dtype)
    if dtype.is_integer():
        # The remainder keeps a whole number within 16 bits: a count of months or the number of an instalment.
        narrow = (old.fill_null(0).cast(pl.Int64) + 5) % 97
        return (narrow if dtype == pl.Int16 else old.fill_null(0) // 2 + 12_345).cast(dtype)
    if dtype.is_float():
        return old.fill_null(0.0) * 3 + 7
    if column == "currency":
        return pl.when(old == "EUR").then(pl.lit("USD")).otherwise(pl.lit("EUR"))
    return pl.concat_str(pl.lit(NEW), old.fill_null(""))


def _fresh(column: str, dtype: Any, happened: str | None) -> pl.Expr:
    """Return values that tell a new fact from those there are."""
    if isinstance(dtype, pl.Date):
        return _day(column, happened)
    if dtype.is_integer():
        return (pl.col(column) + 1).cast(dtype)
    return pl.concat_str(pl.lit(NEW), pl.col(column))


def _day(column: str, happened: str | None) -> pl.Expr:
    """Return a day somewhat earlier; that of what happened not after the observation date, so that it would count."""
    moved = pl.col(column).fill_null(pl.col("observed__")).dt.offset_by(MOVED)
    return pl.min_horizontal(moved, "observed__") if column == happened else moved


def _shuffled(frame: pl.DataFrame, seed: int) -> pl.DataFrame:
    return frame.sample(fraction=1, shuffle=True, seed=seed)


def _second_dates(sample: _Sample) -> pl.DataFrame:
    """Return each case on another day: before its own where the loan was known by then for certain, else after it."""
    known = sample.tables.loans.group_by(LOAN).agg(first=pl.col("recorded_at").min().dt.date())
    earlier = pl.col("observed_on").dt.offset_by(f"-{EARLIER_DAYS}d")
    later = pl.col("observed_on").dt.offset_by(f"{LATER_DAYS}d")
    return sample.cases.join(known, on=LOAN, how="left", maintain_order="left").select(
        LOAN,
        observed_on=pl.when(pl.col("first").dt.offset_by(AFTER) <= earlier).then(earlier).otherwise(later),
    )


def _bounds(feature: Feature) -> tuple[float, float]:
    low, high = feature.unit.bounds
    if feature.unit is Unit.CATEGORY:
        return low, float(len(feature.levels) - 1)
    return low, high if feature.capped_at is None else min(high, feature.capped_at)


def _range(low: float, high: float) -> str:
    if np.isinf(high):
        return "the numbers" if np.isinf(low) else f"{low:g} and above"
    return f"{high:g} and below" if np.isinf(low) else f"{low:g} to {high:g}"


def _cases(count: int, of: int) -> str:
    return f"in {count} of {of} cases"


def _told(breaches: int) -> str:
    return "every promise is kept" if not breaches else f"{breaches} promise{'s are' if breaches > 1 else ' is'} broken"


def _span(cases: pl.DataFrame) -> str:
    days = cases.get_column("observed_on").dt.to_string("iso")
    first, last = str(days.min()), str(days.max())
    return f"on {first}" if first == last else f"from {first} to {last}"
