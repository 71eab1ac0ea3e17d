"""Every feature is declared with its words, its direction and its bounds, and reads no protected attribute."""

from __future__ import annotations

import re

import numpy as np
import pytest

from features.catalog import catalog
from features.declaration import Feature, Group, Risk
from features.history import History
from features.probes import OBSERVED_ON, probe_history, probe_tables
from features.tables import Tables
from features.views import Complete

CHINESE = re.compile(r"[\u4e00-\u9fff]")
PROTECTED = re.compile(
    r"\b(sex|gender|male|female|age|aged|married|marital|single|education|religion|ethnic\w*|race)\b|性别|年龄|婚|学历|民族|宗教"
)
ALL = list(catalog())


def test_there_are_at_least_35_features_over_the_three_groups():
    assert len(ALL) >= 35
    assert {feature.group for feature in ALL} == set(Group)


@pytest.mark.parametrize("feature", ALL, ids=lambda feature: feature.name)
def test_a_feature_has_its_words_in_both_languages(feature: Feature):
    for text in (feature.label, feature.reason, feature.missing):
        assert CHINESE.search(text.zh)
        assert not CHINESE.search(text.en)
        assert "{months}" not in text.en + text.zh
    assert "{value}" in feature.reason.en
    assert "{value}" in feature.reason.zh
    assert feature.definition
    assert len(feature.reason.en) <= 110, "fits a call-centre screen"
    assert len(feature.reason.zh) <= 45


@pytest.mark.parametrize("feature", ALL, ids=lambda feature: feature.name)
def test_a_feature_names_no_protected_attribute(feature: Feature):
    words = f"{feature.name.replace('_', ' ')} {feature.reason.en} {feature.reason.zh} {feature.definition}"
    assert not PROTECTED.search(words.lower())


def test_at_least_half_of_the_features_carry_a_direction():
    directed = [feature for feature in ALL if feature.risk is not Risk.FREE]
    assert len(directed) * 2 >= len(ALL)


def test_the_words_of_two_features_are_never_the_same():
    for sentences in (
        [f.label.en for f in ALL],
        [f.label.zh for f in ALL],
        [f.reason.en for f in ALL],
        [f.reason.zh for f in ALL],
    ):
        assert len(set(sentences)) == len(sentences)


def test_every_feature_is_known_for_a_probe_and_lies_within_its_units_bounds():
    matrix = catalog().values(probe_history())
    for feature, column in zip(matrix.features, matrix.values.T, strict=True):
        known = column[~np.isnan(column)]
        low, high = feature.unit.bounds
        assert known.size, feature.name
        assert known.min() >= low, feature.name
        assert known.max() <= high, feature.name
        told_apart = len(set(known)) > 1 or len(known) < len(column)
        assert told_apart, f"{feature.name} is the same for every probe: the fingerprint would not see a change"


def test_a_borrower_without_records_has_zeros_only_where_a_complete_table_says_that_there_were_none():
    matrix = catalog().values(probe_history())
    bare = matrix.cases.get_column("loan_id").to_list().index("P12")
    for feature, value in zip(matrix.features, matrix.values[bare], strict=True):
        assert np.isnan(value) or (value == 0 and issubclass(feature.view, Complete)), feature.name


def test_a_family_stays_within_one_group():
    groups: dict[str, set[Group]] = {}
    for feature in ALL:
        groups.setdefault(feature.family, set()).add(feature.group)
    assert all(len(found) == 1 for found in groups.values())


def test_the_fingerprint_is_the_same_twice():
    catalog().__dict__.pop("fingerprint", None)
    first = catalog().fingerprint
    catalog().__dict__.pop("fingerprint", None)
    assert catalog().fingerprint == first


def test_where_payments_were_not_sent_no_sentence_claims_that_none_were_made():
    tables = probe_tables()
    without = History.as_of(OBSERVED_ON, Tables(loans=tables.loans, statements=tables.statements))
    became_missing = np.isnan(catalog().values(without).values) & ~np.isnan(catalog().values(probe_history()).values)
    for feature, column in zip(catalog(), became_missing.T, strict=True):
        if column.any():
            assert "known" in feature.missing.en, (feature.name, feature.missing.en)
            assert re.search("未知|不足|已知", feature.missing.zh), (feature.name, feature.missing.zh)
