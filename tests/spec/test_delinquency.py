"""When an instalment is paid, by whose money, and how long the loan stands overdue: drawn as a reviewer would."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest
from made_books import drawn
from slow_history import written
from spec_tables import table

from features.delinquency import LAWFUL, Allocation
from features.history import History
from features.tables import Tables

BY_INSTALMENT = Allocation(across_instalments=False)
TWO_DUE = """
    due_on     | costs | interest | principal
    -----------+-------+----------+----------
    2024-01-31 | 5     | 10       | 100
    2024-02-29 | 5     | 10       | 100
"""
ONE_DUE = """
    due_on     | principal
    -----------+----------
    2024-01-31 | 100
"""
THREE_DUE = """
    due_on     | principal
    -----------+----------
    2024-01-31 | 100
    2024-02-29 | 100
    2024-03-31 | 100
"""


def known(tables: Tables, day: str, allocation: Allocation = LAWFUL) -> History:
    return History.as_of(date.fromisoformat(day), tables, allocation=allocation)


def shown(frame: pl.DataFrame | None, expected: str) -> None:
    """Check the columns that are drawn, row by row."""
    assert frame is not None
    wanted = table(expected)
    assert written(frame.select(list(wanted[0])).rows(named=True)) == wanted


def instalments(tables: Tables, day: str, expected: str, allocation: Allocation = LAWFUL) -> None:
    shown(known(tables, day, allocation).instalments, expected)


def month_ends(tables: Tables, day: str, expected: str) -> None:
    ledger = known(tables, day).delinquency
    shown(None if ledger is None else ledger.month_ends, expected)


def days_past_due(tables: Tables, day: str) -> int:
    ledger = known(tables, day).delinquency
    assert ledger is not None
    return int(ledger.month_ends.filter(months_ago=0).get_column("days_past_due").item())


# What a payment meets


def test_the_lawful_order_is_all_costs_then_all_interest_then_principal():
    """Civil Code, art. 561: of 115, 5 + 5 go to costs, 10 + 10 to interest, and 85 to the principal of January."""
    book = drawn(instalments=TWO_DUE, payments="paid_on | amount\n 2024-03-05 | 115")
    instalments(
        book,
        "2024-03-05",
        """
        due_on     | amount | paid | unpaid | settled_on | overdue | days_late
        -----------+--------+------+--------+------------+---------+----------
        2024-01-31 | 115    | 100  | 15     | -          | yes     | 34
        2024-02-29 | 115    | 15   | 100    | -          | yes     | 5
        """,
    )


def test_instalment_by_instalment_the_oldest_is_met_whole_before_the_next():
    book = drawn(instalments=TWO_DUE, payments="paid_on | amount\n 2024-03-05 | 115")
    instalments(
        book,
        "2024-03-05",
        """
        due_on     | amount | paid | unpaid | settled_on | overdue | days_late
        -----------+--------+------+--------+------------+---------+----------
        2024-01-31 | 115    | 115  | 0      | 2024-03-05 | no      | 34
        2024-02-29 | 115    | 0    | 115    | -          | yes     | 5
        """,
        BY_INSTALMENT,
    )


@pytest.mark.parametrize(("paid_on", "january", "february"), [("2024-02-28", 114, 0), ("2024-02-29", 99, 15)])
def test_costs_of_an_instalment_go_first_from_its_due_date_on_and_not_before(paid_on: str, january: int, february: int):
    book = drawn(instalments=TWO_DUE, payments=f"paid_on | amount\n {paid_on} | 114")
    instalments(book, "2024-02-29", f"due_on | paid\n 2024-01-31 | {january}\n 2024-02-29 | {february}")


def test_under_the_lawful_order_a_late_fee_can_be_settled_before_the_older_principal():
    book = drawn(
        instalments="due_on | costs | principal\n 2024-01-31 | 0 | 100\n 2024-02-10 | 30 | 0",
        payments="paid_on | amount\n 2024-02-15 | 30",
    )
    expected = "due_on | paid | settled_on\n 2024-01-31 | 0 | -\n 2024-02-10 | 30 | 2024-02-15"
    instalments(book, "2024-02-29", expected)
    expected = "due_on | paid | settled_on\n 2024-01-31 | 30 | -\n 2024-02-10 | 0 | -"
    instalments(book, "2024-02-29", expected, BY_INSTALMENT)


def test_principal_first_is_possible_where_it_was_agreed():
    agreed = Allocation(("principal", "interest", "costs"))
    book = drawn(instalments=TWO_DUE, payments="paid_on | amount\n 2024-03-05 | 201")
    instalments(book, "2024-03-05", "due_on | paid\n 2024-01-31 | 101\n 2024-02-29 | 100", agreed)


def test_a_part_payment_settles_nothing_and_the_days_go_on():
    book = drawn(instalments=ONE_DUE, payments="paid_on | amount\n 2024-01-31 | 40\n 2024-02-10 | 59")
    expected = "paid | unpaid | settled_on | overdue | days_late\n 99 | 1 | - | yes | 29"
    instalments(book, "2024-02-29", expected)
    assert days_past_due(book, "2024-02-29") == 29


def test_part_payments_settle_on_the_day_of_the_last_one():
    book = drawn(instalments=ONE_DUE, payments="paid_on | amount\n 2024-01-31 | 40\n 2024-02-10 | 60")
    instalments(book, "2024-02-29", "paid | settled_on | days_late\n 100 | 2024-02-10 | 10")


def test_what_is_paid_too_much_is_held_for_the_next_instalment():
    book = drawn(instalments=THREE_DUE, payments="paid_on | amount\n 2024-01-31 | 250")
    instalments(
        book,
        "2024-02-29",
        """
        due_on     | due | paid | settled_on | days_late | late | ago
        -----------+-----+------+------------+-----------+------+----
        2024-01-31 | yes | 100  | 2024-01-31 | 0         | no   | 1
        2024-02-29 | yes | 100  | 2024-01-31 | -29       | no   | 0
        2024-03-31 | no  | 50   | -          | -         | -    | -
        """,
    )


def test_what_is_paid_beyond_the_last_instalment_meets_nothing():
    book = drawn(instalments=ONE_DUE, payments="paid_on | amount\n 2024-01-31 | 250")
    instalments(book, "2024-02-29", "paid | unpaid\n 100 | 0")


def test_an_instalment_of_nothing_is_no_instalment():
    book = drawn(
        instalments="due_on | principal\n 2024-01-31 | 0\n 2024-02-10 | 100\n 2024-02-20 | 0",
        payments="paid_on | amount\n 2024-02-29 | 1",
    )
    instalments(book, "2024-02-29", "number | due_on | ago\n 2 | 2024-02-10 | 0")


# Whose money it was


@pytest.mark.parametrize("payer", ["guarantor", "third_party", "insurer", "offset"])
def test_what_others_pay_settles_the_debt_but_is_not_the_borrowers_own_and_no_cure(payer: str):
    book = drawn(instalments=ONE_DUE, payments=f"paid_on | amount | payer\n 2024-02-10 | 100 | {payer}")
    instalments(book, "2024-02-29", "paid | own_paid | settled_on | own\n 100 | 0 | 2024-02-10 | no")
    shown(known(book, "2024-02-29").spells, "began_on | ended_on | cured\n 2024-01-31 | 2024-02-10 | no")
    assert days_past_due(book, "2024-02-29") == 0


def test_a_single_unit_of_others_money_is_enough_for_no_cure():
    book = drawn(
        instalments=ONE_DUE,
        payments="paid_on | amount | payer\n 2024-02-10 | 99 | borrower\n 2024-02-11 | 1 | guarantor",
    )
    instalments(book, "2024-02-29", "paid | own_paid | own\n 100 | 99 | no")
    shown(known(book, "2024-02-29").spells, "days | cured\n 11 | no")


def test_a_payment_without_a_payer_is_the_borrowers_own():
    book = drawn(instalments=ONE_DUE, payments="paid_on | amount | payer\n 2024-02-10 | 100 | -")
    shown(known(book, "2024-02-29").spells, "days | count | cured\n 10 | 1 | yes")


def test_on_one_day_the_borrowers_own_money_comes_first():
    book = drawn(
        instalments=ONE_DUE,
        payments="paid_on | amount | payer\n 2024-02-10 | 60 | guarantor\n 2024-02-10 | 70 | borrower",
    )
    instalments(book, "2024-02-29", "paid | own_paid\n 100 | 70")


def test_a_write_off_settles_nothing():
    book = drawn(instalments=ONE_DUE, payments="paid_on | amount | payer\n 2024-02-10 | 100 | write_off")
    instalments(book, "2024-02-29", "paid | unpaid | settled_on | overdue\n 0 | 100 | - | yes")
    shown(known(book, "2024-02-29").spells, "ended_on | cured\n - | no")
    assert days_past_due(book, "2024-02-29") == 29


def test_a_payment_that_was_reversed_never_came():
    book = drawn(
        instalments=ONE_DUE,
        payments="""
            payment_id | paid_on    | amount | recorded_at
            -----------+------------+--------+------------
            P1         | 2024-01-31 | 100    | 2024-01-31
            P1         | 2024-01-31 | 0      | 2024-02-05
        """,
    )
    instalments(book, "2024-02-04", "paid | overdue\n 100 | no")
    instalments(book, "2024-02-05", "paid | overdue\n 0 | yes")


def test_a_payment_corrected_to_a_day_to_come_has_not_come_yet():
    book = drawn(
        instalments=ONE_DUE,
        payments="""
            payment_id | paid_on    | amount | recorded_at
            -----------+------------+--------+------------
            P1         | 2024-01-31 | 100    | 2024-01-31
            P1         | 2024-03-31 | 100    | 2024-02-05
        """,
    )
    instalments(book, "2024-02-29", "paid | overdue\n 0 | yes")


def test_without_a_payments_table_nothing_is_known_to_be_paid_or_late():
    book = drawn(instalments=ONE_DUE)
    instalments(
        book,
        "2024-02-29",
        """
        due | paid | own_paid | unpaid | settled_on | overdue | days_late | late | own
        yes | -    | -        | -      | -          | -       | -         | -    | -
        """,
    )
    month_ends(book, "2024-02-29", "days_past_due | days_past_due_original\n - | -\n - | -")


def test_with_an_empty_payments_table_nothing_came():
    book = drawn(instalments=ONE_DUE, payments="paid_on | amount")
    instalments(book, "2024-02-29", "paid | overdue | days_late\n 0 | yes | 29")


def test_a_table_of_instalments_without_a_row_gives_an_empty_ledger():
    for book in (drawn(instalments="due_on"), drawn(instalments="due_on", payments="paid_on | amount")):
        ledger = known(book, "2024-02-29").delinquency
        assert ledger is not None
        assert ledger.instalments.height == ledger.month_ends.height == 0


# Days past due


@pytest.mark.parametrize(
    ("day", "days"), [("2024-01-31", 0), ("2024-02-01", 1), ("2024-02-29", 29), ("2024-03-01", 30), ("2024-05-01", 91)]
)
def test_a_loan_is_not_past_due_on_the_due_date_and_one_day_past_due_on_the_next(day: str, days: int):
    book = drawn(instalments=ONE_DUE, payments="paid_on | amount")
    assert days_past_due(book, day) == days
    instalments(
        book, day, f"overdue | late | days_late\n {'yes' if days else 'no'} | {'yes' if days else 'no'} | {days}"
    )


def test_days_past_due_count_from_the_oldest_instalment_that_is_not_settled():
    book = drawn(instalments=THREE_DUE, payments="paid_on | amount\n 2024-02-10 | 100\n 2024-03-10 | 40")
    month_ends(
        book,
        "2024-03-31",
        """
        months_ago | day        | days_past_due
        2          | 2024-01-31 | 0
        1          | 2024-02-29 | 0
        0          | 2024-03-31 | 31
        """,
    )


def test_days_past_due_are_kept_for_twelve_months_and_from_the_first_due_date_on():
    book = drawn(instalments="due_on | principal\n 2022-01-31 | 100", payments="paid_on | amount")
    ledger = known(book, "2024-02-29").delinquency
    assert ledger is not None
    assert ledger.month_ends.get_column("months_ago").to_list() == list(range(12, -1, -1))
    assert ledger.month_ends.get_column("day").to_list()[:2] == [date(2023, 2, 28), date(2023, 3, 31)]
    month_ends(drawn(instalments=ONE_DUE, payments="paid_on|amount"), "2024-01-31", "months_ago\n 0")


def test_a_loan_that_has_not_begun_to_fall_due_has_no_days_past_due():
    ledger = known(drawn(instalments=ONE_DUE, payments="paid_on | amount"), "2024-01-30").delinquency
    assert ledger is not None
    assert ledger.month_ends.height == 0


# Restructured loans

RESTRUCTURED = """
    schedule | number | due_on     | principal | recorded_at
    ---------+--------+------------+-----------+------------
    0        | 1      | 2024-01-31 | 100       | 2023-12-01
    0        | 2      | 2024-02-29 | 100       | 2023-12-01
    1        | 1      | 2024-01-31 | 20        | 2024-03-15
    1        | 2      | 2024-05-31 | 180       | 2024-03-15
