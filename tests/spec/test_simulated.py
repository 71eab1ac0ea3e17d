"""The simulated lender: the same seed gives the same book, time runs forward, and the truth shows in the tables."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from features.delinquency import LAWFUL, delinquency
from features.errors import UsageError
from features.history import History
from features.portfolios import open_portfolio, simulated
from features.portfolios.simulated import WORLD, Simulated, World, simulate, write
from features.portfolios.simulated.chunks import chunk_tables
from features.schemas import SCORED
from features.tables import Tables
from features.views import Promises

LOANS, SEED = 8_000, 5
FEW = (700, 3)
"""Loans and seed of a small book in two chunks."""
CHUNKED = replace(WORLD, loans_per_chunk=400)
ENDS_ON = WORLD.calendar.ends_on


@pytest.fixture(scope="module")
def made() -> Simulated:
    return simulate(LOANS, SEED)


@pytest.fixture(scope="module")
def chunked() -> Simulated:
    return simulate(*FEW, world=CHUNKED)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(*FEW, tmp_path_factory.mktemp("book"), world=CHUNKED)


@pytest.fixture(scope="module")
def ledger(made: Simulated) -> pl.DataFrame:
    """Each instalment of the first schedules as it stood on the last day, with the loan's truth."""
    known = Tables(loans=made.tables.loans, instalments=made.tables.instalments, payments=made.tables.payments)
    history = History.as_of(ENDS_ON, known, zone=made.zone)
    assert history.delinquency is not None
    first = history.delinquency.instalments.filter("original")
    loans = history.known.loans.select("case", "loan_id", "opened_on")
    return first.join(loans, on="case").join(made.truth, on="loan_id")


def table(made: Simulated, name: str) -> pl.DataFrame:
    frame = getattr(made.tables, name)
    assert isinstance(frame, pl.DataFrame)
    return frame


def most_days_late(ledger: pl.DataFrame, until: pl.Expr) -> pl.DataFrame:
    """Return the loans with the most days that an instalment was late by some day."""
    late = (pl.min_horizontal(pl.coalesce("settled_on", "observed_on"), until) - pl.col("due_on")).dt.total_days()
    return ledger.group_by("loan_id").agg(late.max().alias("days"), pl.col("opened_on", "arm", "ability").first())


def rank_correlation(frame: pl.DataFrame, one: str, other: str) -> float:
    told = frame.select(pl.corr(one, other, method="spearman")).item()
    assert isinstance(told, float)
    return told


# The same seed, the same book


def test_the_same_seed_gives_the_same_book_and_another_seed_another():
    first, again, other = (simulate(100, seed) for seed in (8, 8, 9))
    assert dict(first.tables.items()).keys() == dict(again.tables.items()).keys()
    assert all(frame.equals(getattr(again.tables, name)) for name, frame in first.tables.items())
    assert first.truth.equals(again.truth)
    assert not first.truth.equals(other.truth)


def test_files_hold_the_very_same_rows_as_the_book_in_memory(chunked, written):
    files = {file.stem: pl.read_parquet(file) for file in written.glob("*.parquet")}
    assert files.pop("truth").equals(chunked.truth)
    assert files.keys() == dict(chunked.tables.items()).keys()
    for name, frame in chunked.tables.items():
        assert files[name].schema == frame.schema
        assert files[name].equals(frame), name


def test_the_same_seed_gives_the_same_bytes_and_the_caller_hears_how_far_it_is(written, tmp_path):
    said: list[str] = []
    again = write(*FEW, tmp_path, said.append, world=CHUNKED)
    names = sorted(file.name for file in written.iterdir())
    assert names == sorted(file.name for file in again.iterdir())
    assert all((written / name).read_bytes() == (again / name).read_bytes() for name in names)
    assert said == ["400 of 700 loans", "700 of 700 loans"]


def test_a_chunk_is_the_same_whether_or_not_the_ones_before_it_were_drawn(chunked):
    alone = chunk_tables(*FEW, 1, CHUNKED)
    of_chunk = pl.col("loan_id") > "L0000400"
    for name in ("loans", "instalments", "payments", "contacts"):
        assert table(chunked, name).filter(of_chunk).equals(alone[name])


