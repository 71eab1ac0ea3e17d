"""How far behind a loan is, what is still owed, and what others did about it: instalment loans, drawn by hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import polars as pl
import pytest
from spec_tables import CENTS, noon, on, table

from features.catalog import Catalog
from features.circumstances import delinquency, loan, process
from features.declaration import Group, declared_in
from features.history import History
from features.schemas import PRODUCTS, SCORED
from features.tables import Tables

DECLARED = Catalog(tuple(feature for module in (delinquency, loan, process) for feature in declared_in(module)))

FIVE_MONTHS = """
    loan | number | on         | principal | interest
    -----+--------+------------+-----------+---------
    L1   | 1      | 2024-01-31 | 100       | 10
    L1   | 2      | 2024-02-29 | 100       | 10
    L1   | 3      | 2024-03-31 | 100       | 10
    L1   | 4      | 2024-04-30 | 100       | 10
    L1   | 5      | 2024-05-31 | 100       | 10
"""
TWICE_LATE = """
    loan | on         | amount
    -----+------------+-------
    L1   | 2024-02-10 | 110
    L1   | 2024-04-15 | 120
"""
"""Ten days late with the first; the second on 15 April, 46 days late; then nothing.

In April the interest of all that is due is met first, March's too: so it takes 120 to settle the second.
"""
EXTENDED = """
    loan | schedule | number | on         | principal | interest | recorded
    -----+----------+--------+------------+-----------+----------+-----------
    L1   | 0        | 1      | 2024-01-31 | 100       | 10       | 2024-01-01
    L1   | 0        | 2      | 2024-02-29 | 100       | 10       | 2024-01-01
    L1   | 1        | 1      | 2024-01-31 | 100       | 10       | 2024-04-05
    L1   | 1        | 2      | 2024-06-30 | 100       | 10       | 2024-04-05
