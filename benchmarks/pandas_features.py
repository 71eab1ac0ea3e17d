"""The features of loans, instalments and payments as a good pandas user would write them: no loop over loans.

What it need not do, because the book of the comparison has none of it: corrections of what was recorded, second
schedules, costs, money of others among payments, refusals of bad tables. Columns that nobody needs are not read, loans
are whole numbers from the beginning, each table is sorted once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

Ints = npt.NDArray[np.int64]
Columns = dict[str, object]

NEVER = np.iinfo(np.int32).max
MOST_DAYS = 1 << 20
"""More than any day since 1970: a loan and a day are one whole number that sorts as they do."""
MONTH_ENDS = 13
COLUMNS = {
    "loans": ["opened_on", "amount", "term_months"],
    "payments": ["paid_on", "amount", "payer"],
    "instalments": ["due_on", "principal", "interest"],
}


@dataclass(frozen=True)
class Days:
    """The observation date, as days since 1970, and what lies so many months before it."""

    today: int
    before: tuple[int, ...]

    @classmethod
    def of(cls, day: date) -> Days:
        """Return the days of an observation date that is not the last of its month."""
        stamps = [pd.Timestamp(day) - pd.DateOffset(months=months) for months in range(MONTH_ENDS)]
        before = tuple((stamp - pd.Timestamp(0)).days for stamp in stamps)
        return cls(before[0], before)

    def first(self, months: int) -> int:
        """Return the first day of a window."""
        return self.before[months] + 1


def values(folder: Path, day: date) -> pd.DataFrame:
    """Return one row per loan known on a day, in the order of table `loans`, and one column per feature."""
    return _values({table: _read(folder, table, columns, day) for table, columns in COLUMNS.items()}, day)


def of_frames(frames: dict[str, pd.DataFrame], day: date) -> pd.DataFrame:
    """Return the same of tables that came as JSON: days and instants are texts."""
    end = pd.Timestamp(day, tz="UTC") + pd.Timedelta(days=1)
    known = {}
    for table, columns in COLUMNS.items():
        frame = frames[table]
        frame = frame[pd.to_datetime(frame["recorded_at"], utc=True, format="ISO8601") < end]
        known[table] = frame[["loan_id", *columns]].astype({"loan_id": "category"})
        for column in set(columns) & {"opened_on", "due_on", "paid_on"}:
            known[table][column] = pd.to_datetime(known[table][column], format="ISO8601")
    return _values(known, day)


def _values(frames: dict[str, pd.DataFrame], day: date) -> pd.DataFrame:
    days = Days.of(day)
    loans = frames["loans"]
    known = pd.Index(loans["loan_id"].astype(str))
    payments = _payments(frames["payments"], known, days)
    instalments = _instalments(frames["instalments"], known)
    _meet(instalments, payments, len(known))
    instalments["days_late"] = np.minimum(instalments["settled"], days.today) - instalments["due_on"]
    due = instalments[instalments["due_on"] <= days.today]
    found: Columns = {
        **_of_loans(loans, day),
        **_of_payments(payments, days),
        **_of_money(instalments, due, days),
        **_of_days_late(due, days),
        **_of_month_ends(instalments, len(known), days),
        **_of_spells(due, days),
    }
    return pd.DataFrame(found, index=pd.RangeIndex(len(known))).set_index(known)


def _read(folder: Path, table: str, columns: list[str], day: date) -> pd.DataFrame:
    """Return what had been recorded by the end of a day."""
    end = pd.Timestamp(day, tz="UTC") + pd.Timedelta(days=1)
    return pd.read_parquet(
        folder / f"{table}.parquet",
        columns=["loan_id", *columns],
        filters=[("recorded_at", "<", end)],
        read_dictionary=["loan_id"],
        to_pandas_kwargs={"date_as_object": False},
    )


def _of_known(frame: pd.DataFrame, known: pd.Index, day_column: str) -> pd.DataFrame:
    """Return rows with the place of their loan in `loan`, sorted by it and by day."""
    ids = frame.pop("loan_id").cat
    frame["loan"] = known.get_indexer(ids.categories).astype(np.int32)[ids.codes]
    frame[day_column] = frame[day_column].to_numpy().astype("datetime64[D]").astype(np.int32)
    frame = frame[frame["loan"] >= 0]
    order = np.argsort(_keys(frame["loan"], frame[day_column]), kind="stable")
    return frame.iloc[order].reset_index(drop=True)


def _keys(loans: pd.Series, days: pd.Series) -> Ints:
    return loans.to_numpy().astype(np.int64) * MOST_DAYS + days.to_numpy()


def _payments(frame: pd.DataFrame, known: pd.Index, days: Days) -> pd.DataFrame:
    frame["own"] = (frame.pop("payer").fillna("borrower") == "borrower").to_numpy()
    frame = _of_known(frame, known, "paid_on")
    return frame[frame["paid_on"] <= days.today].reset_index(drop=True)


def _instalments(frame: pd.DataFrame, known: pd.Index) -> pd.DataFrame:
    frame = _of_known(frame, known, "due_on")
    frame["amount"] = frame["principal"] + frame["interest"]
    return frame


# Which payment meets which instalment


def _meet(instalments: pd.DataFrame, payments: pd.DataFrame, count: int) -> None:
    """Add what was `paid` for each instalment and the day on which it was `settled`, by the lawful order.

    All interest that is due comes before principal. Interest is then a queue that is served first, and what it has been
    given after each payment is the usual lowest point of a running sum; principal has the rest. Money that comes when
    nothing is due any more goes to the next instalments, so the interest to be met is at least that within the money
    laid end to end.
    """
    loan, paying = instalments["loan"].to_numpy(), payments["loan"].to_numpy()
    starts = np.searchsorted(loan, np.arange(count + 1))
    interest, amount = instalments["interest"].to_numpy(), instalments["amount"].to_numpy()
    all_interest, all_amounts = _from_zero(interest), _from_zero(amount)

    money = payments.groupby("loan", sort=False)["amount"].cumsum().to_numpy()
    begin, end = starts[paying], starts[paying + 1]
    at = np.minimum(all_amounts[begin] + money, all_amounts[end])
    row = np.searchsorted(all_amounts, at, side="right") - 1
    laid_end_to_end = all_interest[row] + np.minimum(np.append(interest, 0)[row], at - all_amounts[row])
    fallen_due = np.searchsorted(
        _keys(instalments["loan"], instalments["due_on"]), _keys(payments["loan"], payments["paid_on"]), side="right"
    )
    most = np.maximum(all_interest[fallen_due], laid_end_to_end) - all_interest[begin]
    lowest = pd.Series(most - money).groupby(paying, sort=False).cummin().to_numpy()
    to_interest = money + np.minimum(lowest, 0)
    to_principal = money - to_interest

    base = starts[loan]
    due_interest = all_interest[1:] - all_interest[base]
    due_principal = (all_amounts - all_interest)[1:] - (all_amounts - all_interest)[base]
    day = payments["paid_on"].to_numpy()
    paid = np.zeros(len(instalments), np.int64)
    settled = np.zeros(len(instalments), np.int32)
    for given, asked, part in (
        (to_interest, due_interest, interest),
        (to_principal, due_principal, amount - interest),
    ):
        np.maximum(settled, _day_reached(given, paying, day, asked, loan), out=settled)
        last = np.zeros(count, np.int64)
        last[paying] = given  # the last payment of a loan stands
        paid += np.clip(last[loan] - (asked - part), 0, part)
    instalments["paid"], instalments["settled"] = paid, settled
    instalments["unpaid"] = amount - paid


def _from_zero(column: Ints) -> Ints:
    return np.concatenate([[0], np.cumsum(column)])


def _day_reached(
    given: Ints, paying: npt.NDArray[np.int32], day: npt.NDArray[np.int32], asked: Ints, loan: npt.NDArray[np.int32]
) -> npt.NDArray[np.int32]:
    """Return the day of the payment with which what was given reached what was asked."""
    step = max(given.max(initial=0), asked.max(initial=0)) + 1
    place = np.searchsorted(paying * step + given, loan * step + asked)
    reached = np.append(paying, -1)[place] == loan
    return np.where(reached, np.append(day, NEVER)[place], NEVER)


# Features


def _of_loans(loans: pd.DataFrame, day: date) -> Columns:
    opened = loans["opened_on"].dt
    months = (day.year - opened.year) * 12 + day.month - opened.month - (opened.day > day.day)
    return {
        "loan_amount": loans["amount"],
        "term_months": loans["term_months"],
        "months_on_book": months.where(loans["opened_on"] <= pd.Timestamp(day)),
    }


def _of_payments(payments: pd.DataFrame, days: Days) -> Columns:
    found: Columns = {}
    for months in (6, 12):
        within = payments[payments["paid_on"] >= days.first(months)]
        received = within.groupby("loan", sort=False)["amount"].sum()
        others = within[~within["own"]].groupby("loan", sort=False)["amount"].sum()
        found[f"others_paid_share_{months}m"] = others.reindex(received.index, fill_value=0) / received
    return found


def _of_money(instalments: pd.DataFrame, due: pd.DataFrame, days: Days) -> Columns:
    found: Columns = {}
    for months in (1, 3, 6, 12):
        sums = due[due["due_on"] >= days.first(months)].groupby("loan", sort=False)[["paid", "amount"]].sum()
        found[f"instalment_payment_to_due_{months}m"] = sums["paid"] / sums["amount"]
    in_part = due[(due["due_on"] >= days.first(12)) & (due["paid"] > 0) & (due["unpaid"] > 0)]
    sums = in_part.groupby("loan", sort=False)[["paid", "amount"]].sum()
    found["part_paid_depth_12m"] = sums["paid"] / sums["amount"]

    to_come = instalments[instalments["due_on"] > days.today]
    by_loan, by_due, by_to_come = (frame.groupby("loan", sort=False) for frame in (instalments, due, to_come))
    rows = by_loan.size()
    past = due["due_on"] < days.today
    arrears = due["unpaid"].where(past, 0).groupby(due["loan"], sort=False).sum().reindex(rows.index, fill_value=0)
    principal_left = np.minimum(instalments["unpaid"], instalments["principal"])
    fallen_due = instalments["due_on"] <= days.today
    loan = instalments["loan"]
    owed = instalments["unpaid"].where(fallen_due, principal_left).groupby(loan, sort=False).sum()
    overdue = instalments["due_on"] < days.today
    outstanding = instalments["unpaid"].where(overdue, principal_left).groupby(loan, sort=False).sum()
    next_amount = by_to_come["amount"].first()
    found |= {
        "arrears_to_instalment": (arrears / by_due["amount"].last()).clip(upper=24.0),
        "arrears_to_outstanding": (arrears / outstanding).where(outstanding > 0),
        "paid_ahead": (by_to_come["paid"].sum() / next_amount).clip(upper=12.0),
        "instalments_due_count": by_due.size().reindex(rows.index, fill_value=0),
        "remaining_instalment_share": by_to_come.size().reindex(rows.index, fill_value=0) / rows,
        "outstanding_share": principal_left.groupby(loan, sort=False).sum() / by_loan["principal"].sum(),
        "outstanding_amount": owed,
        "arrears_amount": arrears,
        "scheduled_instalment": next_amount.reindex(rows.index).fillna(by_loan["amount"].last()),
        "schedule_revision_count": pd.Series(0, rows.index),
    }
    return found


def _of_days_late(due: pd.DataFrame, days: Days) -> Columns:
    rows = pd.DataFrame({"loan": due["loan"], "due_on": due["due_on"], "signed": due["days_late"]})
    rows["days"] = rows["signed"].clip(lower=0)
    rows["late"] = rows["signed"] > 0
    tells = (due["settled"] != NEVER) | rows["late"]
    place = due.groupby("loan", sort=False).cumcount()
    first, first_three = tells & (place == 0), tells & (place < 3)
    found: Columns = {
        "first_instalment_days_late": rows[first].set_index("loan")["days"],
        "first_three_late_count": rows[first_three].groupby("loan", sort=False)["late"].sum(),
    }
    told = rows[tells]
    found["days_late_latest"] = told.groupby("loan", sort=False)["days"].last()
    sums = {}
    for months in (12, 6, 3):
        told = told[told["due_on"] >= days.first(months)]
        by_loan = told.groupby("loan", sort=False)
        sums[months] = by_loan["days"].agg(["sum", "size"])
        found[f"days_late_mean_{months}m"] = sums[months]["sum"] / sums[months]["size"]
        found[f"late_instalment_share_{months}m"] = by_loan["late"].mean()
        if months >= 6:
            found[f"days_late_most_{months}m"] = by_loan["days"].max()
        if months == 12:
            found |= _of_a_year(told)
    before = sums[12] - sums[3]
    means = before["sum"] / before["size"].where(before["size"] > 0)
    found["days_late_change"] = found["days_late_mean_3m"] - means
    return found


def _of_a_year(told: pd.DataFrame) -> Columns:
    loan = told["loan"]
    by_loan = told.groupby("loan", sort=False)
    size, signed = by_loan.size(), by_loan["signed"]
    place = by_loan.cumcount() + 1
    last_late = place.where(told["late"], 0).groupby(loan, sort=False).max()
    return {
        "long_late_share_12m": (told["signed"] >= 10).groupby(loan, sort=False).mean(),
        "paid_on_the_day_share_12m": (told["signed"] == 0).groupby(loan, sort=False).mean(),
        "paid_early_share_12m": (told["signed"] < 0).groupby(loan, sort=False).mean(),
        "instalments_on_time_streak_12m": size - last_late,
        "days_late_spread_12m": (signed.max() - signed.min()).where(size >= 2),
    }


def _of_month_ends(instalments: pd.DataFrame, count: int, days: Days) -> Columns:
    loan, due_on = instalments["loan"].to_numpy(), instalments["due_on"].to_numpy()
    starts = np.searchsorted(loan, np.arange(count + 1))
    begin, end = starts[:-1], starts[1:]
    keys = _keys(instalments["loan"], instalments["settled"].clip(upper=MOST_DAYS - 1))
    past_due = np.full((count, MONTH_ENDS), np.nan)
    dues = np.append(due_on, NEVER)
    for back, on in enumerate(days.before):
        # Instalments of one loan are settled in the order of their due dates.
        row = np.searchsorted(keys, np.arange(count) * MOST_DAYS + on, side="right")
        oldest = np.where(row < end, dues[row], NEVER)
        begun = (begin < end) & (dues[begin] <= on)
        past_due[:, back] = np.where(begun, np.maximum(on - oldest.astype(np.int64), 0), np.nan)

    def counted(mark: npt.NDArray[np.bool_], known: npt.NDArray[np.bool_], months: int) -> npt.NDArray[np.float64]:
        return np.where(known[:, :months].any(axis=1), (mark & known)[:, :months].sum(axis=1), np.nan)

    known = ~np.isnan(past_due)
    found: Columns = {
        "days_past_due_now": past_due[:, 0],
        "days_past_due_original_now": past_due[:, 0],
        "days_past_due_change_1m": past_due[:, 0] - past_due[:, 1],
    }
    for months in (3, 6, 12):
        found[f"days_past_due_worst_{months}m"] = np.fmax.reduce(past_due[:, :months], axis=1)
    for least in (30, 60, 90):
        behind = past_due >= least
        for months in (6, 12):
            found[f"months_{least}_days_past_due_count_{months}m"] = counted(behind, known, months)
        year = behind[:, :12]
        since = np.where(year.any(axis=1), year.argmax(axis=1), np.nan)
        found[f"months_since_{least}_days_past_due"] = since
    bucket = np.ceil(past_due / 30)
    moved = bucket[:, :-1] - bucket[:, 1:]
    for months in (3, 6, 12):
        found[f"bucket_roll_forward_count_{months}m"] = counted(moved > 0, known[:, 1:], months)
        found[f"bucket_roll_back_count_{months}m"] = counted(moved < 0, known[:, 1:], months)
    return found


def _of_spells(due: pd.DataFrame, days: Days) -> Columns:
    begun = due["loan"].drop_duplicates()
    late = due["days_late"] > 0
    before = due.groupby("loan", sort=False)["settled"].shift(1, fill_value=0)
    spell = ((before <= due["due_on"]) & late).cumsum()
    by_spell = due[late].groupby(spell[late], sort=False)
    spells = by_spell.agg(loan=("loan", "first"), began=("due_on", "first"), ended=("settled", "max"))
    lasting, year = spells["ended"] == NEVER, days.first(12)
    now = spells[lasting].groupby("loan", sort=False)["began"].min()
    recent = spells[spells["began"] >= year].groupby("loan", sort=False).size()
    cured = spells[~lasting & (spells["ended"] >= year)]
    lasted = (cured["ended"] - cured["began"]).groupby(cured["loan"], sort=False).mean()
    since = days.today - spells["ended"].clip(upper=days.today).groupby(spells["loan"], sort=False).max()
    return {
        "overdue_spell_count_12m": recent.reindex(begun, fill_value=0),
        "days_to_cure_mean_12m": lasted,
        "days_since_overdue": since,
        "days_in_current_spell": (days.today - now).reindex(begun, fill_value=0),
    }
