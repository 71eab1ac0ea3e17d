"""Nothing is due early or while it is held, all is due in the end, and a key goes with the last of its records."""

from __future__ import annotations

import calendar
from datetime import date, timedelta

import pytest
from expiring_logs import slow_last_day, terms_of
from hypothesis import given
from hypothesis import strategies as st

from features.errors import ConfigurationRefused
from serving.records.expiry import DONE, ORDERED
from serving.records.terms import last_day
from serving.subjects.retention import Kept, planned

SCORE, OVERRIDE = "score:loan:created", "score:loan:overridden"
MONTHS = {SCORE: 84, OVERRIDE: 25}
SIMULATED_YEARS = 9
DAYS = st.dates(date(1990, 1, 1), date(2090, 12, 31))
WHO = st.sampled_from([b"a", b"b", b"c", b"d"])
TURNS = st.sampled_from([date(2024, 2, 28), date(2024, 2, 29), date(2025, 1, 31), date(2025, 8, 31), date(2027, 3, 1)])


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
    assert last_day(day, months) == slow_last_day(day, months) == expected


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


@given(st.one_of(DAYS, TURNS), st.integers(1, 40))
def test_a_term_ends_where_counting_through_the_calendar_ends(day, months):
    assert last_day(day, months) == slow_last_day(day, months)


@given(st.data())
def test_what_goes_is_what_a_slow_second_look_says(data):
    kinds = [SCORE, OVERRIDE, ORDERED, DONE]
    months = {SCORE: data.draw(st.integers(1, 30)), OVERRIDE: data.draw(st.integers(1, 30))}
    near = st.one_of(TURNS, st.dates(date(2023, 12, 1), date(2027, 12, 31)))
    drawn = data.draw(st.lists(st.tuples(st.sampled_from(kinds), near, st.frozensets(WHO, max_size=3), st.booleans())))
    records = [Kept(at, *one) for at, one in enumerate(drawn)]
    today, held = data.draw(near), data.draw(st.sets(WHO, max_size=2))
    goes = [
        record
        for record in records
        if record.kind in months
        and slow_last_day(record.day, months[record.kind]) < today
        and not any(who in held for who in record.subjects)
    ]
    stays = [record for record in records if record.kind in months and record not in goes]
    plan = planned(records, terms_of(months), today, held)
    assert [at for first, last in plan.runs for at in range(first, last + 1)] == [record.sequence for record in goes]
    assert all(last + 1 < first for (_, last), (first, _) in zip(plan.runs, plan.runs[1:], strict=False))
    assert sorted(at for span in plan.spans for at in range(span.first, span.last + 1)) == [
        record.sequence for record in goes if not record.is_ordered
    ]
    for span in plan.spans:
        assert {records[at].kind for at in range(span.first, span.last + 1)} == {span.kind}
        assert records[span.last].day == span.day
    everybody = {who for record in records for who in record.subjects}
    assert plan.subjects == {
        who
        for who in everybody
        if any(who in record.subjects for record in goes) and not any(who in record.subjects for record in stays)
    }
    assert plan.left == len(stays)
    over = [record for record in stays if slow_last_day(record.day, months[record.kind]) < today]
    assert plan.held.total() == len(over)


def test_over_nine_years_each_record_stays_to_its_last_day_and_goes_the_day_after():
    begin, terms = date(2020, 1, 1), terms_of(MONTHS)
    records = [
        Kept(at, kind, begin + timedelta(days), frozenset({str(at).encode()}))
        for at, (kind, days) in enumerate((kind, days) for kind in MONTHS for days in range(0, 730, 7))
    ]
    seen: dict[int, date] = {}
    for at in range(SIMULATED_YEARS * 366):
        today = begin + timedelta(at)
        there = [record for record in records if record.sequence not in seen]
        for first, last in planned(there, terms, today, ()).runs:
            seen |= dict.fromkeys(range(first, last + 1), today)
    assert seen == {one.sequence: last_day(one.day, MONTHS[one.kind]) + timedelta(1) for one in records}


@pytest.mark.parametrize("months", [{OVERRIDE: 1}, {"score:loan:promoted": 1}])
def test_a_kind_without_a_term_is_refused(months):
    with pytest.raises(ConfigurationRefused, match=SCORE):
        planned([Kept(0, SCORE, date(2020, 1, 1))], terms_of(months), date(2090, 1, 1), ())
