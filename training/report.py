"""One page that a head of collections and a compliance officer can both read: who comes first, why, and how sure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path

import numpy as np

from models.assessment import Assessment
from training import report_words as words
from training.markup import ENGLISH, Markup, both, element
from training.report_evidence import drivers, evidence, has_both_outcomes
from training.report_grounds import grounds
from training.report_summary import header, summary
from training.report_worklist import cases, comparison, work_list
from training.statistics.metrics import Bools, performance

POLICY_OF_THE_PAGE = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""Told to the browser: the page may load nothing from anywhere."""


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
    return whole_page(f"{named.en} · {named.zh} · {assessment.model.card.name} {assessment.model.version}", body)


def whole_page(title: str, body: Iterable[Markup]) -> str:
    """Return a self-contained page that loads nothing from anywhere, in both languages or one of them."""
    style = files("training").joinpath("report.css").read_text(encoding="utf-8")
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{POLICY_OF_THE_PAGE}">'),
        element("title", title),
        element("style", Markup(style)),
    )
    # The switch is three radio buttons in front of the page: CSS hides the other language, there is no script.
    switch = [
        Markup(f'<input type="radio" name="language" id="{key}"{" checked" if key == "both" else ""}>')
        for key in words.LANGUAGES
    ]
    labels = element(
        "nav",
        [element("label", label, for_=key) for key, label in words.LANGUAGES.items()],
        aria_label="Language 语言",
    )
    page = element("html", head, element("body", switch, labels, element("main", list(body))), lang=ENGLISH)
    return f"<!doctype html>\n{page}\n"
