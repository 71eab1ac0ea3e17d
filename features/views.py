"""What a feature may look at, in the words of the trade; each view turns a history into rows ready to be counted.

Every column is a whole number, a day or a yes/no, so that a feature is a ratio of exact sums and comes out the same to
the last bit however many borrowers are computed together.
"""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import ClassVar

import polars as pl

from features.history import CASE, History
from features.promises import judged
from features.queries import answered
from features.schemas import NO_DAY
from features.windows import mark


class View:
    """Rows of one kind about each case; a subclass names their columns and says how they are found."""

    happened: ClassVar[str] = ""

    @classmethod
    def query(cls, history: History) -> pl.LazyFrame | None:
        """Return the query for the rows, or None when the lender did not send the table."""
        raise NotImplementedError

    @classmethod
    def rows(cls, history: History) -> pl.DataFrame | None:
        """Return rows with `case`, oldest first, or None when the lender did not send the table."""
        query = cls.query(history)
        return None if query is None else answered(query)

    def within(self, months: int) -> pl.Expr:
        """Return the mark of rows of the last so many months, the observation date included."""
        return pl.col(mark(months))

    def known(self, column: pl.Expr, months: int) -> pl.Expr:
        """Return a column's known values in the window."""
        return column.filter(self.within(months)).drop_nulls()

    def total(self, amount: pl.Expr, months: int, *, where: pl.Expr | None = None) -> pl.Expr:
        """Return an amount's sum over the window; missing when no row with a known amount lies there.

        `where` leaves out rows without the mark; when the mark is on none, the sum is 0.
        """
        seen = self.known(amount, months)
        summed = seen.sum() if where is None else amount.filter(self.within(months) & where).sum()
        return pl.when(seen.len() > 0).then(summed)

    def count(self, mark: pl.Expr, months: int) -> pl.Expr:
        """Return how many rows of the window have a mark; missing when the window holds none that can tell."""
        seen = self.known(mark, months)
        return pl.when(seen.len() > 0).then(seen.sum().cast(pl.Int64))

    def counted(self, mark: pl.Expr, months: int) -> pl.Expr:
        """Return how many rows of the window have a mark; 0 when there is none: what is complete can be counted."""
        return (self.within(months) & mark).fill_null(value=False).sum().cast(pl.Int64)

    def days_since(self, day: pl.Expr, mark: pl.Expr) -> pl.Expr:
        """Return the days from the latest marked row to the observation date; missing when none is marked."""
        return (pl.col("observed_on").first() - day.filter(mark).max()).dt.total_days()


class Complete(View):
    """Rows of a table that is complete when it was sent: a case without rows had none, and its counts are 0.

    One empty row stands in for each such case, so that "counted, none" and "cannot know" stay apart.
    """

    table: ClassVar[str]

    @classmethod
    def query(cls, history: History) -> pl.LazyFrame | None:
        """Return the table's rows with the marks of the windows, and an empty row for each case without any."""
        rows = history.windowed(cls.table)
        return None if rows is None else with_every_case(rows, history)


def with_every_case(rows: pl.LazyFrame, history: History) -> pl.LazyFrame:
    """Return rows and one empty row for each case that has none."""
    cases = history.cases.lazy().select(CASE, "observed_on")
    return cases.join(rows.drop("observed_on"), on=CASE, how="left", maintain_order="left_right")


class Loans(View):
    """The contract itself: one row per case."""

    credit_limit: ClassVar[pl.Expr] = pl.col("credit_limit").last()
    amount: ClassVar[pl.Expr] = pl.col("amount").last()
    term_months: ClassVar[pl.Expr] = pl.col("term_months").last().cast(pl.Int64)
    opened_on: ClassVar[pl.Expr] = pl.col("opened_on").last()
    observed_on: ClassVar[pl.Expr] = pl.col("observed_on").last()

    @classmethod
    def query(cls, history: History) -> pl.LazyFrame:
        """Return the row of each case's loan."""
        return history.known.loans.lazy()


