"""Do they choose to pay, on instalment loans: payment days, promises, contacts and debits, drawn by hand."""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl
import pytest
from spec_tables import CENTS, noon, on, table

from features.catalog import Catalog
from features.declaration import declared_in
from features.history import History
from features.schemas import SCORED
from features.tables import Tables
from features.willingness import contacts, debits, instalments, promises, spells

FEATURES = Catalog(
    tuple(feature for module in (instalments, promises, spells, contacts, debits) for feature in declared_in(module))
)
LONG_AGO = "2000-01-01"
DAY = "2024-06-30"
"""The observation date; its windows begin on 1 June, 1 April, 1 January and, for the year, 1 July 2023."""

SCHEDULE = """
    number | due_on     | principal
    -------+------------+----------
    1      | 2024-01-15 | 100
    2      | 2024-02-15 | 100
    3      | 2024-03-15 | 100
    4      | 2024-04-15 | 100
    5      | 2024-05-15 | 100
    6      | 2024-06-15 | 100
    7      | 2024-07-15 | 100
"""
PAID = """
    paid_on    | amount
    -----------+-------
    2024-01-15 | 100
    2024-02-10 | 100
    2024-03-27 | 100
    2024-04-18 | 100
    2024-05-15 | 100
"""
NO_CONTACT = "contacted_on | channel | direction | result"
NO_PAYMENT = "paid_on | amount"
MONEY = {"amount", "principal", "interest", "costs"}
UNSAID: dict[str, Any] = {"schedule": 0, "interest": 0, "costs": 0}


def rows(name: str, text: str) -> pl.DataFrame:
    """Return a table drawn with its own columns, amounts in whole units; what is not drawn is L1's, and plain."""
    schema, happened = SCORED[name].create_empty().schema, SCORED[name].happened
    drawn = []
    for number, row in enumerate(table(text)):
        told: dict[str, Any] = {column: f"{column}-{number}" for column in schema if column.endswith("_id")}
        told |= {column: value for column, value in UNSAID.items() if column in schema}
        told |= {"loan_id": "L1", "recorded_at": noon(row.pop("recorded", row[happened] if happened else LONG_AGO))}
        drawn.append(told | {column: cell_of(column, cell) for column, cell in row.items()})
    return pl.DataFrame(drawn, schema=schema)


def cell_of(column: str, cell: str) -> Any:
    if column.endswith("_on"):
        return date.fromisoformat(cell)
    if column in MONEY:
        return int(cell) * CENTS
    return int(cell) if column in ("number", "schedule") else cell


def value(name: str, *, day: str = DAY, **drawn: str) -> float | None:
    """Return one feature of loan L1 from the tables drawn; None for missing."""
    loan = {"loan_id": "L1", "borrower_id": "B1", "product": "instalment", "currency": "CNY"}
    loans = pl.DataFrame([loan | {"recorded_at": noon(LONG_AGO)}], schema=SCORED["loans"].create_empty().schema)
    tables = Tables.checked(
        {"loans": loans, **{kind: rows(kind, text) for kind, text in drawn.items()}}, where="drawn tables"
    )
    matrix = FEATURES.chosen([name]).values(History.as_of(on(day, "L1"), tables))
    found: float | None = matrix.frame().get_column(name).item()
    return found


@pytest.mark.parametrize(
    ("feature", "expected"),
    [
        ("days_late_mean_3m", (3 + 0 + 15) / 3),
        ("days_late_mean_6m", (0 + 0 + 12 + 3 + 0 + 15) / 6),  # five days early counts as 0
        ("days_late_most_6m", 15),
        ("late_instalment_share_3m", 2 / 3),
        ("late_instalment_share_12m", 3 / 6),
        ("long_late_share_12m", 2 / 6),
        ("paid_on_the_day_share_12m", 2 / 6),
        ("paid_early_share_12m", 1 / 6),
        ("instalments_on_time_streak_12m", 0),
        ("days_late_spread_12m", 15 + 5),
        ("days_late_change", 6 - 4),
        ("days_late_latest", 15),
        ("first_instalment_days_late", 0),
        ("first_three_late_count", 1),
        ("overdue_spell_count_12m", 3),
        ("days_to_cure_mean_12m", (12 + 3) / 2),
        ("days_since_overdue", 0),
    ],
)
def test_days_late_run_to_the_payment_or_to_the_observation_date(feature: str, expected: float):
    assert value(feature, instalments=SCHEDULE, payments=PAID) == pytest.approx(expected, rel=1e-15)


