"""A version that may not serve is refused before anything is changed, by name."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace

import polars as pl
import pytest
from planted_faults import CARD

from features.errors import ConfigurationRefused, DataRefused, ModelRefused, UsageError
from models import artefact
from models.champions import ConflictingChampion, Standing
from models.policy import default_policy
from models.store import ModelStore
from models.trial import has_lived
from training.principals import TRAINED_BY, account, alike, named
from training.promotion.policy import read_rules, rules_from
from training.promotion.proposal import promotion, rollback
from training.validation.findings import Verdict
from training.validation.result import EVIDENCE, RESULT, SIGNATURE, parsed, written
from training.validation.standing import folder_of

RULES = read_rules()
WHY = "asked for by the credit committee"


def propose(store: ModelStore, version: str = "2", by: str = "head of risk", **more):
    return promotion(store, CARD, version, **{"by": by, "rules": RULES, "book": None, "reason": WHY, **more})


def resigned(store: ModelStore, version: str, **changes) -> None:
    """Change a validation and sign it anew."""
    folder = folder_of(store, CARD, version)
    told = parsed((folder / RESULT).read_bytes())
    assert told is not None
    raw = replace(told, **changes).to_bytes()
    written(folder / RESULT, raw)
    written(folder / SIGNATURE, store.sign(raw))


def remade(store: ModelStore, version: str, **provenance) -> None:
    """Change what a version says of its making, and sign it anew."""
    folder = store.folder(CARD, version)
    plain = json.loads((folder / artefact.CARD).read_bytes())
    plain["provenance"] |= provenance
    manifest = json.loads((folder / artefact.MANIFEST).read_bytes())
    raw = artefact.canonical(plain)
    manifest["sha256"][artefact.CARD] = hashlib.sha256(raw).hexdigest()
    signed = artefact.canonical(manifest)
    (folder / artefact.CARD).write_bytes(raw)
    (folder / artefact.MANIFEST).write_bytes(signed)
    (folder / artefact.SIGNATURE).write_bytes(store.sign(signed))
    has_lived(store, CARD, version)
    if folder_of(store, CARD, version).exists():
        resigned(store, version, manifest=store.digest(CARD, version))


def test_a_version_that_passed_is_proposed_with_who_trained_and_who_validated_it(store):
    told = propose(store)
    assert (told.trained_by, told.own.by, told.by) == ("Model Team", "model validation", "head of risk")
    assert told.expected == Standing("1", 1)
    assert told.sets is None
    assert told.reason == WHY


def test_a_version_that_was_not_validated_is_refused(store):
    shutil.rmtree(folder_of(store, CARD, "2"))
    with pytest.raises(ModelRefused, match=r"was not validated.*repayrank validate --card collection --version 2"):
        propose(store)


def test_a_version_that_its_validation_refuses_is_refused_with_the_names_of_the_checks(store):
    told = parsed((folder_of(store, CARD, "2") / RESULT).read_bytes())
    findings = tuple(
        replace(one, verdict=Verdict.REFUSE) if one.check.startswith("calibration.") else one for one in told.findings
    )
    resigned(store, "2", verdict=Verdict.REFUSE, findings=findings)
    names = ", ".join(one.check for one in findings if one.verdict is Verdict.REFUSE)
    with pytest.raises(ModelRefused) as refused:
        propose(store)
    assert refused.value.found == f"a version that its validation refuses: {names}"
    assert "calibration.slope" in names


def test_a_validation_that_no_trusted_key_has_signed_counts_for_nothing(store):
    path = folder_of(store, CARD, "2") / RESULT
    path.write_bytes(path.read_bytes().replace(b"model validation", b"model_validation"))
    with pytest.raises(ModelRefused, match="no trusted key has signed"):
        propose(store)


@pytest.mark.parametrize("by", ["Model Team", "model team", " MODEL  TEAM ", "modelteam", "ＭＯＤＥＬ ｔｅａｍ"])
def test_who_trained_a_version_does_not_promote_it_however_the_name_is_written(store, by):
    with pytest.raises(ModelRefused, match=r"who promotes the version also trained it.*two principals"):
        propose(store, by=by)


def test_who_trained_a_version_does_not_validate_it_unless_the_banks_rules_say_so(store):
    resigned(store, "2", by="model  team")
    with pytest.raises(ModelRefused, match="who validated the version also trained it"):
        propose(store)
    own = rules_from(
        shipped().replace("validator_may_train = false", "validator_may_train = true").encode(), where="own"
    )
    assert propose(store, rules=own).version == "2"


def test_the_banks_rules_may_keep_validator_and_promoter_apart_as_well(store):
    assert propose(store, by="model validation").version == "2"
    own = rules_from(
        shipped().replace("promoter_may_validate = true", "promoter_may_validate = false").encode(), where="own"
    )
    with pytest.raises(ModelRefused, match="who promotes the version also validated it"):
        propose(store, by="Model Validation", rules=own)


def test_a_version_that_does_not_say_who_trained_it_is_refused(store):
    remade(store, "2", **{TRAINED_BY: ""})
    with pytest.raises(ModelRefused, match="does not say who trained it"):
        propose(store)


def test_the_version_that_serves_is_not_promoted_again(store):
    store.promote(CARD, "2")
    with pytest.raises(ModelRefused, match="serves already"):
        propose(store)


def test_a_promotion_after_a_change_that_was_not_seen_is_refused(store):
    assert propose(store, expected=1).expected.generation == 1
    store.promote(CARD, "3")
    store.promote(CARD, "1")  # it came back: the version is the same, the change is not
    with pytest.raises(ConflictingChampion, match="change 3 made version 1 the champion"):
        propose(store, expected=1)


def test_a_version_that_does_not_verify_or_is_not_there_is_refused(store):
    path = store.folder(CARD, "2") / artefact.MODEL
    path.write_bytes(path.read_bytes().replace(b"tree", b"tres", 1))
    with pytest.raises(ModelRefused, match="is not what was signed"):
        propose(store)
    with pytest.raises(ModelRefused):
        propose(store, "9")


def test_a_version_that_ends_the_process_that_loads_it_is_refused(store, monkeypatch):
    shutil.rmtree(store.root / "tried")
    monkeypatch.setattr("models.trial.SECONDS", 0.01)
    with pytest.raises(ModelRefused, match="did not load within"):
        propose(store)


def test_without_swap_sets_a_reason_is_asked_for(store):
    with pytest.raises(UsageError, match="no reason"):
        propose(store, reason="  ")
    with pytest.raises(UsageError, match="no reason"):
        propose(store, reason="two\nlines")


def test_another_book_than_the_one_that_was_validated_is_refused(store, book):
    first = book.outcomes.with_columns(bad=pl.col("bad") ^ (pl.int_range(pl.len()) == 0))
    for other in (replace(book, outcomes=first), replace(book, tables=replace(book.tables, payments=None))):
        with pytest.raises(DataRefused, match="other cases than those that the version was validated on"):
            propose(store, book=lambda other=other: other)


def test_evidence_that_was_changed_refuses_the_swap_sets(store, book):
    path = folder_of(store, CARD, "2") / EVIDENCE
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(ModelRefused, match="evidence"):
        propose(store, book=lambda: book)


@pytest.mark.parametrize(("version", "cases"), [("2", 1364), ("3", 410)])
def test_the_swap_sets_are_of_the_cases_of_the_validation_and_say_what_the_champion_knew(store, book, version, cases):
    told = propose(store, version, book=lambda: book, reason="")
    assert told.sets is not None
    assert told.sets["cases"] == cases == told.own.cases
    assert told.sets["known_before"] == cases
    assert (told.portfolio, told.policy) == (book.name, default_policy().digest)
    assert told.reason == f"validated by model validation on {told.own.at[:10]}: {told.own.verdict.text.en}"
    scores = {row["scores"] for row in told.sets["sets"]}
    assert scores == {"card", "unseen"}
    if version == "3":  # cases that were held out are scored by the card itself
        rows = {name: [{**row, "scores": ""} for row in told.sets["sets"] if row["scores"] == name] for name in scores}
        assert rows["card"] == rows["unseen"]


def test_nothing_to_go_back_to_is_refused_and_so_is_a_version_that_never_served(store):
    with pytest.raises(ModelRefused, match="nothing to go back to"):
        rollback(store, CARD, by="head of risk", reason="alarm", rules=RULES)
    with pytest.raises(ModelRefused, match="version 2 never was champion"):
        rollback(store, CARD, by="head of risk", reason="alarm", rules=RULES, version="2")
    with pytest.raises(UsageError, match="no reason"):
        rollback(store, CARD, by="head of risk", reason="", rules=RULES)


def test_a_version_that_is_not_what_it_was_when_it_served_is_not_gone_back_to(store):
    store.promote(CARD, "2")
    remade(store, "1", note="another")
    with pytest.raises(ModelRefused, match="is not what it was when it served"):
        rollback(store, CARD, by="head of risk", reason="alarm", rules=RULES)


def test_a_version_goes_back_without_a_new_validation_and_what_is_known_of_it_is_said(store):
    store.promote(CARD, "2")
    told = rollback(store, CARD, by="model team", reason="alarm", rules=RULES)
    assert (told.version, told.undoes, told.own) == ("1", 2, None)
    assert [note.en for note in told.notes] == ["it was never validated: it served before"]
    store.promote(CARD, "1")
    resigned(store, "2", verdict=Verdict.REFUSE)
    assert "its validation refuses it" in rollback(store, CARD, by="x", reason="alarm", rules=RULES).notes[0].en


def shipped() -> str:
    from importlib.resources import files

    return files("training.promotion").joinpath("policy.toml").read_bytes().decode()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("first_share = 0.1", "first_share = 1.5", "first_share must be above 0"),
        ("features = 8", "features = 0", "features must be at least 1"),
        ("validator_may_train = false\n", "", "validator_may_train"),
        ("format = 1", "format = 2", "it is 1"),
        ("[reasons]", "[reason]", "reason"),
        ("first_share = 0.1", "promoter_may_train = true", "promoter_may_train"),
    ],
)
def test_rules_that_are_none_are_refused(old, new, words):
    with pytest.raises(ConfigurationRefused, match=words):
        rules_from(shipped().replace(old, new).encode(), where="own")


def test_a_name_is_one_line_of_printable_characters():
    for none in ("", "  ", "a\nb", "x" * 121):
        with pytest.raises(UsageError, match="nobody who trains"):
            named(none, "trains")
    assert named(" model team ", "trains") == "model team"
    assert account()
    assert not alike("model team", "model teams")