def test_written_files_are_a_folder_that_the_release_opens(chunked, written):
    read = open_portfolio(str(written), zone=chunked.zone)
    assert all(frame.equals(getattr(chunked.tables, name)) for name, frame in read.tables.items())


def test_a_run_that_fails_leaves_no_file(tmp_path):
    def stop(_: str) -> None:
        raise RuntimeError("the caller has gone")

    with pytest.raises(RuntimeError):
        write(100, 3, tmp_path, stop)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("loans", "seed"), [(0, 1), (-5, 1), (10, -1)])
def test_no_loans_or_a_seed_below_0_is_refused(tmp_path, loans, seed):
    with pytest.raises(UsageError):
        simulate(loans, seed)
    with pytest.raises(UsageError):
        write(loans, seed, tmp_path / "book")
    assert not (tmp_path / "book").exists()


def test_the_book_by_its_name_carries_its_truth(monkeypatch):
    monkeypatch.setattr(simulated, "BOOK_LOANS", 200)
    book = open_portfolio("simulated")
    assert book.truth is not None
    assert book.truth.get_column("loan_id").to_list() == sorted(book.tables.loans.get_column("loan_id").unique())
    assert (book.observed_on, book.zone) == (date(2025, 6, 30), "Asia/Shanghai")


# Tables as a lender sends them


def test_the_tables_keep_to_their_declarations_and_only_statements_are_missing(made):
    Tables.checked(dict(made.tables.items()), where="simulated")
    assert set(SCORED) - set(dict(made.tables.items())) == {"statements"}
    assert all(frame.height for _, frame in made.tables.items())


def test_identifiers_are_numbers_after_a_letter_and_tell_of_nobody(made):
    for name, frame in made.tables.items():
        for column in (column for column in frame.columns if column.endswith("_id")):
            shape = r"^[A-Z][0-9]{7}$" if column in {"loan_id", "borrower_id"} else r"^[A-Z][0-9]{7}-[0-9]{2,3}$"
            assert frame.get_column(column).str.contains(shape).all(), (name, column)


def test_some_borrowers_have_two_loans_and_none_has_more(made):
    counts = made.truth.group_by("borrower_id").len().get_column("len")
    assert counts.max() == 2
    assert 0.08 < (counts == 2).sum() / LOANS < 0.16


def test_a_revised_schedule_lists_every_instalment_and_leaves_the_settled_ones_as_they_were(made):
    rows = table(made, "instalments")
    first, second = (rows.filter(pl.col("schedule") == number) for number in (0, 1))
    assert second.height
    numbers = second.group_by("loan_id").agg(pl.col("number").min().alias("least"), pl.len(), pl.col("number").max())
    assert ((numbers["least"] == 1) & (numbers["len"] == numbers["number"])).all()
    both = first.join(second, on=["loan_id", "number"], suffix="_now")
    kept = (both["due_on"] == both["due_on_now"]).sum()
    assert 0 < kept < both.height
    unchanged = both.filter(pl.col("due_on") == pl.col("due_on_now"))
    assert (unchanged["principal"] == unchanged["principal_now"]).all()
    lent = second.group_by("loan_id").agg(pl.col("principal").sum()).join(
        table(made, "loans").unique("loan_id"), on="loan_id"
    )  # fmt: skip
    assert (lent["principal"] == lent["amount"]).all()


def test_each_movement_on_an_account_starts_from_the_balance_before(made):
    rows = table(made, "transactions").sort("borrower_id", "transaction_id")
    step = (pl.col("balance") - pl.col("balance").shift(1)).over("borrower_id")
    assert rows.filter(step.is_not_null()).select((step == pl.col("amount")).all()).item()
    borrowers = made.truth.get_column("borrower_id").n_unique()
    assert rows.get_column("borrower_id").n_unique() < 0.1 * borrowers


# Time runs forward


