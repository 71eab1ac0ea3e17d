"""The migration of a book between dates, what it says of the next period, and what came of that where it is known."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from features.errors import DataRefused, UsageError
from features.portfolios import Portfolio
from features.words import Text
from models.assessment import assess_matrix, mixed_currencies
from models.fitted_card import FittedCard
from models.policy import Policy
from models.risk_model import Floats
from training.early_warning import migration_words as words
from training.early_warning.book_state import STATES, BookState, book_state, joined, money_by_state
from training.early_warning.by_scores import by_scores
from training.early_warning.categories import Category, CategoryPolicy, Rule, in_force
from training.early_warning.migrating import (
    Missed,
    NplForecast,
    by_markov,
    missed,
    moves,
    npl_ratio,
    places,
    row_shares,
)
from training.early_warning.two_dates import require_in_order, side
from training.statistics.inputs import TooFew
from training.statistics.intervals import CONFIDENCE, Interval, reach
from training.statistics.migration import Migration


@dataclass(frozen=True)
class Came:
    """What came of the loans in the book, and how far the forecasts were from it.

    `surprise` is how much less the forecast by scores was surprised by each loan, on average, than the matrix was, with
    its bounds; above 0 the scores were better.
    """

    day: date
    held: Floats
    ratio: float
    whole_book: float
    markov: Missed
    scores: Missed | None
    surprise: tuple[float, Interval] | None


@dataclass(frozen=True)
class ProductMigration:
    """The migration of one product's loans.

    `held` is what each of STATES holds now, `loans` how many loans it has; `ratio_first` is the NPL ratio at the first
    date, `ratio` the one now. `scores` is None where no card scores the book's loans.
    """

    product: str
    currency: str
    rule: Rule
    rule_in_force: bool
    moves: Migration
    held: Floats
    loans: Floats
    ratio_first: float
    ratio: float
    markov: NplForecast | None
    why_not: str
    scores: NplForecast | None
    came: Came | None


@dataclass(frozen=True)
class BookMigration:
    """The migration of a book, product by product. `dates` are the first to the last, `next_on` the forecast's.

    `unknown` is how many loans were left out because nobody knows whether they are overdue. `cards` are the versions
    that scored.
    """

    portfolio: str
    source: str
    dates: tuple[date, ...]
    next_on: date
    policy: CategoryPolicy
    products: tuple[ProductMigration, ...]
    unknown: int
    cards: tuple[FittedCard, ...]


def dates_between(first: date, last: date, months: int) -> tuple[date, ...]:
    """Return the dates so many months apart that end on the last one and do not begin before the first.

    From a month's last day the others are the last days of their months.

    >>> [str(day) for day in dates_between(date(2025, 3, 31), date(2025, 6, 30), 1)]
    ['2025-03-31', '2025-04-30', '2025-05-31', '2025-06-30']
    """
    found = [last]
    while (day := months_from(last, -months * len(found))) >= first:
        found.append(day)
    return tuple(reversed(found))


def months_from(day: date, months: int) -> date:
    """Return the same day so many months later, or the month's last where it is shorter; from a last day, the last."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    longest = monthrange(year, month + 1)[1]
    at_the_end = (day + timedelta(days=1)).day == 1
    return date(year, month + 1, longest if at_the_end else min(day.day, longest))


def book_migration(
    book: Portfolio,
    policy: CategoryPolicy,
    first: date,
    last: date,
    *,
    months: int = 1,
    cards: Sequence[FittedCard] = (),
    scale: Policy | None = None,
    seed: int = 0,
    say: Callable[[Text], object] = lambda _: None,
) -> BookMigration:
    """Return how a book's loans moved between categories, month after month, and the forecast of the next.

    All moves of the months between the dates are taken together. Where the book knows the day after, the forecast is
    held against it.

    Parameters
    ----------
    months : how many months apart the dates are
    cards : those whose scores make the second forecast; `scale` is then the policy that they are read with

    Raises
    ------
    UsageError : the dates are not in order, or nearer to each other than the months
    DataRefused : the book holds no loan at these dates, or ends before the last one
    """
    require_in_order(book, first, last)
    days, next_on = dates_between(first, last, months), months_from(last, months)
    if len(days) < 2:  # noqa: PLR2004 - a move has two ends
        raise UsageError(
            f"no two dates {months} months apart between {first} and {last}",
            where="--from, --to, --months",
            expected="dates at least so many months apart",
            do="name an earlier --from, or fewer --months",
        )
    ends = last_record(book)
    known_until = ends + policy.records.quiet
    if known_until < last:
        raise DataRefused(
            f"a book that ends on {ends}",
            where=f"portfolio '{book.name}', --to {last}",
            expected="records up to the last date: later nobody knows who is overdue",
            do=f"name a --to up to {known_until}",
        )
    known = (*days, next_on) if next_on <= known_until else days
    states = []
    for day in known:
        say(words.BOOK_ON.filled(day=str(day)))
        states.append(book_state(book, policy, day))
    scored = [{} if scale is None else _scores(book, day, cards, scale, say) for day in days]
    products = sorted(set(states[len(days) - 1].rows.get_column("product")))
    told = tuple(
        one for product in products if (one := _of_product(product, policy, days, states, scored, seed)) is not None
    )
    if not told:
        raise DataRefused(
            "no loan in the book at the first date of any move",
            where=f"portfolio '{book.name}', {days[0]} to {days[-1]}",
            expected="loans whose category is known",
            do="name dates at which the book holds loans",
        )
    return BookMigration(
        book.name,
        book.source,
        days,
        next_on,
        policy,
        told,
        states[len(days) - 1].unknown,
        () if scale is None else tuple(cards),
    )


