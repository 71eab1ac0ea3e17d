"""The loans of a card at two dates: those scored at both, those that are new, and those that left and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cached_property

import numpy as np
import polars as pl

from features.catalog import Catalog, FeatureMatrix
from features.delinquency import Allocation
from features.errors import DataRefused, UsageError
from features.history import CASE, History
from features.portfolios import Portfolio
from features.words import Text
from models.assessment import Assessment, assess_matrix
from models.cards import LEFT_THE_BOOK, Card, is_overdue
from models.change import Change, change
from models.exposure import at_risk
from models.fitted_card import FittedCard
from models.policy import Policy


class Standing(StrEnum):
    """Where a loan stands between two dates."""

    BOTH = "scored at both dates"
    NEW = "new"
    ENTERED = "came to the card"
    OVERDUE = "fell overdue"
    CURED = "no longer overdue"
    LEFT = "left the book"
    UNKNOWN = "not known any more"

    @property
    def text(self) -> Text:
        """Return it in words."""
        return STANDINGS[self]


STANDINGS: Mapping[Standing, Text] = {
    Standing.BOTH: Text(en="scored at both dates", zh="两个日期均有评分"),
    Standing.NEW: Text(en="not known at the first date", zh="首个日期尚未入账"),
    Standing.ENTERED: Text(
        en="known at the first date, but not one of the card's loans then", zh="首个日期已知，但当时不属于该评分卡"
    ),
    Standing.OVERDUE: Text(en="fell overdue: a case of collection now", zh="已转为逾期，转入催收"),
    Standing.CURED: Text(en="no longer overdue: not a case of collection now", zh="已不再逾期，不属于催收"),
    Standing.LEFT: Text(
        en="settled, closed, sold, written off or otherwise ended", zh="已结清、销户、转让、核销或其他终止"
    ),
    Standing.UNKNOWN: Text(en="its state is not known at the second date", zh="第二个日期状态未知"),
}


@dataclass(frozen=True)
class Side:
    """The card's loans at one date, scored."""

    day: date
    history: History
    members: History
    matrix: FeatureMatrix
    money: pl.DataFrame

    @cached_property
    def places(self) -> dict[str, int]:
        """Where each of the card's loans stands."""
        return {loan: place for place, loan in enumerate(self.members.loan_ids)}

    def assess(self, loans: list[str], model: FittedCard, policy: Policy) -> Assessment:
        """Return the assessment of some of the card's loans, in the order given."""
        chosen = np.array([self.places[loan] for loan in loans], dtype=np.intp)
        matrix = self.matrix.of(model.catalog.names).rows(chosen)
        return assess_matrix(matrix, self.money[chosen], model, policy)


@dataclass(frozen=True)
class TwoDates:
    """A card's loans at two dates.

    `change` is of the loans scored at both, in the order of the second date's book. `others` has one row for each loan
    that was scored at one date only: `loan_id`, `standing`, `scored_on`, `default_probability`, `owed_minor`.
    """

    first: Side
    last: Side
    change: Change
    others: pl.DataFrame

    @property
    def model(self) -> FittedCard:
        """The version that scored both dates."""
        return self.change.after.model

    @property
    def counts(self) -> dict[Standing, int]:
        """How many loans stand where."""
        others = self.others.get_column("standing").to_list()
        return {one: len(self.change) if one is Standing.BOTH else others.count(one.value) for one in Standing}


def two_dates(book: Portfolio, model: FittedCard, policy: Policy, first: date, last: date) -> TwoDates:
    """Return a card's loans at two dates, scored by one version.

    Each date sees what was recorded by its end and nothing later.

    Raises
    ------
    UsageError : the dates are not in order, or each loan of the book is observed on a day of its own
    DataRefused : no loan of the card is there at both dates
    """
    require_in_order(book, first, last)
    sides = [side(book, model.card, day, model.catalog, model.allocation) for day in (first, last)]
    both = [loan for loan in sides[1].places if loan in sides[0].places]
    if not both:
        raise DataRefused(
            "no loan that was scored at both dates",
            where=f"portfolio '{book.name}', card '{model.card.name}', {first} and {last}",
            expected=f"loans of the card ({model.card.title.en}) that are there at both dates",
            do="name dates at which the book holds loans, or use the card that they belong to",
        )
    before, after = (side.assess(both, model, policy) for side in sides)
    return TwoDates(sides[0], sides[1], change(before, after), _others(sides[0], sides[1], model, policy))


def require_in_order(book: Portfolio, first: date, last: date) -> None:
    """Refuse dates that are not in order, and a book that has no dates of its own."""
    if first >= last:
        raise UsageError(
            f"from {first} to {last}", where="--from, --to", expected="a first date before the second", do="swap them"
        )
    if book.observe_each:
        raise UsageError(
            "a book whose loans are observed once, each on the day of its application",
            where=f"portfolio '{book.name}'",
            expected="a book of running loans",
            do="use a book with payments or statements after the loan began",
        )


def side(book: Portfolio, card: Card, day: date, catalog: Catalog, allocation: Allocation) -> Side:
    """Return a card's loans at one date with the values of a catalog's features."""
    history = History.as_of(day, book.tables, zone=book.zone, allocation=allocation)
    members = history.of(pl.Series(card.members(history), dtype=pl.Boolean))
    return Side(day, history, members, catalog.values(members), at_risk(members))


def _others(first: Side, last: Side, model: FittedCard, policy: Policy) -> pl.DataFrame:
    gone = [loan for loan in first.places if loan not in last.places]
    come = [loan for loan in last.places if loan not in first.places]
    known = set(first.history.loan_ids)
    state = dict(zip(last.history.loan_ids, is_overdue(last.history).to_list(), strict=True))
    ended = _ended(last.history)
    standing = [_gone(state.get(loan), loan in ended) for loan in gone]
    standing += [Standing.ENTERED if loan in known else Standing.NEW for loan in come]
    scored = [(first, gone), (last, come)]
    told = [side.assess(loans, model, policy) for side, loans in scored if loans]
    return pl.DataFrame(
        {
            "loan_id": pl.Series([*gone, *come], dtype=pl.String),
            "standing": pl.Series([one.value for one in standing], dtype=pl.String),
            "standing_en": pl.Series([one.text.en for one in standing], dtype=pl.String),
            "standing_zh": pl.Series([one.text.zh for one in standing], dtype=pl.String),
            "scored_on": pl.Series([side.day for side, loans in scored for _ in loans], dtype=pl.Date),
            "default_probability": np.concatenate([np.zeros(0), *(one.probability for one in told)]),
            "owed_minor": np.concatenate([np.zeros(0, dtype=np.int64), *(one.owed_minor for one in told)]),
        }
    )


def _gone(overdue: bool | None, ended: bool) -> Standing:
    if ended:
        return Standing.LEFT
    if overdue is None:
        return Standing.UNKNOWN
    return Standing.OVERDUE if overdue else Standing.CURED


def _ended(history: History) -> set[str]:
    """Return the loans that are settled by their schedule, or of which an event says that they ended."""
    cases: set[int] = set()
    if history.known.events is not None:
        over = history.known.events.filter(pl.col("kind").cast(pl.String).is_in(LEFT_THE_BOOK))
        cases |= set(over.get_column(CASE).to_list())
    if history.instalments is not None and history.known.payments is not None:
        settled = history.instalments.group_by(CASE).agg(settled=pl.col("settled_on").is_not_null().all())
        cases |= set(settled.filter("settled").get_column(CASE).to_list())
    return {loan for case, loan in zip(history.cases.get_column(CASE), history.loan_ids, strict=True) if case in cases}
