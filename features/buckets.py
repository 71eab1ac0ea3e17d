"""In which stage of delinquency a loan is, and what share of a stage is in another one a month later."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl

DaysPastDue = pl.Series | npt.NDArray[np.integer] | npt.NDArray[np.floating]
"""Whole days from 0 on; a null or NaN is a loan whose days are not known."""
Cells = tuple[tuple[int, ...], ...]
Rates = npt.NDArray[np.float64]

NO_BUCKET = -1
CURRENT = 0
"""The bucket of loans with nothing overdue: the first."""


@dataclass(frozen=True)
class Buckets:
    """The lender's stages of delinquency, M0 being a loan with nothing overdue.

    `bounds` are the last days of all buckets but the open one at the end. With the usual 0, 30, 60 and 90 they are
    M0: 0 days past due, M1: 1 to 30, M2: 31 to 60, M3: 61 to 90 and M3+: 91 and over. One more bound adds M4, and the
    last is M4+. Lenders differ, so the bounds are configuration.

    Raises
    ------
    ValueError : the bounds are not whole days that begin with 0 and rise

    >>> Buckets().names
    ('M0', 'M1', 'M2', 'M3', 'M3+')
    """

    bounds: tuple[int, ...] = (0, 30, 60, 90)

    def __post_init__(self) -> None:
        whole = all(isinstance(bound, int) and not isinstance(bound, bool) for bound in self.bounds)
        if not whole or self.bounds[:1] != (0,) or list(self.bounds) != sorted(set(self.bounds)):
            raise ValueError(
                f"bounds of buckets {self.bounds}: expected whole days that begin with 0 and rise strictly"
            )

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The buckets' names, from nothing overdue to the longest overdue."""
        closed = [f"M{number}" for number in range(len(self.bounds))]
        return (*closed, f"{closed[-1]}+")

    def of(self, days_past_due: DaysPastDue) -> pl.Series:
        """Return each loan's bucket as an Enum, so that buckets have their names and compare in their order.

        Parameters
        ----------
        days_past_due : whole days from 0 on; where they are missing the bucket is missing

        Raises
        ------
        ValueError : days below 0, or a part of a day

        >>> Buckets().of(np.array([0, 1, 30, 31, 91])).to_list()
        ['M0', 'M1', 'M1', 'M2', 'M3+']
        """
        places = pl.Series("bucket", self.places_of(days_past_due)).replace(NO_BUCKET, None)
        return pl.Series("bucket", self.names, dtype=pl.Enum(self.names)).gather(places)

    def places_of(self, days_past_due: DaysPastDue) -> npt.NDArray[np.int64]:
        """Return the place of each loan's bucket in `names`, -1 where it is missing; refuses what `of` refuses."""
        days = pl.Series(days_past_due).cast(pl.Float64).fill_null(np.nan).to_numpy()
        known = ~np.isnan(days)
        whole = np.isfinite(days) & (days >= 0) & (days == np.floor(days))
        if bool((known & ~whole).any()):
            raise ValueError("days past due: expected whole days from 0 on, 0 when nothing is overdue")
        places = np.searchsorted(np.asarray(self.bounds, dtype=np.float64), days, side="left").astype(np.int64)
        return np.where(known, places, NO_BUCKET)