class Statements(View):
    """The statement ledger (`features.statement_ledger`) of a revolving account."""

    balance: ClassVar[pl.Expr] = pl.col("balance")
    owed: ClassVar[pl.Expr] = pl.col("owed")
    due: ClassVar[pl.Expr] = pl.col("due")
    paid: ClassVar[pl.Expr] = pl.col("paid")
    shortfall: ClassVar[pl.Expr] = pl.col("shortfall")
    spent: ClassVar[pl.Expr] = pl.col("spent")
    asked: ClassVar[pl.Expr] = pl.col("asked")
    months_overdue: ClassVar[pl.Expr] = pl.col("months_overdue").cast(pl.Int64)
    late: ClassVar[pl.Expr] = pl.col("late")
    unused: ClassVar[pl.Expr] = pl.col("unused")
    paid_in_full: ClassVar[pl.Expr] = pl.col("paid_in_full")
    ago: ClassVar[pl.Expr] = pl.col("ago")
    limit: ClassVar[pl.Expr] = pl.col("credit_limit").last()

    @classmethod
    def query(cls, history: History) -> pl.LazyFrame | None:
        """Return the ledger's rows."""
        return None if history.statements is None else history.statements.lazy()

    def answer(self, mark: pl.Expr) -> pl.Expr:
        """Return a mark of how a statement was answered; missing where what was due or what was paid is unknown."""
        return pl.when(self.due.is_not_null() & self.paid.is_not_null()).then(mark)

    def latest(self, column: pl.Expr) -> pl.Expr:
        """Return the latest statement's value."""
        return column.last()

    def before(self, column: pl.Expr, statements: int = 1) -> pl.Expr:
        """Return the value so many statements before the latest; missing when there is none."""
        return column.shift(statements).last()

    def since_last(self, mark: pl.Expr, months: int) -> pl.Expr:
        """Return how many statements have come since the last one with a mark; missing when none has it."""
        return self.ago.filter(self.within(months) & mark).min()


class Instalments(View):
    """The delinquency ledger (`features.delinquency`) of the schedule in force; windows go by the due date."""

    amount: ClassVar[pl.Expr] = pl.col("amount")
    principal: ClassVar[pl.Expr] = pl.col("principal")
    paid: ClassVar[pl.Expr] = pl.col("paid")
    own_paid: ClassVar[pl.Expr] = pl.col("own_paid")
    unpaid: ClassVar[pl.Expr] = pl.col("unpaid")
    due: ClassVar[pl.Expr] = pl.col("due")
    due_on: ClassVar[pl.Expr] = pl.col("due_on")
    settled_on: ClassVar[pl.Expr] = pl.col("settled_on")
    number: ClassVar[pl.Expr] = pl.col("number").cast(pl.Int64)
    overdue: ClassVar[pl.Expr] = pl.col("overdue")
    late: ClassVar[pl.Expr] = pl.col("late").filter(pl.col("due"))
    days_late: ClassVar[pl.Expr] = pl.col("days_late")
    own: ClassVar[pl.Expr] = pl.col("own")
    ago: ClassVar[pl.Expr] = pl.col("ago")
    schedule: ClassVar[pl.Expr] = pl.col("schedule").last().cast(pl.Int64)

    @classmethod
    def query(cls, history: History) -> pl.LazyFrame | None:
        """Return the ledger's rows, instalments to come included."""
        return None if history.instalments is None else history.instalments.lazy()


class MonthEnds(View):
    """Days past due on the observation date and on the same day of each of the 12 months before it.

    Each as far as the loan had begun to fall due, by the schedule that was in force on that day.
    """

    days_past_due: ClassVar[pl.Expr] = pl.col("days_past_due")
    days_past_due_original: ClassVar[pl.Expr] = pl.col("days_past_due_original")
    roll: ClassVar[pl.Expr] = pl.col("roll")
    months_ago: ClassVar[pl.Expr] = pl.col("months_ago")

    @classmethod
    def query(cls, history: History) -> pl.LazyFrame | None:
        """Return one row per case and month, oldest first."""
        return None if history.delinquency is None else history.delinquency.month_ends.lazy()

    def within(self, months: int) -> pl.Expr:
        """Return the mark of the observation date and of the month ends fewer than so many months before it."""
        return self.months_ago < months

    def now(self, column: pl.Expr) -> pl.Expr:
        """Return the value on the observation date."""
        return column.filter(self.months_ago == 0).first()