def test_ten_days_late_is_long_and_nine_are_not():
    late = "paid_on|amount\n 2024-01-24|100\n 2024-02-25|100"
    assert value("long_late_share_12m", day="2024-02-26", instalments=SCHEDULE, payments=late) == 1 / 2


def test_an_instalment_due_on_the_first_day_of_the_window_is_in_and_the_day_before_is_not():
    due = "number|due_on|principal\n 1|2024-03-31|100\n 2|2024-04-01|100"
    paid = "paid_on|amount\n 2024-04-10|100\n 2024-04-30|100"
    assert value("days_late_mean_3m", instalments=due, payments=paid) == 29
    assert value("days_late_mean_6m", instalments=due, payments=paid) == (10 + 29) / 2


def test_instalments_on_time_are_counted_back_to_the_last_late_one():
    paid = PAID + "    2024-06-15 | 100\n"
    assert value("instalments_on_time_streak_12m", instalments=SCHEDULE, payments=paid) == 2


def test_an_instalment_due_today_and_open_tells_nothing_yet():
    for name, expected in (("days_late_mean_3m", 3 / 2), ("late_instalment_share_3m", 1 / 2), ("days_late_latest", 0)):
        assert value(name, day="2024-06-15", instalments=SCHEDULE, payments=PAID) == expected


def test_an_instalment_others_paid_in_time_is_left_out():
    paid = """
        paid_on    | amount | payer
        2024-01-15 | 100    | guarantor
        2024-02-20 | 100    | borrower
    """
    drawn = {"instalments": SCHEDULE, "payments": paid, "day": "2024-02-29"}
    assert value("late_instalment_share_12m", **drawn) == 1
    assert value("paid_on_the_day_share_12m", **drawn) == 0
    assert value("first_instalment_days_late", **drawn) is None
    assert value("first_three_late_count", **drawn) == 1


@pytest.mark.parametrize("payer", ["guarantor", "third_party", "insurer", "offset"])
def test_what_others_paid_late_was_late_all_the_same_and_is_no_cure(payer: str):
    paid = f"paid_on|amount|payer\n 2024-01-25|100|{payer}"
    drawn = {"instalments": SCHEDULE, "payments": paid, "day": "2024-02-10"}
    assert value("days_late_mean_3m", **drawn) == 10
    assert value("days_to_cure_mean_12m", **drawn) is None
    assert value("self_cure_share_12m", contacts=NO_CONTACT, **drawn) == 0
    assert value("days_since_overdue", **drawn) == 16


def test_a_write_off_settles_nothing():
    paid = "paid_on|amount|payer\n 2024-01-25|100|write_off"
    assert value("days_late_latest", day="2024-02-10", instalments=SCHEDULE, payments=paid) == 26


def test_one_instalment_has_no_rhythm_and_nothing_to_compare():
    drawn = {"instalments": SCHEDULE, "payments": PAID, "day": "2024-01-31"}
    assert value("days_late_spread_12m", **drawn) is None
    assert value("days_late_change", **drawn) is None


def test_without_payments_nothing_is_known_to_be_late():
    names = [feature.name for feature in FEATURES if feature.formula.__module__ == instalments.__name__]
    assert {value(name, instalments=SCHEDULE, contacts=NO_CONTACT) for name in names} == {None}


def test_a_loan_on_which_nothing_has_fallen_due_tells_nothing():
    names = [feature.name for feature in FEATURES if feature.formula.__module__ == instalments.__name__]
    drawn = {"instalments": SCHEDULE, "payments": NO_PAYMENT, "contacts": NO_CONTACT, "day": "2024-01-14"}
    assert {value(name, **drawn) for name in names} == {None}