@dataclass(frozen=True)
class RollRates:
    """How loans moved between buckets from one day to a later one, counted exactly.

    A rate of one bucket names it; a name that the lender does not have is refused with a ValueError.

    buckets : the stages; row and column numbers of the cells below are their places
    counts : loans by bucket before (row) and bucket after (column)
    balances : the same in money, minor units owed on the day before; None when rates are shares of loans
    left_out : loans whose days past due were missing on either day; they are in no cell
    """

    buckets: Buckets
    counts: Cells
    balances: Cells | None
    left_out: int

    @property
    def measure(self) -> str:
        """What the rates are shares of: `loans`, or `balance` owed on the day before."""
        return "loans" if self.balances is None else "balance"

    @property
    def shares(self) -> Rates:
        """Of each bucket before (row) the share in each bucket after (column); a row that holds nothing is NaN."""
        return np.array([[_share(cell, sum(row)) for cell in row] for row in self._cells])

    def forward_rate(self, bucket: str | None = None) -> float:
        """Return the share that rolled forward, to a later bucket than before, of one bucket or of all.

        0 for the last bucket, which has no later one; NaN where there is nothing to take a share of.
        """
        return self._rate([[after > before for after in self._order] for before in self._order], bucket)

    def back_rate(self, bucket: str | None = None) -> float:
        """Return the share that rolled back, to an earlier bucket than before, of one bucket or of all.

        0 for the first bucket, which has no earlier one; NaN where there is nothing to take a share of.
        """
        return self._rate([[after < before for after in self._order] for before in self._order], bucket)

    def cure_rate(self, bucket: str | None = None) -> float:
        """Return the share of what was overdue before that has nothing overdue after, of one bucket or of all overdue.

        Whether it stays so is not asked: a lender that asks for some months in M0 first looks at later days as well.
        NaN for the first bucket, which has nothing to cure, and where there is nothing to take a share of.
        """
        if bucket == self.buckets.names[CURRENT]:
            return float("nan")
        return self._rate([[after == CURRENT for after in self._order] for _ in self._order], bucket, least=1)

    @property
    def _cells(self) -> Cells:
        return self.counts if self.balances is None else self.balances

    @property
    def _order(self) -> range:
        return range(len(self.buckets.names))

    def _rate(self, counted: list[list[bool]], bucket: str | None, least: int = CURRENT) -> float:
        if bucket is not None and bucket not in self.buckets.names:
            raise ValueError(f"bucket '{bucket}': expected one of {', '.join(self.buckets.names)}")
        rows = range(least, len(self.buckets.names)) if bucket is None else [self.buckets.names.index(bucket)]
        part = sum(self._cells[before][after] for before in rows for after in self._order if counted[before][after])
        return _share(part, sum(sum(self._cells[before]) for before in rows))


def roll_rates(
    before: DaysPastDue,
    after: DaysPastDue,
    buckets: Buckets,
    weights: pl.Series | npt.NDArray[np.integer] | None = None,
) -> RollRates:
    """Return how many loans, or how much of the balance, moved from each bucket to each.

    Parameters
    ----------
    before, after : days past due of the same loans, in the same order, on a day and on a later one, usually a month on
    weights : what each loan owed on the day before, whole minor units from 0 on: the rates are then shares of balance;
        without, each loan counts as one and they are shares of loans

    Raises
    ------
    ValueError : the arguments are of different lengths, days are no whole days from 0 on, or a weight is missing, below
        0 or no whole number

    >>> rates = roll_rates(np.array([0, 10, 20, 70]), np.array([0, 0, 51, 101]), Buckets())
    >>> rates.forward_rate("M1"), rates.cure_rate("M1"), rates.cure_rate()
    (0.5, 0.5, 0.3333333333333333)
    """
    _check_same_length(before, after, weights)
    first, second = buckets.places_of(before), buckets.places_of(after)
    known = (first != NO_BUCKET) & (second != NO_BUCKET)
    side = len(buckets.names)
    cells = first[known] * side + second[known]
    counts = np.bincount(cells, minlength=side * side).tolist()
    balances = None if weights is None else _summed(_whole(weights)[known], cells, side)
    return RollRates(buckets, _square(counts, side), balances, left_out=int((~known).sum()))


def _summed(amounts: npt.NDArray[np.int64], cells: npt.NDArray[np.int64], side: int) -> Cells:
    """Add up amounts by cell in Python's integers, which cannot overflow whatever a book holds."""
    order = np.argsort(cells, kind="stable")
    ends = np.searchsorted(cells[order], np.arange(1, side * side))
    return _square([sum(part.tolist()) for part in np.split(amounts[order], ends)], side)


def _square(cells: list[int], side: int) -> Cells:
    return tuple(tuple(cells[start : start + side]) for start in range(0, side * side, side))


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


def _whole(weights: pl.Series | npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
    given = pl.Series(weights)
    if not given.dtype.is_integer() or given.null_count() or bool((given < 0).any()):
        raise ValueError("weights: expected what each loan owed, whole minor units from 0 on, none of them missing")
    return given.cast(pl.Int64).to_numpy()


def _check_same_length(*columns: DaysPastDue | None) -> None:
    lengths = [len(column) for column in columns if column is not None]
    if len(set(lengths)) > 1:
        told = ", ".join(f"{length:,}" for length in lengths)
        raise ValueError(f"loans before, after and weights: {told}; expected the same loans in the same order")
