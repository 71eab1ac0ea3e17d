"""Validation as a bank does it: gather the evidence, ask every question, sign the answer, and keep it for promotion."""

from __future__ import annotations

import io
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from importlib.metadata import version as installed
from pathlib import Path

import numpy as np
import polars as pl

from features.errors import ModelRefused
from features.portfolios import Portfolio
from models.artefact import RECORDED_PACKAGES
from models.store import ModelStore
from training.fitting import data_hash
from training.model_card.about import About, read_about
from training.model_card.write import remove_beside, write_beside
from training.principals import named
from training.tracking import Tracker
from training.validation.battery import ASKED, Judgement, judge
from training.validation.evidence import Evidence, Mode
from training.validation.findings import Verdict
from training.validation.gathering import of_later_cases, of_own_cases
from training.validation.policy import ValidationPolicy, read_policy
from training.validation.reference import with_reference_scores
from training.validation.report import write_report
from training.validation.result import (
    EVIDENCE,
    OWNER_ONLY,
    POLICY,
    PROTECTED,
    RESULT,
    SIGNATURE,
    Result,
    written,
)
from training.validation.standing import LATER, folder_of

Told = Callable[[str], None]


@dataclass(frozen=True)
class Validated:
    """A validation, where it is kept, and the documents that were written of it: SHA-256 by the file's name."""

    result: Result
    folder: Path
    documents: Mapping[str, str]


def validate(
    portfolio: Portfolio,
    card: str,
    home: Path,
    *,
    by: str,
    version: str | None = None,
    policy: Path | None = None,
    about: Path | None = None,
    new_data: bool = False,
    as_of: date | None = None,
    at: datetime | None = None,
    say: Told = lambda _: None,
) -> Validated:
    """Judge a version of a card by every check, and keep the signed result, the evidence and the run in MLflow.

    Parameters
    ----------
    by : who validates, for the record
    version : the champion by default
    policy : the validation policy; by default the one that ships with the release
    about : the lender's own sentences for the model card; by default the neutral ones of the release
    new_data : judge it on cases later than its own
    as_of : with `new_data`, the observation date in place of the book's own
    at : when; now by default

    Raises
    ------
    ConfigurationRefused : the policy is not valid, or the lender's sentences
    ModelRefused : the version is not there or does not verify; or, with the validation kept and recorded, a section of
        its model card would be empty
    DataRefused : the book has no cases to judge it on
    """
    who = named(by, "validates")
    rules, words = read_policy(policy, ASKED), read_about(about)
    store = ModelStore(home)
    chosen = version or store.champion(card, book=portfolio.name)
    began = time.perf_counter()
    evidence = (
        of_later_cases(store, card, chosen, portfolio, as_of=as_of, say=say)
        if new_data
        else of_own_cases(store, card, chosen, portfolio, say=say)
    )
    evidence = with_reference_scores(store, evidence)
    gathered = round(time.perf_counter() - began, 3)
    judgement = judge(evidence, rules, say=say)
    folder = _folder(store, evidence)
    with Tracker(home / "mlflow").validation(card, str(evidence.card.provenance.get("run", ""))) as run:
        began = time.perf_counter()
        written(folder / POLICY, rules.raw)
        digest = written(folder / EVIDENCE, _parquet(evidence.frame()))
        if evidence.protected is not None:
            cases = pl.DataFrame({"case": np.arange(len(evidence), dtype=np.int64)})
            written(folder / PROTECTED, _parquet(cases.hstack(evidence.protected)), OWNER_ONLY)
        else:
            (folder / PROTECTED).unlink(missing_ok=True)  # of an earlier validation of the same version
        seconds = {"evidence": gathered, **judgement.seconds, "writing": round(time.perf_counter() - began, 3)}
        result = _result(store, evidence, judgement, rules, who, at or datetime.now(UTC), run, digest, seconds)
        raw = result.to_bytes()
        written(folder / RESULT, raw)
        written(folder / SIGNATURE, store.sign(raw))
        report, report_sha256 = write_report(store, result.card, result.version, folder)
        documents, refused = {report.name: report_sha256}, None
        try:
            documents |= _model_card(store, result, folder, words)
        except ModelRefused as gap:
            refused = gap  # the validation stands and is recorded; what a card lacks is told at the end
        _record(home, evidence, result, folder, documents)
    if refused is not None:
        raise refused
    return Validated(result, folder, documents)


def _model_card(store: ModelStore, result: Result, folder: Path, about: About) -> dict[str, str]:
    """Write the model card of a version that nothing refuses on its own cases; return the SHA-256 of each file."""
    if result.mode != Mode.OWN.value:
        return {}
    remove_beside(folder)  # the card of an earlier validation does not outlive it
    if result.verdict is Verdict.REFUSE:
        return {}
    card = write_beside(store, result.card, result.version, about, folder)
    return {path.name: digest for path, digest in card.files.items()}


def _result(
    store: ModelStore,
    evidence: Evidence,
    judgement: Judgement,
    policy: ValidationPolicy,
    by: str,
    at: datetime,
    run: str,
    digest: str,
    seconds: dict[str, float],
) -> Result:
    card, days = evidence.card, evidence.cohort.observed_on
    return Result(
        card=card.card.name,
        version=card.version,
        manifest=store.digest(card.card.name, card.version) or "",
        fingerprint=card.fingerprint,
        mode=evidence.mode.value,
        portfolio=evidence.portfolio.name,
        first_on=str(days.min()),
        last_on=str(days.max()),
        cases=len(evidence),
        bad=int(evidence.bad.sum()),
        values=data_hash(evidence.cohort),
        policy=policy.digest,
        policy_version=policy.version,
        verdict=judgement.verdict,
        by=by,
        at=at.astimezone(UTC).isoformat(timespec="seconds"),
        run=run,
        evidence=digest,
        packages={
            "python": platform.python_version(),
            **{name: installed(name) for name in RECORDED_PACKAGES},
        },
        seconds=seconds,
        findings=judgement.findings,
    )


def _record(home: Path, evidence: Evidence, result: Result, folder: Path, documents: Mapping[str, str]) -> None:
    """Log the result and the evidence, without what is protected: MLflow is read by more people than the store."""
    figures = {
        f"{finding.check}.{figure.name}": figure.value
        for finding in result.findings
        for figure in finding.figures[:1]
        if figure.value is not None and np.isfinite(figure.value)
    }
    Tracker(home / "mlflow").record_validation(
        result.card,
        result.version,
        verdict=result.verdict.value,
        own=evidence.mode is Mode.OWN,
        params={
            "card_version": result.version,
            "mode": result.mode,
            "portfolio": result.portfolio,
            "cases": result.cases,
            "policy_version": result.policy_version,
        },
        metrics={**figures, "seconds": sum(result.seconds.values())},
        tags={
            "card": result.card,
            "card_version": result.version,
            "policy_sha256": result.policy,
            "manifest_sha256": result.manifest,
            "validated_by": result.by,
            "refused_by": ", ".join(result.refused_by),
        },
        files=[folder / name for name in (RESULT, SIGNATURE, POLICY, EVIDENCE, *documents)],
    )


def _folder(store: ModelStore, evidence: Evidence) -> Path:
    folder = folder_of(store, evidence.card.card.name, evidence.card.version)
    return folder if evidence.mode is Mode.OWN else folder / f"{LATER}{evidence.cohort.observed_on.max()}"


def _parquet(frame: pl.DataFrame) -> bytes:
    stream = io.BytesIO()
    frame.write_parquet(stream, compression="zstd", statistics=False)
    return stream.getvalue()
