"""What each column that a lender may send means, and when its facts happened and were recorded.

Money is a whole number of minor units (cents), so sums are exact and do not depend on their order.

Every row says when it was recorded, and a correction is a new row with the same identity that was recorded later: what
was known on a day is then the latest row of that day, and a score of the past can be repeated as it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, ClassVar

import dataframely as dy
import polars as pl

PRODUCTS = ("revolving", "instalment")
STATEMENT_STATES = ("unused", "paid_in_full", "part_paid", "overdue")
PAYERS = ("borrower", "guarantor", "third_party", "insurer", "offset", "write_off")
CONTACT_CHANNELS = ("call", "message", "app", "mail", "letter", "visit")
CONTACT_DIRECTIONS = ("outbound", "inbound")
CONTACT_RESULTS = ("borrower_reached", "other_person", "delivered", "no_answer", "unreachable", "refused")
DEBIT_RESULTS = ("paid", "insufficient_funds", "mandate_revoked", "account_closed", "technical")
FLOW_KINDS = (
    "salary",
    "pension",
    "transfer",
    "cash",
    "card",
    "household",
    "insurance",
    "loan_payment",
    "interest",
    "sanction_interest",
    "fee",
    "other",
)
ENQUIRY_PURPOSES = ("new_credit", "guarantee", "review", "other")
EVENT_KINDS = (
    "hardship",
    "hardship_ended",
    "dispute",
    "dispute_ended",
    "restructured",
    "extended",
    "accelerated",
    "legal_action",
    "number_changed",
    "death",
    "bankruptcy",
    "written_off",
    "sold",
    "closed",
)
EMPLOYMENT = ("employed", "self_employed", "unemployed", "retired", "student", "other")
SECURITY_KINDS = ("property", "vehicle", "deposit", "guarantee", "other")

MOST_MONEY = 10**14
"""Largest amount in minor units, a trillion dollars: sums over half a year of daily statements stay exact."""
MOST_INSTALMENTS = 1_200
"""A hundred years of months: a larger instalment number is another column's."""

NO_DAY = date(1900, 1, 1)
"""Stands for the day of a statement of means that nobody knows: before any other, and of no known age."""
NO_CURRENCY = "XXX"
"""ISO 4217's code for no currency; only the made-up probe borrowers have it."""


class Table(dy.Schema):
    """What all tables of the contract have in common.

    `happened` names the column that says when a row's fact came about; None where a row is valid from its recording
    on. `about` is the column that says whose row it is: a loan's or a borrower's.
    """

    happened: ClassVar[str | None] = None
    about: ClassVar[str] = "loan_id"

    @classmethod
    def identity(cls) -> list[str]:
        """Return the columns that two recordings of one fact share."""
        return [column for column in cls.primary_key() if column != "recorded_at"]

    @classmethod
    def kept(cls, *, keys_are_unique: bool = False) -> pl.Expr:
        """Return the expression that is true when every row keeps every rule.

        It says what dataframely's `is_valid` says and is built once: that takes longer than to try a borrower's rows.

        Parameters
        ----------
        keys_are_unique : no two rows are known to have one primary key, which is the costliest rule to try
        """
        rules = [
            rule for name, column in cls.columns().items() for rule in column.validation_rules(pl.col(name)).values()
        ]
        rules += cls.rules_of_rows()
        if cls.primary_key() and not keys_are_unique:
            rules.append(pl.struct(cls.primary_key()).is_unique())
        return all_hold(rules)

    @classmethod
    def rules_of_rows(cls) -> list[pl.Expr]:
        """Return the rules over a row's columns together, each true where a row keeps it."""
        return [
            rule.validation_fn(cls)
            for ancestor in cls.__mro__
            for rule in vars(ancestor).values()
            if hasattr(rule, "validation_fn")
        ]


def all_hold(rules: list[pl.Expr]) -> pl.Expr:
    """Return the expression that is true when every row keeps some rules; what a missing value says is no fault."""
    return pl.all_horizontal([rule.fill_null(value=True).all() for rule in rules] or [pl.lit(value=True)])