def test_a_loan_that_was_never_late_fell_overdue_no_time():
    drawn = {"instalments": SCHEDULE, "payments": PAID, "contacts": NO_CONTACT, "day": "2024-02-29"}
    assert value("overdue_spell_count_12m", **drawn) == 0
    assert value("self_cure_share_12m", **drawn) is None
    assert value("days_since_overdue", **drawn) is None


@pytest.mark.parametrize(
    ("contacted", "share"),
    [
        ("2024-03-15", 2 / 3),  # the day the first spell began
        ("2024-03-16", 1 / 3),
        ("2024-03-27", 1 / 3),  # the day it ended
        ("2024-03-28", 2 / 3),
        ("2024-06-20", 2 / 3),  # the third lasts and is not put right either way
    ],
)
def test_arrears_are_put_right_unasked_when_no_contact_lies_between(contacted: str, share: float):
    drawn = f"contacted_on|channel|direction|result\n {contacted}|call|outbound|no_answer"
    found = value("self_cure_share_12m", instalments=SCHEDULE, payments=PAID, contacts=drawn)
    assert found == pytest.approx(share, rel=1e-15)


def test_a_call_by_the_borrower_does_not_undo_a_self_cure():
    drawn = "contacted_on|channel|direction|result\n 2024-03-16|call|inbound|borrower_reached"
    assert value("self_cure_share_12m", instalments=SCHEDULE, payments=PAID, contacts=drawn) == 2 / 3


def test_where_contacts_were_not_sent_self_cures_are_not_known():
    assert value("self_cure_share_12m", instalments=SCHEDULE, payments=PAID) is None


def test_a_spell_counts_in_the_window_it_began_in_and_its_cure_in_the_window_it_ended_in():
    drawn = {"instalments": "number|due_on|principal\n 1|2023-06-15|100", "payments": "paid_on|amount\n 2023-07-05|100"}
    assert value("overdue_spell_count_12m", **drawn) == 0
    assert value("days_to_cure_mean_12m", **drawn) == 20
    assert value("days_since_overdue", **drawn) == 361


PROMISED = """
    promised_on | due_on     | amount
    ------------+------------+-------
    2023-06-25  | 2023-06-30 | 100
    2024-02-01  | 2024-02-10 | 100
    2024-04-01  | 2024-04-05 | 100
    2024-05-01  | 2024-05-10 | 100
    2024-06-20  | 2024-06-27 | 100
    2024-06-20  | 2024-06-28 | 100
"""
KEPT = """
    paid_on    | amount | payer
    -----------+--------+----------
    2024-02-13 | 95     | borrower
    2024-04-09 | 100    | borrower
    2024-05-09 | 94     | borrower
    2024-05-10 | 6      | guarantor
"""


@pytest.mark.parametrize(
    ("feature", "expected"),
    [
        ("broken_promise_share_3m", 3 / 3),  # April's money came a day after the days of grace
        ("broken_promise_share_6m", 3 / 4),  # February's came on the last of them, 95 of 100
        ("broken_promise_share_12m", 3 / 4),
        ("promise_kept_rate_shrunk_12m", (1 + 1) / (4 + 2)),
        ("broken_promise_streak", 3),  # the last promise is not judged before 1 July
        ("days_since_broken_promise", 3),
        ("promised_days_mean_12m", (9 + 4 + 9 + 7) / 4),
    ],
)
def test_promises_are_judged_by_the_borrowers_own_money_within_three_days(feature: str, expected: float):
    assert value(feature, promises=PROMISED, payments=KEPT) == pytest.approx(expected, rel=1e-15)


def test_the_row_of_broken_promises_ends_with_one_that_was_kept():
    kept = KEPT + "    2024-05-13 | 1 | borrower\n"
    assert value("broken_promise_streak", promises=PROMISED, payments=kept) == 1


def test_no_promise_and_unknown_payments_are_both_missing():
    names = [feature.name for feature in FEATURES if feature.formula.__module__ == promises.__name__]
    none = "promised_on | due_on | amount"
    assert {value(name, promises=PROMISED) for name in names} == {None}
    assert {value(name, promises=none, payments=NO_PAYMENT) for name in names} == {None}


