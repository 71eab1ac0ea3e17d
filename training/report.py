"""One page that a head of collections and a compliance officer can both read: who comes first, why, and how sure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from models.assessment import Assessment
from training import report_words as words
from training.markup import Markup, both
from training.report_evidence import drivers, evidence, has_both_outcomes
from training.report_grounds import grounds
from training.report_layout import page
from training.report_summary import header, summary
from training.report_worklist import cases, comparison, work_list
from training.statistics.metrics import Bools, performance


def html_report(
    assessment: Assessment,
    bad: Bools | None,
    *,
    source: str,
    metrics: Mapping[str, float] | None,
    first: int = 10,
) -> str:
    """Return the report on an assessed book as one self-contained HTML page; the same bytes for the same input.

    Parameters
    ----------
    bad : what became of each loan, in the order of the assessment; None when it is not known yet
    source : where the data come from, as their licence wants it said
    metrics : `auc`, `ks`, `brier` and, if they were not judged on these loans, `rows_judged`; worked out from `bad`
        when None
    first : loans of the work list that are shown
    """
    if bad is not None and len(bad) != len(assessment):
        raise ValueError(f"{len(bad)} outcomes for {len(assessment)} loans; pass one for each, in the same order")
    outcomes = None if bad is None else np.asarray(bad, dtype=np.bool_)
    if metrics is None and has_both_outcomes(outcomes):
        assert outcomes is not None
        metrics = performance(outcomes, assessment.attribution.log_odds, assessment.probability)
    if len(assessment):
        body: Iterable[Markup] = (
            header(assessment),
            summary(assessment, outcomes, metrics),
            work_list(assessment, first),
            comparison(assessment),
            cases(assessment),
            evidence(assessment, outcomes),
            drivers(assessment, outcomes),
            grounds(assessment, outcomes, source),
        )
    else:
        body = (header(assessment), both(words.NO_LOANS, "p"))
    return _page(assessment, body)


def write_report(
    path: Path,
    assessment: Assessment,
    bad: Bools | None,
    *,
    source: str,
    metrics: Mapping[str, float] | None,
    first: int = 10,
) -> Path:
    """Write the report and return its path; see `html_report`."""
    path.write_text(html_report(assessment, bad, source=source, metrics=metrics, first=first), encoding="utf-8")
    return path


def _page(assessment: Assessment, body: Iterable[Markup]) -> str:
    named = words.title_of(assessment.model.card.name)
    return page(f"{named.en} · {named.zh} · {assessment.model.card.name} {assessment.model.version}", body)
