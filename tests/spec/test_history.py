"""Nothing from the future: what was recorded after the observation date does not exist."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest
from spec_tables import book, on

from features.errors import ConfigurationRefused, DataRefused
from features.history import History

BOOK = book(
    statements="""
        loan | on         | balance | state | recorded
        -----+------------+---------+-------+---------------------
        L1   | 2026-04-30 | 100     | p     | 2026-04-30
        L1   | 2026-05-31 | 120     | 1     | 2026-05-31T15:59:59
        L1   | 2026-06-30 | 150     | 2     | 2026-07-02
        L2   | 2026-06-30 | 900     | p     | 2026-06-30
    """
)


def statement_days(history: History) -> list[tuple[str, date]]:
    assert history.known.statements is not None
    return sorted(history.known.statements.select("loan_id", "statement_on").iter_rows())


def test_a_statement_recorded_after_the_observation_date_is_not_known():
    history = History.as_of(on("2026-06-30", "L1"), BOOK)
    assert statement_days(history) == [("L1", date(2026, 4, 30)), ("L1", date(2026, 5, 31))]


def test_a_statement_recorded_late_is_known_from_the_day_it_was_recorded():
    history = History.as_of(on("2026-07-02", "L1"), BOOK)
    assert ("L1", date(2026, 6, 30)) in statement_days(history)


def test_a_day_ends_at_midnight_in_the_lenders_zone():
    in_shanghai = History.as_of(on("2026-05-31", "L1"), BOOK, zone="Asia/Shanghai")
    an_hour_east = History.as_of(on("2026-05-31", "L1"), BOOK, zone="Asia/Tokyo")
    assert ("L1", date(2026, 5, 31)) in statement_days(in_shanghai)
    assert ("L1", date(2026, 5, 31)) not in statement_days(an_hour_east)


def test_a_day_that_clocks_skip_at_midnight_still_ends():
    history = History.as_of(on("2026-09-05", "L1"), BOOK, zone="America/Santiago")
    assert len(statement_days(history)) == 3


@pytest.mark.parametrize(
    ("zone", "day"),
    [("Europe/London", "2024-03-30"), ("Europe/Lisbon", "2024-03-30"), ("Pacific/Apia", "2011-12-29")],
)
def test_a_day_before_clocks_change_ends_where_the_next_one_begins(zone: str, day: str):
    ends = {
        instant
        for instant in (f"{day}T09:00:00", f"{day}T11:30:00", "2011-12-30T09:30:00", "2011-12-30T10:30:00")
        if History.as_of(
            on(day, "L1"), book(f"loan|on|balance|state|recorded\n L1|2011-01-31|5|p|{instant}"), zone=zone
        ).known.statements.height  # type: ignore[union-attr]
    }
    assert f"{day}T09:00:00" in ends
    if zone == "Pacific/Apia":  # 29 December ended at 10:00 UTC, and 30 December never came
        assert "2011-12-30T09:30:00" in ends
        assert "2011-12-30T10:30:00" not in ends


def test_a_case_without_an_observation_date_is_refused():
    with pytest.raises(DataRefused, match="observation date"):
        History.as_of(on("2026-06-30", "L1").with_columns(observed_on=pl.lit(None, pl.Date)), BOOK)


def test_a_payment_dated_in_the_future_is_not_known_although_it_is_recorded():
    tables = book(payments="loan | on | amount | recorded\n L1 | 2026-07-05 | 50 | 2026-06-01")
    history = History.as_of(on("2026-06-30", "L1"), tables)
    assert history.known.payments is not None
    assert history.known.payments.height == 0


def test_one_loan_can_be_observed_on_several_days_at_once():
    days = pl.concat([on("2026-04-30", "L1"), on("2026-06-30", "L1"), on("2026-06-30", "L2")])
    history = History.as_of(days, BOOK)
    assert history.known.statements is not None
    seen = history.known.statements.group_by("case").len().sort("case").get_column("len").to_list()
    assert seen == [1, 2, 1]


def test_one_day_for_all_observes_every_loan_known_by_then():
    assert History.as_of(date(2026, 6, 30), BOOK).loan_ids == ["L1", "L2"]
    assert History.as_of(date(1999, 12, 31), BOOK).loan_ids == []


def test_a_loan_that_is_not_known_by_its_observation_date_is_refused_by_name():
    with pytest.raises(DataRefused, match="'L9'"):
        History.as_of(on("2026-06-30", "L1", "L9"), BOOK)
    with pytest.raises(DataRefused, match="'L1'"):
        History.as_of(on("1999-12-31", "L1"), BOOK)


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../etc/passwd", "Asia/Taipei\0"])
def test_a_zone_that_does_not_exist_is_refused(zone: str):
    with pytest.raises(ConfigurationRefused, match="time zone"):
        History.as_of(date(2026, 6, 30), BOOK, zone=zone)