def _money(description: str, *, least: int = 0, nullable: bool = False) -> dy.Int64:
    return dy.Int64(nullable=nullable, min=least, max=MOST_MONEY, description=f"{description}, minor units")


def _recorded(description: str) -> dy.Datetime:
    return dy.Datetime(primary_key=True, time_unit="us", time_zone="UTC", description=description)


def _id(description: str) -> dy.String:
    return dy.String(primary_key=True, min_length=1, description=description)


def _loan(description: str = "the loan") -> dy.String:
    return dy.String(nullable=False, min_length=1, description=description)


class LoanTable(Table):
    """One row per loan or card account: the thing that is scored."""

    loan_id = _id("the lender's own identifier of the loan")
    borrower_id = dy.String(nullable=False, min_length=1, description="the person who owes it; may have several loans")
    product = dy.Enum(PRODUCTS, nullable=False, description="revolving: a card or credit line; instalment: a schedule")
    currency = dy.String(nullable=False, regex="^[A-Z]{3}$", description="ISO 4217 code of every amount of the loan")
    credit_limit = _money("limit of a revolving account, from the recording of the row on", nullable=True)
    applied_on = dy.Date(nullable=True, description="day of the application: where an application card observes")
    opened_on = dy.Date(nullable=True, description="day the contract began")
    amount = _money("amount lent, or applied for", nullable=True)
    term_months = dy.Int16(nullable=True, min=1, max=MOST_INSTALMENTS, description="months to repay it in, as agreed")
    recorded_at = _recorded("instant the lender's system learned of the loan, or of this change of it")

    @dy.rule()
    def currency_a_real_one_not_XXX(cls) -> pl.Expr:  # noqa: N802, N805 - its name is the sentence of the fault
        """XXX stands for no currency and is kept for made-up borrowers."""
        return pl.col("currency") != NO_CURRENCY


class InstalmentTable(Table):
    """One row per instalment of a loan's schedule, past and future.

    Schedule 0 is the original one. A restructuring or extension is a new schedule with the next number, which lists
    every instalment of the loan as it stands from then on, those already paid included.
    """

    loan_id = _id("the loan")
    schedule = dy.Int16(primary_key=True, min=0, max=999, description="0: as first agreed; 1, 2, ...: each revision")
    number = dy.Int16(primary_key=True, min=1, max=MOST_INSTALMENTS, description="number of the instalment, from 1")
    due_on = dy.Date(nullable=False, description="day it falls due")
    principal = _money("principal due")
    interest = _money("interest due")
    costs = _money("costs and fees due")
    recorded_at = _recorded("instant the schedule was recorded")


class StatementTable(Table):
    """One row per statement of a revolving account."""

    happened = "statement_on"

    loan_id = _id("the account")
    statement_on = dy.Date(primary_key=True, description="closing day of the statement")
    balance = dy.Int64(
        nullable=False,
        min=-MOST_MONEY,
        max=MOST_MONEY,
        description="amount owed at closing, minor units; negative: the lender owes",
    )
    state = dy.Enum(
        STATEMENT_STATES,
        nullable=False,
        description="unused: no use in the month; paid_in_full; part_paid: at least the minimum was paid; overdue",
    )
    months_overdue = dy.Int16(nullable=False, min=0, max=99, description="whole months overdue; 0 unless overdue")
    recorded_at = _recorded("instant the statement was recorded")

    @dy.rule()
    def state_overdue_exactly_when_months_overdue_is_above_0(cls) -> pl.Expr:  # noqa: N805 - dataframely's own form
        """A statement is overdue exactly when it has months overdue."""
        return (pl.col("state") == "overdue") == (pl.col("months_overdue") > 0)


class PaymentTable(Table):
    """One row per payment received.

    A reversed payment is sent again with amount 0; so is one moved to another loan, where it gets another identifier.
    """

    happened = "paid_on"

    payment_id = _id("the lender's own identifier of the payment")
    loan_id = _loan("the loan it was paid to")
    paid_on = dy.Date(nullable=False, description="value date")
    amount = _money("amount received")
    payer = dy.Enum(
        PAYERS,
        nullable=True,
        description="whose money it was; empty: the borrower's. Only the borrower's own tells of willingness; offset: "
        "the bank took it from another account; write_off: no money came, and nothing is settled",
    )
    recorded_at = _recorded("instant the payment was booked")