def _scores(
    book: Portfolio, day: date, cards: Sequence[FittedCard], scale: Policy, say: Callable[[Text], object]
) -> dict[str, float]:
    """Return the calibrated log-odds of each loan that one of the cards is for."""
    told: dict[str, float] = {}
    for card in cards:
        one = side(book, card.card, day, card.catalog, card.allocation)
        if not one.places:
            continue
        say(words.SCORES_ON.filled(card=card.card.name, loans=f"{len(one.places):,}", day=str(day)))
        assessed = assess_matrix(one.matrix, one.money, card, scale)
        told |= dict(zip(one.members.loan_ids, assessed.calibrated_log_odds.tolist(), strict=True))
    return told


def _of_product(
    product: str,
    policy: CategoryPolicy,
    days: tuple[date, ...],
    states: list[BookState],
    scored: list[dict[str, float]],
    seed: int,
) -> ProductMigration | None:
    steps = [joined(before, after) for before, after in pairwise(states[: len(days)])]
    rows = pl.concat(steps).filter(pl.col("product") == product)
    if not rows.height:
        return None
    told = moves(rows)
    now = _in_book(states[len(days) - 1], product)
    currencies = pl.concat([rows.get_column("currency"), now.get_column("currency")]).n_unique()
    if currencies > 1:
        raise mixed_currencies(currencies)
    held = money_by_state(now, "state", "owed_minor")
    try:
        markov, why_not = by_markov(told, now, seed=seed), ""
    except TooFew as few:
        markov, why_not = None, few.found
    by_score, line = None, None
    if any(scored):
        score = np.concatenate(
            [_of(step.filter(pl.col("product") == product), one) for step, one in zip(steps, scored[:-1], strict=True)]
        )
        by_score, line = by_scores(rows, score, now, _of(now, scored[-1]), seed=seed)
    came = None
    paired = joined(states[-2], states[-1]).filter(pl.col("product") == product) if len(states) > len(days) else None
    if markov is not None and paired is not None and paired.height:
        first, last = places(paired.get_column("before")), places(paired.get_column("after"))
        actual = money_by_state(paired, "after", "owed_minor")
        by_row = missed(markov, actual, row_shares(told)[first, last])
        by_line = None
        if by_score is not None and line is not None:
            given = line.of(first, _of(paired, scored[-1]))
            by_line = missed(by_score, actual, given[np.arange(len(last)), last])
        came = Came(
            states[-1].day,
            actual,
            float(npl_ratio(actual)),
            float(npl_ratio(money_by_state(_in_book(states[-1], product), "state", "owed_minor"))),
            by_row,
            by_line,
            None if by_line is None else _mean(by_row.loss - by_line.loss),
        )
    return ProductMigration(
        product,
        str(now.get_column("currency")[0]) if now.height else "",
        policy.rule(product, days[-1]),
        in_force(policy.rule(product, days[-1]), days),
        told,
        held,
        np.bincount(places(now.get_column("state")), minlength=len(STATES)).astype(np.float64),
        float(npl_ratio(money_by_state(_in_book(states[0], product), "state", "owed_minor"))),
        float(npl_ratio(held)),
        markov,
        why_not,
        by_score,
        came,
    )


def _in_book(state: BookState, product: str) -> pl.DataFrame:
    names = [one.key for one in Category]
    return state.rows.filter(pl.col("product") == product, pl.col("state").is_in(names))


def _of(rows: pl.DataFrame, scores: Mapping[str, float]) -> Floats:
    return np.array([scores.get(loan, np.nan) for loan in rows.get_column("loan_id")], dtype=np.float64)


def _mean(gain: Floats) -> tuple[float, Interval]:
    middle, away = float(gain.mean()), 0.0
    if len(gain) > 1:
        away = reach(CONFIDENCE) * float(gain.std(ddof=1)) / len(gain) ** 0.5
    return middle, Interval(middle - away, middle + away)


def last_observed(card: FittedCard) -> str:
    """Return the last day that the loans a card was fitted on were observed on."""
    return str(card.reference["observed_on"][-1])


def last_record(book: Portfolio) -> date:
    """Return the day on which the book's newest payment, statement or instalment was recorded."""
    zone, found = ZoneInfo(book.zone), [date.min]
    for name in ("payments", "statements", "events"):
        frame = getattr(book.tables, name)
        newest = None if frame is None else frame.get_column("recorded_at").max()
        if isinstance(newest, datetime):
            found.append(newest.astimezone(zone).date())
    return max(found)