"""


def lent(**drawn: str) -> Tables:
    """Return tables drawn by hand, each by its own name. Amounts are whole currency units.

    A row is recorded at noon of its day unless it has a column `recorded`; a schedule on 1 January 2024.
    Loans are those named in any table; `loans` draws what is known of them.
    """
    rows = {name: table(text) for name, text in drawn.items()}
    about = {row["loan"]: row for row in rows.pop("loans", [])}
    named = sorted({row["loan"] for found in rows.values() for row in found} | set(about))
    frames = {"loans": [_contract(name, about.get(name, {})) for name in named]}
    for name, found in rows.items():
        frames[name] = [_ROWS[name](f"{name}-{place}", row) for place, row in enumerate(found)]
    return Tables.checked(
        {name: pl.DataFrame(found, schema=SCORED[name].create_empty().schema) for name, found in frames.items()},
        where="drawn tables",
    )


def value(tables: Tables, day: str, formula: Callable[..., Any], *months: int, loan: str = "L1") -> float | None:
    """Return a feature of one loan on a day; None for missing."""
    name = formula.__name__ + (f"_{months[0]}m" if months else "")
    found = DECLARED.chosen([name]).values(History.as_of(on(day, loan), tables))
    told: float | None = found.frame().get_column(name).item()
    return told


def _contract(name: str, row: dict[str, str]) -> dict[str, Any]:
    return {
        "loan_id": name,
        "borrower_id": name,
        "product": PRODUCTS[1],
        "currency": "CNY",
        "opened_on": date.fromisoformat(row["opened"]) if row.get("opened") else None,
        "amount": int(row["amount"]) * CENTS if row.get("amount") else None,
        "term_months": int(row["term"]) if row.get("term") else None,
        "recorded_at": noon("2000-01-01"),
    }


def _instalment(_: str, row: dict[str, str]) -> dict[str, Any]:
    return {
        "loan_id": row["loan"],
        "schedule": int(row.get("schedule", "0")),
        "number": int(row["number"]),
        "due_on": date.fromisoformat(row["on"]),
        "principal": int(row["principal"]) * CENTS,
        "interest": int(row["interest"]) * CENTS,
        "costs": 0,
        "recorded_at": noon(row.get("recorded", "2024-01-01")),
    }


def _payment(name: str, row: dict[str, str]) -> dict[str, Any]:
    return {
        "payment_id": name,
        "loan_id": row["loan"],
        "paid_on": date.fromisoformat(row["on"]),
        "amount": int(row["amount"]) * CENTS,
        "payer": row.get("payer") or None,
        "recorded_at": noon(row.get("recorded", row["on"])),
    }


def _contact(name: str, row: dict[str, str]) -> dict[str, Any]:
    return {
        "contact_id": name,
        "loan_id": row["loan"],
        "contacted_on": date.fromisoformat(row["on"]),
        "channel": row["channel"],
        "direction": row["direction"],
        "result": "no_answer",
        "recorded_at": noon(row.get("recorded", row["on"])),
    }


def _event(name: str, row: dict[str, str]) -> dict[str, Any]:
    return {
        "event_id": name,
        "loan_id": row["loan"],
        "kind": row["kind"],
        "happened_on": date.fromisoformat(row["on"]),
        "recorded_at": noon(row.get("recorded", row["on"])),
    }


_ROWS: dict[str, Callable[[str, dict[str, str]], dict[str, Any]]] = {
    "instalments": _instalment,
    "payments": _payment,
    "contacts": _contact,
    "events": _event,
}

LATE = lent(instalments=FIVE_MONTHS, payments=TWICE_LATE)


def test_every_feature_here_is_of_the_circumstances():
    assert {feature.group for feature in DECLARED} == {Group.CIRCUMSTANCES}


# How far behind


@pytest.mark.parametrize(
    ("day", "days"),
    [
        ("2024-01-30", None),  # nothing has fallen due
        ("2024-01-31", 0),  # due today is not overdue
        ("2024-02-09", 9),
        ("2024-02-10", 0),  # paid that day
        ("2024-04-14", 45),  # since 29 February
        ("2024-04-15", 15),  # since 31 March
        ("2024-05-31", 61),
    ],
)
def test_days_past_due_count_from_the_oldest_unpaid_due_date(day: str, days: int | None):
    assert value(LATE, day, delinquency.days_past_due_now) == days


def test_an_extension_brings_the_days_past_due_down_but_not_those_by_the_first_schedule():
    tables = lent(instalments=EXTENDED, payments="loan|on|amount\n L1|2024-01-31|110")
    assert value(tables, "2024-04-04", delinquency.days_past_due_now) == 35
    assert value(tables, "2024-04-05", delinquency.days_past_due_now) == 0
    assert value(tables, "2024-04-05", delinquency.days_past_due_original_now) == 36


def test_an_extension_does_not_rewrite_the_months_before_it():
    tables = lent(instalments=EXTENDED, payments="loan|on|amount\n L1|2024-01-31|110")
    assert value(tables, "2024-04-30", delinquency.days_past_due_worst, 3) == 31  # on 31 March
    assert value(tables, "2024-04-30", delinquency.bucket_roll_back_count, 3) == 1


# On 31 January, 29 February, 31 March, 30 April and 31 May the loan is 0, 0, 31, 30 and 61 days past due.
@pytest.mark.parametrize(
    ("formula", "months", "expected"),
    [
        (delinquency.days_past_due_worst, 3, 61),
        (delinquency.days_past_due_worst, 12, 61),
        (delinquency.months_30_days_past_due_count, 6, 3),
        (delinquency.months_60_days_past_due_count, 6, 1),
        (delinquency.months_90_days_past_due_count, 12, 0),
        (delinquency.bucket_roll_forward_count, 3, 2),  # 0 to 31, 30 to 61
        (delinquency.bucket_roll_back_count, 3, 1),  # 31 to 30: M2 to M1
        (delinquency.bucket_roll_back_count, 6, 1),
        (delinquency.days_past_due_change, 1, 31),
    ],
)
def test_the_loan_is_looked_at_once_a_month(formula: Callable[..., Any], months: int, expected: int):
    assert value(LATE, "2024-05-31", formula, months) == expected


def test_a_month_before_the_window_counts_only_for_the_roll_into_it():
    assert value(LATE, "2024-04-30", delinquency.bucket_roll_forward_count, 3) == 1
    assert value(LATE, "2024-06-30", delinquency.bucket_roll_forward_count, 3) == 2  # 30 to 61, 61 to 91


def test_on_the_first_due_date_there_is_no_month_before_to_roll_from():
    assert value(LATE, "2024-01-31", delinquency.bucket_roll_forward_count, 3) is None
    assert value(LATE, "2024-01-31", delinquency.days_past_due_change, 1) is None
    assert value(LATE, "2024-01-31", delinquency.days_past_due_worst, 3) == 0


def test_months_since_are_counted_from_the_latest_month_and_missing_when_there_was_none():
    caught_up = lent(instalments=FIVE_MONTHS, payments=TWICE_LATE + "    L1 | 2024-05-01 | 330\n")
    assert value(caught_up, "2024-05-31", delinquency.months_since_30_days_past_due) == 1
    assert value(LATE, "2024-05-31", delinquency.months_since_60_days_past_due) == 0
    assert value(LATE, "2024-05-31", delinquency.months_since_90_days_past_due) is None


def test_a_month_behind_is_forgotten_after_a_year():
    caught_up = lent(instalments=FIVE_MONTHS, payments=TWICE_LATE + "    L1 | 2024-05-01 | 330\n")
    assert value(caught_up, "2025-03-31", delinquency.months_since_30_days_past_due) == 11  # 30 days on 30 April
    assert value(caught_up, "2025-04-30", delinquency.months_since_30_days_past_due) is None


def test_a_spell_goes_on_when_the_oldest_instalment_is_paid_while_the_next_is_overdue():
    assert value(LATE, "2024-04-16", delinquency.days_past_due_now) == 16
    assert value(LATE, "2024-04-16", delinquency.days_in_current_spell) == 47  # since 29 February


def test_between_spells_the_loan_has_been_overdue_for_0_days():
    assert value(LATE, "2024-02-20", delinquency.days_in_current_spell) == 0
    assert value(LATE, "2024-01-30", delinquency.days_in_current_spell) is None


def test_without_a_payments_table_nothing_is_known_to_be_late():
    unknown = lent(instalments=FIVE_MONTHS)
    for feature in declared_in(delinquency):
        found = DECLARED.chosen([feature.name]).values(History.as_of(on("2024-05-31", "L1"), unknown))
        assert found.frame().get_column(feature.name).item() is None, feature.name


def test_a_payment_that_was_booked_after_the_observation_date_is_not_known():
    tables = lent(instalments=FIVE_MONTHS, payments="loan|on|amount|recorded\n L1|2024-02-10|110|2024-02-12")
    assert value(tables, "2024-02-11", delinquency.days_past_due_now) == 11
    assert value(tables, "2024-02-12", delinquency.days_past_due_now) == 0


# What is owed


@pytest.mark.parametrize(
    ("opened", "observed", "months"),
    [
        ("2024-01-31", "2024-02-28", 0),
        ("2024-01-31", "2024-02-29", 1),  # February has no 31st
        ("2024-01-30", "2024-02-29", 1),
        ("2024-02-29", "2024-03-28", 0),
        ("2024-02-29", "2024-03-29", 1),
        ("2023-02-28", "2024-02-28", 12),
        ("2023-12-15", "2024-01-14", 0),
        ("2024-02-29", "2024-02-29", 0),
        ("2024-03-01", "2024-02-29", None),  # still to begin
        ("", "2024-02-29", None),
    ],
)
def test_a_month_on_book_is_over_on_the_same_day_of_the_next_or_on_its_last(
    opened: str, observed: str, months: int | None
):
    tables = lent(loans=f"loan | opened | amount | term\n L1 | {opened} | 500 | 5")
    assert value(tables, observed, loan.months_on_book) == months


def test_amount_and_term_are_the_contracts_and_missing_when_not_sent():
    tables = lent(loans="loan | opened | amount | term\n L1 | 2024-01-01 | 500 | 5\n L2 | 2024-01-01 | | ")
    assert value(tables, "2024-02-29", loan.loan_amount) == 500 * CENTS
    assert value(tables, "2024-02-29", loan.term_months) == 5
    assert value(tables, "2024-02-29", loan.loan_amount, loan="L2") is None
    assert value(tables, "2024-02-29", loan.term_months, loan="L2") is None


# Of five instalments of 100 and 10 interest, two are paid by 15 April, and the interest of the third.
@pytest.mark.parametrize(
    ("day", "formula", "expected"),
    [
        ("2024-01-30", loan.instalments_due_count, 0),
        ("2024-04-30", loan.instalments_due_count, 4),
        ("2024-04-30", loan.remaining_instalment_share, 0.2),
        ("2024-06-30", loan.remaining_instalment_share, 0),
        ("2024-04-30", loan.outstanding_share, 0.6),
        ("2024-04-30", loan.outstanding_amount, 310 * CENTS),  # 100 + 110 due, and 100 to come without its interest
        ("2024-04-30", loan.arrears_amount, 100 * CENTS),  # what falls due today is not in arrears
        ("2024-05-01", loan.arrears_amount, 210 * CENTS),
        ("2024-01-31", loan.arrears_amount, 0),
    ],
)
def test_what_is_due_and_what_is_owed_on_a_day(day: str, formula: Callable[..., Any], expected: float):
    assert value(LATE, day, formula) == expected


def test_the_principal_of_a_part_paid_instalment_is_owed_in_part_once_its_interest_is_paid():
    tables = lent(instalments=FIVE_MONTHS, payments="loan|on|amount\n L1|2024-01-31|5\n L1|2024-02-01|25")
    assert value(tables, "2024-01-31", loan.outstanding_share) == 1
    assert value(tables, "2024-02-01", loan.outstanding_share) == 480 / 500


def test_the_scheduled_instalment_is_the_next_and_after_the_end_the_last():
    rising = "loan|number|on|principal|interest\n L1|1|2024-01-31|100|10\n L1|2|2024-02-29|200|20"
    tables = lent(instalments=rising)
    assert value(tables, "2024-01-30", loan.scheduled_instalment) == 110 * CENTS
    assert value(tables, "2024-01-31", loan.scheduled_instalment) == 220 * CENTS
    assert value(tables, "2024-03-15", loan.scheduled_instalment) == 220 * CENTS


def test_without_a_payments_table_what_is_owed_is_unknown_and_what_is_scheduled_known():
    unknown = lent(instalments=FIVE_MONTHS)
    for formula in (loan.outstanding_share, loan.outstanding_amount, loan.arrears_amount):
        assert value(unknown, "2024-04-30", formula) is None
    assert value(unknown, "2024-04-30", loan.instalments_due_count) == 4


# What the lender and others did

CONTACTS = """
    loan | on         | channel | direction | recorded
    -----+------------+---------+-----------+-----------
    L1   | 2023-11-30 | letter  | outbound  | 2023-11-30
    L1   | 2023-12-01 | letter  | outbound  | 2023-12-01
    L1   | 2024-01-31 | visit   | outbound  | 2024-01-31
    L1   | 2024-02-01 | call    | outbound  | 2024-02-01
    L1   | 2024-02-20 | call    | inbound   | 2024-02-20
    L1   | 2024-02-25 | message | outbound  | 2024-02-25
    L1   | 2024-02-26 | letter  | outbound  | 2024-03-01
    L2   | 2024-02-26 | app     | inbound   | 2024-02-26