"""


def test_a_restructured_loan_keeps_its_original_days_past_due_beside_the_contractual_ones():
    book = drawn(instalments=RESTRUCTURED, payments="paid_on | amount\n 2024-03-15 | 20")
    month_ends(
        book,
        "2024-04-30",
        """
        day        | days_past_due | days_past_due_original
        2024-01-31 | 0             | 0
        2024-02-29 | 29            | 29
        2024-03-31 | 0             | 60
        2024-04-30 | 0             | 90
        """,
    )
    instalments(
        book,
        "2024-04-30",
        """
        schedule | number | due_on     | amount | paid | settled_on | current | original
        1        | 1      | 2024-01-31 | 20     | 20   | 2024-03-15 | yes     | no
        1        | 2      | 2024-05-31 | 180    | 0    | -          | yes     | no
        """,
    )


def test_a_new_schedule_counts_from_the_day_it_was_recorded_on():
    book = drawn(instalments=RESTRUCTURED, payments="paid_on | amount\n 2024-03-15 | 20")
    instalments(book, "2024-03-14", "schedule | number\n 0 | 1\n 0 | 2")
    instalments(book, "2024-03-15", "schedule | number\n 1 | 1\n 1 | 2")


def test_an_extension_by_which_nothing_is_due_any_more_leaves_nothing_past_due():
    book = drawn(
        instalments="""
            schedule | number | due_on     | principal | recorded_at
            0        | 1      | 2024-01-31 | 100       | 2023-12-01
            1        | 1      | 2024-06-30 | 100       | 2024-03-15
        """,
        payments="paid_on | amount",
    )
    month_ends(
        book,
        "2024-04-30",
        """
        day        | days_past_due | days_past_due_original
        2024-01-31 | 0             | 0
        2024-02-29 | 29            | 29
        2024-03-31 | 0             | 60
        2024-04-30 | 0             | 90
        """,
    )


def test_a_loan_called_in_early_is_not_past_due_by_its_original_schedule():
    book = drawn(
        instalments="""
            schedule | number | due_on     | principal | recorded_at
            0        | 1      | 2024-12-31 | 100       | 2023-12-01
            1        | 1      | 2024-01-31 | 100       | 2024-01-15
        """,
        payments="paid_on | amount",
    )
    month_ends(book, "2024-02-29", "days_past_due | days_past_due_original\n 0 | 0\n 29 | 0")


def test_the_correction_of_a_schedule_does_not_move_the_day_it_came_into_force():
    book = drawn(
        instalments="""
            schedule | number | due_on     | principal | recorded_at
            0        | 1      | 2024-01-31 | 100       | 2023-12-01
            1        | 1      | 2024-02-15 | 100       | 2024-02-10
            1        | 1      | 2024-02-15 | 101       | 2024-04-20
        """,
        payments="paid_on | amount",
    )
    month_ends(
        book,
        "2024-04-30",
        """
        day        | days_past_due | days_past_due_original
        2024-01-31 | 0             | 0
        2024-02-29 | 14            | 29
        2024-03-31 | 45            | 60
        2024-04-30 | 75            | 90
        """,
    )


def test_a_debt_that_was_waived_is_not_overdue():
    book = drawn(
        instalments="""
            schedule | number | due_on     | principal | recorded_at
            0        | 1      | 2024-01-31 | 100       | 2023-12-01
            1        | 1      | 2024-01-31 | 0         | 2024-03-15
        """,
        payments="paid_on | amount",
    )
    assert days_past_due(book, "2024-03-14") == 43
    assert days_past_due(book, "2024-03-15") == 0
    rows = known(book, "2024-03-15").instalments
    assert rows is not None
    assert rows.height == 0


# Spells of delinquency


def spells(payments: str, day: str, expected: str, due: str = THREE_DUE) -> None:
    shown(known(drawn(instalments=due, payments=payments), day).spells, expected)


def test_a_cured_loan_starts_again_at_m0():
    payments = "paid_on | amount\n 2024-02-10 | 100\n 2024-02-29 | 100"
    expected = """
        began_on   | ended_on   | days | count | cured
        2024-01-31 | 2024-02-10 | 10   | 1     | yes
        2024-03-31 | -          | 5    | 1     | no
    """
    spells(payments, "2024-04-05", expected)
    book = drawn(instalments=THREE_DUE, payments=payments)
    assert [days_past_due(book, day) for day in ("2024-02-09", "2024-02-10", "2024-04-05")] == [9, 0, 5]


def test_a_loan_that_is_never_free_of_arrears_is_in_one_spell():
    spells(
        "paid_on | amount\n 2024-03-10 | 100\n 2024-04-10 | 100\n 2024-04-20 | 100",
        "2024-04-30",
        """
        began_on   | ended_on   | days | count | cured
        2024-01-31 | 2024-04-20 | 41   | 3     | yes
        """,
    )


def test_a_spell_that_ends_on_the_day_the_next_instalment_falls_due_is_over():
    spells(
        "paid_on | amount\n 2024-02-29 | 100\n 2024-03-01 | 100\n 2024-03-31 | 100",
        "2024-04-30",
        """
        began_on   | ended_on   | days | count
        2024-01-31 | 2024-02-29 | 29   | 1
        2024-02-29 | 2024-03-01 | 1    | 1
        """,
    )


def test_a_spell_lasts_as_long_as_an_older_instalment_is_unpaid_though_a_later_one_is_settled():
    spells(
        "paid_on | amount\n 2024-02-15 | 30\n 2024-04-01 | 200",
        "2024-04-30",
        """
        began_on   | ended_on   | days | count
        2024-01-01 | 2024-04-01 | 91   | 3
        """,
        due="due_on | costs | principal\n 2024-01-01 | 0 | 100\n 2024-02-01 | 30 | 0\n 2024-03-01 | 0 | 100",
    )


def test_a_spell_in_which_one_instalment_was_paid_by_others_is_not_cured():
    spells(
        "paid_on | amount | payer\n 2024-02-10 | 50 | guarantor\n 2024-03-05 | 150 | borrower\n 2024-03-31 | 100 | -",
        "2024-04-30",
        "began_on | ended_on | count | cured\n 2024-01-31 | 2024-03-05 | 2 | no",
    )


def test_an_instalment_paid_on_its_due_date_or_due_today_is_no_spell():
    history = known(drawn(instalments=TWO_DUE, payments="paid_on | amount\n 2024-01-31 | 115"), "2024-02-29")
    assert history.spells is not None
    assert history.spells.height == 0
