"""What was changed in a month's borrowers is what its alarms name, and nothing is named where nothing changed."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl
import pytest
from watched_books import FEATURE, Pool, Watched, in_month, lines_of, quiet, with_reference

from models.fitted_card import FittedCard
from training.monitoring.monitor import monitor
from training.monitoring.outcomes import BAD, INDETERMINATE
from training.monitoring.policy import MonitoringPolicy, default_bytes, policy_from

LIMIT, FULL = "credit_limit", "marked_full_before"
SPOILT, MONTH = 4, "2026-05"
ODD = pl.col("score_id").str.slice(-1).is_in(["1", "3", "5", "7", "9"])


def alarms(
    card: FittedCard, book: Watched, policy: MonitoringPolicy, month: str = MONTH, **more
) -> set[tuple[str, str]]:
    told = monitor(card, book.decisions, book.lines, policy, month=month, **more).told
    return {(one["kind"], one["of"]) for one in told["alarms"]}


def column(name: str) -> pl.Expr:
    return pl.col(FEATURE + name)


def test_months_like_the_reference_raise_no_alarm(card: FittedCard, watched: Watched, policy: MonitoringPolicy):
    told = monitor(card, watched.decisions, watched.lines, policy).told
    assert {name: one["alarms"] for name, one in told["judged"].items() if one["alarms"]} == {}
    assert all(month["judged"] for month in told["months"])


def test_a_feature_that_shifts_is_named_and_no_other(card: FittedCard, watched: Watched, policy: MonitoringPolicy):
    book = in_month(watched, SPOILT, (column(LIMIT) * 1.5).alias(FEATURE + LIMIT))
    assert alarms(card, book, policy) == {("moved", LIMIT)}
    assert alarms(card, book, policy, "2026-04") == set()


def test_a_feature_that_goes_missing_is_named_as_missing(card: FittedCard, watched: Watched, policy: MonitoringPolicy):
    part = in_month(watched, SPOILT, pl.when(ODD).then(None).otherwise(column(LIMIT)).alias(FEATURE + LIMIT))
    assert alarms(card, part, policy) == {("missing", LIMIT)}
    whole = in_month(watched, SPOILT, pl.lit(None, pl.Float64).alias(FEATURE + LIMIT))
    assert alarms(card, whole, policy) == {("missing", LIMIT)}


def test_a_unit_that_changes_is_named_as_a_unit(card: FittedCard, watched: Watched, policy: MonitoringPolicy):
    book = in_month(watched, SPOILT, (column(LIMIT) / 100).alias(FEATURE + LIMIT))
    told = monitor(card, book.decisions, book.lines, policy, month=MONTH).told["alarms"]
    assert {(one["kind"], one["of"]) for one in told} == {("unit", LIMIT)}
    assert "factor of 0.01" in told[0]["words"]["en"]


def test_a_state_never_seen_is_named_as_unseen(card: FittedCard, watched: Watched, policy: MonitoringPolicy):
    few = pl.col("score_id").str.slice(-2).is_in(["11", "47"])
    book = in_month(watched, SPOILT, pl.when(few).then(7.0).otherwise(column(FULL)).alias(FEATURE + FULL))
    assert ("unseen", FULL) in alarms(card, book, policy)


def test_scores_that_move_while_no_feature_does_are_named(card: FittedCard, watched: Watched, policy: MonitoringPolicy):
    book = in_month(watched, SPOILT, (pl.col("log_odds") + 0.6).alias("log_odds"))
    assert alarms(card, book, policy) == {("scores", "")}


def test_a_calibration_that_moves_is_named_in_the_month_in_which_the_vintage_matures(
    card: FittedCard, watched: Watched, policy: MonitoringPolicy
):
    odds = pl.col("probability") / (1 - pl.col("probability")) / 2
    book = in_month(watched, SPOILT, (odds / (1 + odds)).alias("probability"))
    assert alarms(card, book, policy) == set()
    assert ("level", MONTH) in alarms(card, book, policy, "2026-07")  # 31 days after the end of May


def test_scores_that_no_longer_order_the_loans_are_named(card: FittedCard, pool: Pool, policy: MonitoringPolicy):
    random = np.random.default_rng(3)
    book = quiet(pool, random, months=1, loans=1_500)
    blind = lines_of(book.decisions, random.random(1_500) < 0.5, [date(2026, 3, 3)] * 1_500)
    assert ("order", "2026-01") in alarms(card, replace(book, lines=blind), policy, "2026-03")


def test_loans_that_roll_otherwise_are_named_by_their_stage(
    card: FittedCard, watched: Watched, policy: MonitoringPolicy
):
    months = "months_overdue_now"
    assert months in card.catalog.names
    worse = pl.when(column(months) == 1).then(3.0).otherwise(column(months)).alias(FEATURE + months)
    found = alarms(card, in_month(watched, SPOILT, worse), policy)
    assert {of for kind, of in found if kind == "rolls"} >= {f"M1 → {MONTH}", f"M2 → {MONTH}"}


def test_loans_of_which_nobody_knows_how_late_they_are_have_not_gone(
    card: FittedCard, watched: Watched, policy: MonitoringPolicy
):
    unknown = pl.when(ODD).then(None).otherwise(column("months_overdue_now")).alias(FEATURE + "months_overdue_now")
    book = in_month(watched, SPOILT, unknown)
    assert not [of for kind, of in alarms(card, book, policy) if kind == "rolls"]
    into = [one for one in monitor(card, book.decisions, book.lines, policy).told["rolls"] if one["month"] == MONTH]
    (told,) = into
    assert told["stages"][-1] == "not scored"
    assert told["actual"][-1] == 0
    (whole,) = [
        one for one in monitor(card, watched.decisions, watched.lines, policy).told["rolls"] if one["month"] == MONTH
    ]
    assert 0.3 < sum(told["before"]) / sum(whole["before"]) < 0.7  # the others are left out, not filed elsewhere


def test_other_code_and_a_table_that_is_not_sent_any_more_are_named(
    card: FittedCard, watched: Watched, policy: MonitoringPolicy
):
    book = in_month(watched, SPOILT, pl.lit("0123456789ab").alias("fingerprint"), pl.lit(["loans"]).alias("tables"))
    assert alarms(card, book, policy) == {("fingerprint", "1"), ("table", "statements")}


def test_months_before_a_declared_break_are_not_held_against_those_after_it(
    card: FittedCard, watched: Watched, policy: MonitoringPolicy
):
    book = in_month(watched, 2, (column(LIMIT) * 1.5).alias(FEATURE + LIMIT))
    assert alarms(card, book, policy) == {("moved", LIMIT)}
    written = default_bytes().decode() + '\n[[breaks]]\non = 2026-03-01\nwhy = "a new channel opened"\n'
    declared = policy_from(written.encode(), where="test")
    told = monitor(card, book.decisions, book.lines, declared, month=MONTH).told
    assert not any(one["alarms"] for one in told["judged"].values())
    assert [(one["name"], one["judged"], one["stands_in"]) for one in told["months"][1:4]] == [
        ("2026-02", True, False),
        ("2026-03", False, True),
        ("2026-04", True, False),
    ]
    assert told["months"][4]["held_against"] == "2026-03"
    # What changes after the break is still seen.
    again = in_month(book, SPOILT, (column(LIMIT) * 1.5).alias(FEATURE + LIMIT))
    assert alarms(card, again, declared) == {("moved", LIMIT)}
    assert {roll["month"] for roll in told["rolls"]} == {"2026-02", "2026-04", "2026-05", "2026-06"}


def test_an_order_of_loans_is_not_held_against_that_of_before_a_break_and_probabilities_still_are(
    card: FittedCard, pool: Pool, policy: MonitoringPolicy
):
    book = quiet(pool, np.random.default_rng(3), months=1, loans=1_500)
    every = lines_of(book.decisions, np.random.default_rng(4).random(1_500) < 0.7, [date(2026, 3, 3)] * 1_500)
    spoilt = replace(book, lines=every)
    assert {("order", "2026-01"), ("level", "2026-01")} <= alarms(card, spoilt, policy, "2026-03")
    written = default_bytes().decode() + '\n[[breaks]]\non = 2026-01-01\nwhy = "a new channel opened"\n'
    declared = alarms(card, spoilt, policy_from(written.encode(), where="test"), "2026-03")
    assert ("level", "2026-01") in declared
    assert ("order", "2026-01") not in declared


def test_a_break_inside_a_month_divides_it(card: FittedCard, watched: Watched):
    written = default_bytes().decode() + '\n[[breaks]]\non = 2026-03-15\nwhy = "a new law"\n'
    half = watched.decisions.with_columns(
        observed_on=pl.when(ODD & (pl.col("observed_on") == date(2026, 3, 31)))
        .then(date(2026, 3, 10))
        .otherwise("observed_on")
    )
    told = monitor(card, half, watched.lines, policy_from(written.encode(), where="test")).told
    assert [(one["name"], one["cases"]) for one in told["months"]][2:4] == [("2026-03", 750), ("2026-03-15", 750)]


def test_a_loan_scored_every_day_is_one_case_of_its_month(card: FittedCard, watched: Watched, policy: MonitoringPolicy):
    january = watched.decisions.filter(pl.col("observed_on") == date(2026, 1, 31))
    daily = pl.concat(
        january.with_columns(observed_on=pl.lit(date(2026, 1, day)), score_id=pl.col("score_id") + f"-{day}")
        for day in (10, 20, 30)
    )
    told = monitor(card, pl.concat([daily, january]), watched.lines, policy).told
    assert told["months"][0]["cases"] == 1_500
    assert [one["changed"] for one in told["churn"]] == [0, 0, 0]
    assert [one["correlation"] for one in told["churn"]] == pytest.approx([1, 1, 1])


def test_a_vintage_is_not_judged_before_it_is_known(card: FittedCard, watched: Watched, policy: MonitoringPolicy):
    """Of the outcomes that are known early most are bad: a share of them would look like a disaster."""
    early = watched.lines.filter((pl.col("outcome") == BAD) | (pl.col("score_id") > "S00001"))
    told = monitor(card, watched.decisions, early, policy).told
    first, *others = told["vintages"]
    assert (first["state"], first["bad_share"]) == ("incomplete", None)
    assert {one["state"] for one in others} == {"mature"}
    before = monitor(card, watched.decisions, watched.lines, policy, as_of=date(2026, 3, 2)).told
    assert [one["state"] for one in before["vintages"]] == ["running", "running"]
    assert [one["name"] for one in before["months"]] == ["2026-01", "2026-02"]


def test_indeterminate_outcomes_are_known_and_not_judged(card: FittedCard, watched: Watched, policy: MonitoringPolicy):
    half = pl.when(ODD).then(pl.lit(INDETERMINATE)).otherwise("outcome").alias("outcome")
    told = monitor(card, watched.decisions, watched.lines.with_columns(half), policy).told
    first = told["vintages"][0]
    assert (first["state"], first["indeterminate"]) == ("mature", 750)
    decided = watched.lines.filter(~ODD).head(750)
    assert first["bad_share"] == pytest.approx((decided.get_column("outcome") == BAD).mean())


def test_a_version_without_a_population_is_held_against_its_first_month(
    card: FittedCard, watched: Watched, policy: MonitoringPolicy
):
    bare = replace(card, reference={name: told for name, told in card.reference.items() if name != "population"})
    told = monitor(bare, watched.decisions, watched.lines, policy).told
    assert [one["stands_in"] for one in told["months"]] == [True, *[False] * 5]
    assert not told["reference"]["has_population"]
    book = in_month(watched, SPOILT, (column(LIMIT) * 1.5).alias(FEATURE + LIMIT))
    assert ("moved", LIMIT) in alarms(bare, book, policy)


def test_overrides_are_counted_where_the_outcomes_say_them(
    card: FittedCard, watched: Watched, policy: MonitoringPolicy
):
    assert monitor(card, watched.decisions, watched.lines, policy).told["overrides"] == {}
    told = watched.lines.with_columns(overridden=pl.when(pl.col("score_id") < "S00002").then(ODD))
    found = monitor(card, watched.decisions, told, policy).told["overrides"]
    assert [(one["of"], one["decisions"], one["overridden"]) for one in found["month"]] == [
        ("2026-01", 1_500, 750),
        ("2026-02", 1_500, 750),
    ]
    given = watched.lines.with_columns(treatment=pl.when(ODD).then(pl.lit("visit")).otherwise(pl.lit("call")))
    by_treatment = monitor(card, watched.decisions, given, policy).told["overrides"]["treatment"]
    assert [(one["of"], one["overridden"]) for one in by_treatment] == [("call", 4_500)]


def test_money_that_came_stands_beside_the_money_expected(card: FittedCard, watched: Watched, policy: MonitoringPolicy):
    tenths = monitor(card, watched.decisions, watched.lines, policy).told["money"]
    assert [one["number"] for one in tenths] == list(range(1, 11))
    assert sum(one["collected_minor"] for one in tenths) == watched.lines.get_column("recovered_minor").sum()
    expected = watched.decisions.get_column("expected_recovery_minor").sum()
    assert sum(one["expected_minor"] for one in tenths) == pytest.approx(expected, abs=10)
    assert all(one["collected_minor"] / one["expected_minor"] == pytest.approx(1, abs=0.2) for one in tenths)


def test_decisions_of_other_versions_are_counted_and_not_judged(
    card: FittedCard, pool: Pool, watched: Watched, policy: MonitoringPolicy
):
    other = quiet(pool, np.random.default_rng(4), months=6, loans=300).decisions.with_columns(
        version=pl.lit("2"), loan=pl.col("loan") + "-b"
    )
    told = monitor(card, pl.concat([watched.decisions, other]), watched.lines, policy).told
    assert told["decisions"]["other_versions"] == {"2": 1_800}
    assert {one["cases"] for one in told["months"]} == {1_500}


def test_the_reference_of_a_fitted_card_is_that_of_its_own_cases(small: FittedCard, pool: Pool):
    kept = small.reference["population"]
    assert kept["cases"] == len(pool.values)
    for name, column_kept in kept["features"].items():
        values = pool.values[:, small.catalog.names.index(name)]
        assert sum(column_kept["counts"]) == len(values)
        assert column_kept["counts"][-1] == int(np.isnan(values).sum())
    assert with_reference(pool, np.random.default_rng(0)).reference["population"] != kept
