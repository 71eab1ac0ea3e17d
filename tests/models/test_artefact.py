"""A model that was changed by one byte, or signed by a stranger, is refused before LightGBM sees it."""

from __future__ import annotations

import json
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.catalog import Catalog
from features.errors import ConfigurationRefused, ModelRefused
from features.probes import probe_history
from models import artefact
from models.cards import Population
from models.store import ModelStore
from models.trial import load_tried
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
        artefact.load(copy, store.trusted_keys())
    shutil.rmtree(copy)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_refused(store, tmp_path, name):
    copy = Path(shutil.copytree(store.folder("collection", "1"), tmp_path / "1"))
    (copy / name).unlink()
    with pytest.raises(ModelRefused, match="cannot be read"):
        artefact.load(copy, store.trusted_keys())


def test_a_model_signed_by_a_stranger_is_refused(store, collection, overdue, tmp_path):
    folder = artefact.save(collection, golden_rows(overdue), tmp_path / "1", Ed25519PrivateKey.generate())
    with pytest.raises(ModelRefused, match="trusted key"):
        artefact.load(folder, store.trusted_keys())


def test_a_model_fitted_with_other_feature_code_is_refused(store, tmp_path, collection, overdue):
    key = Ed25519PrivateKey.generate()
    folder = artefact.save(replace(collection, fingerprint="0" * 12), golden_rows(overdue), tmp_path / "1", key)
    with pytest.raises(ModelRefused, match="fingerprint"):
        artefact.load(folder, [key.public_key()])


def test_a_model_that_scores_its_golden_rows_differently_is_refused(collection, overdue, tmp_path, monkeypatch):
    key = Ed25519PrivateKey.generate()
    honest = artefact._golden
    monkeypatch.setattr(artefact, "_golden", lambda *given: {**honest(*given), "probability": [0.5] * 12})
    folder = artefact.save(collection, golden_rows(overdue), tmp_path / "1", key)
    with pytest.raises(ModelRefused, match="golden"):
        artefact.load(folder, [key.public_key()])


def test_the_artefact_holds_no_borrower_and_no_protected_attribute(store):
    text = "".join((store.folder("collection", "1") / name).read_text() for name in artefact.SIGNED_FILES)
    assert "TW0" not in text
    assert "marital" not in text


def test_the_golden_rows_are_those_of_made_up_borrowers(store, overdue):
    golden = json.loads((store.folder("collection", "1") / artefact.GOLDEN).read_bytes())
    assert len(golden["values"]) == len(probe_history().cases)
    real = {tuple(row) for row in overdue.matrix.frame().drop("loan_id", "observed_on").rows()}
    assert not real & {tuple(row) for row in golden["values"]}


def test_the_artefact_says_what_the_card_declares_in_which_words_and_currency(store, collection):
    plain = json.loads((store.folder("collection", "1") / artefact.CARD).read_bytes())
    assert plain["declaration"]["population"] == "overdue"
    assert plain["declaration"]["window_days"] == collection.card.window_days
    assert plain["declaration"]["title"]["zh"] == collection.card.title.zh
    assert plain["texts_version"] == collection.catalog.texts_version
    assert plain["reference"]["currency"] == "TWD"


@pytest.mark.parametrize(
    "change",
    [
        {"window_days": 90},
        {"population": Population.ALL},
        {"helper_weight": 0.5},
        {"name": "mortgage"},
        {"said": None, "bad_days_past_due": 60},
    ],
)
def test_a_card_comes_back_as_it_was_declared_where_it_was_fitted(collection, overdue, tmp_path, change):
    key = Ed25519PrivateKey.generate()
    other = replace(collection, card=replace(collection.card, **change))
    folder = artefact.save(other, golden_rows(overdue), tmp_path / "1", key)
    assert artefact.load(folder, [key.public_key()]).card == other.card


def test_other_words_alone_do_not_refuse_a_model(collection, overdue, tmp_path, monkeypatch):
    key = Ed25519PrivateKey.generate()
    folder = artefact.save(collection, golden_rows(overdue), tmp_path / "1", key)
    monkeypatch.setattr(Catalog, "texts_version", "another")
    assert artefact.load(folder, [key.public_key()]).version == "1"


def test_a_model_whose_mean_score_is_another_than_was_written_down_is_refused(
    collection, overdue, tmp_path, monkeypatch
):
    key = Ed25519PrivateKey.generate()
    honest = artefact._card
    monkeypatch.setattr(artefact, "_card", lambda card: {**honest(card), "base": card.model.base_ + 1e-15})
    folder = artefact.save(collection, golden_rows(overdue), tmp_path / "1", key)
    with pytest.raises(ModelRefused, match="mean score"):
        artefact.load(folder, [key.public_key()])


def test_a_loaded_model_knows_how_many_trees_it_has(store, collection):
    assert store.load("collection").model.trees_ == collection.model.booster_.num_trees() > 0


@pytest.fixture
def copied(store, tmp_path) -> ModelStore:
    """A store that a test may spoil."""
    return ModelStore(Path(shutil.copytree(store.root, tmp_path / "store")))


