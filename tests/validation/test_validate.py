"""One command judges a stored version, signs what it found, and keeps it where it is looked for."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path

import mlflow
import numpy as np
import polars as pl
import pytest
from planted_faults import CARD, part_of

import repayrank
from features.errors import DataRefused, ModelRefused
from features.portfolios import Portfolio
from features.portfolios.simulated import simulate
from features.words import Text
from models.cards import card_of
from models.risk_model import Size
from models.store import ModelStore
from training import fitting, validation_verbs
from training.cohort import cohort
from training.fitting import fitted_card, golden_rows
from training.model_card.card import ModelCard
from training.model_card.write import Written
from training.splits import kept_from_the_fit
from training.statistics.auc import auc
from training.statistics.paired import auc_difference
from training.statistics.recalibration import recalibration
from training.tracking import Tracker
from training.train import train
from training.validation import validate as validating
from training.validation.battery import ASKED, CHECKS, judge
from training.validation.check import Check, Needs
from training.validation.findings import Verdict
from training.validation.gathering import of_own_cases
from training.validation.policy import default_bytes, policy_from, read_policy
from training.validation.result import EVIDENCE, POLICY, PROTECTED, REPORT, RESULT, SIGNATURE
from training.validation.standing import evidence_path, folder_of, require_passed, standing
from training.validation.validate import Validated, validate

SMALL = Size(learning_rate=0.1, max_depth=4, num_leaves=7, min_data_in_leaf=20, lambda_l2=10.0, most_trees=60)
FEW = tuple(check for check in CHECKS if check.name.startswith(("reproducibility.", "discrimination.", "calibration.")))
DATES = (date(2025, 1, 31), date(2025, 2, 28), date(2025, 3, 31), date(2025, 4, 30), date(2025, 5, 31))
WORDS = ("--portfolio", "taiwan", "--card", CARD, "--by", "model validation")


@pytest.fixture(scope="module", autouse=True)
def small_models():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fitting, "sizes_for", lambda _: (SMALL,))
        yield


@pytest.fixture(scope="module")
def book(taiwan: Portfolio, overdue) -> Portfolio:
    return part_of(taiwan, overdue.matrix.cases.get_column("loan_id").cast(pl.String).gather_every(5))


@pytest.fixture(scope="module")
def home(tmp_path_factory, book) -> Path:
    made = tmp_path_factory.mktemp("bank") / "home"
    train(book, card_of(book, CARD), made)
    return made


@pytest.fixture(scope="module")
def done(home, book) -> Validated:
    return validate(book, CARD, home, by="model validation")


@pytest.fixture
def command(monkeypatch, capsys, home, book):
    """Run the verb with few checks on the part of the book that the version was fitted on."""
    monkeypatch.setattr(validation_verbs, "open_book", lambda *_: book)
    monkeypatch.setattr(validating, "judge", partial(judge, checks=FEW))
    # Few checks are too few for a model card.
    monkeypatch.setattr(validating, "write_beside", lambda *_: Written({}, ModelCard(Text(en="x", zh="x"), ())))

    def run(*words: str) -> tuple[int, str, str]:
        code = 0
        try:
            repayrank.main(["validate", *words, "--home", str(home)])
        except SystemExit as ended:
            code = int(ended.code or 0)
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


def test_a_clean_card_is_judged_by_every_check_and_may_be_promoted(done, home):
    result = done.result
    assert [finding.check for finding in result.findings] == [check.name for check in CHECKS]
    assert result.refused_by == ()
    assert (result.version, result.by, result.cases) == ("1", "model validation", 1364)
    assert result.policy == hashlib.sha256(default_bytes()).hexdigest()
    assert require_passed(ModelStore(home), CARD, "1").own == result
    unjudged = {one.check for one in result.findings if one.verdict is Verdict.NOT_JUDGED}
    assert all(name.startswith(("stability.", "parts.", "fairness.")) for name in unjudged), unjudged


def test_every_finding_says_in_both_languages_what_it_found_and_by_what_it_was_judged(done):
    chinese = re.compile("[\u4e00-\u9fff]")
    for finding in done.result.findings:
        assert chinese.search(finding.words.zh), finding.check
        assert not chinese.search(finding.words.en), finding.check
        assert "{" not in finding.words.en + finding.words.zh, finding.check
        if finding.verdict is not Verdict.NOT_JUDGED:
            assert finding.figures, finding.check
            assert finding.threshold is not None, finding.check
            assert finding.threshold.source, finding.check


def test_figures_are_computed_anew_from_the_evidence_that_is_kept(done, home):
    frame = pl.read_parquet(evidence_path(done.folder, done.result))
    bad, score = frame["bad"].to_numpy(), frame["log_odds"].to_numpy()
    told = done.result.finding("discrimination.auc").figures[0]
    assert (told.value, told.low, told.high) == (auc(bad, score).value, *auc(bad, score).interval())
    slope = recalibration(bad, frame["probability"].to_numpy()).slope
    assert done.result.finding("calibration.slope").figures[0].value == slope.value
    parts = [
        (part["bad"].to_numpy(), part["log_odds"].to_numpy(), part["logistic_log_odds"].to_numpy())
        for _, part in frame.group_by("fold", maintain_order=True)
    ]
    assert done.result.finding("benchmark.logistic").figures[0].value == pytest.approx(auc_difference(parts).auc)
    stored = ModelStore(home).load(CARD).model
    parts_of_card = stored.base_ + sum(frame[f"card_{name}"].to_numpy() for name in ("ability", "willingness"))
    assert np.allclose(parts_of_card + frame["card_circumstances"].to_numpy(), frame["card_log_odds"].to_numpy())


def test_no_id_stands_in_what_is_kept_and_nothing_protected_in_what_mlflow_gets(done, home, book):
    ids = [str(loan).encode() for loan in book.tables.loans["loan_id"].head(200)]
    for path in done.folder.iterdir():
        assert not [loan for loan in ids if loan in path.read_bytes()], path
    assert (done.folder / PROTECTED).stat().st_mode & 0o077 == 0
    protected = pl.read_parquet(done.folder / PROTECTED)
    assert set(protected.columns) == {"case", "sex", "age_years", "education", "marital_status"}
    assert not set(pl.read_parquet(done.folder / EVIDENCE).columns) & (set(protected.columns) - {"case"})
    run = mlflow.MlflowClient(Tracker(home / "mlflow").uri).get_run(done.result.run)
    logged = Path(mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path="validation"))
    assert {path.name for path in logged.iterdir()} == {RESULT, SIGNATURE, POLICY, EVIDENCE, *done.documents}
    assert set(done.documents) == {REPORT, "model_card.html", "model_card.md", "model_card.zh.md"}


def test_mlflow_shows_the_validation_under_the_run_that_trained_the_version(done, home):
    client = mlflow.MlflowClient(Tracker(home / "mlflow").uri)
    run = client.get_run(done.result.run)
    assert run.data.tags["mlflow.parentRunId"] == ModelStore(home).load(CARD).provenance["run"]
    assert run.data.tags["verdict"] == done.result.verdict.value
    assert run.data.metrics["discrimination.auc.auc"] == done.result.finding("discrimination.auc").figures[0].value
    (version,) = client.search_model_versions(f"name = 'repayrank-{CARD}'")
    assert version.tags["validation"] == done.result.verdict.value


def test_the_verb_prints_a_row_for_each_check_and_ends_with_what_it_made(command):
    code, out, _ = command(*WORDS)
    assert code == 0
    assert all(check.name in out for check in FEW)
    assert re.search(r"(pass|warn): collection card version 1, \d+ checks", out)


def test_a_banks_own_policy_refuses_with_the_checks_name_and_an_exit_code_of_its_own(command, home, tmp_path):
    own = tmp_path / "strict.toml"
    own.write_text(
        default_bytes().decode().replace('refuse = { at_most = 0.5, when = "possibly" }', "refuse = { below = 0.99 }")
    )
    code, _, err = command(*WORDS, "--policy", str(own))
    assert code == 14
    assert "is refused by discrimination.auc" in err
    found = standing(ModelStore(home), CARD, "1").own
    assert found is not None
    assert found.policy == hashlib.sha256(own.read_bytes()).hexdigest()
    with pytest.raises(ModelRefused, match=r"refuses: discrimination\.auc"):
        require_passed(ModelStore(home), CARD, "1")


@pytest.mark.parametrize(
    ("words", "where"),
    [
        (("--portfolio", "taiwan"), "--by"),
        (("--by", "me"), "--portfolio"),
        ((*WORDS, "--as-of", "2005-09-30"), "--as-of"),
        (("--portfolio", "taiwan", "--by", "a\nb"), "--by"),
    ],
)
def test_what_is_not_said_is_asked_for_before_the_work(command, words, where):
    code, _, err = command(*words)
    assert code == 2
    assert f"where     {where}" in err


def test_a_policy_without_a_check_is_refused_before_the_work(command, tmp_path):
    own = tmp_path / "short.toml"
    own.write_text(default_bytes().decode().replace("[calibration.slope]", "[calibration.slopes]"))
    code, _, err = command(*WORDS, "--policy", str(own))
    assert code == 11
    assert "'calibration.slope' is missing" in err


def test_the_shipped_policy_can_be_printed_and_is_whole(command):
    code, out, _ = command("--show-policy")
    assert code == 0
    assert set(policy_from(out.encode(), ASKED, where="printed").rules) == {check.name for check in CHECKS}


def test_other_data_than_it_was_fitted_on_are_refused_and_nothing_else_is_made_of_them(home, book):
    outcomes = book.outcomes.with_columns(
        bad=pl.when(pl.int_range(pl.len()) == 0).then(~pl.col("bad")).otherwise("bad")
    )
    evidence = of_own_cases(ModelStore(home), CARD, "1", replace(book, outcomes=outcomes))
    told = judge(evidence, read_policy(None, ASKED), checks=FEW)
    assert "reproducibility.data" in told.refused_by
    verdicts = {finding.check: finding.verdict for finding in told.findings}
    assert verdicts["reproducibility.trees"] is Verdict.NOT_JUDGED
    # What must be judged, and cannot be, refuses as well: the policy says so.
    assert set(told.refused_by) == {
        "reproducibility.data", "discrimination.auc", "calibration.in_the_large", "calibration.slope"
    }  # fmt: skip


def test_cases_that_were_held_out_of_the_fit_are_judged_by_the_card_itself(tmp_path, book):
    whole, store = cohort(book, card_of(book, CARD)), ModelStore(tmp_path)
    fitted_on, held_out = kept_from_the_fit(whole, 0.3, 4)
    assert held_out is not None
    card = fitted_card(fitted_on, version="1", seed=4, provenance={"hold_out": 0.3})
    store.save(card, golden_rows(fitted_on))
    evidence = of_own_cases(store, CARD, "1", book)
    assert evidence.same_data
    assert evidence.cohort.matrix.cases["loan_id"].equals(held_out.matrix.cases["loan_id"])
    assert np.array_equal(evidence.log_odds, evidence.by_the_card.log_odds)
    told = judge(evidence, read_policy(None, ASKED), checks=FEW)
    assert {one.verdict for one in told.findings[:3]} == {Verdict.PASS}


def test_a_check_that_fails_refuses_the_card_by_its_name_without_a_borrowers_value_and_stops_no_other(home, book):
    def failing(*_: object) -> None:
        raise ValueError("income 123456")

    broken = Check("reasons.complete", Text(en="x", zh="x"), "features", failing, needs=Needs.NOTHING)
    evidence = of_own_cases(ModelStore(home), CARD, "1", book)
    told = judge(evidence, read_policy(None, ASKED), checks=(broken, FEW[0]))
    assert [finding.verdict for finding in told.findings] == [Verdict.REFUSE, Verdict.PASS]
    assert "ValueError in failing" in told.findings[0].words.en
    assert "123456" not in str(told.findings[0])


@pytest.fixture(scope="module")
def lender() -> Portfolio:
    """A simulated lender that observes its overdue loans at each month's end."""
    made = simulate(4_000, 5)
    return Portfolio(
        name="made up",
        tables=made.tables,
        observed_on=None,
        zone=made.zone,
        outcomes=None,
        protected=None,
        source="simulated",
        observed_dates=DATES[:3],
    )


