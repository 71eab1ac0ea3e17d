"""Whom the lender contacts, what comes of it, and who calls of their own accord."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from features.portfolios.simulated.book import Month
from features.portfolios.simulated.chance import (
    Bools,
    Floats,
    Ints,
    between,
    grown,
    happens,
    of_log_odds,
    whole,
)
from features.portfolios.simulated.days import day_number
from features.portfolios.simulated.paying import Promised
from features.portfolios.simulated.world import YUAN, Policy, Stage
from features.schemas import CONTACT_CHANNELS, CONTACT_DIRECTIONS, CONTACT_RESULTS

MESSAGE, CALL, LETTER, VISIT = 0, 1, 2, 3
"""The lender's means, in the order of a stage's chances; what comes after is no contact."""
CHANNELS = np.array([CONTACT_CHANNELS.index(name) for name in ("message", "call", "letter", "visit")])
IN_CALL, IN_APP = CONTACT_CHANNELS.index("call"), CONTACT_CHANNELS.index("app")
OUTBOUND, INBOUND = CONTACT_DIRECTIONS.index("outbound"), CONTACT_DIRECTIONS.index("inbound")
REACHED, OTHER, DELIVERED, NO_ANSWER, UNREACHABLE, REFUSED = (
    CONTACT_RESULTS.index(name)
    for name in ("borrower_reached", "other_person", "delivered", "no_answer", "unreachable", "refused")
)


def look_at_overdue(month: Month, look: int) -> Promised:
    """Let the lender look at its overdue loans and contact some; return the promises that were given."""
    at, day = _worked(month, look)
    means = _chosen(month, at, day)
    at, day, means = (values[means < len(CHANNELS)] for values in (at, day, means))
    result = _results(month, at, means)
    _write(month, at, day, CHANNELS[means], OUTBOUND, result)
    told = month.book.world.contact
    effect = np.where(result == REACHED, told.effect_reached, np.where(result == DELIVERED, told.effect_message, 0.0))
    month.effect[at] += effect * month.book.borrowers.effect_share[month.borrower[at]]
    _find_dead_numbers(month, at, day, result)
    return _promises(month, at[result == REACHED], day[result == REACHED])


def calls_of_their_own(month: Month, look: int) -> Promised:
    """Let borrowers call the lender; return the promises that were given."""
    told, dice, size = month.book.world.contact, month.book.dice, len(month.loans)
    overdue = month.owed > 0
    chance = np.where(overdue, told.inbound_overdue, told.inbound_else)
    chance = grown(1.0, told.inbound_by_willingness, month.willingness) * chance
    at = np.flatnonzero(happens(dice, chance, size) & ~month.book.dead[month.borrower])
    channel = np.where(happens(dice, told.inbound_app_share, len(at)), IN_APP, IN_CALL)
    day = month.day[at] + month.book.world.policy.looks[look]
    _write(month, at, day, channel, INBOUND, np.full(len(at), REACHED))
    talks = overdue[at] & (channel == IN_CALL)
    return _promises(month, at[talks], day[talks])


def lose_numbers(month: Month) -> None:
    """Let the numbers of some overdue borrowers go dead."""
    told, book, who = month.book.world.contact, month.book, month.who
    overdue = np.bincount(month.place, weights=month.owed, minlength=len(who)) > 0
    chance = grown(told.number_dead, told.number_dead_by_willingness, book.borrowers.willingness[who])
    book.number_dead[who] |= overdue & happens(book.dice, chance, len(who))


def _worked(month: Month, look: int) -> tuple[Ints, Ints]:
    """Return the overdue loans that may be contacted, and the day: not the control group, not while in dispute."""
    day = month.day + month.book.world.policy.looks[look]
    quiet = month.book.borrowers.hold_out[month.borrower] | (month.book.disputed_until[month.loans] > day)
    at = np.flatnonzero((month.owed > 0) & ~quiet)
    return at, day[at]


def _chosen(month: Month, at: Ints, day: Ints) -> Ints:
    """Return the means chosen for each loan by the policy of the day; one past the last: none."""
    told: Policy = month.book.world.policy
    overdue = month.days_past_due(at, day)
    after = day >= day_number(told.changed_on)
    chances = np.where(after[:, None], _stage_chances(told.after, overdue), _stage_chances(told.before, overdue))
    loans = month.loans[at]
    instalments = month.owed[at] / np.maximum(month.book.loans.amount[loans] / month.book.loans.term[loans], 1.0)
    more = told.more_by_broken_promise * month.book.promises_broken[loans]
    more = np.minimum(more + told.more_by_arrears * np.maximum(instalments - 1, 0.0), told.most_more)
    chances[:, CALL] += np.where(chances[:, CALL] > 0, more, 0.0)
    chosen: Ints = (month.book.dice.random(len(at))[:, None] >= np.cumsum(chances, axis=1)).sum(axis=1)
    return chosen


def _stage_chances(stages: Sequence[Stage], overdue: Ints) -> Floats:
    table = np.vstack([np.zeros(len(CHANNELS)), *(np.asarray(stage.chances) for stage in stages)])
    found: Floats = table[np.searchsorted([stage.from_days for stage in stages], overdue, side="right")]
    return found


def _results(month: Month, at: Ints, means: Ints) -> Ints:
    told, dice, who = month.book.world.contact, month.book.dice, month.borrower[at]
    willing, dead = month.book.borrowers.willingness[who], month.book.number_dead[who]
    silent = month.book.dead[who]
    answers = happens(dice, of_log_odds(told.answered + told.answered_by_willingness * willing), len(at)) & ~silent
    breaks_off = happens(dice, of_log_odds(told.refused + told.refused_by_willingness * willing), len(at))
    luck = dice.random(len(at))
    talk = np.where(luck < told.other_person_share, OTHER, np.where(breaks_off, REFUSED, REACHED))
    called = np.where(dead, UNREACHABLE, np.where(answers, talk, NO_ANSWER))
    met = np.where(silent, OTHER, np.where(breaks_off, REFUSED, REACHED))
    elsewhere = np.where(luck < told.visit_met_share + told.visit_other_share, OTHER, NO_ANSWER)
    visited = np.where(luck < told.visit_met_share, met, elsewhere)
    written = np.where(dead & (means == MESSAGE), UNREACHABLE, DELIVERED)
    found: Ints = np.where(means == CALL, called, np.where(means == VISIT, visited, written))
    return found


def _write(month: Month, at: Ints, day: Ints, channel: Ints, direction: int, result: Ints) -> None:
    month.book.records.add("contacts", month.loans[at], day=day, channel=channel, direction=direction, result=result)


def _find_dead_numbers(month: Month, at: Ints, day: Ints, result: Ints) -> None:
    """Write down that the number changed, where the lender learns it; it has the new number then."""
    told, book = month.book.world.contact, month.book
    learns: Bools = (result == UNREACHABLE) & happens(book.dice, told.number_changed_known_chance, len(at))
    book.write_event("number_changed", month.loans[at[learns]], day[learns], day[learns])
    book.number_dead[month.borrower[at[learns]]] = False


def _promises(month: Month, at: Ints, day: Ints) -> Promised:
    """Return and write down the promises that come of talks with borrowers."""
    told, dice = month.book.world.contact, month.book.dice
    willing, short = month.willingness[at], month.ready[at] < month.owed[at]
    empty = month.ready[at] < month.book.world.habit.part_least * month.owed[at]
    with_little = np.where(short, told.promise_short, 0.0)
    with_none = told.promise_empty + told.promise_empty_by_willingness * willing
    odds = told.promise + told.promise_by_willingness * willing + np.where(empty, with_none, with_little)
    gives = happens(dice, of_log_odds(odds), len(at))
    at, day, willing, short, empty = at[gives], day[gives], willing[gives], short[gives], empty[gives]
    too_much = of_log_odds(told.promise_whole_short + told.promise_whole_short_by_willingness * willing)
    all_of_it = np.where(empty, 1.0, np.where(short, too_much, told.promise_whole_chance))
    part = np.where(short, told.promise_part_short * month.ready[at], told.promise_part * month.owed[at])
    amount = np.where(happens(dice, all_of_it, len(at)), month.owed[at], np.maximum(whole(part, YUAN), YUAN))
    amount = np.minimum(amount, month.owed[at])
    due = day + between(dice, told.promise_days, len(at))
    month.book.records.add("promises", month.loans[at], day=day, due=due, amount=amount)
    return Promised(at, day, due, amount)
