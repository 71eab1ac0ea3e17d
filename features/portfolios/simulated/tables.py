"""The tables that the lender would send: what was written down, each row with the instant of its recording."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import polars as pl

from features.portfolios.simulated.book import OWN, Book
from features.portfolios.simulated.chance import (
    Bools,
    Ints,
    between,
    between_shares,
    happens,
    one_of,
    running_number,
    whole,
)
from features.portfolios.simulated.columns import NO_DAY, declared_frame, ids, instants_of
from features.portfolios.simulated.days import day_number
from features.portfolios.simulated.truth import TRUTH, truth_of
from features.schemas import FLOW_KINDS, PRODUCTS, SECURITY_KINDS

HOUR_SECONDS = 3_600
ROW_DIGITS = 2
INSTALMENT = PRODUCTS.index("instalment")
LOAN_PAYMENT = FLOW_KINDS.index("loan_payment")
GUARANTEE, VEHICLE = SECURITY_KINDS.index("guarantee"), SECURITY_KINDS.index("vehicle")


def tables_of(book: Book) -> dict[str, pl.DataFrame]:
    """Return the tables of a book and table `truth`, rows sorted by loan or borrower and then by time."""
    writer = _Writer(book)
    return {**{name: make(writer) for name, make in MAKERS.items()}, TRUTH: truth_of(book)}


class _Writer:
    """Makes one chunk's tables."""

    def __init__(self, book: Book) -> None:
        self.book, self.dice, self.told = book, book.dice, book.world.records
        self.last_day = day_number(book.world.calendar.ends_on)

    def loans(self) -> pl.DataFrame:
        """Return one row per loan, and an earlier one without the opening where that came days later."""
        loans = self.book.loans
        waits = loans.opened > loans.applied
        later = np.flatnonzero(waits)
        which = np.concatenate([np.arange(len(loans)), later])
        day = np.concatenate([loans.applied, loans.opened[later]])
        opened = np.concatenate([np.where(waits, NO_DAY, loans.opened), loans.opened[later]])
        order = np.lexsort((day, which))
        which, day, opened = which[order], day[order], opened[order]
        return self._frame(
            "loans",
            day,
            self._in_office(day),
            loan_id=ids("L", loans.number[which]),
            borrower_id=ids("B", self.book.borrowers.number[loans.borrower[which]]),
            product=np.full(len(which), INSTALMENT),
            currency=pl.repeat(self.book.world.currency, len(which), eager=True),
            applied_on=loans.applied[which],
            opened_on=opened,
            amount=loans.amount[which],
            term_months=loans.term[which],
        )

    def instalments(self) -> pl.DataFrame:
        """Return every schedule of every loan."""
        names = ("schedule", "number", "due", "principal", "interest", "costs", "recorded")
        rows = self._rows("instalments", names, by="schedule")
        seconds = self._seconds(self.told.day_hours, (2, len(self.book.loans)))
        at = instants_of(rows["recorded"], seconds[np.minimum(rows["schedule"], 1), rows["about"]])
        return self._frame(
            "instalments",
            rows["recorded"],
            at,
            loan_id=self._loan(rows),
            schedule=rows["schedule"],
            number=rows["number"],
            due_on=rows["due"],
            principal=rows["principal"],
            interest=rows["interest"],
            costs=rows["costs"],
        )

    def payments(self) -> pl.DataFrame:
        """Return what was booked: most at once, some days later, a few wrong at first or taken back."""
        paid = self.book.records.of("payments", ("day", "amount", "payer"))
        back = self.book.records.of("reversed", ("day", "amount"))
        back["payer"] = np.full(len(back["day"]), OWN)
        both = {name: np.concatenate([paid[name], back[name]]) for name in paid}
        both["reversed"] = np.arange(len(both["day"])) >= len(paid["day"])
        order = np.lexsort((both["day"], both["about"]))
        rows = {name: values[order] for name, values in both.items()}
        payer, reversed_ = rows["payer"], rows["reversed"].astype(np.bool_)
        delay = self._booked_after(len(payer))
        wrong = ~reversed_ & (payer == OWN) & happens(self.dice, self.told.corrected_payment_chance, len(payer))
        at_first = np.where(
            wrong, whole(rows["amount"].astype(np.float64) * self.told.corrected_payment_factor), rows["amount"]
        )
        return self._restated(
            "payments",
            rows["day"] + delay,
            np.where(delay == 0, self._in_office(rows["day"]), self._at_night(rows["day"] + delay)),
            wrong | reversed_,
            {"amount": (at_first, np.where(reversed_, 0, rows["amount"]))},
            payment_id=self._row_ids("P", rows),
            loan_id=self._loan(rows),
            paid_on=rows["day"],
            payer=payer,
        )

    def borrowers(self) -> pl.DataFrame:
        """Return the statements of means, a few of them wrong at first."""
        rows = self._rows("borrowers", ("day", "income", "expenses", "others", "employment"))
        wrong = happens(self.dice, self.told.corrected_means_chance, len(rows["day"]))
        at_first = np.where(
            wrong, whole(rows["income"].astype(np.float64) * self.told.corrected_means_factor), rows["income"]
        )
        return self._restated(
            "borrowers",
            rows["day"],
            self._in_office(rows["day"]),
            wrong,
            {"monthly_income": (at_first, rows["income"])},
            borrower_id=self._borrower(rows),
            stated_on=rows["day"],
            monthly_expenses=rows["expenses"],
            other_instalments=rows["others"],
            employment=rows["employment"],
        ).unique(["borrower_id", "stated_on", "recorded_at"], keep="first", maintain_order=True)

    def contacts(self) -> pl.DataFrame:
        """Return the contacts, typed in on the day or on the next one."""
        rows = self._rows("contacts", ("day", "channel", "direction", "result"))
        day = self._entered(rows["day"])
        return self._frame(
            "contacts",
            day,
            self._in_office(day),
            contact_id=self._row_ids("C", rows),
            loan_id=self._loan(rows),
            contacted_on=rows["day"],
            channel=rows["channel"],
            direction=rows["direction"],
            result=rows["result"],
        )

    def promises(self) -> pl.DataFrame:
        """Return the promises to pay."""
        rows = self._rows("promises", ("day", "due", "amount"))
        day = self._entered(rows["day"])
        return self._frame(
            "promises",
            day,
            self._in_office(day),
            promise_id=self._row_ids("K", rows),
            loan_id=self._loan(rows),
            promised_on=rows["day"],
            due_on=rows["due"],
            amount=rows["amount"],
        )

    def debits(self) -> pl.DataFrame:
        """Return the attempts to collect by direct debit."""
        rows = self._rows("debits", ("day", "amount", "result"))
        return self._frame(
            "debits",
            rows["day"],
            self._in_office(rows["day"]),
            debit_id=self._row_ids("D", rows),
            loan_id=self._loan(rows),
            tried_on=rows["day"],
            amount=rows["amount"],
            result=rows["result"],
        )

    def transactions(self) -> pl.DataFrame:
        """Return the movements on the accounts that the lender may see, known after the next nightly run."""
        flows = self.book.records.of("flows", ("day", "amount", "kind"))
        paid = self.book.records.of("payments", ("day", "amount", "payer"))
        owner = self.book.loans.borrower[paid["about"]]
        shown = self.book.borrowers.shares_account[owner] & (paid["payer"] == OWN)
        about = np.concatenate([flows["about"], owner[shown]])
        day = np.concatenate([flows["day"], paid["day"][shown]])
        amount = np.concatenate([flows["amount"], -paid["amount"][shown]])
        kind = np.concatenate([flows["kind"], np.full(int(shown.sum()), LOAN_PAYMENT)])
        order = np.lexsort((day, about))
        rows = {"about": about[order], "day": day[order]}
        return self._frame(
            "transactions",
            rows["day"] + 1,
            self._at_night(rows["day"] + 1),
            transaction_id=self._row_ids("T", rows, self.book.borrowers.number, digits=ROW_DIGITS + 1),
            borrower_id=self._borrower(rows),
            booked_on=rows["day"],
            amount=amount[order],
            balance=self._balances(rows["about"], amount[order]),
            kind=kind[order],
        )

    def enquiries(self) -> pl.DataFrame:
        """Return the enquiries at a credit bureau, known after the next nightly run."""
        rows = self._rows("enquiries", ("day", "purpose"))
        return self._frame(
            "enquiries",
            rows["day"] + 1,
            self._at_night(rows["day"] + 1),
            enquiry_id=self._row_ids("Q", rows, self.book.borrowers.number),
            borrower_id=self._borrower(rows),
            enquired_on=rows["day"],
            purpose=rows["purpose"],
        )

    def events(self) -> pl.DataFrame:
        """Return what changed how a loan must be read."""
        rows = self._rows("events", ("day", "kind", "recorded"))
        return self._frame(
            "events",
            rows["recorded"],
            self._in_office(rows["recorded"]),
            event_id=self._row_ids("E", rows),
            loan_id=self._loan(rows),
            kind=rows["kind"],
            happened_on=rows["day"],
        )

    def security(self) -> pl.DataFrame:
        """Return guarantees and vehicles, valued when the loan was opened."""
        loans = self.book.loans
        guaranteed, vehicle = np.flatnonzero(loans.guaranteed), np.flatnonzero(loans.vehicle)
        about = np.concatenate([guaranteed, vehicle])
        kind = np.concatenate([np.full(len(guaranteed), GUARANTEE), np.full(len(vehicle), VEHICLE)])
        order = np.lexsort((kind, about))
        rows = {"about": about[order]}
        day, share = (
            loans.opened[rows["about"]],
            between_shares(self.dice, self.book.world.contract.security_share, len(about)),
        )
        return self._frame(
            "security",
            day,
            self._in_office(day),
            security_id=self._row_ids("S", rows),
            valued_on=day,
            loan_id=self._loan(rows),
            kind=kind[order],
            value=whole(share * loans.amount[rows["about"]], self.book.world.contract.amount_step),
        )

    def _balances(self, about: Ints, amount: Ints) -> Ints:
        """Return the balance after each movement, from the savings that the borrower began with."""
        running = np.cumsum(amount)
        begins = running_number(about) == 1
        before = np.maximum.accumulate(np.where(begins, np.arange(len(about)), 0))
        found: Ints = running - (running - amount)[before] + self.book.borrowers.savings[about].astype(np.int64)
        return found

    def _rows(self, table: str, names: tuple[str, ...], by: str = "day") -> dict[str, Ints]:
        """Return the columns of a table sorted by its subject and day, or by other columns."""
        rows = self.book.records.of(table, names)
        order = np.lexsort((rows[by], rows["about"]))
        return {name: values[order] for name, values in rows.items()}

    def _restated(
        self,
        table: str,
        day: Ints,
        at: Ints,
        again: Bools,
        values: Mapping[str, tuple[Ints, Ints]],
        **columns: Ints | pl.Series,
    ) -> pl.DataFrame:
        """Return a table in which some rows are sent again, days later, with the values that are right."""
        which = np.flatnonzero(again)
        later = day[which] + between(self.dice, self.told.corrected_after_days, len(which))
        source = np.concatenate([np.arange(len(day)), which])
        order = np.argsort(source, kind="stable")
        sent = {name: np.concatenate([first, right[which]])[order] for name, (first, right) in values.items()}
        return self._frame(
            table,
            np.concatenate([day, later])[order],
            np.concatenate([at, self._in_office(later)])[order],
            **{name: column[source[order]] for name, column in columns.items()},
            **sent,
        )

    def _frame(self, table: str, day: Ints, at: Ints, **columns: Ints | pl.Series) -> pl.DataFrame:
        """Return a table as it is declared, without what was recorded after the world's last day."""
        frame = declared_frame(table, {**columns, "recorded_at": at})
        return frame.filter(pl.Series(day <= self.last_day))

    def _loan(self, rows: Mapping[str, Ints]) -> pl.Series:
        return ids("L", self.book.loans.number)[rows["about"]]

    def _borrower(self, rows: Mapping[str, Ints]) -> pl.Series:
        return ids("B", self.book.borrowers.number)[rows["about"]]

    def _row_ids(
        self, letter: str, rows: Mapping[str, Ints], numbers: Ints | None = None, digits: int = ROW_DIGITS
    ) -> pl.Series:
        """Return an identifier for each row: of the loan or borrower it is about, and its number there."""
        subject = ids(letter, self.book.loans.number if numbers is None else numbers)[rows["about"]]
        number = pl.Series(running_number(rows["about"])).cast(pl.String).str.zfill(digits)
        return pl.select(pl.concat_str([subject, pl.lit("-"), number])).to_series()

    def _booked_after(self, size: int) -> Ints:
        delay = one_of(self.dice, self.told.booked_after_days, size)
        late = between(self.dice, self.told.booked_late_days, size)
        return np.where(delay < len(self.told.booked_after_days), delay, late)

    def _entered(self, day: Ints) -> Ints:
        return day + happens(self.dice, self.told.entered_next_day_chance, len(day))

    def _seconds(self, hours: tuple[int, int], size: int | tuple[int, ...]) -> Ints:
        """Return times of day in UTC; below 0 when the local day began before the UTC day."""
        local = self.dice.integers(hours[0] * HOUR_SECONDS, hours[1] * HOUR_SECONDS, size=size, dtype=np.int64)
        found: Ints = local - self.book.world.calendar.hours_ahead_of_utc * HOUR_SECONDS
        return found

    def _in_office(self, day: Ints) -> Ints:
        return instants_of(day, self._seconds(self.told.day_hours, len(day)))

    def _at_night(self, day: Ints) -> Ints:
        return instants_of(day, self._seconds(self.told.night_hours, len(day)))


MAKERS: Mapping[str, Callable[[_Writer], pl.DataFrame]] = {
    "loans": _Writer.loans,
    "instalments": _Writer.instalments,
    "payments": _Writer.payments,
    "borrowers": _Writer.borrowers,
    "contacts": _Writer.contacts,
    "promises": _Writer.promises,
    "debits": _Writer.debits,
    "transactions": _Writer.transactions,
    "enquiries": _Writer.enquiries,
    "events": _Writer.events,
    "security": _Writer.security,
}
"""The tables in the order in which chance is drawn for them; there are no statements: no account revolves."""