class BorrowerTable(Table):
    """One row per borrower and day on which its means were stated or checked."""

    happened = "stated_on"
    about = "borrower_id"

    borrower_id = _id("the borrower")
    stated_on = dy.Date(
        primary_key=True,
        description="day of the evidence: payslip, tax return, statement of means; 1900-01-01 where no day is known",
    )
    monthly_income = _money("income a month", nullable=True)
    monthly_expenses = _money("living expenses a month, without debt service", nullable=True)
    other_instalments = _money("instalments a month to other lenders", nullable=True)
    employment = dy.Enum(EMPLOYMENT, nullable=True, description="source of income")
    recorded_at = _recorded("instant the evidence was recorded")


class ContactTable(Table):
    """One row per contact, or attempt at one, about a loan."""

    happened = "contacted_on"

    contact_id = _id("the lender's own identifier of the contact")
    loan_id = _loan("the loan it was about")
    contacted_on = dy.Date(nullable=False, description="day of the contact")
    channel = dy.Enum(CONTACT_CHANNELS, nullable=False, description="message: SMS or chat; mail: electronic mail")
    direction = dy.Enum(CONTACT_DIRECTIONS, nullable=False, description="inbound: the borrower made it")
    result = dy.Enum(
        CONTACT_RESULTS,
        nullable=False,
        description="borrower_reached: spoke or wrote with the borrower; unreachable: the number or address is dead; "
        "refused: the borrower broke off",
    )
    recorded_at = _recorded("instant the result was entered")


class PromiseTable(Table):
    """One row per promise to pay (PTP). Whether it was kept is worked out from the payments."""

    happened = "promised_on"

    promise_id = _id("the lender's own identifier of the promise")
    loan_id = _loan()
    promised_on = dy.Date(nullable=False, description="day the borrower gave the promise")
    due_on = dy.Date(nullable=False, description="day by which the money was promised")
    amount = _money("amount promised", least=1)
    recorded_at = _recorded("instant the promise was entered")

    @dy.rule()
    def due_on_not_before_promised_on(cls) -> pl.Expr:  # noqa: N805
        """A promise speaks of a day to come."""
        return pl.col("due_on") >= pl.col("promised_on")


class DebitTable(Table):
    """One row per attempt to collect by direct debit."""

    happened = "tried_on"

    debit_id = _id("the lender's own identifier of the attempt")
    loan_id = _loan()
    tried_on = dy.Date(nullable=False, description="day of the attempt")
    amount = _money("amount asked for")
    result = dy.Enum(
        DEBIT_RESULTS,
        nullable=False,
        description="insufficient_funds speaks of ability; mandate_revoked and account_closed of willingness; "
        "technical of neither",
    )
    recorded_at = _recorded("instant the result came back")


class TransactionTable(Table):
    """One row per movement on the borrower's bank account, where the lender may lawfully use it."""

    happened = "booked_on"
    about = "borrower_id"

    transaction_id = _id("the bank's own identifier of the movement")
    borrower_id = dy.String(nullable=False, min_length=1, description="the borrower")
    booked_on = dy.Date(nullable=False, description="booking day")
    amount = dy.Int64(
        nullable=False, min=-MOST_MONEY, max=MOST_MONEY, description="above 0: money in; below: out, minor units"
    )
    balance = dy.Int64(
        nullable=True, min=-MOST_MONEY, max=MOST_MONEY, description="balance after the movement, minor units"
    )
    kind = dy.Enum(FLOW_KINDS, nullable=False, description="what it was for; sanction_interest: for a negative balance")
    recorded_at = _recorded("instant the lender learned of the movement")


