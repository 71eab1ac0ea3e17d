"""A validation counts for the version whose manifest it names, as it was signed, and for nothing else."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

from features.errors import ModelRefused
from features.words import Text
from models.store import ModelStore
from training.fitting import golden_rows
from training.validation.findings import Finding, Verdict
from training.validation.result import EVIDENCE, RESULT, SIGNATURE, Result, written
from training.validation.standing import evidence_path, folder_of, read, require_passed, standing

CARD = "collection"


@pytest.fixture
def store(tmp_path, collection, overdue) -> ModelStore:
    """Two versions of a card, of which neither is validated."""
    made = ModelStore(tmp_path / "home")
    for version in ("1", "2"):
        made.save(replace(collection, version=version), golden_rows(overdue))
    return made


def result_of(store: ModelStore, version: str, verdict: Verdict = Verdict.PASS, **changes) -> Result:
    told = Result(
        card=CARD,
        version=version,
        manifest=store.digest(CARD, version) or "",
        fingerprint="f",
        mode="own cases",
        portfolio="taiwan",
        first_on="2005-09-30",
        last_on="2005-09-30",
        cases=10,
        bad=3,
        values="v",
        policy="p",
        policy_version="1",
        verdict=verdict,
        by="tests",
        at="2026-11-29T00:00:00+00:00",
        run="r",
        evidence=written(folder_of(store, CARD, version) / EVIDENCE, b"evidence"),
        packages={},
        seconds={},
        findings=(Finding("calibration.slope", verdict, Text(en="slope", zh="斜率")),),
    )
    return replace(told, **changes)


def kept(store: ModelStore, result: Result, below: str = "") -> Result:
    folder = folder_of(store, CARD, result.version) / below
    raw = result.to_bytes()
    written(folder / RESULT, raw)
    written(folder / SIGNATURE, store.sign(raw))
    return result


def test_a_validation_is_read_back_as_it_was_written(store):
    told = kept(store, result_of(store, "1", Verdict.WARN))
    assert standing(store, CARD, "1").own == told
    assert require_passed(store, CARD, "1").passed
    assert evidence_path(folder_of(store, CARD, "1"), told).read_bytes() == b"evidence"


def test_a_version_without_a_validation_is_told_how_to_get_one(store):
    assert standing(store, CARD, "1").own is None
    with pytest.raises(ModelRefused, match="was not validated"):
        require_passed(store, CARD, "1")


def test_a_refused_version_is_named_with_the_checks_that_refuse_it(store):
    kept(store, result_of(store, "1", Verdict.REFUSE))
    with pytest.raises(ModelRefused, match=r"refuses: calibration\.slope"):
        require_passed(store, CARD, "1")


def test_a_pass_on_its_own_cases_does_not_outlive_a_refusal_on_later_ones(store):
    kept(store, result_of(store, "1"))
    assert standing(store, CARD, "1").passed
    kept(store, result_of(store, "1", Verdict.REFUSE, mode="later cases"), "later_2006-01-31")
    assert not standing(store, CARD, "1").passed
    with pytest.raises(ModelRefused, match=r"refuses: calibration\.slope"):
        require_passed(store, CARD, "1")


def test_a_pass_on_later_cases_alone_does_not_suffice(store):
    kept(store, result_of(store, "1", mode="later cases"), "later_2006-01-31")
    assert not standing(store, CARD, "1").passed


def test_the_validation_of_another_version_is_refused(store):
    kept(store, result_of(store, "1"))
    shutil.copytree(folder_of(store, CARD, "1"), folder_of(store, CARD, "2"))
    with pytest.raises(ModelRefused, match="another model"):
        standing(store, CARD, "2")


def test_the_validation_of_a_version_that_was_trained_anew_under_its_number_is_refused(store, collection, overdue):
    kept(store, result_of(store, "1"))
    shutil.rmtree(store.folder(CARD, "1"))
    store.save(replace(collection, provenance={"portfolio": "another"}), golden_rows(overdue))
    with pytest.raises(ModelRefused, match="another model"):
        standing(store, CARD, "1")


@pytest.mark.parametrize("name", [RESULT, SIGNATURE])
def test_every_changed_byte_is_found(store, name):
    kept(store, result_of(store, "1", Verdict.REFUSE))
    path = folder_of(store, CARD, "1") / name
    whole = path.read_bytes()
    for place in range(0, len(whole), max(1, len(whole) // 60)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(ModelRefused, match="no trusted key has signed"):
            standing(store, CARD, "1")
    path.write_bytes(whole[:-1])
    with pytest.raises(ModelRefused):
        standing(store, CARD, "1")
    path.unlink()
    if name == SIGNATURE:
        with pytest.raises(ModelRefused, match="cannot be read"):
            standing(store, CARD, "1")


def test_a_signature_of_a_manifest_is_none_of_a_validation(store):
    folder = folder_of(store, CARD, "1")
    signed = store.folder(CARD, "1")
    written(folder / RESULT, (signed / "manifest.json").read_bytes())
    written(folder / SIGNATURE, (signed / "manifest.sig").read_bytes())
    with pytest.raises(ModelRefused, match="another form"):
        read(store, CARD, "1", folder)


def test_evidence_that_was_changed_is_no_evidence(store):
    told = kept(store, result_of(store, "1"))
    (folder_of(store, CARD, "1") / EVIDENCE).write_bytes(b"evidencE")
    with pytest.raises(ModelRefused, match="not what the validation was made from"):
        evidence_path(folder_of(store, CARD, "1"), told)