class Spells(View):
    """Times that the loan was overdue (`features.delinquency.spells`); a feature says which day its window goes by.

    A loan that has a schedule and was never late has one empty row: counted, none.
    """

    began_on: ClassVar[pl.Expr] = pl.col("began_on")
    ended_on: ClassVar[pl.Expr] = pl.col("ended_on")
    days: ClassVar[pl.Expr] = pl.col("days")
    cured: ClassVar[pl.Expr] = pl.col("cured")
    self_cured: ClassVar[pl.Expr] = pl.col("self_cured")

    @classmethod
    def query(cls, history: History) -> pl.LazyFrame | None:
        """Return the spells; `self_cured` is missing when contacts were not sent."""
        if history.spells is None or history.instalments is None or history.known.payments is None:
            return None
        told = _with_self_cures(history.spells.lazy(), history.known.contacts)
        begun = history.instalments.lazy().filter("due").select(CASE, "observed_on").unique(CASE, maintain_order=True)
        return begun.join(told.drop("observed_on"), on=CASE, how="left", maintain_order="left_right")


def _with_self_cures(spells: pl.LazyFrame, contacts: pl.DataFrame | None) -> pl.LazyFrame:
    """Add `self_cured`: cured, and the lender had not contacted the borrower while the spell lasted."""
    if contacts is None:
        return spells.with_columns(self_cured=pl.lit(None, pl.Boolean))
    numbered = spells.with_row_index("spell")
    made = contacts.lazy().filter(pl.col("direction") == "outbound").select(CASE, "contacted_on")
    met = (
        numbered.join(made, on=CASE, how="inner")
        .filter(pl.col("contacted_on") > pl.col("began_on"))
        .filter((pl.col("contacted_on") <= pl.col("ended_on")).fill_null(value=True))
        .select(pl.col("spell").unique(), met=True)
    )
    return (
        numbered.join(met, on="spell", how="left", maintain_order="left")
        .with_columns(self_cured=pl.col("cured") & pl.col("met").is_null())
        .drop("spell", "met")
    )


class Payments(Complete):
    """Money received, whoever paid it; windows go by the value date."""

    table = "payments"
    amount: ClassVar[pl.Expr] = pl.col("amount")
    paid_on: ClassVar[pl.Expr] = pl.col("paid_on")
    payer: ClassVar[pl.Expr] = pl.col("payer").cast(pl.String)
    own: ClassVar[pl.Expr] = pl.col("amount").is_not_null() & pl.col("payer").cast(pl.String).fill_null("borrower").eq(
        "borrower"
    )
    money: ClassVar[pl.Expr] = pl.col("amount").is_not_null() & pl.col("payer").cast(pl.String).fill_null(
        "borrower"
    ).ne("write_off")


class Promises(View):
    """Promises to pay that have fallen due, each judged by the borrower's own payments; windows go by the due date."""

    amount: ClassVar[pl.Expr] = pl.col("amount")
    due_on: ClassVar[pl.Expr] = pl.col("due_on")
    promised_on: ClassVar[pl.Expr] = pl.col("promised_on")
    kept: ClassVar[pl.Expr] = pl.col("kept")

    @classmethod
    def query(cls, history: History) -> pl.LazyFrame | None:
        """Return the promises that could be judged by the observation date (`features.promises`)."""
        if history.known.promises is None or history.known.payments is None:
            return None
        return judged(history.known.promises.lazy(), history.known.payments.lazy())