@pytest.mark.parametrize(("card", "version"), [("collection", "7"), ("behaviour", "1")])
def test_a_folder_copied_to_another_place_is_refused(copied, card, version):
    shutil.copytree(copied.folder("collection", "1"), copied.folder(card, version))
    copied.promote(card, version)
    for asked in (version, None):
        with pytest.raises(ModelRefused, match="another's place"):
            copied.load(card, asked)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"latest\n", "²".encode(), b"../1", b"-1"])
def test_a_champion_that_is_not_a_number_is_refused(copied, content):
    (copied.root / "models" / "collection" / "champion").write_bytes(content)
    with pytest.raises(ModelRefused, match="not a version number"):
        copied.load("collection")


def test_a_folder_whose_name_is_no_plain_number_does_not_count_as_a_version(copied):
    for name in ("²", "x", "٣"):
        (copied.root / "models" / "collection" / name).mkdir()
    assert copied.next_version("collection") == "2"


@pytest.mark.parametrize("content", [b"junk", b"", b"\xff\xfe"])
def test_a_trusted_file_that_is_no_key_is_refused_by_its_name(copied, content):
    (copied.root / "keys" / "trusted" / "junk.pem").write_bytes(content)
    with pytest.raises(ConfigurationRefused, match=r"junk\.pem"):
        copied.load("collection")


def test_a_private_key_among_the_trusted_ones_is_refused_by_its_name(copied):
    shutil.copy(copied.root / "keys" / "signing.pem", copied.root / "keys" / "trusted" / "mine.pem")
    with pytest.raises(ConfigurationRefused, match=r"mine\.pem"):
        copied.load("collection")


def test_a_signing_key_that_is_none_is_refused_by_its_name_and_nothing_is_written(copied, collection, overdue):
    (copied.root / "keys" / "signing.pem").write_text("junk")
    with pytest.raises(ConfigurationRefused, match=r"signing\.pem"):
        copied.save(replace(collection, version="2"), golden_rows(overdue))
    assert not copied.folder("collection", "2").exists()


def test_after_a_crash_between_its_two_keys_a_store_can_load_what_it_saves(copied, collection, overdue):
    (copied.root / "keys" / "trusted" / "own.pem").unlink()
    copied.save(replace(collection, version="2"), golden_rows(overdue))
    assert copied.load("collection", "2").version == "2"


def test_the_signing_key_can_be_read_by_its_owner_only(store):
    assert (store.root / "keys" / "signing.pem").stat().st_mode & 0o077 == 0


def test_a_key_that_could_not_be_written_whole_is_not_there_and_the_next_one_is(tmp_path, monkeypatch):
    def fails(_: int) -> None:
        raise OSError(28, "No space left on device")

    store = ModelStore(tmp_path)
    monkeypatch.setattr("models.store.os.fsync", fails)
    with pytest.raises(OSError, match="No space"):
        store.sign(b"x")
    assert not [path for path in (tmp_path / "keys").rglob("*") if path.is_file()]
    monkeypatch.undo()
    assert store.vouched(b"x", store.sign(b"x"))


def test_of_many_that_make_the_stores_keys_at_once_all_sign_with_the_same(tmp_path):
    together = threading.Barrier(8)

    def signed(_: int) -> bytes:
        together.wait()
        return ModelStore(tmp_path).sign(b"x")

    with ThreadPoolExecutor(8) as pool:
        signatures = set(pool.map(signed, range(8)))
    assert len(signatures) == 1
    assert ModelStore(tmp_path).vouched(b"x", signatures.pop())
    assert {path.name for path in (tmp_path / "keys").rglob("*") if path.is_file()} == {"signing.pem", "own.pem"}


@pytest.mark.parametrize("place", [".", "trusted", "trusted/own.pem"])
def test_keys_that_everybody_can_replace_vouch_for_nothing(copied, place):
    path = copied.root / "keys" / place
    path.chmod(path.stat().st_mode | 0o002)
    with pytest.raises(ConfigurationRefused, match="everybody"):
        copied.load("collection")


def test_a_trial_runs_nothing_that_lies_in_the_folder_it_is_started_in(copied, tmp_path, monkeypatch):
    for name in ("models", "features", "repayrank"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit(1)")
    shutil.rmtree(copied.root / "tried", ignore_errors=True)
    monkeypatch.chdir(tmp_path)
    assert load_tried(copied, "collection").version == "1"
    assert list((copied.root / "tried").iterdir())


@pytest.mark.parametrize("version", ["latest", "../1", "", "1/../1", "²", "١"])
def test_a_version_that_is_not_pinned_is_refused(store, version):
    with pytest.raises(ModelRefused):
        store.folder("collection", version)


def test_canonical_json_is_the_same_whatever_the_order_of_keys():
    assert artefact.canonical({"b": 1, "a": [0.1]}) == artefact.canonical(json.loads('{"a":[0.1],"b":1}'))
    with pytest.raises(ValueError, match="Out of range"):
        artefact.canonical({"a": float("nan")})
