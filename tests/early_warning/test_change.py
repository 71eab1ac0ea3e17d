"""The change of a score between two dates is the sum of its parts, and only what was known by each date counts."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from fractions import Fraction

import numpy as np
import polars as pl
import pytest

from features.declaration import Group
from features.errors import DataRefused, ModelRefused, UsageError
from features.tables import Tables
from models.attribution import families
from models.change import Change, change
from models.policy import default_policy
from models.risk_model import GROUP_ORDER
from training.early_warning.two_dates import Standing, two_dates

FIRST, LAST = date(2005, 8, 31), date(2005, 9, 30)
PROTECTED = (
    "sex",
    "female",
    "male",
    "married",
    "marital",
    "age",
    "education",
    "ethnic",
    "性别",
    "婚姻",
    "年龄",
    "学历",
)


def exact(moved: Change, case: int, group: Group | None = None) -> Fraction:
    """Return the change of one loan's contributions in rational numbers, one feature after another."""
    total = Fraction(0)
    for column, feature in enumerate(moved.after.catalog):
        if group is None or feature.group is group:
            now = Fraction(float(moved.after.attribution.contributions[case, column]))
            total += now - Fraction(float(moved.before.attribution.contributions[case, column]))
    return total


def test_the_parts_are_the_sums_of_their_features_within_the_bound_of_rounding_and_add_up_to_the_bit(told):
    moved = told.change
    assert len(moved) > 4_000
    for case in range(0, len(moved), 37):
        bound = Fraction(float(moved.bound[case]))
        for group in GROUP_ORDER:
            assert abs(Fraction(float(moved.parts[group][case])) - exact(moved, case, group)) <= bound
        assert abs(Fraction(float(moved.log_odds[case])) - exact(moved, case)) <= bound
    summed = (0.0 + moved.parts[GROUP_ORDER[0]]) + moved.parts[GROUP_ORDER[1]] + moved.parts[GROUP_ORDER[2]]
    assert (summed == moved.log_odds).all()
    assert (moved.distance <= moved.bound).all()
    assert moved.bound.max() < 1e-10


def test_a_part_that_is_moved_by_more_than_rounding_is_refused(told):
    after = told.change.after
    wrong = after.attribution.contributions.copy()
    wrong[5, 0] += 1e-9
    with pytest.raises(ModelRefused, match="miss the change of 1 scores"):
        change(told.change.before, replace(after, attribution=replace(after.attribution, contributions=wrong)))


def test_no_change_of_the_facts_is_no_change_of_the_score_and_has_no_reason(told):
    still = change(told.change.after, told.change.after)
    assert not still.contributions.any()
    assert not still.log_odds.any()
    assert not still.rise.any()
    assert not still.bands_down.any()
    assert [still.reasons(case) for case in range(50)] == [[]] * 50


def test_swapping_the_dates_turns_every_figure_round(told):
    moved = told.change
    back = change(moved.after, moved.before)
    assert (back.contributions == -moved.contributions).all()
    assert (back.log_odds == -moved.log_odds).all()
    assert all((back.parts[group] == -moved.parts[group]).all() for group in GROUP_ORDER)
    assert (back.rise == -moved.rise).all()
    assert (back.bands_down == -moved.bands_down).all()


def test_what_was_recorded_after_a_date_does_not_change_the_score_of_that_date(part, model, told):
    first = FIRST.toordinal()
    tables = dict(part.tables.items())
    for name, day in (("payments", "paid_on"), ("statements", "statement_on")):
        tables[name] = tables[name].filter(pl.col(day).dt.epoch("d") + date(1970, 1, 1).toordinal() <= first)
    assert tables["payments"].height < part.tables.payments.height
    cut = two_dates(replace(part, tables=Tables(**tables)), model, default_policy(), FIRST, date(2005, 9, 1))
    whole = dict(zip(told.change.before.loan_ids, told.change.before.attribution.log_odds.tolist(), strict=True))
    again = dict(zip(cut.change.before.loan_ids, cut.change.before.attribution.log_odds.tolist(), strict=True))
    shared = whole.keys() & again.keys()
    assert len(shared) > 4_000
    assert all(whole[loan] == again[loan] for loan in shared)


def test_loans_that_fell_overdue_are_told_apart_from_those_that_are_scored(part, model, told):
    scored = set(told.change.after.loan_ids)
    others = told.others
    assert not scored & set(others.get_column("loan_id").to_list())
    before, after = told.first.places.keys(), told.last.places.keys()
    assert scored == before & after
    fell = others.filter(pl.col("standing") == Standing.OVERDUE.value).get_column("loan_id").to_list()
    late = part.tables.statements.filter(pl.col("statement_on") == LAST, pl.col("months_overdue") > 0)
    assert set(fell) == before & set(late.get_column("loan_id").to_list())
    assert sum(told.counts.values()) == len(before | after)


def test_a_book_in_which_nobody_comes_or_goes_has_no_others(part, model, told):
    both = pl.Series(told.change.after.loan_ids)
    still = two_dates(replace(part, tables=part.tables.of_loans(both)), model, default_policy(), FIRST, LAST)
    assert still.others.height == 0
    assert still.counts[Standing.BOTH] == len(both)
    assert (still.change.log_odds == told.change.log_odds).all()


def test_a_reason_of_a_change_tells_a_fact_that_moved_in_both_languages_and_no_protected_one(told):
    moved = told.change
    most = np.argsort(-moved.rise)[:200]
    seen = 0
    for case in most.tolist():
        reasons = moved.reasons(case)
        assert reasons
        for reason in reasons:
            seen += 1
            column = moved.after.catalog.names.index(reason.feature.name)
            members = families(moved.after.catalog)[reason.feature.family]
            assert reason.contribution == pytest.approx(float(moved.contributions[case, members].sum()))
            assert (reason.effect == "raises") == (reason.contribution > 0)
            values = moved.before.values[case], moved.after.values[case]
            stood = [np.array_equal(values[0][one], values[1][one], equal_nan=True) for one in members]
            if np.array_equal(values[0][column], values[1][column], equal_nan=True):
                towards = np.sign(reason.contribution) * moved.contributions[case, members]
                assert all(same or toward <= 0 for same, toward in zip(stood, towards, strict=True))
            assert any("\u4e00" <= letter <= "\u9fff" for letter in reason.text.zh)
            assert not any("\u4e00" <= letter <= "\u9fff" for letter in reason.text.en)
            words = set(reason.text.en.lower().replace(":", " ").replace(",", " ").split())
            assert not words & set(PROTECTED)
            assert not any(name in reason.text.zh for name in PROTECTED[7:])
    assert seen > 200


def test_scores_of_two_versions_or_of_other_loans_are_not_compared(told):
    moved = told.change
    other = replace(moved.after, model=replace(moved.after.model, version="2"))
    with pytest.raises(ModelRefused, match="two versions"):
        change(moved.before, other)
    with pytest.raises(UsageError, match="another order"):
        change(moved.before, replace(moved.after, cases=moved.after.cases.reverse()))


def test_dates_in_the_wrong_order_and_dates_without_loans_are_refused(part, model):
    with pytest.raises(UsageError, match="a first date before the second"):
        two_dates(part, model, default_policy(), LAST, LAST)
    with pytest.raises(UsageError, match="observed once, each on the day of its application"):
        two_dates(replace(part, observe_each=True), model, default_policy(), FIRST, LAST)
    with pytest.raises(DataRefused, match="no loan that was scored at both dates"):
        two_dates(part, model, default_policy(), date(2004, 1, 31), LAST)