class Contacts(Complete):
    """Contacts and attempts about the loan; windows go by the day of the contact."""

    table = "contacts"
    contacted_on: ClassVar[pl.Expr] = pl.col("contacted_on")
    channel: ClassVar[pl.Expr] = pl.col("channel").cast(pl.String)
    outbound: ClassVar[pl.Expr] = pl.col("direction") == "outbound"
    inbound: ClassVar[pl.Expr] = pl.col("direction") == "inbound"
    reached: ClassVar[pl.Expr] = pl.col("result") == "borrower_reached"
    refused: ClassVar[pl.Expr] = pl.col("result") == "refused"
    unreachable: ClassVar[pl.Expr] = pl.col("result") == "unreachable"
    unanswered: ClassVar[pl.Expr] = (pl.col("result") == "no_answer") | (pl.col("result") == "unreachable")
    called: ClassVar[pl.Expr] = (pl.col("channel") == "call") | (pl.col("channel") == "visit")


class Debits(Complete):
    """Attempts to collect by direct debit; windows go by the day of the attempt."""

    table = "debits"
    tried_on: ClassVar[pl.Expr] = pl.col("tried_on")
    amount: ClassVar[pl.Expr] = pl.col("amount")
    paid: ClassVar[pl.Expr] = pl.col("result") == "paid"
    insufficient_funds: ClassVar[pl.Expr] = pl.col("result") == "insufficient_funds"
    withdrawn: ClassVar[pl.Expr] = (pl.col("result") == "mandate_revoked") | (pl.col("result") == "account_closed")
    technical: ClassVar[pl.Expr] = pl.col("result") == "technical"


class Flows(View):
    """Movements on the borrower's bank account, oldest first; windows go by the booking day.

    `instalment` is what the loan asks for a month: the next instalment, or amount over term for an application.
    """

    amount: ClassVar[pl.Expr] = pl.col("amount")
    balance: ClassVar[pl.Expr] = pl.col("balance")
    booked_on: ClassVar[pl.Expr] = pl.col("booked_on")
    kind: ClassVar[pl.Expr] = pl.col("kind").cast(pl.String)
    incoming: ClassVar[pl.Expr] = pl.col("amount") > 0
    outgoing: ClassVar[pl.Expr] = pl.col("amount") < 0
    instalment: ClassVar[pl.Expr] = pl.col("instalment").last()
    below_an_instalment: ClassVar[pl.Expr] = pl.col("balance") < pl.col("instalment")

    @classmethod
    def query(cls, history: History) -> pl.LazyFrame | None:
        """Return the movements with the instalment beside each."""
        rows = history.windowed("transactions")
        return None if rows is None else with_instalments_asked(rows, history)

    def any_of(self, *kinds: str) -> pl.Expr:
        """Return the mark of movements of some kinds."""
        return reduce(or_, (self.kind == kind for kind in kinds))


class Means(View):
    """What the borrower's means were stated to be, oldest first, with the instalment of the loan beside it."""

    monthly_income: ClassVar[pl.Expr] = pl.col("monthly_income")
    monthly_expenses: ClassVar[pl.Expr] = pl.col("monthly_expenses")
    other_instalments: ClassVar[pl.Expr] = pl.col("other_instalments")
    employment: ClassVar[pl.Expr] = pl.col("employment").cast(pl.String)
    stated_on: ClassVar[pl.Expr] = pl.col("stated_on")
    dated: ClassVar[pl.Expr] = pl.col("stated_on") != NO_DAY
    instalment: ClassVar[pl.Expr] = pl.col("instalment").last()

    @classmethod
    def query(cls, history: History) -> pl.LazyFrame | None:
        """Return the statements of means with the instalment beside each."""
        rows = history.windowed("borrowers")
        return None if rows is None else with_instalments_asked(rows, history)


class Enquiries(Complete):
    """Enquiries about the borrower at a credit bureau; windows go by the day of the enquiry."""

    table = "enquiries"
    enquired_on: ClassVar[pl.Expr] = pl.col("enquired_on")
    new_credit: ClassVar[pl.Expr] = pl.col("purpose") == "new_credit"


