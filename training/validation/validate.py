"""Validation as a bank does it: gather the evidence, ask every question, sign the answer, and keep it for promotion."""

from __future__ import annotations

import io
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from importlib.metadata import version as installed
from pathlib import Path

import numpy as np
import polars as pl

from features.errors import UsageError
from features.portfolios import Portfolio
from models.artefact import RECORDED_PACKAGES
from models.store import ModelStore
from training.fitting import data_hash
from training.tracking import Tracker
from training.validation.battery import ASKED, Judgement, judge
from training.validation.evidence import Evidence, Mode
from training.validation.gathering import of_later_cases, of_own_cases
from training.validation.policy import ValidationPolicy, read_policy
from training.validation.reference import with_reference_scores
from training.validation.result import EVIDENCE, OWNER_ONLY, PROTECTED, RESULT, SIGNATURE, Result, written
from training.validation.standing import LATER, folder_of

LONGEST_NAME = 120
Told = Callable[[str], None]


@dataclass(frozen=True)
class Validated:
    """A validation and where it is kept."""

    result: Result
    folder: Path


def validate(
    portfolio: Portfolio,
    card: str,
    home: Path,
    *,
    by: str,
    version: str | None = None,
    policy: Path | None = None,
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
    new_data : judge it on cases later than its own
    as_of : with `new_data`, the observation date in place of the book's own
    at : when; now by default

    Raises
    ------
    ConfigurationRefused : the policy is not valid
    ModelRefused : the version is not there or does not verify
    DataRefused : the book has no cases to judge it on
    """
    who = _named(by)
    rules = read_policy(policy, ASKED)
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
        digest = written(folder / EVIDENCE, _parquet(evidence.frame()))
        if evidence.protected is not None:
            cases = pl.DataFrame({"case": np.arange(len(evidence), dtype=np.int64)})
            written(folder / PROTECTED, _parquet(cases.hstack(evidence.protected)), OWNER_ONLY)
        seconds = {"evidence": gathered, **judgement.seconds, "writing": round(time.perf_counter() - began, 3)}
        result = _result(store, evidence, judgement, rules, who, at or datetime.now(UTC), run, digest, seconds)
        raw = result.to_bytes()
        written(folder / RESULT, raw)
        written(folder / SIGNATURE, store.sign(raw))
        _record(home, evidence, result, folder)
    return Validated(result, folder)


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
            **{name: installed(name) for name in ("repayrank", *RECORDED_PACKAGES)},
        },
        seconds=seconds,
        findings=judgement.findings,
    )


def _record(home: Path, evidence: Evidence, result: Result, folder: Path) -> None:
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
        files=[folder / name for name in (RESULT, SIGNATURE, EVIDENCE)],
    )


def _folder(store: ModelStore, evidence: Evidence) -> Path:
    folder = folder_of(store, evidence.card.card.name, evidence.card.version)
    return folder if evidence.mode is Mode.OWN else folder / f"{LATER}{evidence.cohort.observed_on.max()}"


def _parquet(frame: pl.DataFrame) -> bytes:
    stream = io.BytesIO()
    frame.write_parquet(stream, compression="zstd", statistics=False)
    return stream.getvalue()


def _named(by: str) -> str:
    who = by.strip()
    if not who or len(who) > LONGEST_NAME or not who.isprintable():
        raise UsageError(
            "nobody who validates",
            where="--by",
            expected=f"the name or role of who validates, up to {LONGEST_NAME} printable characters",
            do="name who answers for the validation",
        )
    return who