class EnquiryTable(Table):
    """One row per enquiry about the borrower at a credit bureau."""

    happened = "enquired_on"
    about = "borrower_id"

    enquiry_id = _id("identifier of the enquiry")
    borrower_id = dy.String(nullable=False, min_length=1, description="the borrower")
    enquired_on = dy.Date(nullable=False, description="day of the enquiry")
    purpose = dy.Enum(ENQUIRY_PURPOSES, nullable=False, description="new_credit: the borrower asked for credit")
    recorded_at = _recorded("instant the lender learned of the enquiry")


class EventTable(Table):
    """One row per event that changes how a loan must be read or treated."""

    happened = "happened_on"

    event_id = _id("identifier of the event")
    loan_id = _loan("the loan; an event of the borrower is sent for each loan")
    kind = dy.Enum(
        EVENT_KINDS,
        nullable=False,
        description="hardship: evidence of illness, loss of work, disaster; it lowers ability only",
    )
    happened_on = dy.Date(nullable=False, description="day it came about")
    recorded_at = _recorded("instant the lender learned of it")


class SecurityTable(Table):
    """One row per collateral or guarantee and day on which it was valued."""

    happened = "valued_on"

    security_id = _id("identifier of the collateral or guarantee")
    valued_on = dy.Date(primary_key=True, description="day of the valuation")
    loan_id = _loan("the loan it secures")
    kind = dy.Enum(SECURITY_KINDS, nullable=False, description="guarantee: a person or firm answers for the loan")
    value = _money("value net of haircut; 0 when it has lapsed or was released")
    recorded_at = _recorded("instant the valuation was recorded")


class OutcomeTable(Table):
    """One row per loan and performance window that has ended: what became of it. Never an input of a feature."""

    happened = "happened_on"

    loan_id = _id("the loan")
    happened_on = dy.Date(primary_key=True, description="last day of the performance window")
    bad = dy.Bool(
        nullable=True,
        description="true: the bad outcome of the card's definition was reached; empty: neither good nor bad, counted "
        "and left out of fitting",
    )
    recovered = _money("money received on the loan within the window", nullable=True)
    recorded_at = _recorded("instant the outcome was known")


class ProtectedTable(Table):
    """One row per borrower: attributes for the fairness report alone. No feature and no model reads them."""

    about = "borrower_id"

    borrower_id = _id("the borrower")
    sex = dy.String(nullable=True, description="as the lender records it")
    age_years = dy.Int16(nullable=True, min=0, max=130, description="completed years at the observation date")
    education = dy.String(nullable=True, description="as the lender records it")
    marital_status = dy.String(nullable=True, description="as the lender records it")


SCORED: Mapping[str, type[Table]] = {
    "loans": LoanTable,
    "instalments": InstalmentTable,
    "statements": StatementTable,
    "payments": PaymentTable,
    "borrowers": BorrowerTable,
    "contacts": ContactTable,
    "promises": PromiseTable,
    "debits": DebitTable,
    "transactions": TransactionTable,
    "enquiries": EnquiryTable,
    "events": EventTable,
    "security": SecurityTable,
}
"""Tables that a feature may read. Only `loans` is required."""

BESIDE: Mapping[str, type[Table]] = {"outcomes": OutcomeTable, "protected": ProtectedTable}
"""Tables that no feature may read."""


def type_words(dtype: pl.DataType) -> str:
    """Return a declared type in plain words, as an error says it."""
    words = {
        pl.Int64: "whole number",
        pl.Int16: "whole number",
        pl.Float64: "number",
        pl.String: "text",
        pl.Boolean: "true or false",
    }
    if isinstance(dtype, pl.Enum):
        return "text, one of " + ", ".join(dtype.categories.to_list())
    if isinstance(dtype, pl.Datetime):
        return "instant with time zone (UTC)"
    if isinstance(dtype, pl.Date):
        return "date"
    return words.get(type(dtype), str(dtype))


def limits_of(kind: Any) -> dict[str, str]:
    """Return what each check of a column asks for, in words."""
    return {
        "nullability": "a value, not null",
        "min": f"at least {getattr(kind, 'min', None)}",
        "max": f"at most {getattr(kind, 'max', None)}",
        "min_length": "a text that is not empty",
        "regex": "three capital letters, as in ISO 4217",
    }
