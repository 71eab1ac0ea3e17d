"""What is expected back: two exact parts, a share between 0 and 1, signed with its card, and told as the model's."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jsonschema import Draft202012Validator

from features.errors import ModelRefused
from features.history import History
from models import artefact, recovery
from models.assessment import Assessment, assess, assess_matrix
from models.attribution import ADDITIVITY_BOUND, attribute
from models.fitted_card import FittedCard
from models.pairwise import RECONCILED_WITHIN, compare
from models.policy import default_policy
from models.recovery import RecoveryModel, teaches
from models.risk_model import Size
from serving import answers, openapi
from serving.batch import frame
from training.cohort import Cohort, catalog_of
from training.fitting import golden_rows
from training.monotonicity import monotone_violations


def made_up(cohort: Cohort, seed: int = 0) -> np.ndarray:
    """Recovered shares as collections see them: many nothing, some all, and less from loans that went bad."""
    dice = np.random.default_rng(seed)
    nothing = dice.random(len(cohort)) < np.where(cohort.bad, 0.7, 0.3)
    some = dice.beta(np.where(cohort.bad, 1.0, 3.0), 2.0)
    return np.where(nothing, 0.0, np.where(dice.random(len(cohort)) < 0.05, 1.0, some))


@pytest.fixture(scope="module")
def part(overdue) -> Cohort:
    return overdue.rows(np.arange(0, len(overdue), 4))


@pytest.fixture(scope="module")
def fitted(part) -> Iterator[RecoveryModel]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recovery, "ANY_SIZES", (Size(max_depth=4, num_leaves=7, most_trees=60),))
        patch.setattr(recovery, "SHARE_SIZE", Size(max_depth=4, num_leaves=7, most_trees=60))
        yield RecoveryModel.fit(
            catalog_of(part), part.matrix.values, made_up(part), part.bad, borrowers=part.borrowers, seed=0
        )


@pytest.fixture(scope="module")
def card(collection, fitted) -> FittedCard:
    described = {"loans": 1_705, "mean_share": 0.3}
    return replace(collection, recovery=fitted, reference={**collection.reference, "recovered": described})


@pytest.fixture(scope="module")
def expecting(overdue, card) -> Assessment:
    return assess_matrix(overdue.matrix, overdue.money, card, default_policy())


def test_both_parts_add_up_exactly_and_speak_of_one_group_in_each_tree(fitted, collection, overdue):
    for model in (fitted.nothing, fitted.unpaid, fitted.lost):
        assert attribute(model, collection.catalog, overdue.matrix.values).error <= ADDITIVITY_BOUND
        assert model.trees_ > 1 or model is fitted.lost
        for tree in model.booster_.dump_model()["tree_info"]:
            assert len({collection.catalog.features[column].group for column in used(tree["tree_structure"])}) <= 1


def used(node) -> set[int]:
    if "split_feature" not in node:
        return set()
    return {node["split_feature"]} | used(node["left_child"]) | used(node["right_child"])


def test_no_step_of_either_part_goes_against_a_declared_direction(fitted, overdue):
    assert monotone_violations(fitted.nothing, overdue.matrix.values) == 0
    assert monotone_violations(fitted.unpaid, overdue.matrix.values) == 0
    assert monotone_violations(fitted.lost, overdue.matrix.values) == 0


def test_a_feature_that_raises_the_risk_never_raises_the_expected_share(fitted, collection, overdue):
    values = overdue.matrix.values[:50]
    moved = 0
    for column, feature in enumerate(collection.catalog):
        if feature.risk:
            steps = np.unique(np.nanquantile(overdue.matrix.values[:, column], np.linspace(0, 1, 12)))
            swept = np.repeat(values, len(steps), axis=0)
            swept[:, column] = np.tile(steps, len(values))
            told = fitted.expected_share(swept).reshape(len(values), len(steps))
            assert (np.diff(told, axis=1) * int(feature.risk) <= 1e-12).all(), feature.name
            moved += int((np.diff(told, axis=1) != 0).any())
    assert moved > 5


def test_the_expected_share_is_the_product_of_its_parts_and_lies_between_nothing_and_all(fitted, overdue):
    values = overdue.matrix.values
    told = fitted.expected_share(values)
    assert ((told > 0) & (told < 1)).all()
    product = fitted.nothing.predict_proba(values)[:, 0] * fitted.unpaid.predict_proba(values)[:, 0]
    np.testing.assert_allclose(told, product, atol=1e-12)
    strange = np.vstack([np.full_like(values[0], thing) for thing in (np.nan, -1e12, 0.0, 1e12)])
    assert ((fitted.expected_share(strange) > 0) & (fitted.expected_share(strange) < 1)).all()


def test_what_is_expected_is_right_on_average_and_more_for_loans_that_recovered_more(fitted, part):
    told, recovered = fitted.expected_share(part.matrix.values), made_up(part)
    assert told.mean() == pytest.approx(recovered.mean(), rel=0.05)
    assert np.corrcoef(told, recovered)[0, 1] > 0.2


def test_one_case_is_expected_as_in_the_batch_to_the_bit(fitted, overdue):
    together = fitted.expected_share(overdue.matrix.values)
    for case in range(0, len(overdue), 331):
        assert fitted.expected_share(overdue.matrix.values[case : case + 1])[0] == together[case]


def test_a_missing_value_is_not_taken_for_zero(fitted, collection, overdue):
    unknown, none = overdue.matrix.values.copy(), overdue.matrix.values.copy()
    paid = [column for column, feature in enumerate(collection.catalog) if feature.family == "payment size"]
    unknown[:, paid], none[:, paid] = np.nan, 0
    assert (fitted.unpaid.log_odds(unknown) != fitted.unpaid.log_odds(none)).any()


@pytest.mark.parametrize(
    ("paid", "nothing", "unknown", "bad", "enough"),
    [(50, 50, 0, 50, True), (50, 49, 99, 99, False), (49, 50, 0, 50, False), (50, 50, 9, 49, False)],
)
def test_too_few_loans_of_any_kind_teach_nothing(paid, nothing, unknown, bad, enough):
    shares = np.concatenate([np.full(paid, 0.4), np.zeros(nothing), np.full(unknown, np.nan)])
    assert teaches(shares, np.arange(len(shares)) < bad) == enough


# The artefact


@pytest.fixture(scope="module")
def key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


@pytest.fixture(scope="module")
def saved(card, overdue, key, tmp_path_factory) -> Path:
    return artefact.save(card, golden_rows(overdue), tmp_path_factory.mktemp("recovering") / "1", key)


@pytest.fixture
def copied(saved, tmp_path) -> Path:
    """An artefact that a test may spoil."""
    return Path(shutil.copytree(saved, tmp_path / "1"))


def test_a_loaded_card_expects_as_the_fitted_one_to_the_bit(saved, key, card, overdue):
    loaded = artefact.load(saved, [key.public_key()]).recovery
    values = overdue.matrix.values
    assert loaded.expected_share(values).tobytes() == card.recovery.expected_share(values).tobytes()
    for one, other in ((loaded.nothing, card.recovery.nothing), (loaded.unpaid, card.recovery.unpaid)):
        assert one.contributions(values[:200]).tobytes() == other.contributions(values[:200]).tobytes()
        assert one.trees_ == other.booster_.num_trees()


def test_the_recovery_files_are_hashed_and_the_golden_rows_hold_their_expected_shares(saved, card):
    hashes = json.loads((saved / artefact.MANIFEST).read_bytes())["sha256"]
    assert set(hashes) == {*artefact.SIGNED_FILES, *artefact.RECOVERY_FILES}
    golden = json.loads((saved / artefact.GOLDEN).read_bytes())
    assert len(golden["expected_share"]) == len(golden["values"])


@pytest.mark.parametrize("name", artefact.RECOVERY_FILES)
@pytest.mark.parametrize("place", [0.0, 0.3, 0.999])
def test_a_changed_bit_or_a_cut_tail_of_a_recovery_file_is_refused(copied, key, name, place):
    raw = bytearray((copied / name).read_bytes())
    position = int(place * len(raw))
    raw[position] ^= 1
    for spoilt in (raw, raw[:position]):
        (copied / name).write_bytes(spoilt)
        with pytest.raises(ModelRefused, match="not what was signed"):
            artefact.load(copied, [key.public_key()])


@pytest.mark.parametrize("name", artefact.RECOVERY_FILES)
def test_a_missing_recovery_file_is_refused(copied, key, name):
    (copied / name).unlink()
    with pytest.raises(ModelRefused, match="cannot be read"):
        artefact.load(copied, [key.public_key()])


def test_two_recovery_files_that_changed_places_are_refused(copied, key):
    one, other = (copied / name for name in (artefact.RECOVERY_ANY, artefact.RECOVERY_SHARE))
    swapped = one.read_bytes(), other.read_bytes()
    one.write_bytes(swapped[1])
    other.write_bytes(swapped[0])
    with pytest.raises(ModelRefused, match="not what was signed"):
        artefact.load(copied, [key.public_key()])


@pytest.mark.parametrize("left_out", [artefact.RECOVERY_FILES, artefact.RECOVERY_FILES[:1], ("recovery",)])
def test_a_signed_card_without_the_whole_of_its_recovery_model_is_refused(copied, key, left_out):
    manifest = json.loads((copied / artefact.MANIFEST).read_bytes())
    card = json.loads((copied / artefact.CARD).read_bytes())
    for name in left_out:
        manifest["sha256"].pop(name, None)
        card.pop(name, None)
    raw = artefact.canonical(card)
    (copied / artefact.CARD).write_bytes(raw)
    manifest["sha256"][artefact.CARD] = hashlib.sha256(raw).hexdigest()
    signed = artefact.canonical(manifest)
    (copied / artefact.MANIFEST).write_bytes(signed)
    (copied / artefact.SIGNATURE).write_bytes(key.sign(signed))
    with pytest.raises(ModelRefused, match="not whole"):
        artefact.load(copied, [key.public_key()])


@pytest.mark.parametrize("told", ["expected_share", "lost_share"])
def test_a_recovery_model_that_expects_otherwise_of_its_golden_rows_is_refused(
    card, overdue, key, tmp_path, monkeypatch, told
):
    honest = artefact._golden
    monkeypatch.setattr(artefact, "_golden", lambda *given: {**honest(*given), told: [0.5] * 12})
    folder = artefact.save(card, golden_rows(overdue), tmp_path / "1", key)
    with pytest.raises(ModelRefused, match="golden"):
        artefact.load(folder, [key.public_key()])


def test_a_card_without_recoveries_is_written_and_loaded_as_before(collection, overdue, key, tmp_path):
    folder = artefact.save(collection, golden_rows(overdue), tmp_path / "1", key)
    assert {path.name for path in folder.iterdir()} == {
        *artefact.SIGNED_FILES,
        artefact.MANIFEST,
        artefact.SIGNATURE,
    }
    assert "recovery" not in json.loads((folder / artefact.CARD).read_bytes())
    (folder / artefact.RECOVERY_ANY).write_text("a stray file that nobody signed is not read")
    assert artefact.load(folder, [key.public_key()]).recovery is None


# The ledger, the answer and the file


def test_the_ledgers_loss_share_is_what_is_lost_of_loans_that_go_bad(expecting, fitted):
    told, lost = fitted.expected_share(expecting.values), fitted.lost_share(expecting.values)
    assert (expecting.ledger.loss_share == np.log(lost)).all()
    assert (expecting.ledger.loss_share < 0).all()
    money = expecting.probability * expecting.ledger.exposure_minor * lost
    np.testing.assert_allclose(expecting.ledger.expected_loss_minor, money, rtol=1e-9)
    assert (expecting.expected_recovery_minor == expecting.ledger.exposure_minor * told).all()
    assert set(expecting.loss_share_status) == {"model"}


def test_the_lost_share_is_that_of_bad_loans_and_not_of_all(fitted, part):
    recovered, lost = made_up(part), fitted.lost_share(part.matrix.values)
    assert lost.mean() == pytest.approx(1 - recovered[part.bad].mean(), abs=0.03)
    assert lost.mean() > 1 - recovered.mean() + 0.1


def test_any_two_borrowers_are_reconciled_line_by_line_with_a_recovery_model_too(expecting):
    dice = np.random.default_rng(0)
    seen = 0
    for first, second in dice.integers(0, len(expecting), (200, 2)):
        told = compare(expecting, int(first), int(second))
        assert abs(told.gap - sum(line.difference for line in told.lines)) <= RECONCILED_WITHIN
        shares = [line.difference for line in told.lines if line.name == "loss_share"]
        if shares:
            seen += 1
            assert shares == [expecting.ledger.loss_share[first] - expecting.ledger.loss_share[second]]
    assert seen > 100


def test_without_a_recovery_model_the_policys_assumption_stays(assessed, collection):
    assert collection.recovery is None
    assert assessed.expected_recovery_minor is None
    assert set(assessed.loss_share_status) == {"assumption"}
    shares = np.array([entry.share for entry in assessed.loss_shares])
    assert (assessed.ledger.loss_share == np.log(shares)).all()


def test_the_answer_and_the_file_tell_whose_loss_share_it_is_and_what_is_expected_back(taiwan, card, collection):
    history = History.as_of(
        taiwan.observed_on, taiwan.tables.of_loans(taiwan.tables.loans.get_column("loan_id").head(40)), zone=taiwan.zone
    )
    form = Draft202012Validator(openapi._entry(SimpleNamespace(policy=default_policy()))["ledger"])
    for model, status in ((card, "model"), (collection, "assumption")):
        told = assess(history, model, default_policy())
        rows = frame(told, ranked=False)
        entries = answers.entries_of(told)
        for entry, row in zip(entries, rows.to_dicts(), strict=True):
            form.validate(entry["ledger"])
            assert entry["ledger"]["loss_share_status"] == row["loss_share_status"] == status
            assert entry["ledger"]["expected_recovery_minor"] == row["expected_recovery_minor"]
            assert (row["expected_recovery_minor"] is None) == (model is collection)
        assert rows.schema["expected_recovery_minor"].is_float()
