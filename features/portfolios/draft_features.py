"""What each column of the loans' file could be: a feature, the outcome, protected, forbidden, or nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from features.catalog import catalog
from features.declared import RESERVED
from features.portfolios import draft_words as said
from features.portfolios import protected_names
from features.portfolios.draft_codes import codes_in
from features.portfolios.draft_columns import EARLIEST, LATEST, Column
from features.portfolios.draft_tables import facts_columns

TEXTS_OF_OUTCOMES = 10
LEAST_MONEY = 20
"""Numbers of which the largest is smaller are hardly amounts of money."""
FEW_BEFORE = 0.05
"""Share of days after the application from which on a column speaks of what comes after the decision."""
NAMES_REPEAT = 10
"""Rows for each text, at least, before a column with a personal name is taken for a category."""
LEAST_EXPECTED = 12
"""Loans of the other outcome that would be expected where there is hardly one: by chance that is one in 100,000."""
A_FIFTIETH = 0.02
LEAST_OF_EACH = 20
"""Loans of each outcome, before a column is said to tell them apart without fault."""


@dataclass(frozen=True)
class Outcome:
    """The column that says what became of the loans; without `bad`, its texts say nothing."""

    column: Column
    bad: tuple[str, ...] = ()
    good: tuple[str, ...] = ()
    indeterminate: tuple[str, ...] = ()
    check: str = "which texts are bad, and when it was known"


@dataclass(frozen=True)
class Listed:
    """A column that no feature reads, and why."""

    column: Column
    check: str


@dataclass(frozen=True)
class Drafted:
    """A feature as the portfolio file writes it."""

    name: str
    column: Column
    written: dict[str, Any]
    checks: tuple[str, ...] = ()


@dataclass
class Parted:
    """The columns of the loans' file that are no table's."""

    features: list[Drafted] = field(default_factory=list)
    protected: list[Listed] = field(default_factory=list)
    forbidden: list[Listed] = field(default_factory=list)
    unused: list[Listed] = field(default_factory=list)

    def and_those_of(self, other: Parted) -> Parted:
        """Return the columns of both files."""
        return Parted(
            self.features + other.features,
            self.protected + other.protected,
            self.forbidden + other.forbidden,
            self.unused + other.unused,
        )


def outcome_of(columns: Sequence[Column]) -> Outcome | None:
    """Return the column that most looks like the outcome; the last of several that look alike."""
    found = [(points, outcome) for column in columns for points, outcome in _outcomes(column)]
    return max(reversed(found), key=lambda pair: pair[0])[1] if found else None


def looks_like_outcome(column: Column) -> bool:
    """Return whether a column may say what became of the loans."""
    return any(points >= 2 for points, _ in _outcomes(column))  # noqa: PLR2004 - not only by the word "status"


def _outcomes(column: Column) -> Iterable[tuple[float, Outcome]]:
    if not 2 <= len(column.levels) <= TEXTS_OF_OUTCOMES or column.kind == "day":  # noqa: PLR2004
        return
    surely = column.speaks(said.OUTCOME_SURELY)
    if column.speaks(said.LONG_AGO) or (not surely and column.speaks(said.EARLIER)):
        return
    points = 3 if surely else 2 if column.speaks(said.OUTCOME) else 1 if column.speaks(said.OUTCOME_PERHAPS) else 0
    if not points:
        return
    told = _by_sign(column) if points > 1 else None
    told = told or _by_words(column)
    if told is not None:
        yield points, told
    elif points > 1 and column.kind == "text":
        yield points - 1.5, Outcome(column)


def _by_sign(column: Column) -> Outcome | None:
    """Return an outcome written as 1 and 0, yes and no, or 1 and 2."""
    if len(column.levels) != 2:  # noqa: PLR2004
        return None
    yes = [text for text in column.levels if text.strip().lower() in said.YES]
    no = [text for text in column.levels if text.strip().lower() in said.NO]
    check = "which text is bad, and when it was known"
    if len(yes) == len(no) == 1:
        turned = column.speaks(said.GOOD_NAME) and not column.speaks(said.BAD_NAME)
        bad, good = (no[0], yes[0]) if turned else (yes[0], no[0])
    elif column.whole and (column.least, column.most) == (1, 2):
        good, bad = sorted(column.levels, key=lambda text: float(text.strip().replace(",", ".")))
        check = "taken for bad: 2. " + check
    else:
        return None
    if column.texts.eq(bad).sum() * 2 > column.known:
        check = "more than half of the loans would be bad: is it the other text? " + check
    return Outcome(column, (bad,), (good,), (), check)


def _by_words(column: Column) -> Outcome | None:
    told = {text: said.meaning(text) for text in column.levels}
    bad, good, undecided = (
        tuple(text for text, meant in told.items() if meant == which) for which in ("bad", "good", "indeterminate")
    )
    return Outcome(column, bad, good, undecided) if bad and good and None not in told.values() else None


def parted(
    columns: Iterable[Column], applied: pl.Series | None, outcome: Outcome | None, beside: Parted | None = None
) -> Parted:
    """Return what each column could be.

    Parameters
    ----------
    applied : the day of each loan's application, where the file has it
    beside : the columns of another file, whose features have names already
    """
    found = Parted()
    names = _Names(() if beside is None else (feature.name for feature in beside.features))
    columns = list(columns)
    until = applied if applied is not None else _latest(columns)
    unusable = facts_columns(column.name for column in columns) | RESERVED
    for column in columns:
        if outcome is not None and column is outcome.column:
            if not outcome.bad:
                found.forbidden.append(Listed(column, "is it the outcome?"))
        elif (attribute := _protected(column, until)) is not None:
            found.protected.append(Listed(column, f"'{attribute}': may the law let a score read it?"))
        elif column.name in unusable:
            found.unused.append(Listed(column, "its name has a meaning of its own; rename it to use it"))
        elif (reason := _afterwards(column, applied) or _knows(column, outcome)) is not None:
            found.forbidden.append(Listed(column, reason))
        elif (reason := _useless(column)) is not None:
            found.unused.append(Listed(column, reason))
        else:
            _feature(column, applied, names, found)
    return found


def _afterwards(column: Column, applied: pl.Series | None) -> str | None:
    """Return why a column speaks of what comes after the decision; None when it does not seem to."""
    if looks_like_outcome(column):
        return "is it an outcome?"
    earlier = column.speaks(r"\b\d+ ?(m|mths?|months?|mos?|yrs?|years?)\b|within|histor|历史|近")
    if column.speaks(said.AFTERWARDS) and not earlier and not column.speaks(said.BEFOREHAND):
        return "its name speaks of what comes after the decision"
    if column.days is not None and applied is not None and _share_after(column.days, applied) >= FEW_BEFORE:
        return "its days lie after the application"
    return None


def _protected(column: Column, until: pl.Series | None) -> str | None:
    """Return the protected attribute that a column seems to hold, by its name or by what stands in it."""
    told = protected_names.of_a_name(column.name) or protected_names.of_the_texts(column.levels)
    if told is None and column.days is not None and until is not None:
        return protected_names.of_the_days(column.days, until)
    return told


def _latest(columns: Iterable[Column]) -> pl.Series | None:
    """Return the latest day of a file."""
    days = [latest for column in columns if column.days is not None and (latest := column.days.max()) is not None]
    return pl.Series([max(days)]) if days else None


def _knows(column: Column, outcome: Outcome | None) -> str | None:
    """Return how a column seems to know the outcome; None for an honest one, or where no outcome is known."""
    if outcome is None or not outcome.bad or not outcome.good:
        return None
    texts = outcome.column.texts
    bad = texts.is_in(list(outcome.bad)).fill_null(value=False)
    good = texts.is_in(list(outcome.good)).fill_null(value=False)
    known = column.texts.is_not_null()
    for which, members, others in (("bad", bad, good), ("good", good, bad)):
        usual = float(others.sum() or 0) / max(1, int((bad | good).sum() or 0))
        for state, rows in (("filled", known), ("empty", known.not_())):
            expected = usual * int((rows & (bad | good)).sum() or 0)
            if (
                expected >= LEAST_EXPECTED
                and int((rows & others).sum() or 0) <= A_FIFTIETH * expected
                and members.any()
            ):
                return f"{state} almost only where the loan went {which}"
    if min(int(bad.sum() or 0), int(good.sum() or 0)) < LEAST_OF_EACH:
        return None
    numbers = column.numbers if column.days is None else column.days.to_physical().cast(pl.Float64)
    if numbers is not None and _apart(numbers.filter(bad), numbers.filter(good)):
        return "it tells bad loans from good without fault"
    if column.levels and not set(column.texts.filter(bad).drop_nulls()) & set(column.texts.filter(good).drop_nulls()):
        return "it tells bad loans from good without fault"
    return None


def _apart(one: pl.Series, other: pl.Series) -> bool:
    """Return whether all numbers of one series lie beyond all of another; both have many."""
    if min(one.count(), other.count()) < LEAST_OF_EACH:
        return False
    return bool(one.min() > other.max() or one.max() < other.min())  # type: ignore[operator]


def _share_after(days: pl.Series, applied: pl.Series) -> float:
    return float((days > applied).fill_null(value=False).mean() or 0.0)  # type: ignore[arg-type]


def _useless(column: Column) -> str | None:  # noqa: PLR0911 - one line for each reason
    if column.kind == "empty":
        return "no value in any row"
    if column.distinct == 1:
        return "the same value in every row"
    if not column.name.strip() or column.speaks(r"^unnamed"):
        return "a column without a name"
    if any(column.speaks(words) for words in (said.ID, said.LOAN_ID, said.BORROWER_ID)):
        return "an identifier"
    if column.whole and column.speaks(said.YEAR) and column.least >= EARLIEST and column.most <= LATEST:
        return "a calendar year says when, not who"
    if column.speaks(said.PERSONAL) and column.known < NAMES_REPEAT * column.distinct:
        return "it looks personal"
    if column.kind != "text" or column.holds_one_number:
        return None
    if not column.levels:
        return "a text of its own in many rows" if column.distinct * 2 > column.known else "too many texts"
    return None


def _feature(column: Column, applied: pl.Series | None, names: _Names, found: Parted) -> None:
    written: dict[str, Any] = {"group": _group(column)}
    checks: list[str] = []
    yes = _yes(column)
    if yes is not None:
        written["yes"] = [yes]
    elif column.kind == "day":
        _day(column, applied, written, checks)
    elif column.kind == "number":
        _number(column, written, checks)
    elif column.holds_one_number:
        written["number_in"] = column.name
    else:
        written["levels"] = list(column.levels)
    if column.speaks(said.PRICE):
        checks.append("is it what the lender itself decided?")
    name = names.of(column, written.get("codes", {}))
    if not {"months_since", "number_in"} & set(written) and name != column.name:
        written = {"group": written["group"], "column": column.name, **_without(written, "group")}
    label = re.sub(r"[{}]", " ", column.name).strip() if not column.name.isascii() else said.words(column.name)
    written["label"] = {"en" if column.name.isascii() else "zh": label or name}
    found.features.append(Drafted(name, column, written, tuple(checks)))


def _without(written: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in written.items() if key != name}


def _yes(column: Column) -> str | None:
    """Return the text for yes in a column of yes and no."""
    plain = {text.strip().lower(): text for text in column.levels}
    yes, no = set(plain) & said.YES, set(plain) & said.NO
    return plain[yes.pop()] if len(column.levels) == 2 and len(yes) == len(no) == 1 else None  # noqa: PLR2004


def _day(column: Column, applied: pl.Series | None, written: dict[str, Any], checks: list[str]) -> None:
    written["months_since"] = column.name
    if column.or_format is not None:
        checks.append(f"the days fit {column.or_format} as well as {column.format}")
    if applied is None or column.days is None or _share_after(column.days, applied) > 0:
        written["least"] = 0.0
        checks.append("days after the observation date count as that day")


def _number(column: Column, written: dict[str, Any], checks: list[str]) -> None:
    codes = codes_in(column)
    if codes:
        written["codes"] = {str(code): {} for code in codes}
        checks.append("do the codes stand for a reason why there is no number, and for which?")
    unit = _unit(column, codes)
    if unit is not None:
        written["unit"] = unit
    if unit == "money" and not column.speaks(said.MINOR_UNITS):
        written["per_unit"] = 100


def _unit(column: Column, codes: Sequence[int]) -> str | None:
    numbers = column.numbers
    assert numbers is not None, "a column of numbers"
    real = numbers.filter(numbers.is_in([float(code) for code in codes]).not_()).drop_nulls()
    least, most = (float(real.min()), float(real.max())) if len(real) else (0.0, 0.0)  # type: ignore[arg-type]
    if column.speaks(said.SHARE):
        return "share" if least >= 0 and most <= 1 and column.decimals else None
    window = column.speaks(r"\b(last|within|past) ?\d|近")
    if least >= 0 and column.speaks(said.MONTHS) and not window:
        return "months"
    if least >= 0 and column.speaks(said.DAYS) and not window:
        return "days"
    counts = least >= 0 and column.whole
    if counts and column.speaks(said.COUNTED):
        return "count"
    if column.speaks(said.MONEY) and most >= LEAST_MONEY:
        return "money"
    return "count" if counts and column.speaks(said.COUNTED_PERHAPS) else None


def _group(column: Column) -> str:
    if column.speaks(said.WILLINGNESS):
        return "willingness"
    return "ability" if column.speaks(said.ABILITY) else "circumstances"


class _Names:
    """Names of features: made from the columns' own, each given once, and none that the release uses."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self.given = set(catalog().names) | RESERVED | set(taken)

    def of(self, column: Column, codes: Iterable[str]) -> str:
        """Return a name for a column's feature, such that those of its codes are free as well."""
        plain = re.sub(r"[^a-z0-9]+", "_", said.CAMEL.sub("_", column.name).lower()).strip("_")
        if not column.name.isascii() or not plain:
            plain = f"column_{column.place}"
        elif plain[0].isdigit():
            plain = f"f_{plain}"
        base, number = plain, 1
        while not self.given.isdisjoint(named := [plain, *(f"{plain}_is_{_plain(code)}" for code in codes)]):
            number += 1
            plain = f"{base}_{number}"
        self.given.update(named)
        return plain


def _plain(code: str) -> str:
    return code.replace("-", "minus_")
