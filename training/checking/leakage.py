"""Whether a column knows what became of a loan: each test is a sign of a leak, and says so in a sentence.

An honest column is a weak one. What tells bad loans from good nearly without fault, is filled for one outcome only, or
holds days after the observation date was written down once the outcome was known.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.stats import binom

from models.risk_model import Floats
from training.checking.telling_names import of_a_planned_day, of_what_comes_after
from training.cohort import LEAST_OF_EACH
from training.statistics.metrics import Bools

TOO_GOOD = 0.95
"""AUC from which one column knows too much. On the public books that this project was built on, whole cards reach 0.70
(LendingClub), 0.79 (Taiwan) and 0.80 (German credit)."""
LEAST_ROWS = 20
"""Of fewer rows one outcome only is no sign; and what so few rows give away moves no card."""
A_FIFTIETH = 0.02
"""Where the other outcome is so much rarer than in all the loans, a column has "almost only" one of them. LendingClub's
best of 35 grades has a fifth of the usual bad loans, the best category of German credit a third."""
CHANCE = 1e-6
"""Probability below which so few of the other outcome are no accident: of 20 files with 1,000 columns of 50 levels, one
would show one such level by chance."""
MOST_LEVELS = 50
"""A column of more different texts is no category: rates of its levels would tell single loans."""
AFTER_SHARE = 0.01
"""Fewer days after the observation date are typing errors."""
NEARLY_ALL = 0.99
"""Share of a column's values that must read as numbers, or as days, for it to be one."""
SAME = 1e-6
"""Relative distance within which two amounts are the same."""
FIRST_YEAR, LAST_YEAR = 1900, 2098
"""Years of days that mean a day; 9999-12-31 stands for "open"."""
SEED = 0
DAYS = {
    "%Y-%m-%d": r"^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([T ].*)?$",
    "%Y/%m/%d": r"^[0-9]{4}/[0-9]{1,2}/[0-9]{1,2}$",
    "%Y%m%d": r"^[0-9]{8}$",
    "%d.%m.%Y": r"^[0-9]{1,2}\.[0-9]{1,2}\.[0-9]{4}$",
    "%d/%m/%Y": r"^[0-9]{1,2}/[0-9]{1,2}/[0-9]{4}$",
    "%m/%d/%Y": r"^[0-9]{1,2}/[0-9]{1,2}/[0-9]{4}$",
    "%d-%b-%Y": r"^[0-9]{1,2}-[A-Za-z]{3}-[0-9]{4}$",
    "%Y年%m月%d日": r"^[0-9]{4}年[0-9]{1,2}月[0-9]{1,2}日$",
    "%b-%Y": r"^[A-Za-z]{3}-[0-9]{4}$",
    "%Y-%m": r"^[0-9]{4}-[0-9]{1,2}$",
    "%Y%m": r"^[0-9]{6}$",
}
"""How days are written, and how such a text looks; without a day of the month they are the first of it."""


@dataclass(frozen=True)
class Cases:
    """One case of each loan: when it is observed, its amount (NaN: not known), and whether it went bad (None: unknown).

    `applicants` says that the card is for applicants, who have paid nothing yet.
    """

    observed_on: pl.Series
    amount: Floats
    bad: Bools | None
    applicants: bool

    @cached_property
    def judged(self) -> Bools | None:
        """The outcomes, where there are enough of each to test values by."""
        if self.bad is None or min(self.bad.sum(), (~self.bad).sum()) < LEAST_OF_EACH:
            return None
        return self.bad