def test_nothing_is_recorded_before_it_happened_nor_after_the_last_day(made):
    day = pl.col("recorded_at").dt.convert_time_zone(made.zone).dt.date()
    for name, frame in made.tables.items():
        happened = SCORED[name].happened
        assert frame.select(day.max()).item() <= ENDS_ON, name
        if happened is not None:
            assert frame.filter(day < pl.col(happened)).is_empty(), name
    loans = table(made, "loans")
    assert loans.filter(day < pl.max_horizontal("applied_on", "opened_on")).is_empty()
    opened = loans.drop_nulls("opened_on").select("loan_id", "opened_on")
    schedules = table(made, "instalments").join(opened, on="loan_id")
    assert schedules.filter((pl.col("schedule") == 0) & (day != pl.col("opened_on"))).is_empty()
    assert table(made, "payments").join(opened, on="loan_id").filter(pl.col("paid_on") < pl.col("opened_on")).is_empty()


def test_a_loan_is_known_on_the_day_of_its_application(made):
    applied = made.tables.loans.select("loan_id", observed_on="applied_on").unique()
    assert applied.height == LOANS
    assert len(History.as_of(applied, made.tables, zone=made.zone).cases) == LOANS


def test_most_payments_are_booked_within_three_days_and_a_few_much_later(made):
    first = table(made, "payments").sort("recorded_at").unique("payment_id", keep="first")
    day = pl.col("recorded_at").dt.convert_time_zone(made.zone).dt.date()
    delay = first.select((day - pl.col("paid_on")).dt.total_days()).to_series()
    assert (delay <= 3).mean() > 0.98
    assert 10 <= delay.max() <= 60


def test_some_rows_are_sent_again_and_the_last_one_is_right(made):
    assert {"loans", "payments", "borrowers"} <= made.tables.restated
    again = table(made, "payments").filter(pl.col("payment_id").is_duplicated()).sort("payment_id", "recorded_at")
    pairs = again.group_by("payment_id").agg(pl.col("amount").first().alias("was"), pl.col("amount").last())
    assert (pairs["amount"] < pairs["was"]).all()
    assert (pairs["amount"] == 0).any()
    assert (pairs["amount"] > 0).any()


def test_a_year_of_outcomes_follows_the_observation_date(made):
    last = table(made, "payments").get_column("recorded_at").max()
    assert isinstance(last, datetime)
    assert last.astimezone(ZoneInfo(made.zone)).date() >= made.observed_on + timedelta(days=365)


def test_the_zone_in_hours_is_the_zone_by_name():
    told = WORLD.calendar
    for day in (told.first_opened_on, told.ends_on):
        offset = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(told.zone)).utcoffset()
        assert offset == timedelta(hours=told.hours_ahead_of_utc)


# The truth shows


def test_who_can_pays_and_who_wants_to_pays_on_time(ledger):
    due = ledger.filter("due").group_by("loan_id").agg(
        pl.col("ability", "willingness").first(),
        paid=pl.col("own_paid").sum() / pl.col("amount").sum(),
        late=pl.col("late").cast(pl.Float64).mean(),
    )  # fmt: skip
    assert rank_correlation(due, "ability", "paid") > 0.05
    assert rank_correlation(due, "willingness", "paid") > 0.05
    assert rank_correlation(due, "ability", "late") < -0.1
    assert rank_correlation(due, "willingness", "late") < -0.3


def test_ability_and_willingness_are_related_and_not_the_same(made):
    people = made.truth.unique("borrower_id")
    assert 0.15 < rank_correlation(people, "ability", "willingness") < 0.25


