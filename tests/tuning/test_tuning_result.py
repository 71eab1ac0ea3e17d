"""The file that tuning writes is read back as it was meant, and a slip of the hand in it is refused by name."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.errors import ConfigurationRefused, UsageError
from models.risk_model import SIZES, Size
from training.statistics.paired import Difference
from training.tuning.result import Tuned, Verdict, chosen, path_of, size_asked_for, write
from training.tuning.space import defaults, distributions, size_of, space

CARD = "collection"


def verdict(low: float = -0.001, high: float = 0.003) -> Verdict:
    return Verdict(2273, 0.742, 0.741, Difference(0.001, low, high), None, None)


def written(folder: Path, size: Size = SIZES[0], found: str = "folds") -> Path:
    provenance = {"splits": found, "seed": 0, "book_sha256": "ab" * 32, "judged_after_trials": [5, 9], "value": 0.47}
    write(Tuned(CARD, size, provenance, verdict(), {"optuna": "5.0.0"}), folder / "parameters.toml")
    return folder / "parameters.toml"


sizes = st.fixed_dictionaries(
    {
        name: st.integers(int(bounds.low), int(bounds.high)) if bounds.whole else st.floats(bounds.low, bounds.high)
        for name, bounds in space(5_000).items()
    }
).map(size_of)


@settings(max_examples=30, deadline=None)
@given(size=sizes, found=st.text())
def test_every_size_that_can_be_drawn_comes_back_from_its_file(tmp_path_factory, size, found):
    read = chosen(written(tmp_path_factory.mktemp("file"), size, found), CARD)
    assert read.size == size
    assert read.tuned_on == "ab" * 32
    assert read.words == verdict().words


@pytest.mark.parametrize("cases", [500, 5_000, 200_000])
def test_the_default_sizes_lie_in_the_space_and_are_tried_as_they_are_but_for_the_most_trees(cases):
    among = distributions(cases)
    for parameters in defaults(cases):
        assert parameters.keys() == among.keys()
        assert all(among[name]._contains(among[name].to_internal_repr(value)) for name, value in parameters.items())
    tried = [replace(size_of(one), most_trees=own.most_trees) for one, own in zip(defaults(5_000), SIZES, strict=True)]
    assert tried == list(SIZES)


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ('card = "collection"', 'card = "behaviour"', "parameters of the card 'behaviour', not of 'collection'"),
        ("format = 1", "format = 2", "format 2 instead of 1"),
        ("num_leaves = 15", "num_leaves = 15.5", "'num_leaves' is not a whole number from 2 to 4096"),
        ("num_leaves = 15", "num_leaves = true", "'num_leaves' is not a whole number"),
        ("max_depth = 5", "max_depth = -1", "'max_depth' is not a whole number from 1 to 12"),
        ("learning_rate = 0.03", "learning_rate = nan", "'learning_rate' is not a number from 0.0001 to 1"),
        ("learning_rate = 0.03", 'learning_rate = "0.03"', "'learning_rate' is not a number"),
        ("lambda_l2 = 20.0", "lambda_l3 = 20.0", "'lambda_l3' is no part of a size; 'lambda_l2' is not a number"),
        ("[size]", "[sizes]", "no table [size]"),
        ("[size]", "[size", "it is no TOML"),
    ],
)
def test_a_slip_of_the_hand_is_refused_by_name(tmp_path, before, after, found):
    path = written(tmp_path)
    path.write_text(path.read_text().replace(before, after))
    with pytest.raises(ConfigurationRefused, match=re.escape(found)):
        chosen(path, CARD)


def test_a_gain_is_called_one_only_when_it_is_more_than_chance():
    assert verdict(0.0001).words.startswith("tuning gained: on 2,273 cases set apart, better: +0.0010 AUC")
    for low, high in ((0.0, 0.002), (-0.001, 0.003), (-0.004, -0.001)):
        assert verdict(low, high).words.startswith("tuning gained nothing beyond chance: on 2,273 cases set apart")


def test_a_card_that_was_never_tuned_is_told_how_to_be(tmp_path):
    assert size_asked_for(tmp_path, CARD, tuned=False, parameters=None) is None
    with pytest.raises(UsageError, match="the collection card has not been tuned here"):
        size_asked_for(tmp_path, CARD, tuned=True, parameters=None)
    path_of(tmp_path, CARD).parent.mkdir(parents=True)
    path = written(path_of(tmp_path, CARD).parent)
    assert size_asked_for(tmp_path, CARD, tuned=True, parameters=None) == chosen(path, CARD)
    with pytest.raises(UsageError, match="both --tuned and --parameters"):
        size_asked_for(tmp_path, CARD, tuned=True, parameters=path)