@dataclass(frozen=True)
class Column:
    """A column as text, one row per case; null where nothing is known."""

    name: str
    texts: pl.Series

    @cached_property
    def known(self) -> Bools:
        """Which cases it is filled for."""
        return self.texts.is_not_null().to_numpy()

    @cached_property
    def numbers(self) -> Floats | None:
        """The column as numbers, without signs of money and %, NaN where it is not one; None for texts and days."""
        if self.days is not None:
            return None
        values = self.texts.str.replace_all(r"[,\s%$€£¥￥]", "").cast(pl.Float64, strict=False)
        values = values.set(values.is_finite().not_().fill_null(value=True), None)
        return values.fill_null(np.nan).to_numpy() if self._mostly(values) else None

    @cached_property
    def days(self) -> pl.Series | None:
        """The column as days; None when it holds none."""
        given = self.texts.str.strip_chars()
        for written, looks in DAYS.items():
            like = given.str.contains(looks)
            if like.sum() < NEARLY_ALL * given.count() or not like.any():
                continue
            whole = "%d" in written
            begun = given.set(like.not_(), None).str.replace(r"[T ].*$", "")
            told = (begun if whole else begun + " 01").str.to_date(written if whole else f"{written} %d", strict=False)
            of_now = told.dt.year().is_between(FIRST_YEAR, LAST_YEAR)
            open_ended = told.dt.year() > LAST_YEAR
            if self._mostly(told.set((of_now | open_ended).not_().fill_null(value=True), None)):
                return told.set(of_now.not_().fill_null(value=True), None)
        return None

    @cached_property
    def levels(self) -> npt.NDArray[np.intp] | None:
        """The number of each case's level, nothing known being one as well; None when there are too many."""
        values = self.texts.unique(maintain_order=True).to_list()
        if len(values) > MOST_LEVELS:
            return None
        places = {value: place for place, value in enumerate(values) if value is not None}
        numbered = self.texts.replace_strict(places, default=None, return_dtype=pl.Int64) if places else None
        none = np.full(len(self.texts), len(values), dtype=np.intp)
        return none if numbered is None else numbered.fill_null(len(values)).to_numpy().astype(np.intp)

    def _mostly(self, read: pl.Series) -> bool:
        return read.count() > 0 and read.count() >= NEARLY_ALL * self.texts.count()


def signs_of_values(column: Column, cases: Cases) -> Iterator[str]:
    """Yield every sign in its values that a column knows what became of the loan; none for an honest one."""
    later = share_after(column, cases)
    if later is not None:
        yield f"days after the observation date in {later:.0%} of the loans where it is filled"
    bad = cases.judged
    if bad is not None:
        alone = auc_alone(column, cases, bad)
        if alone > TOO_GOOD:
            yield f"alone it tells bad loans from good almost without fault (AUC {alone:.3f})"
        else:
            beside = auc_by_amount(column, cases, bad)
            if beside > TOO_GOOD:
                yield f"beside the amount it tells bad loans from good almost without fault (AUC {beside:.3f})"
        only = one_outcome_only(column, bad)
        if only is not None:
            yield only


def sign_of_name(name: str, cases: Cases) -> str | None:
    """Return the sign in the name of a column, or None."""
    word = of_what_comes_after(name, applicants=cases.applicants)
    return None if word is None else f"its name speaks of what comes after ('{word}')"


def share_after(column: Column, cases: Cases) -> float | None:
    """Return the share of its days that lie after the observation date; None when these are few, or agreed beforehand.

    A due day or a maturity lies ahead and was known all the same.
    """
    if column.days is None or of_a_planned_day(column.name):
        return None
    after = int((column.days > cases.observed_on).sum())
    share = after / column.days.count()
    return share if after >= LEAST_ROWS and share >= AFTER_SHARE else None


def auc_alone(column: Column, cases: Cases, bad: Bools) -> float:
    """Return the AUC of the column alone, 0.5 to 1: of its numbers or days, its levels, or of whether it is filled.

    The direction does not matter. Levels are told by their share of bad loans in the other half of
    the cases, so that a level of few loans is not told by these loans themselves.
    """
    found = [auc(column.known.astype(np.float64), bad)]
    numbers = column.numbers
    if column.days is not None:
        numbers = (column.days - cases.observed_on).dt.total_days().cast(pl.Float64).fill_null(np.nan).to_numpy()
    if numbers is not None:
        found.append(auc(numbers, bad))
    if column.levels is not None:
        found.append(auc(_rates_of_the_other_half(column.levels, bad), bad, either=False))
    return max(found)


