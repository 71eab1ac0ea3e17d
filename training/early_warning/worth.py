"""What alerts were worth: how often alerted loans went bad, against the rest and against simpler lists as long."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt

from features.portfolios import Portfolio
from features.words import Text
from models.cards import Card
from models.change import change
from models.policy import Policy
from models.risk_model import Floats
from training.book_report import UNSAVED
from training.cohort import cohort
from training.early_warning import warn_words as words
from training.early_warning.alert_policy import AlertPolicy
from training.early_warning.alerts import alerts
from training.early_warning.two_dates import require_in_order, side
from training.fitting import fitted_card
from training.splits import splits
from training.statistics.auc import Auc, auc
from training.statistics.impact import ratio_interval
from training.statistics.intervals import Interval, wilson
from training.statistics.metrics import Bools
from training.statistics.paired import Difference, auc_difference
from training.statistics.shares import Counted

FOLDS = 3


@dataclass(frozen=True)
class Listed:
    """What became of a list of loans and of the rest.

    `money_found` is the share of the amount at risk of all bad loans that the list holds.
    """

    listed: Counted
    rest: Counted
    money_found: float

    @property
    def interval(self) -> Interval:
        """The bounds of the share of the list that went bad."""
        return wilson(self.listed.found, self.listed.cases)

    @property
    def lift(self) -> float | None:
        """The share of the list that went bad over that of the rest; None where none of the rest did."""
        return self.listed.share / self.rest.share if self.rest.found else None

    @property
    def lift_interval(self) -> Interval | None:
        """The bounds of the lift."""
        return ratio_interval(self.listed, self.rest) if self.rest.found else None


@dataclass(frozen=True)
class Worth:
    """What alerts were worth on loans that the card had not seen.

    Attributes
    ----------
    all_fired : every loan of which a rule holds, whatever the team's capacity
    alerted : of these, as many as the team can handle, most value first
    by_level : as many loans with the highest probability at the second date, whatever it was before
    by_expected : as many loans with the most amount at risk x probability at the second date
    expected_before, expected, observed : of the loans of which a rule holds, the share that the first date's score
        expected to go bad, the share that the second's did, and the bounds of the share that went bad
    expected_rest, observed_rest : the same of the others
    auc_level, auc_rise : how well the second date's score, and the rise alone, order the loans
    over_before : the second date's AUC less the first date's: what one more period of records tells
    """

    loans: int
    bad: int
    folds: int
    all_fired: Listed | None
    alerted: Listed | None
    by_level: Listed | None
    by_expected: Listed | None
    expected_before: float
    expected: float
    observed: Interval
    expected_rest: float
    observed_rest: Interval
    auc_level: Auc
    auc_rise: Auc
    over_before: Difference


@dataclass(frozen=True)
class _Part:
    """One fold's loans, by arrays over them."""

    bad: Bools
    money: Floats
    before: Floats
    now: Floats
    fired: Bools
    alerted: Bools
    by_level: Bools
    by_expected: Bools


def worth(
    book: Portfolio,
    card: Card,
    policy: Policy,
    rules: AlertPolicy,
    first: date,
    last: date,
    *,
    folds: int = FOLDS,
    seed: int = 0,
    say: Callable[[Text], object] = lambda _: None,
) -> Worth:
    """Return what alerts between two dates were worth by what became of the loans after the second.

    For each part of the borrowers a card is fitted on the others' loans as they stood on the second date, scores the
    part's loans at both dates and alerts by the rules; the team's capacity is divided among the parts. So no loan is
    judged by a card that has seen what became of it. The cards are fitted for this alone and are not stored.

    Raises
    ------
    DataRefused : what became of the loans after the second date is not known, or too few are there
    """
    require_in_order(book, first, last)
    whole = cohort(book, card, last)
    sides = [side(book, card, day, book.catalog, book.allocation) for day in (first, last)]
    bad_of = dict(zip(whole.matrix.cases.get_column("loan_id").to_list(), whole.bad.tolist(), strict=True))
    most = max(1, rules.most_alerts(first, last) // folds)
    parts = []
    for number, split in enumerate(splits(whole, by="borrower", folds=folds, seed=seed), start=1):
        say(words.PART_FITTED.filled(number=number, folds=folds, loans=f"{len(split.fit_on):,}"))
        fitted = fitted_card(
            whole.rows(split.fit_on),
            version=UNSAVED,
            seed=seed,
            provenance={},
            declared=book.declared,
            allocation=book.allocation,
            raw=book.raw,
        )
        judged = whole.matrix.cases.get_column("loan_id")[split.judge_on].to_list()
        loans = [loan for loan in judged if loan in sides[0].places]
        moved = change(*(one.assess(loans, fitted, policy) for one in sides))
        bad = np.array([bad_of[loan] for loan in loans], dtype=np.bool_)
        found = alerts(moved, rules, most)
        money, now = moved.after.owed_minor.astype(np.float64), moved.after.probability
        length = len(found.chosen)
        parts.append(
            _Part(
                bad,
                money,
                moved.before.probability,
                now,
                np.asarray(found.fired.any(axis=0)),
                _marked(found.chosen, len(bad)),
                _marked(np.argsort(-now, kind="stable")[:length], len(bad)),
                _marked(np.argsort(-now * money, kind="stable")[:length], len(bad)),
            )
        )
    return _together(parts, folds)


def _together(parts: list[_Part], folds: int) -> Worth:
    def joined(name: str) -> npt.NDArray[np.generic]:
        return np.concatenate([getattr(part, name) for part in parts])

    bad = np.asarray(joined("bad"), dtype=np.bool_)
    money, before, now = (np.asarray(joined(name), dtype=np.float64) for name in ("money", "before", "now"))
    fired = np.asarray(joined("fired"), dtype=np.bool_)
    lists = {
        name: listed(np.asarray(joined(mark), dtype=np.bool_), bad, money)
        for name, mark in (
            ("all_fired", "fired"),
            ("alerted", "alerted"),
            ("by_level", "by_level"),
            ("by_expected", "by_expected"),
        )
    }
    return Worth(
        loans=len(bad),
        bad=int(bad.sum()),
        folds=folds,
        **lists,
        expected_before=float(before[fired].mean()) if fired.any() else 0.0,
        expected=float(now[fired].mean()) if fired.any() else 0.0,
        observed=_share(bad[fired]),
        expected_rest=float(now[~fired].mean()) if not fired.all() else 0.0,
        observed_rest=_share(bad[~fired]),
        auc_level=auc(bad, now),
        auc_rise=auc(bad, now - before),
        over_before=auc_difference([(part.bad, part.now, part.before) for part in parts]),
    )


def listed(chosen: Bools, bad: Bools, money: Floats) -> Listed | None:
    """Return what became of a list and of the rest; None where one of them is empty."""
    if not chosen.any() or chosen.all():
        return None
    lost = float(money[bad].sum())
    return Listed(
        Counted(int(bad[chosen].sum()), int(chosen.sum())),
        Counted(int(bad[~chosen].sum()), int((~chosen).sum())),
        float(money[bad & chosen].sum()) / lost if lost > 0 else 0.0,
    )


def _share(bad: Bools) -> Interval:
    return wilson(int(bad.sum()), len(bad)) if len(bad) else Interval(0.0, 1.0)


def _marked(places: npt.NDArray[np.intp], size: int) -> Bools:
    told = np.zeros(size, dtype=np.bool_)
    told[places] = True
    return told
