"""The cards: which loans a score is for, what counts as bad, and over which window."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from features.errors import UsageError
from features.history import CASE, History
from features.words import Text


@dataclass(frozen=True)
class Card:
    """A scorecard's declaration.

    `least_overdue` and `most_overdue` bound the months overdue on the latest statement; `outcome` says what bad
    means; `window_days` is the performance window that follows the observation date. `helped_by` names the card whose
    loans help to grow the trees, each at `helper_weight`: overdue loans are few, and what a habit of paying says is
    much the same on both sides.
    """

    name: str
    title: Text
    outcome: Text
    least_overdue: float
    most_overdue: float
    window_days: int
    helped_by: str | None = None
    helper_weight: float = 0.0

    def population(self, history: History) -> npt.NDArray[np.bool_]:
        """Return which cases the card is for. An account without a recent statement belongs to no card but `all`."""
        if self.least_overdue == 0 and np.isinf(self.most_overdue):
            return np.ones(len(history.cases), dtype=np.bool_)
        if history.statements is None:
            return np.zeros(len(history.cases), dtype=np.bool_)
        recent = history.statements.filter(pl.col(f"within_{RECENT_MONTHS}m"))
        latest = recent.group_by(CASE, maintain_order=True).agg(pl.col("months_overdue").last())
        overdue = history.cases.join(latest, on=CASE, how="left", maintain_order="left").get_column("months_overdue")
        return overdue.is_between(self.least_overdue, self.most_overdue).fill_null(value=False).to_numpy()


RECENT_MONTHS = 3
"""An account whose latest statement is older is not in the book any more as far as a card can tell."""

NEXT_MONTH = Text(en="default on the next month's payment", zh="下月还款违约")

CARDS: Mapping[str, Card] = {
    card.name: card
    for card in (
        Card(
            name="behaviour",
            title=Text(en="Behaviour card: accounts that are not overdue", zh="行为评分卡：未逾期账户"),
            outcome=NEXT_MONTH,
            least_overdue=0,
            most_overdue=0,
            window_days=31,
        ),
        Card(
            name="collection",
            title=Text(en="Collection card: overdue accounts", zh="催收评分卡：逾期账户"),
            outcome=NEXT_MONTH,
            least_overdue=1,
            most_overdue=np.inf,
            window_days=31,
            # Inner folds of the Taiwan book, overdue loans, AUC: 0.7422 alone; helped at weight 0.1: 0.7431, at 0.2:
            # 0.7429; at weight 1 it falls below what it was alone.
            helped_by="behaviour",
            helper_weight=0.1,
        ),
        Card(
            name="all",
            title=Text(en="Whole book", zh="全部账户"),
            outcome=NEXT_MONTH,
            least_overdue=0,
            most_overdue=np.inf,
            window_days=31,
        ),
    )
}


def card_named(name: str) -> Card:
    """Return a card by name, or refuse with the names there are."""
    if name not in CARDS:
        raise UsageError(
            f"no card named '{name}'", where="--card", expected=f"one of {', '.join(CARDS)}", do="correct the name"
        )
    return CARDS[name]