"""


@pytest.mark.parametrize(
    ("formula", "months", "first", "second"),
    [
        (process.outbound_contact_count, (1,), 2, 0),
        (process.outbound_contact_count, (3,), 4, 0),
        (process.outbound_contact_count, (6,), 5, 0),
        (process.outbound_letter_count, (6,), 2, 0),
        (process.outbound_visit_count, (6,), 1, 0),
        (process.days_since_outbound_contact, (), 4, None),
    ],
)
def test_only_what_the_lender_did_counts_as_its_contacts(
    formula: Callable[..., Any], months: tuple[int, ...], first: int, second: int | None
):
    tables = lent(contacts=CONTACTS)
    assert value(tables, "2024-02-29", formula, *months) == first
    assert value(tables, "2024-02-29", formula, *months, loan="L2") == second


def test_a_loan_without_contacts_had_none_and_one_without_the_table_is_unknown():
    assert (
        value(lent(contacts=CONTACTS, loans="loan\n L3"), "2024-02-29", process.outbound_contact_count, 1, loan="L3")
        == 0
    )
    assert value(lent(loans="loan\n L3"), "2024-02-29", process.outbound_contact_count, 1, loan="L3") is None


def test_money_of_others_is_told_apart_from_the_borrowers_and_a_write_off_is_no_money():
    tables = lent(
        payments="""
            loan | on         | amount | payer
            -----+------------+--------+------------
            L1   | 2023-06-30 | 500    | guarantor
            L1   | 2024-01-05 | 100    |
            L1   | 2024-01-10 | 200    | borrower
            L1   | 2024-01-15 | 40     | guarantor
            L1   | 2024-01-20 | 30     | third_party
            L1   | 2024-01-25 | 20     | insurer
            L1   | 2024-01-30 | 10     | offset
            L1   | 2024-02-10 | 900    | write_off
            L2   | 2024-02-10 | 900    | write_off
        """
    )
    assert value(tables, "2024-02-29", process.others_paid_share, 6) == 0.25
    assert value(tables, "2024-02-29", process.others_paid_share, 12) == 600 / 900
    assert value(tables, "2024-02-29", process.others_paid_share, 6, loan="L2") is None


def test_the_number_of_the_schedule_in_force_says_how_often_it_was_revised():
    tables = lent(instalments=EXTENDED)
    assert value(tables, "2024-04-04", process.schedule_revision_count) == 0
    assert value(tables, "2024-04-05", process.schedule_revision_count) == 1


EVENTS = """
    loan | kind          | on
    -----+---------------+-----------
    L1   | restructured  | 2023-02-28
    L1   | dispute       | 2023-10-01
    L1   | dispute_ended | 2023-11-01
    L1   | dispute       | 2024-01-10
    L1   | accelerated   | 2024-01-20
    L1   | legal_action  | 2024-02-10
    L2   | accelerated   | 2024-01-20
    L2   | extended      | 2024-01-21
    L2   | dispute       | 2024-01-10
    L2   | dispute_ended | 2024-01-10
    L3   | closed        | 2024-01-20
"""


@pytest.mark.parametrize(
    ("formula", "months", "first", "second", "third"),
    [
        (process.restructured_or_extended, (12,), 0, 1, 0),  # 28 February 2023 is a day too old
        (process.days_since_restructured_or_extended, (), 366, 39, None),
        (process.dispute_now, (), 1, 0, 0),
        (process.accelerated_now, (), 1, 0, 0),  # an extension takes the acceleration back
        (process.legal_action, (12,), 1, 0, 0),
    ],
)
def test_events_change_the_stage_that_a_loan_is_in(
    formula: Callable[..., Any], months: tuple[int, ...], first: int, second: int, third: int | None
):
    tables = lent(events=EVENTS)
    for name, expected in (("L1", first), ("L2", second), ("L3", third)):
        assert value(tables, "2024-02-29", formula, *months, loan=name) == expected


def test_without_an_events_table_no_feature_claims_that_nothing_happened():
    for formula, months in ((process.dispute_now, ()), (process.accelerated_now, ()), (process.legal_action, (12,))):
        assert value(lent(loans="loan\n L1"), "2024-02-29", formula, *months) is None
