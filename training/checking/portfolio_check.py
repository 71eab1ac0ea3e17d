"""What a lender's portfolio file and its data are found to be, before a card is fitted on them.

Faults refuse the book while it is read. Here is what no rule refuses and a person should see: columns that may know the
outcome, attributes that no card may read, identifiers, features without words, and what is assumed where the file is
silent. Columns are named, and no value of a borrower.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl

from features.declared import columns_of
from features.errors import DataRefused
from features.history import History
from features.portfolios import Portfolio
from features.portfolios.described import book, loans_file
from features.portfolios.portfolio_file import PortfolioFile, read_file, refused
from features.portfolios.protected_names import of_the_texts
from features.tables import FACTS
from models.cards import Card, card_of
from training.checking.assumptions import assumed, columns_beside
from training.checking.column_roles import Role, Roles, roles_of
from training.checking.feature_quality import (
    LEVELS_SHOWN,
    counted_twice,
    denominators,
    numbers_cut_short,
    only_the_calendar,
    undeclared_codes,
    unnamed_levels,
    unsaid,
    without_differences,
)
from training.checking.leakage import Column, sign_of_name, signs_of_values
from training.checking.portfolio_findings import MENDS, Report, Suspect
from training.checking.rows_of_cases import LOAN, rows_of_cases
from training.checking.telling_names import of_a_key, of_a_protected_attribute
from training.cohort import LEAST_OF_EACH
from training.fitting import learns_recoveries
from training.outcomes import Outcomes, outcomes, with_ended_windows
from training.splits import repeats

LEAST_ROWS = 20
"""In a file of fewer rows any column may be different in each."""
ALWAYS_KNOWN = date(1900, 1, 2)
"""Rows of which nobody says when they were recorded count as recorded on the first day of 1900, wherever that ends."""
OWN_DAYS = frozenset({"loans.applied_on", "loans.opened_on", "loans.recorded_at"})
KEYS = frozenset({"loans.loan_id", "loans.borrower_id"})


def check(path: Path, data: Path | None = None) -> Report:
    """Return what is found in the book that a portfolio file describes.

    Parameters
    ----------
    data : the folder of the files it names; by default the one it lies in

    Raises
    ------
    ConfigurationRefused : faults of the file itself
    DataRefused : a file it names cannot be read, values that break their declaration, or outcomes that do not fit the
        observation dates that the file names
    """
    portfolio, file, rows = book(path, data), read_file(path), loans_file(path, data)
    folder = path.parent if data is None else data
    return _Check(portfolio, file, rows, columns_beside(file, folder)).report(folder)


class _Check:
    """One book being looked at."""

    def __init__(
        self, portfolio: Portfolio, file: PortfolioFile, rows: pl.DataFrame, elsewhere: frozenset[str]
    ) -> None:
        self.portfolio, self.file, self.rows = portfolio, file, rows
        self.elsewhere = elsewhere
        _ = portfolio.catalog  # refuses a feature that is named like one of the release's
        self.card: Card = card_of(portfolio, portfolio.card)
        self.columns = [name for name in rows.columns if name != LOAN]
        self.roles: Roles = roles_of(file, self.columns, portfolio.raw.of_loans)
        self.stands_on = None if _names_its_days(portfolio) else _last_recorded(portfolio, rows.drop(LOAN))
        history = portfolio.history(self.stands_on)
        self.ended = with_ended_windows(portfolio, self.card, history.of(pl.Series(self.card.members(history))))
        self.members: History = self.ended.members
        self.no_outcomes: DataRefused | None = None
        self.told: Outcomes | None = self._outcomes()

    def report(self, folder: Path) -> Report:
        """Return the report.

        Parameters
        ----------
        folder : where the files lie
        """
        return Report(
            name=self.portfolio.name,
            read=tuple(self._read()),
            difficulties=tuple(self._difficulties()),
            suspects=tuple(self._suspects()),
            protected=dict(self._protected()),
            identifiers=tuple(self._identifiers()),
            features=tuple(self._features()),
            notes=tuple(self._notes()),
            unclassified=tuple(name for name in self.columns if self.roles.of(name) is Role.UNCLASSIFIED),
            assumed=tuple(assumed(self.portfolio, self.file, folder, self.card, self.stands_on)),
        )

    def _outcomes(self) -> Outcomes | None:
        """Return the outcomes, or None for a book that is there to be scored and has none yet.

        Outcomes that were sent must fit the observation dates that the file names, or the book is refused.
        """
        if not len(self.members.cases):
            return None
        try:
            return outcomes(self.portfolio, self.card, self.members)
        except DataRefused as refusal:
            if self.portfolio.outcomes is not None and self.stands_on is None:
                raise
            self.no_outcomes = refusal
            return None

    def _read(self) -> Iterator[str]:
        cases, tables = self.members.cases, self.portfolio.tables
        counts = "outcomes not known" if self.told is None else _listed(self.told.counts)
        loans = tables.loans.get_column("loan_id").n_unique()
        yield f"{loans:,} loans; {len(cases):,} cases of the {self.card.name} card: {counts}"
        yield f"bad: {self.card.outcome.en}"
        beside = {"outcomes": self.portfolio.outcomes, "protected": self.portfolio.protected}
        frames = {**dict(tables.items()), **{name: frame for name, frame in beside.items() if frame is not None}}
        yield "rows: " + ", ".join(f"{name} {frame.height:,}" for name, frame in frames.items())
        days = cases.get_column("observed_on").unique().sort().to_list()
        if days:
            span = f"on {days[0]}" if len(days) == 1 else f"on {len(days):,} dates from {days[0]} to {days[-1]}"
            each = ", each loan on the day of its application" if self.portfolio.observe_each else ""
            yield f"observed {span}{each}; days end in zone {self.portfolio.zone}"
        yield f"currency: {', '.join(self._currencies())}"

    def _currencies(self) -> list[str]:
        return [str(code) for code in self.portfolio.tables.loans.get_column("currency").unique().sort()]

    def _difficulties(self) -> Iterator[str]:
        if not len(self.members.cases):
            yield (
                f"no loan belongs to the {self.card.name} card, whose population is: {self.card.population.value}. "
                "Do: name another card, or send the tables that tell who is overdue"
            )
        if self.no_outcomes is not None:
            yield (
                f"outcomes are not known ({self.no_outcomes.found}), and columns were judged by names and days only. "
                f"Scoring needs none; for training, {self.no_outcomes.do}"
            )
        if self.told is not None:
            rarer = min(self.told.counts["bad"], self.told.counts["good"])
            if rarer < LEAST_OF_EACH:
                yield (
                    f"{rarer} cases have the rarer outcome, and columns were judged by names and days only; training "
                    f"needs {LEAST_OF_EACH}. Do: check the texts under [outcome], or wait for more loans"
                )
        yield from self.portfolio.doubts
        if len(self._currencies()) > 1:
            yield "several currencies, and a card is for one. Do: choose rows by currency"
        absent = [
            name
            for name in (*self.file.protected, *self.file.forbidden, *self.file.unused)
            if name not in self.columns and name not in self.elsewhere
        ]
        files = "the loans' file" if FACTS not in self.file.tables else "the files of loans and of facts"
        if absent:
            yield f"in a list, and not in {files}: {', '.join(absent)}. Do: correct the names"
        coded = [name for name in self.file.codes if name not in self.columns and name not in self.elsewhere]
        if coded:
            yield f"under [codes], and not in {files}: {', '.join(coded)}. Do: correct the names"

    def _suspects(self) -> list[Suspect]:
        bad = None if self.told is None else self.told.bad
        known = rows_of_cases(self.portfolio, self.file, self.rows, self.members, bad, self.card)
        found: list[Suspect] = []
        for name in known.texts.columns:
            role, readers = self.roles.of(name), self.roles.read_by(name)
            # The tables' own days say what was known when; nobody reads a key.
            if role is Role.OUTCOME or (OWN_DAYS | KEYS) & set(readers):
                continue
            column = known.column(name)
            reasons = list(signs_of_values(column, known.cases))
            # What one of our tables' columns is read from is what that column means, whatever it is called.
            named = None if role is Role.TABLE else sign_of_name(column.name, known.cases)
            if reasons or named is not None:
                every = tuple(reasons if named is None else [*reasons, named])
                found.append(Suspect(name, role, readers, every, by_name_only=not reasons))
        return sorted(found, key=lambda suspect: list(MENDS).index(suspect.role))

    def _protected(self) -> Iterator[tuple[str, str]]:
        for name in self._of_no_list():
            word = of_a_protected_attribute(name) or self._attribute_in(name)
            if word is None:
                continue
            readers = self.roles.read_by(name)
            first = (
                f"read by {', '.join(readers)}. Do: take the feature out, and" if readers else "read by nothing. Do:"
            )
            yield name, f"{name} ('{word}'): {first} put the column under protected"
        for name, told in self.file.features.items():
            word = of_a_protected_attribute(name) or of_a_protected_attribute(told.label.en or told.label.zh)
            read = [column for column in columns_of(name, told) if of_a_protected_attribute(column) is None]
            if word is not None and read:
                yield (
                    f"feature '{name}'",
                    f"feature '{name}' ('{word}'), which reads {', '.join(read)}: its name or label speaks of a "
                    "protected attribute. Do: take the feature out, and put the column under protected, if it is one",
                )

    def _attribute_in(self, name: str) -> str | None:
        """Return the protected attribute that the few texts of a column are values of."""
        texts = self.rows.get_column(name).drop_nulls().unique()
        return of_the_texts(texts) if len(texts) <= LEVELS_SHOWN else None

    def _of_no_list(self) -> Iterator[str]:
        """Yield the columns that features read and those that no list names."""
        yield from (name for name in self.columns if self.roles.of(name) in {Role.FEATURE, Role.UNCLASSIFIED})

    def _identifiers(self) -> Iterator[str]:
        loans = self.portfolio.tables.loans.unique("loan_id")
        if repeats(loans.get_column("borrower_id").to_numpy()):
            owners = loans.get_column("borrower_id").value_counts()
            several = owners.filter(pl.col("count") > 1).height
            refuse = self.portfolio.split is not None and self.portfolio.split[0] == "folds"
            asked = "split.by = folds will be refused" if refuse else "random folds will be refused"
            yield (
                f"{several:,} of {owners.height:,} borrowers have several loans: {asked}, which would judge a card on "
                "borrowers it has seen. Do: split by borrower or by time"
            )
        for name in self._of_no_list():
            if self._is_different_in_each_row(name):
                readers = self.roles.read_by(name)
                mend = "take the feature out: an identifier is none" if readers else "put it under unused"
                yield f"{name}: different in every row{_by(readers)}. Do: {mend}"

    def _is_different_in_each_row(self, name: str) -> bool:
        """Return whether a column is an identifier: a text, or a whole number that counts on or is named like a key."""
        texts = self.rows.get_column(name)
        if len(texts) < LEAST_ROWS or texts.null_count() or texts.n_unique() < len(texts):
            return False
        column = Column(name, texts)
        if column.numbers is None:
            return column.days is None
        whole = texts.str.contains(r"^\s*[0-9]+\s*$").all()
        numbers = pl.Series(column.numbers)
        return bool(whole) and (numbers.is_sorted() or numbers.is_sorted(descending=True) or of_a_key(name))

    def _features(self) -> Iterator[str]:
        yield from unsaid(self.portfolio)
        yield from without_differences(self.portfolio, self.members)
        yield from only_the_calendar(self.portfolio, self.members)
        yield from unnamed_levels(self.portfolio)
        yield from undeclared_codes(self.portfolio, self.file, self.rows)
        yield from numbers_cut_short(self.portfolio)
        yield from counted_twice(self.file, self.roles)

    def _notes(self) -> Iterator[str]:
        yield from self.portfolio.not_counted
        if self.ended.left_out:
            yield self.ended.left_out
        yield from denominators(self.portfolio, self.file, self.members, self.rows)
        known = 0 if self.told is None else int(self.told.recovered_minor.count())
        if known and not learns_recoveries(self.card):
            yield (
                f"{known:,} recoveries are known and not used by this card: only a collection card learns what comes "
                "back. To use them, describe the loans that went bad in a portfolio file of their own, with card = "
                '"collection", as `repayrank portfolio show lendingclub_recovery` does'
            )


def _names_its_days(portfolio: Portfolio) -> bool:
    return portfolio.observe_each or bool(portfolio.observed_dates) or portfolio.observed_on is not None


def _last_recorded(portfolio: Portfolio, rows: pl.DataFrame) -> date:
    """Return the last day on which something was recorded in a book that names no observation date.

    Where no row says when it was recorded, the latest day that stands in the loans' file: no day may lie after it.
    """
    newest = [frame.get_column("recorded_at").max() for _, frame in portfolio.tables.items()]
    days = [instant.astimezone(ZoneInfo(portfolio.zone)).date() for instant in newest if isinstance(instant, datetime)]
    if not days:
        raise refused(["[tables.loans] has no rows"], Path(portfolio.source))
    if max(days) > ALWAYS_KNOWN:
        return max(days)
    found = [column for name in rows.columns if (column := Column(name, rows.get_column(name)).days) is not None]
    latest = [day for column in found if isinstance(day := column.max(), date)]
    return max(latest, default=ALWAYS_KNOWN)


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{number:,} {outcome}" for outcome, number in counts.items())


def _by(readers: tuple[str, ...]) -> str:
    return f", and read by {', '.join(readers)}" if readers else ""
