"""A reason states the fact that the borrower has: the category it is in, not one of those it is not in."""

from __future__ import annotations

import re

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.catalog import Catalog, catalog
from features.declared import Declaration, declared_features
from features.words import Unit
from models.attribution import families
from models.policy import ReasonRules, default_policy
from models.reasons import NO_REASON, Families, reasons

DWELLING = {
    "group": "ability",
    "column": "TIP_VIV",
    "each": True,
    "levels": [{"value": "A1", "en": "owns", "zh": "自有"}, {"value": "A2", "en": "rents", "zh": "租住"}],
    "label": {"en": "dwelling", "zh": "住房"},
}
BUREAU = {
    "group": "willingness",
    "codes": {"-9": {"en": "no file at the bureau", "zh": "无征信记录"}},
    "label": {"en": "bureau score", "zh": "征信评分"},
}


def catalog_of(**declared: object) -> Catalog:
    told = {name: msgspec.convert(one, Declaration) for name, one in declared.items()}
    return Catalog(declared_features(told).features)


def told(catalog: Catalog, values: list[float], moved: list[float]) -> list[tuple[str, str, float | None]]:
    found = reasons(
        catalog,
        Families.of(catalog),
        np.array([values], dtype=np.float64),
        np.array([moved]),
        currencies=["CNY"],
        rules=default_policy().reasons,
    ).of(0)
    return [(reason.text.en, reason.text.zh, reason.value) for reason in found]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0, 1], ("dwelling: rents", "住房：租住", 1.0)),
        ([1, 0], ("dwelling: owns", "住房：自有", 1.0)),
        ([0, 0], ("dwelling: another one than the card tells apart", "住房：不在评分卡区分的类别之内", 0.0)),
        ([np.nan, np.nan], ("dwelling: not known", "住房：未知", None)),
    ],
)
@pytest.mark.parametrize("moved", [[0.4, 0.1], [0.1, 0.4], [-0.4, -0.1], [-0.1, 0.3]])
def test_a_category_is_told_by_the_one_the_loan_has_whichever_level_moved_the_score(
    values: list[float], expected: tuple[str, str, float | None], moved: list[float]
) -> None:
    assert told(catalog_of(dwelling=DWELLING), values, moved) == [expected]


def test_the_lenders_own_sentence_speaks_for_the_level() -> None:
    own = {**DWELLING, "reason": {"en": "the applicant's home: {value}", "zh": "申请人的住房为{value}"}}
    assert told(catalog_of(dwelling=own), [0, 1], [0.3, 0])[0][:2] == (
        "the applicant's home: rents",
        "申请人的住房为租住",
    )


@pytest.mark.parametrize("moved", [[0.4, 0.1], [0.1, 0.4]])
def test_a_number_is_told_where_it_is_known_and_its_code_where_that_holds(moved: list[float]) -> None:
    catalog = catalog_of(bureau=BUREAU)
    assert told(catalog, [612, 0], moved) == [("bureau score: 612", "征信评分：612", 612.0)]
    assert told(catalog, [np.nan, 1], moved) == [("no file at the bureau", "无征信记录", 1.0)]
    assert told(catalog, [np.nan, np.nan], moved)[0][0] == "bureau score: no file at the bureau or not known"


def test_words_that_are_missing_in_one_language_do_not_mix_punctuation() -> None:
    plain = {**DWELLING, "label": {"en": "dwelling"}, "levels": ["own", {"value": "A2", "en": "rents"}]}
    bureau = {**BUREAU, "label": {"en": "bureau score"}, "codes": {"-9": {"en": "no file"}}}
    for feature in catalog_of(dwelling=plain, bureau=bureau):
        for text in (feature.label, feature.reason, feature.missing, feature.holds, feature.otherwise):
            if text is not None:
                assert not re.search("[A-Za-z ]：", text.zh), text.zh


def slowly(catalog: Catalog, values: np.ndarray, moved: np.ndarray, rules: ReasonRules) -> list[tuple[str, float]]:
    """One case's reasons as a person would pick them: the feature that tells each, and its family's sum."""
    sums = {}
    for family, columns in families(catalog).items():
        total = 0.0
        for column in columns:
            total += float(moved[column])
        sums[family] = total
    least = rules.least_share * sum(np.array([abs(total) for total in sums.values()]).tolist())
    raising = sorted((family for family in sums if sums[family] > 0), key=lambda family: -sums[family])
    lowering = sorted((family for family in sums if sums[family] < 0), key=lambda family: sums[family])
    picked = []
    for family in raising[: rules.raising] + lowering[: rules.lowering]:
        if abs(sums[family]) < least:
            continue
        sign = 1 if sums[family] > 0 else -1
        members = families(catalog)[family].tolist()
        facts = [column for column in members if catalog.features[column].unit is not Unit.POINTS]
        tell = facts if any(sign * moved[column] > 0 for column in facts) else members
        best = max(tell, key=lambda column: (sign * moved[column], -column))
        picked.append((catalog.features[best].name, sums[family]))
    return picked


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 6), st.integers(0, 3), st.sampled_from([0.0, 0.02, 0.2]))
def test_the_reasons_of_many_cases_are_those_of_each_alone_and_those_picked_by_hand(
    seed: int, raising: int, lowering: int, least: float
) -> None:
    release = catalog()
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 12))
    values = np.where(rng.random((count, len(release))) < 0.2, np.nan, rng.integers(0, 3, (count, len(release))))
    moved = rng.choice([-0.5, -0.25, 0.0, 0.0, 0.0, 0.125, 0.5], (count, len(release)))  # ties are common
    moved *= rng.choice([0.0, 1.0, 0.1], (count, 1))
    rules = ReasonRules(raising, lowering, least)
    currencies = rng.choice(["CNY", "TWD"], count).tolist()
    together = reasons(release, Families.of(release), values, moved, currencies=currencies, rules=rules)
    for case in range(count):
        here = slice(case, case + 1)
        alone = reasons(
            release, Families.of(release), values[here], moved[here], currencies=currencies[here], rules=rules
        ).of(0)
        assert together.of(case) == alone
        by_hand = slowly(release, values[case], moved[case], rules)
        assert [reason.feature.name for reason in alone] == [name for name, _ in by_hand]
        assert [reason.contribution for reason in alone] == [total for _, total in by_hand]
        written = []
        for place in range(raising + lowering):
            said, which = together.texts(place)
            written.append(None if which[case] == NO_REASON else said[which[case]])
        assert written == [reason.text for reason in alone] + [None] * (raising + lowering - len(alone))
