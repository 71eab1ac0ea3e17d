"""Terms are read whole or refused with all their faults, the longest holds, and no zone on Earth sees one end early."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from expiring_logs import MONTHS, POLICY, TERMS
from hypothesis import given
from hypothesis import strategies as st

from features.errors import ConfigurationRefused
from serving.records.canonical import canonical_record
from serving.records.terms import MOST_BYTES, day_everywhere, day_of, last_day, read_terms, terms_from

INSTANTS = st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
ZONES = st.integers(-12 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
TERM = '[[terms]]\nkinds = ["score:loan:created"]\nmonths = 25\nsource = "a law"\n'


def test_of_the_terms_that_speak_of_a_kind_the_longest_holds():
    assert {kind: TERMS.months(kind) for kind in MONTHS} == MONTHS
    assert TERMS.months("model:version:promoted") is None
    with pytest.raises(ConfigurationRefused, match="model:version:promoted"):
        TERMS.last_day("model:version:promoted", date(2026, 1, 1))


def test_a_file_is_read_and_known_by_its_digest(tmp_path):
    path = tmp_path / "retention.toml"
    path.write_text(POLICY)
    assert read_terms(path) == TERMS
    path.write_text(POLICY + "\n# the same terms\n")
    assert read_terms(path).digest != TERMS.digest
    with pytest.raises(ConfigurationRefused, match="cannot be read"):
        read_terms(tmp_path / "none.toml")


@pytest.mark.parametrize(
    "text",
    [
        "",
        TERM,
        "format = 1\n",
        "format = 1\nterms = []\n",
        f"format = 2\n{TERM}",
        f"format = 1\nmore = 1\n{TERM}",
        f"format = 1\n{TERM}more = 1\n",
        f"format = 1\n{TERM.replace('25', '0')}",
        f"format = 1\n{TERM.replace('25', '1201')}",
        f"format = 1\n{TERM.replace('25', '25.0')}",
        f"format = 1\n{TERM.replace('a law', ' ')}",
        f"format = 1\n{TERM.replace('score:loan:created', 'score:loan')}",
        f"format = 1\n{TERM.replace('score:loan:created', 'score:**:created')}",
        f"format = 1\n{TERM.replace('score:loan:created', 'Score:loan:created')}",
        f"format = 1\n{TERM.replace('months = 25', '')}",
        f"format = 1\n{TERM.replace('source', 'citation')}",
        f"format = 1\n{TERM}{'#' * MOST_BYTES}",
    ],
)
def test_what_is_no_policy_is_refused(text):
    with pytest.raises(ConfigurationRefused) as refusal:
        terms_from(text.encode(), where="a test")
    assert refusal.value.exit_code == 11


def test_all_faults_are_told_together():
    broken = TERM.replace("25", "0").replace("a law", "")
    with pytest.raises(ConfigurationRefused) as refusal:
        terms_from(f"format = 1\n{broken}{broken.replace('score', '?')}".encode(), where="a test")
    for fault in ("term 1: months", "term 1: source", "term 2: kinds", "term 2: months", "term 2: source"):
        assert fault in refusal.value.found


@given(INSTANTS, INSTANTS, st.integers(1, 100), ZONES)
def test_a_term_that_is_over_is_over_in_every_zone(made, now, months, zone):
    day = day_of(canonical_record({"recorded_at": made.isoformat()}))
    over = last_day(day, months) < day_everywhere(now)
    if over:
        assert now.astimezone(zone).date() > last_day(made.astimezone(zone).date(), months)
    # And is over everywhere two days after it is in the zone that sees it last.
    late = last_day(made.astimezone(timezone(timedelta(hours=14))).date(), months)
    assert over == (now.astimezone(timezone(timedelta(hours=-12))).date() > late)


@pytest.mark.parametrize(
    "record", [{}, {"recorded_at": 3}, {"recorded_at": "then"}, {"recorded_at": "2026-01-01T00:00:00"}]
)
def test_a_record_that_does_not_say_when_has_no_day(record):
    assert day_of(canonical_record(record)) is None
