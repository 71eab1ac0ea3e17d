"""The cards: which loans a score is for, what counts as bad, and over which window.

A card is data. The release declares four; a portfolio file may change a lender's own, and a fitted card carries the
declaration it was fitted with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl

from features.errors import UsageError
from features.history import CASE, History
from features.queries import answered
from features.words import Text

if TYPE_CHECKING:
    from features.portfolios import Portfolio


class Population(StrEnum):
    """Which cases a card is for."""

    APPLICANTS = "applicants"
    NOT_OVERDUE = "not overdue"
    OVERDUE = "overdue"
    ALL = "all"


@dataclass(frozen=True)
class Card:
    """A scorecard's declaration.

    Attributes
    ----------
    window_days : the performance window that follows the observation date
    bad_days_past_due : bad is reaching so many days past due within the window; None: bad is that the arrears are not
        cleared within it. Where outcomes are sent, they say what is bad
    good_below : a loan that reaches this many days past due, but not `bad_days_past_due`, is neither good nor bad
    said : what bad means in words, where it is not what the numbers above say
    helped_by : the card whose loans help to grow the trees, each at `helper_weight`: overdue loans are few, and what a
        habit of paying says is much the same on both sides
    """

    name: str
    title: Text
    population: Population
    window_days: int
    bad_days_past_due: int | None = None
    good_below: int = 30
    said: Text | None = None
    helped_by: str | None = None
    helper_weight: float = 0.0

    @property
    def outcome(self) -> Text:
        """What bad means, in words."""
        if self.said is not None:
            return self.said
        if self.bad_days_past_due is None:
            return Text(
                en=f"arrears not cleared within {self.window_days} days", zh=f"{self.window_days}天内未结清逾期欠款"
            )
        return Text(
            en=f"{self.bad_days_past_due} or more days past due within {self.window_days} days",
            zh=f"{self.window_days}天内逾期达到{self.bad_days_past_due}天及以上",
        )

    def members(self, history: History) -> npt.NDArray[np.bool_]:
        """Return which cases the card is for. A loan whose state nobody knows belongs to no card but `all`."""
        if self.population in {Population.APPLICANTS, Population.ALL}:
            return np.ones(len(history.cases), dtype=np.bool_)
        overdue = is_overdue(history)
        belongs = overdue if self.population is Population.OVERDUE else overdue.not_()
        return belongs.fill_null(value=False).to_numpy()


RECENT_MONTHS = 3
"""An account whose latest statement is older is not in the book any more as far as a card can tell."""
LEFT_THE_BOOK = ("written_off", "sold", "closed", "death", "bankruptcy")
"""Events after which a loan is no card's: what happens then is settled by others and by other rules."""


def is_overdue(history: History) -> pl.Series:
    """Return whether each case is overdue on its observation date; missing when it is not in the book, or not known.

    By the schedule in force for a loan with instalments (settled and not yet begun loans are not in the book), by the
    latest statement of the last 3 months for a revolving account.
    """
    told, overdue = history.cases.lazy().select(CASE), [pl.lit(None, pl.Boolean)]
    if history.statements is not None:
        recent = history.statements.lazy().filter(pl.col(f"within_{RECENT_MONTHS}m"))
        latest = recent.group_by(CASE, maintain_order=True).agg(stated=pl.col("months_overdue").last() > 0)
        told, overdue = told.join(latest, on=CASE, how="left", maintain_order="left"), [pl.col("stated"), *overdue]
    if history.instalments is not None and history.known.payments is not None:
        unsettled = pl.col("settled_on").is_null().any()
        standing = pl.when(unsettled).then(pl.col("overdue").any())
        schedule = history.instalments.lazy().group_by(CASE, maintain_order=True).agg(scheduled=standing)
        told, overdue = told.join(schedule, on=CASE, how="left", maintain_order="left"), [pl.col("scheduled"), *overdue]
    stands = pl.coalesce(overdue)
    if history.known.events is not None:
        left = history.known.events.lazy().filter(pl.col("kind").cast(pl.String).is_in(LEFT_THE_BOOK)).select(CASE)
        told = told.join(left.unique().with_columns(left=True), on=CASE, how="left", maintain_order="left")
        stands = pl.when(pl.col("left").is_null()).then(stands)
    # Beside the cases: where nothing is known at all, the value alone would be a single row.
    return answered(told.select(CASE, overdue=stands)).get_column("overdue")


CARDS: Mapping[str, Card] = {
    card.name: card
    for card in (
        Card(
            name="application",
            title=Text(en="Application card: applicants", zh="申请评分卡：申请人"),
            population=Population.APPLICANTS,
            window_days=365,
            bad_days_past_due=90,
        ),
        Card(
            name="behaviour",
            title=Text(en="Behaviour card: accounts that are not overdue", zh="行为评分卡：未逾期账户"),
            population=Population.NOT_OVERDUE,
            window_days=365,
            bad_days_past_due=90,
        ),
        Card(
            name="collection",
            title=Text(en="Collection card: overdue accounts", zh="催收评分卡：逾期账户"),
            population=Population.OVERDUE,
            window_days=30,
            # Inner folds of the Taiwan book, overdue loans, AUC: 0.7422 alone; helped at weight 0.1: 0.7431, at 0.2:
            # 0.7429; at weight 1 it falls below what it was alone.
            helped_by="behaviour",
            helper_weight=0.1,
        ),
        Card(
            name="all",
            title=Text(en="Whole book", zh="全部账户"),
            population=Population.ALL,
            window_days=365,
            bad_days_past_due=90,
        ),
    )
}


def card_named(name: str) -> Card:
    """Return a card of the release by name, or refuse with the names there are."""
    if name not in CARDS:
        raise UsageError(
            f"no card named '{name}'", where="--card", expected=f"one of {', '.join(CARDS)}", do="correct the name"
        )
    return CARDS[name]


def card_of(portfolio: Portfolio, name: str) -> Card:
    """Return a card as a book declares it: the release's, with the book's own changes."""
    changes = dict(portfolio.cards.get(name, {}))
    outcome = changes.pop("outcome", None)
    if outcome is not None:
        changes["said"] = _in_both_languages(outcome)
    if "population" in changes:
        changes["population"] = Population(changes["population"])
    if changes.get("helped_by") == "":
        changes["helped_by"] = None
    return replace(card_named(name), **changes)


def _in_both_languages(words: Mapping[str, str]) -> Text | None:
    """Return words, those of the other language where one is left out; None where neither says anything."""
    en, zh = (words.get(language, "").strip() for language in ("en", "zh"))
    return Text(en=en or zh, zh=zh or en) if en or zh else None


def declaration(card: Card) -> dict[str, Any]:
    """Return what a card declares as plain data."""
    return {**asdict(card), "population": card.population.value}


def from_declaration(plain: Mapping[str, Any]) -> Card:
    """Return the card written by `declaration`."""
    said = plain["said"]
    return Card(
        **{
            **plain,
            "title": Text(**plain["title"]),
            "population": Population(plain["population"]),
            "said": None if said is None else Text(**said),
        }
    )