@pytest.fixture(scope="module")
def months(tmp_path_factory, lender) -> Path:
    made = tmp_path_factory.mktemp("lender") / "home"
    train(lender, card_of(lender, CARD), made)
    return made


def test_a_card_of_several_months_is_judged_month_by_month_and_by_what_came_later(months, lender):
    done = validate(lender, CARD, months, by="tests", policy=None)
    assert done.result.refused_by == (), [
        (one.check, one.words.en) for one in done.result.findings if one.verdict is Verdict.REFUSE
    ]
    by_month = done.result.finding("stability.scores")
    assert by_month.verdict is not Verdict.NOT_JUDGED
    assert [row[0] for row in by_month.tables[0].rows] == ["2025-01", "2025-02", "2025-03"]
    assert done.result.finding("parts.paid_when_reached").verdict is not Verdict.NOT_JUDGED


def test_later_cases_judge_the_card_itself_and_are_held_against_its_own(months, lender):
    grown = replace(lender, observed_dates=DATES)
    own = validate(grown, CARD, months, by="tests")
    assert own.result.finding("reproducibility.data").verdict is Verdict.PASS  # later dates are left out
    later = validate(grown, CARD, months, by="tests", new_data=True)
    assert (later.result.first_on, later.result.last_on) == ("2025-04-30", "2025-05-31")
    assert later.folder == folder_of(ModelStore(months), CARD, "1") / "later_2025-05-31"
    assert later.result.finding("reproducibility.trees").verdict is Verdict.NOT_JUDGED
    assert later.result.finding("stability.scores").verdict is not Verdict.NOT_JUDGED
    found = standing(ModelStore(months), CARD, "1")
    assert (found.own, found.later) == (own.result, (later.result,))
    with pytest.raises(DataRefused, match="was observed after 2025-03-31"):
        validate(lender, CARD, months, by="tests", new_data=True)
