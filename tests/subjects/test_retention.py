"""Nothing is due early or while it is held, and everything is due in the end."""

from __future__ import annotations

import calendar
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.errors import ConfigurationRefused
from serving.subjects.retention import Kept, due, last_day

MONTHS = {"score": 84, "override": 25}
SIMULATED_YEARS = 9
DAYS = st.dates(date(1990, 1, 1), date(2090, 12, 31))
RECORDS = st.lists(st.builds(Kept, st.sampled_from([b"a", b"b", b"c"]), st.sampled_from(sorted(MONTHS)), DAYS))


@pytest.mark.parametrize(
    ("day", "months", "expected"),
    [
        (date(2020, 3, 1), 84, date(2027, 3, 1)),
        (date(2020, 2, 29), 12, date(2021, 3, 1)),
        (date(2020, 2, 29), 48, date(2024, 2, 29)),
        (date(2025, 1, 31), 1, date(2025, 3, 1)),
        (date(2025, 12, 31), 2, date(2026, 3, 1)),
        (date(2025, 11, 30), 1, date(2025, 12, 30)),
        (date(2025, 12, 1), 25, date(2028, 1, 1)),
    ],
)
def test_a_term_ends_with_the_day_of_the_same_number_or_the_first_of_the_month_after(day, months, expected):
    assert last_day(day, months) == expected


@given(DAYS, st.integers(1, 200))
def test_a_term_is_never_shorter_than_its_months_are(day, months):
    whole = sum(calendar.monthrange(*divmod_month(day.year * 12 + day.month - 1 + at))[1] for at in range(months))
    late = (last_day(day, months) - day).days - whole
    assert late == 0 if day.day <= 28 else -3 <= late <= 3
    assert last_day(day, months) > day
    assert last_day(day + timedelta(1), months) >= last_day(day, months)
    assert last_day(day, months + 1) > last_day(day, months)


def divmod_month(month: int) -> tuple[int, int]:
    year, rest = divmod(month, 12)
    return year, rest + 1


@given(RECORDS, DAYS, st.sets(st.sampled_from([b"a", b"b", b"c"])))
def test_a_subject_is_due_when_none_of_its_records_must_be_kept_and_nobody_holds_it(records, today, held):
    must_stay = {one.pseudonym for one in records if today <= last_day(one.day, MONTHS[one.kind])}
    assert set(due(records, today, MONTHS, held)) == {one.pseudonym for one in records} - must_stay - held


def test_over_nine_years_each_record_stays_to_its_last_day_and_goes_the_day_after():
    begin = date(2020, 1, 1)
    records = [Kept(f"{kind} {at}".encode(), kind, begin + timedelta(at)) for kind in MONTHS for at in range(0, 730, 7)]
    seen: dict[bytes, date] = {}
    for at in range(SIMULATED_YEARS * 366):
        today = begin + timedelta(at)
        for pseudonym in due(records, today, MONTHS, ()):
            seen.setdefault(pseudonym, today)
    assert seen == {one.pseudonym: last_day(one.day, MONTHS[one.kind]) + timedelta(1) for one in records}


@pytest.mark.parametrize("months", [{}, {"score": 84}, {"score": 84, "override": 0}])
def test_a_kind_without_a_term_is_refused(months):
    with pytest.raises(ConfigurationRefused, match="override"):
        due([Kept(b"a", "override", date(2020, 1, 1))], date(2090, 1, 1), months, ())
