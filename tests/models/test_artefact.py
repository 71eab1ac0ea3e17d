"""A model that was changed by one byte, or signed by a stranger, is refused before LightGBM sees it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.errors import ModelRefused
from models import artefact
from models.store import ModelStore
from training.fitting import golden_rows

FILES = (*artefact.SIGNED_FILES, artefact.MANIFEST, artefact.SIGNATURE)


@pytest.fixture(scope="module")
def store(tmp_path_factory, collection, overdue) -> ModelStore:
    kept = ModelStore(tmp_path_factory.mktemp("store"))
    kept.save(collection, golden_rows(overdue))
    kept.promote("collection", "1")
    return kept


def test_a_loaded_card_scores_as_the_fitted_one_to_the_bit(store, collection, overdue):
    loaded = store.load("collection")
    values = overdue.matrix.values
    assert loaded.model.contributions(values).tobytes() == collection.model.contributions(values).tobytes()
    assert (loaded.model.predict_proba(values) == collection.model.predict_proba(values)).all()
    assert loaded.version == "1"
    assert loaded.fingerprint == collection.catalog.fingerprint


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(FILES), place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), cut=st.booleans())
def test_any_changed_bit_or_cut_tail_is_refused(store, tmp_path_factory, name, place, bit, cut):
    copy = tmp_path_factory.mktemp("copy") / "1"
    shutil.copytree(store.folder("collection", "1"), copy)
    raw = bytearray((copy / name).read_bytes())
    position = int(place * len(raw))
    raw[position] ^= 1 << bit
    (copy / name).write_bytes(raw[:position] if cut else raw)
    with pytest.raises(ModelRefused):
        artefact.load(copy, store._trusted_keys())
    shutil.rmtree(copy)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_refused(store, tmp_path, name):
    copy = Path(shutil.copytree(store.folder("collection", "1"), tmp_path / "1"))
    (copy / name).unlink()
    with pytest.raises(ModelRefused, match="cannot be read"):
        artefact.load(copy, store._trusted_keys())


def test_a_model_signed_by_a_stranger_is_refused(store, collection, overdue, tmp_path):
    folder = artefact.save(collection, golden_rows(overdue), tmp_path / "1", Ed25519PrivateKey.generate())
    with pytest.raises(ModelRefused, match="trusted key"):
        artefact.load(folder, store._trusted_keys())


def test_a_model_fitted_with_other_feature_code_is_refused(store, tmp_path, collection, overdue):
    from dataclasses import replace

    key = Ed25519PrivateKey.generate()
    folder = artefact.save(replace(collection, fingerprint="0" * 12), golden_rows(overdue), tmp_path / "1", key)
    with pytest.raises(ModelRefused, match="fingerprint"):
        artefact.load(folder, [key.public_key()])


def test_a_model_that_scores_its_golden_rows_differently_is_refused(collection, overdue, tmp_path, monkeypatch):
    key = Ed25519PrivateKey.generate()
    honest = artefact._golden
    monkeypatch.setattr(
        artefact, "_golden", lambda *given: {**honest(*given), "probability": [0.5] * artefact.GOLDEN_ROWS}
    )
    folder = artefact.save(collection, golden_rows(overdue), tmp_path / "1", key)
    with pytest.raises(ModelRefused, match="golden"):
        artefact.load(folder, [key.public_key()])


def test_the_artefact_holds_no_borrower_and_no_protected_attribute(store):
    text = "".join((store.folder("collection", "1") / name).read_text() for name in artefact.SIGNED_FILES)
    assert "TW0" not in text
    assert "marital" not in text


def test_the_signing_key_can_be_read_by_its_owner_only(store):
    assert (store.root / "keys" / "signing.pem").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("version", ["latest", "../1", "", "1/../1"])
def test_a_version_that_is_not_pinned_is_refused(store, version):
    with pytest.raises(ModelRefused):
        store.folder("collection", version)


def test_canonical_json_is_the_same_whatever_the_order_of_keys():
    assert artefact.canonical({"b": 1, "a": [0.1]}) == artefact.canonical(json.loads('{"a":[0.1],"b":1}'))
    with pytest.raises(ValueError, match="Out of range"):
        artefact.canonical({"a": float("nan")})