def auc_by_amount(column: Column, cases: Cases, bad: Bools) -> float:
    """Return the AUC of a number over the amount of the loan, or of whether it equals the amount, 0.5 to 1.

    A sum paid to date says little alone and nearly all beside the amount: who paid back what was lent did not go bad.
    """
    if column.numbers is None:
        return 0.5
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(cases.amount > 0, column.numbers / cases.amount, np.nan)
    equal = np.where(np.isnan(share), np.nan, np.abs(share - 1) < SAME)
    return max(auc(share, bad), auc(equal, bad))


def one_outcome_only(column: Column, bad: Bools) -> str | None:
    """Return for which outcome only the column is filled or empty, 0 or not, or has one of its values; None: for none.

    A field that is filled in once a loan is settled says by being filled that the loan went bad.
    """
    told = _state(column, bad)
    if told is not None or column.levels is None:
        return told
    found = (_only(column.levels == level, bad) for level in np.unique(column.levels))
    only = next((outcome for outcome in found if outcome is not None), None)
    return None if only is None else f"one of its values stands almost only where the loan went {only}"


def _state(column: Column, bad: Bools) -> str | None:
    states = {"filled": column.known, "empty": ~column.known}
    if column.numbers is not None:
        number = ~np.isnan(column.numbers)
        states |= {"other than 0": number & (column.numbers != 0), "0": number & (column.numbers == 0)}
    for state, members in states.items():
        only = _only(members, bad)
        if only is not None:
            of_it = int((members & (bad if only == "bad" else ~bad)).sum())
            return f"{state} almost only where the loan went {only} ({of_it:,} of {int(members.sum()):,})"
    return None


def _only(members: Bools, bad: Bools) -> str | None:
    """Return the outcome that some of the cases have almost alone, or None.

    The other outcome must be rarer than usual by a factor of fifty, and rarer than chance makes it: 20 good loans in a
    row are no sign where 95 % are good.
    """
    among = int(members.sum())
    went_bad = int((members & bad).sum())
    if among < LEAST_ROWS or among == len(bad):
        return None
    for outcome, others, usual in (("bad", among - went_bad, 1 - bad.mean()), ("good", went_bad, bad.mean())):
        if others <= A_FIFTIETH * usual * among and binom.cdf(others, among, usual) < CHANCE:
            return outcome
    return None


def auc(values: Floats, bad: Bools, *, either: bool = True) -> float:
    """Return the AUC of values by their ranks; 0.5 when too few of one outcome are left.

    Ties count half, NaN is left out.

    Parameters
    ----------
    either : low values may be the bad ones as well as high values

    >>> auc(np.arange(100.0), np.arange(100) < 50)
    1.0
    """
    given = ~np.isnan(values)
    left = bad[given]
    if min(left.sum(), (~left).sum()) < LEAST_OF_EACH:
        return 0.5
    _, place, ties = np.unique(values[given], return_inverse=True, return_counts=True)
    ranks = (np.cumsum(ties) - (ties - 1) / 2)[place]
    went_bad, did_not = int(left.sum()), int((~left).sum())
    told = float((ranks[left].sum() - went_bad * (went_bad + 1) / 2) / (went_bad * did_not))
    return max(told, 1 - told) if either else told


def _rates_of_the_other_half(levels: npt.NDArray[np.intp], bad: Bools) -> Floats:
    """Return the share of bad loans of each case's level in the half of the cases that it is not in."""
    order = np.random.default_rng(SEED).permutation(len(bad))
    half = np.zeros(len(bad), dtype=np.bool_)
    for outcome in (True, False):
        # Halves with the same share of bad loans: otherwise a column without levels would tell the halves apart.
        half[order[bad[order] == outcome][::2]] = True
    rates = np.empty(len(bad))
    size, usual = int(levels.max()) + 1, float(bad.mean())
    for here in (half, ~half):
        there = ~here
        counted = np.bincount(levels[there], minlength=size)
        went_bad = np.bincount(levels[there], weights=bad[there], minlength=size)
        rates[here] = ((went_bad + usual) / (counted + 1))[levels[here]]
    return rates