def test_ability_shows_in_means_and_empty_accounts_and_willingness_in_mandates_calls_and_promises(made):
    income = table(made, "borrowers").group_by("borrower_id").agg(pl.col("monthly_income").last())
    told = made.truth.unique("borrower_id").join(income, on="borrower_id")
    assert rank_correlation(told, "ability", "monthly_income") > 0.4
    assert abs(rank_correlation(told, "willingness", "monthly_income")) < 0.2

    def share(name: str, rows: pl.Expr, mark: pl.Expr, trait: str) -> float:
        joined = table(made, name).filter(rows).join(made.truth, on="loan_id").with_columns(mark=mark.cast(pl.Float64))
        return rank_correlation(joined, trait, "mark")

    tried = pl.lit(value=True)
    assert share("debits", tried, pl.col("result") == "insufficient_funds", "ability") < -0.1
    withdrawn = pl.col("result").cast(pl.String).is_in(["mandate_revoked", "account_closed"])
    revoked = table(made, "debits").filter(withdrawn).join(made.truth, on="loan_id")
    assert revoked.get_column("willingness").mean() < -0.5
    called = (pl.col("channel") == "call") & (pl.col("direction") == "outbound")
    assert share("contacts", called, pl.col("result") == "borrower_reached", "willingness") > 0.1
    hardship = table(made, "events").filter(pl.col("kind") == "hardship").join(made.truth, on="loan_id")
    assert hardship.get_column("ability").mean() < -0.2
    assert (hardship.get_column("months_in_hardship") > 0).all()


def test_the_willing_keep_their_promises(made):
    history = History.as_of(ENDS_ON, made.tables, zone=made.zone)
    rows = Promises.rows(history)
    assert rows is not None
    told = rows.join(history.cases.select("case", "loan_id"), on="case").join(made.truth, on="loan_id")
    assert 0.3 < told.select(pl.col("kept").mean()).item() < 0.7
    assert rank_correlation(told.with_columns(pl.col("kept").cast(pl.Float64)), "willingness", "kept") > 0.1


def test_the_control_group_is_drawn_at_random_and_never_contacted(made):
    held = made.truth.filter(pl.col("arm") == "hold_out")
    assert 0.04 < held.height / LOANS < 0.06
    outbound = table(made, "contacts").filter(pl.col("direction") == "outbound").join(made.truth, on="loan_id")
    assert set(outbound.get_column("arm").unique().to_list()) == {"policy"}
    assert abs(held.select(pl.col("ability").mean()).item()) < 0.15
    assert abs(held.select(pl.col("willingness").mean()).item()) < 0.15


def test_what_a_contact_does_is_a_number_of_the_world():
    told = replace(WORLD.contact, effect_reached=4.0, effect_message=4.0)
    world = replace(WORLD, contact=told, people=replace(WORLD.people, hold_out_share=0.5))
    strong = _long_late(simulate(4_000, 2, world=world))
    assert strong["policy"] < 0.9 * strong["hold_out"]


def _long_late(made: Simulated) -> dict[str, float]:
    """Return the share of loans that were ever 30 days late, by arm."""
    known = Tables(loans=made.tables.loans, instalments=made.tables.instalments, payments=made.tables.payments)
    history = History.as_of(ENDS_ON, known, zone=made.zone)
    assert history.delinquency is not None
    rows = history.delinquency.instalments.filter("original").join(history.cases.select("case", "loan_id"), on="case")
    loans = rows.group_by("loan_id").agg(pl.col("days_late").max() >= 30).join(made.truth, on="loan_id")
    return dict(loans.group_by("arm").agg(pl.col("days_late").mean()).iter_rows())


def test_who_was_called_is_no_accident(made, ledger):
    """A naive comparison would find that contacts do harm: the policy picks those who do not pay."""
    days = most_days_late(ledger, pl.lit(ENDS_ON)).filter(pl.col("days") > 0, pl.col("arm") == "policy")
    contacted = table(made, "contacts").filter(pl.col("direction") == "outbound").get_column("loan_id").unique()
    was = pl.col("loan_id").is_in(contacted.implode())
    assert days.filter(was)["days"].mean() > 2 * days.filter(~was)["days"].mean()


