"""However the files of a model are damaged, swapped, edited or replayed: it is refused, at once, and nobody dies of it.

The damage is done to the store and loaded in this process: a file that came past the hashes would end it.
"""

from __future__ import annotations

import os
import random
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import damaged_models
import lightgbm as lgb
import numpy as np
import pytest
from damaged_models import FILES, NO_FILES, Damages, contents_of, holding

from features.errors import ModelRefused
from models.artefact import MANIFEST, MODEL
from models.calibration import Calibration
from models.fitted_card import FittedCard
from models.risk_model import RiskModel
from models.store import ModelStore
from models.trial import TRIED, has_lived, load_tried
from training.cohort import Cohort
from training.fitting import golden_rows

CARD, OLD, OTHER, NEW = "collection", "1", "2", "3"
DAMAGES = int(os.environ.get("REPAYRANK_DAMAGED_MODELS", "10000"))
SEED = int(os.environ.get("REPAYRANK_DAMAGE_SEED", "0"))
SIGNED = int(os.environ.get("REPAYRANK_SIGNED_DAMAGED_MODELS", "4"))
SLOWEST = 2.0
"""Seconds within which damage is told."""


def shifted(card: FittedCard, version: str, *, trees: int | None = None) -> FittedCard:
    """Return a card that gives other scores."""
    booster = lgb.Booster(model_str=card.model.booster_.model_to_string(num_iteration=trees))
    fitted = card.model
    other = RiskModel.fitted(booster, Calibration("sigmoid", (0.0, 1.0), (0.4, 1.5)), fitted.groups, fitted.directions)
    other.trees_ = booster.num_trees()
    return replace(card, version=version, model=other)


@pytest.fixture(scope="module")
def store(collection: FittedCard, overdue: Cohort, tmp_path_factory: pytest.TempPathFactory) -> ModelStore:
    """A store with three versions: the second has the first one's trees, the third has other trees."""
    kept = ModelStore(tmp_path_factory.mktemp("store"))
    kept.save(collection, golden_rows(overdue))
    kept.save(shifted(collection, OTHER), golden_rows(overdue))
    kept.save(shifted(collection, NEW, trees=20), golden_rows(overdue))
    kept.promote(CARD, NEW)
    return kept


def refused(load: Callable[[], object]) -> bool:
    try:
        load()
    except ModelRefused:
        return True
    return False


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def scores(card: FittedCard, overdue: Cohort) -> bytes:
    values = overdue.matrix.values[:500]
    contributions, log_odds = card.model.tables_.explained(values, 1)
    return contributions.tobytes() + log_odds.tobytes() + card.model.predict_proba(values).tobytes()


def test_of_ten_thousand_damaged_models_none_is_loaded(store: ModelStore, overdue: Cohort) -> None:
    seed = SEED
    whole = contents_of(store.folder(CARD, NEW))
    damages = Damages(seed, whole, [contents_of(store.folder(CARD, version)) for version in (OLD, OTHER)])
    before = scores(store.load(CARD), overdue)
    told: Counter[str] = Counter()
    slowest, refused_in = 0.0, 0.0
    for number in range(DAMAGES):
        kind, files = damages.draw()
        if files == whole:  # the same bytes are the same model
            told["as it was"] += 1
            continue
        with holding(store.folder(CARD, NEW), files, whole):
            began = time.perf_counter()
            assert refused(lambda: store.load(CARD)), f"seed {seed}, damage {number}: {kind}"
            took = time.perf_counter() - began
        slowest, refused_in = max(slowest, took), refused_in + took
        told[kind] += 1
    say(f"seed {seed}: {dict(told)}; refused in {1000 * refused_in / DAMAGES:.2f} ms, slowest {slowest:.3f} s")
    assert sum(told.values()) == DAMAGES
    assert told["as it was"] < DAMAGES / 100
    assert {kind.__name__ for kind in damages.kinds} <= set(told) or DAMAGES < 1_000
    assert slowest < SLOWEST, f"seed {seed}"
    assert contents_of(store.folder(CARD, NEW)) == whole
    assert scores(store.load(CARD), overdue) == before


@pytest.mark.parametrize("tried", [False, True])
def test_damage_is_told_before_a_child_is_started_for_it(
    store: ModelStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tried: bool
) -> None:
    kept = ModelStore(Path(shutil.copytree(store.root, tmp_path / "store", ignore=shutil.ignore_patterns(TRIED))))
    if tried:
        has_lived(kept, CARD, NEW)
    monkeypatch.setattr("sys.executable", "/nonexistent")
    seed = SEED
    whole = contents_of(kept.folder(CARD, NEW))
    damages = Damages(seed, whole, [contents_of(kept.folder(CARD, OLD))])
    for number in range(100):
        kind, files = damages.draw()
        if files == whole:
            continue
        with holding(kept.folder(CARD, NEW), files, whole):
            assert refused(lambda: load_tried(kept, CARD)), f"seed {seed}, damage {number}: {kind}"


@pytest.mark.parametrize("kind", NO_FILES)
@pytest.mark.parametrize("name", FILES)
def test_what_is_no_file_is_neither_waited_for_nor_read(
    store: ModelStore, tmp_path: Path, name: str, kind: str
) -> None:
    kept = ModelStore(Path(shutil.copytree(store.root, tmp_path / "store")))
    damaged_models.no_file(kept.folder(CARD, NEW) / name, kind)
    began = time.perf_counter()
    with pytest.raises(ModelRefused):
        load_tried(kept, CARD)
    assert time.perf_counter() - began < SLOWEST
    if name == MANIFEST:
        assert kept.digest(CARD, NEW) is None


def test_an_older_version_under_the_new_name_is_refused_by_the_tried_way_as_well(
    store: ModelStore, tmp_path: Path
) -> None:
    kept = ModelStore(Path(shutil.copytree(store.root, tmp_path / "store")))
    has_lived(kept, CARD, OLD)  # a trial of the same files is noted: the name alone is wrong
    shutil.rmtree(kept.folder(CARD, NEW))
    shutil.copytree(kept.folder(CARD, OLD), kept.folder(CARD, NEW))
    with pytest.raises(ModelRefused, match="another's place"):
        load_tried(kept, CARD)


@pytest.mark.slow
def test_trees_that_were_damaged_before_they_were_signed_are_refused_or_score_their_golden_rows(
    store: ModelStore, overdue: Cohort, tmp_path: Path
) -> None:
    kept = ModelStore(Path(shutil.copytree(store.root, tmp_path / "store")))
    seed = SEED
    chosen = random.Random(seed)
    trees = (kept.folder(CARD, OLD) / MODEL).read_bytes()
    told: Counter[str] = Counter()
    for _ in range(SIGNED):
        raw = bytearray(trees)
        for _ in range(chosen.choice((1, 3))):
            raw[chosen.randrange(len(raw))] ^= 1 << chosen.randrange(7)
        damaged_models.signed_anew(kept, CARD, "9", OLD, MODEL, bytes(raw))
        try:
            card = load_tried(kept, CARD, "9")
        except ModelRefused as error:
            told[error.found.partition("(")[0]] += 1
        else:
            assert np.isfinite(card.model.predict_proba(overdue.matrix.values[:100])).all(), f"seed {seed}"
            told["loaded"] += 1
    say(f"seed {seed}: {dict(told)}")
    assert sum(told.values()) == SIGNED
    assert not any("place" in why for why in told)
    assert kept.load(CARD, OLD).version == OLD