class Events(Complete):
    """Events that change how a loan must be read; windows go by the day they happened."""

    table = "events"
    happened_on: ClassVar[pl.Expr] = pl.col("happened_on")
    kind: ClassVar[pl.Expr] = pl.col("kind").cast(pl.String)

    def is_open(self, kind: str) -> pl.Expr:
        """Return whether a state that begins with one kind of event, and ends with `KIND_ended`, lasts."""
        began = self.happened_on.filter(self.kind == kind).max()
        ended = self.happened_on.filter(self.kind == f"{kind}_ended").max()
        return began.is_not_null() & (ended.is_null() | (ended < began))


class Security(Complete):
    """The latest valuation of each collateral and guarantee, with the amount outstanding beside it."""

    table = "security"
    value: ClassVar[pl.Expr] = pl.col("value")
    kind: ClassVar[pl.Expr] = pl.col("kind").cast(pl.String)
    valued_on: ClassVar[pl.Expr] = pl.col("valued_on")
    outstanding: ClassVar[pl.Expr] = pl.col("outstanding").last()

    @classmethod
    def query(cls, history: History) -> pl.LazyFrame | None:
        """Return one row per security."""
        valued = history.windowed(cls.table)
        if valued is None:
            return None
        latest = valued.unique([CASE, "security_id"], keep="last", maintain_order=True)
        rows = with_every_case(latest, history)
        owed = outstanding(history)
        if history.known.payments is None and history.instalments is not None:  # what is left of a schedule is unknown
            owed = owed.join(history.instalments.lazy().select(CASE).unique(), on=CASE, how="anti")
        return rows.join(owed, on=CASE, how="left", maintain_order="left")


def with_instalments_asked(rows: pl.LazyFrame, history: History) -> pl.LazyFrame:
    """Add `instalment`: the next instalment to come, else the last; without a schedule amount over term.

    Minor units, rounded down; missing when neither is known.
    """
    asked = history.known.loans.lazy().select(CASE, asked=pl.col("amount") // pl.col("term_months").cast(pl.Int64))
    if history.instalments is None:
        asked = asked.select(CASE, instalment="asked")
    else:
        to_come = pl.col("amount").filter(pl.col("due").not_()).first()
        scheduled = pl.coalesce(to_come, pl.col("amount").last())
        schedule = history.instalments.lazy().group_by(CASE, maintain_order=True).agg(scheduled=scheduled)
        asked = asked.join(schedule, on=CASE, how="left", maintain_order="left").select(
            CASE, instalment=pl.coalesce("scheduled", "asked")
        )
    return rows.join(asked, on=CASE, how="left", maintain_order="left")


def outstanding(history: History) -> pl.LazyFrame:
    """Return `case` and `outstanding` in minor units: unpaid principal and arrears of interest and costs.

    By the schedule; without one, the latest statement's balance at least 0; else the amount lent.
    """
    frame, owed = history.known.loans.lazy().select(CASE, lent="amount"), ["lent"]
    if history.statements is not None:
        latest = history.statements.lazy().group_by(CASE, maintain_order=True).agg(stated=pl.col("owed").last())
        frame, owed = frame.join(latest, on=CASE, how="left", maintain_order="left"), ["stated", *owed]
    if history.instalments is not None and history.known.payments is not None:
        # What is to come counts with its principal only: interest that is not due is not owed.
        left = pl.when("due").then(pl.col("unpaid")).otherwise(pl.min_horizontal("unpaid", "principal"))
        schedule = history.instalments.lazy().group_by(CASE, maintain_order=True).agg(scheduled=left.sum())
        frame, owed = frame.join(schedule, on=CASE, how="left", maintain_order="left"), ["scheduled", *owed]
    return frame.select(CASE, outstanding=pl.coalesce(owed))


class Facts(View):
    """The lender's own columns: one row per case, the latest recorded."""

    @classmethod
    def query(cls, history: History) -> pl.LazyFrame | None:
        """Return the facts of each case."""
        return None if history.known.facts is None else history.known.facts.lazy()


def ratio(part: pl.Expr, whole: pl.Expr, *, most: float | None = None) -> pl.Expr:
    """Return part over whole, at most `most`; missing when the whole is not above 0 or either is missing."""
    shared = pl.when(whole > 0).then(part / whole)
    return shared if most is None else shared.clip(upper_bound=most)