def test_from_the_day_of_the_policy_change_borrowers_are_contacted_earlier(made, ledger):
    revised = table(made, "instalments").filter(pl.col("schedule") > 0).get_column("loan_id").unique()
    open_then = (pl.col("due_on") < pl.col("contacted_on")) & (
        pl.col("settled_on").is_null() | (pl.col("settled_on") >= pl.col("contacted_on"))
    )
    outbound = table(made, "contacts").filter(
        pl.col("direction") == "outbound", ~pl.col("loan_id").is_in(revised.implode())
    )
    overdue = outbound.join(ledger.select("loan_id", "due_on", "settled_on"), on="loan_id").filter(open_then)
    since = overdue.group_by("contact_id").agg(pl.col("contacted_on").first(), pl.col("due_on").min())
    days = since.with_columns(days=(pl.col("contacted_on") - pl.col("due_on")).dt.total_days())
    before = pl.col("contacted_on") < WORLD.policy.changed_on
    assert days.filter(before).get_column("days").min() == 10
    assert days.filter(~before).get_column("days").min() == 4


def test_times_get_harder(ledger):
    """Of the first six instalments of each loan, so that the loans are of one age."""
    young = ledger.filter(pl.col("number") <= 6).with_columns(year=pl.col("due_on").dt.year())
    late = dict(young.group_by("year").agg(pl.col("late").mean()).iter_rows())
    assert late[2023] < 0.9 * late[2024]


# Plausible levels


def test_three_to_six_in_a_hundred_loans_reach_90_days_in_their_first_year(ledger):
    days = most_days_late(ledger, pl.col("opened_on").dt.offset_by("12mo")).get_column("days")
    assert 0.03 < (days >= 90).mean() < 0.06


def test_on_the_observation_date_five_to_ten_in_a_hundred_running_loans_are_overdue(made):
    history = History.as_of(made.observed_on, made.tables, zone=made.zone)
    assert history.instalments is not None
    gone = history.known.events.filter(pl.col("kind").cast(pl.String).is_in(["written_off", "sold"]))  # type: ignore[union-attr]
    loans = history.instalments.group_by("case").agg(
        runs=pl.col("settled_on").is_null().any(), overdue=pl.col("overdue").any()
    )
    runs = loans.filter(pl.col("runs"), ~pl.col("case").is_in(gone.get_column("case").implode()))
    assert 0.05 < runs.get_column("overdue").mean() < 0.10


def test_the_ledger_finds_the_days_past_due_by_which_loans_were_written_off(made):
    """Payments are judged by the day they were made here, not booked: the simulated lender acts on the truth."""
    payments = table(made, "payments").sort("recorded_at").unique("payment_id", keep="last")
    off = table(made, "events").filter(pl.col("kind") == "written_off").select("loan_id", observed_on="happened_on")
    assert off.height > 50
    cases = off.with_row_index("case")
    day = pl.col("recorded_at").dt.convert_time_zone(made.zone).dt.date()
    schedules = table(made, "instalments").join(cases, on="loan_id").filter(day <= pl.col("observed_on"))
    found = delinquency(
        schedules.with_columns(in_force_at=pl.col("recorded_at").dt.convert_time_zone(made.zone)),
        payments.join(cases, on="loan_id").filter(pl.col("paid_on") <= pl.col("observed_on")),
        LAWFUL,
    )
    now = found.month_ends.filter(pl.col("months_ago") == 0).get_column("days_past_due")
    limit = WORLD.relief.written_off_after_days
    assert now.len() == off.height
    assert limit <= now.min() <= now.max() < limit + 31


def test_every_rare_thing_happens_in_a_book_of_some_size(made):
    kinds = set(table(made, "events").get_column("kind").unique().to_list())
    assert {"hardship", "hardship_ended", "extended", "restructured", "dispute", "written_off", "sold"} <= kinds
    assert {"legal_action", "number_changed", "closed"} <= kinds
    payers = set(table(made, "payments").get_column("payer").unique().to_list())
    assert payers == {"borrower", "guarantor", "third_party", "offset", "write_off"}
    results = set(table(made, "debits").get_column("result").unique().to_list())
    assert results == {"paid", "insufficient_funds", "mandate_revoked", "account_closed", "technical"}


def test_the_world_can_be_another_one():
    world: World = replace(WORLD, people=replace(WORLD.people, hold_out_share=1.0))
    contacts = simulate(500, 1, world=world).tables.contacts
    assert contacts is not None
    assert contacts.filter(pl.col("direction") == "outbound").is_empty()