CONTACTED = """
    contacted_on | channel | direction | result
    -------------+---------+-----------+-----------------
    2024-01-10   | call    | outbound  | borrower_reached
    2024-02-01   | call    | outbound  | refused
    2024-04-02   | app     | inbound   | borrower_reached
    2024-05-02   | call    | outbound  | borrower_reached
    2024-06-01   | message | outbound  | delivered
    2024-06-02   | call    | outbound  | no_answer
    2024-06-03   | visit   | outbound  | other_person
    2024-06-04   | call    | outbound  | unreachable
    2024-06-05   | message | outbound  | delivered
    2024-06-06   | call    | outbound  | no_answer
"""


@pytest.mark.parametrize(
    ("feature", "expected"),
    [
        ("reached_share_1m", 0),  # of four attempts; a delivered message is none
        ("reached_share_3m", 1 / 5),
        ("reached_share_6m", 2 / 7),
        ("unanswered_share_3m", 3 / 5),
        ("unanswered_share_6m", 3 / 7),
        ("unanswered_streak_6m", 2),  # the visit to another person ends the row; the message does not
        ("inbound_count_3m", 1),
        ("inbound_count_6m", 1),
        ("days_since_two_way_contact", 59),
        ("unreachable_count_3m", 1),
        ("refused_count_6m", 1),
    ],
)
def test_attempts_are_counted_and_delivered_messages_are_none(feature: str, expected: float):
    assert value(feature, contacts=CONTACTED) == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize("result", ["borrower_reached", "no_answer"])  # nobody of the lender's took the call
def test_a_call_by_the_borrower_ends_the_row_of_unanswered_attempts(result: str):
    contacted = CONTACTED + f"    2024-06-07 | call | inbound | {result}\n"
    assert value("unanswered_streak_6m", contacts=contacted) == 0


def test_the_row_of_unanswered_attempts_does_not_reach_beyond_its_window():
    contacted = """
        contacted_on | channel | direction | result
        2023-12-31   | call    | outbound  | no_answer
        2024-01-01   | call    | outbound  | no_answer
    """
    assert value("unanswered_streak_6m", contacts=contacted) == 1


def test_no_contacts_are_counted_as_none_and_shares_of_none_are_missing():
    counts = ("inbound_count_3m", "unreachable_count_3m", "refused_count_6m")
    shares = ("reached_share_6m", "unanswered_share_6m", "unanswered_streak_6m", "days_since_two_way_contact")
    assert {value(name, contacts=NO_CONTACT) for name in counts} == {0}
    assert {value(name, contacts=NO_CONTACT) for name in shares} == {None}
    assert {value(name) for name in (*counts, *shares)} == {None}


TRIED = """
    tried_on   | amount | result
    -----------+--------+-------------------
    2023-12-31 | 100    | account_closed
    2024-01-01 | 100    | mandate_revoked
    2024-03-01 | 100    | insufficient_funds
    2024-06-01 | 100    | {latest}
"""


@pytest.mark.parametrize(
    ("latest", "in_half_a_year", "in_a_year", "at_last"),
    [
        ("paid", 1, 2, 0),
        ("technical", 1, 2, 0),
        ("insufficient_funds", 1, 2, 0),
        ("mandate_revoked", 2, 3, 1),
        ("account_closed", 2, 3, 1),
    ],
)
def test_only_a_withdrawn_mandate_speaks_of_willingness(latest: str, in_half_a_year: int, in_a_year: int, at_last: int):
    tried = TRIED.format(latest=latest)
    assert value("mandate_withdrawn_count_6m", debits=tried) == in_half_a_year
    assert value("mandate_withdrawn_count_12m", debits=tried) == in_a_year
    assert value("mandate_withdrawn_latest", debits=tried) == at_last


def test_where_no_debit_was_tried_none_met_a_withdrawn_mandate():
    none = "tried_on | amount | result"
    assert value("mandate_withdrawn_count_12m", debits=none) == 0
    assert value("mandate_withdrawn_latest", debits=none) is None
    assert value("mandate_withdrawn_count_12m") is None


def test_what_was_recorded_after_the_observation_date_is_not_counted():
    contacted = "contacted_on|channel|direction|result|recorded\n 2024-06-29|call|inbound|borrower_reached|2024-07-01"
    assert value("inbound_count_3m", contacts=contacted) == 0
