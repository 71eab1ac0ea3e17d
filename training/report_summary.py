"""The top of the report: which book, which day, which model, how much is at stake, and what to take from it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from features.words import Text
from models.assessment import Assessment
from training import report_words as words
from training.markup import Markup, both, element
from training.report_layout import rounded
from training.statistics.metrics import Bools
from training.statistics.worked import captured_money

TENTH = 0.1


def header(assessment: Assessment) -> Markup:
    """Return title and identity of the report."""
    model = assessment.model
    facts = (
        (words.CARD, both(model.card.title)),
        (words.BAD_MEANS, both(model.card.outcome)),
        (words.OBSERVED_ON, observed_on(assessment)),
        (words.MODEL_VERSION, model.version),
        (words.FINGERPRINT, element("code", model.fingerprint)),
    )
    return element(
        "header",
        element("p", both(words.OVERLINE), class_="overline"),
        element("h1", both(words.title_of(model.card.name))),
        element("dl", [element("div", element("dt", both(name)), element("dd", told)) for name, told in facts]),
    )


def observed_on(assessment: Assessment) -> str:
    """Return the observation date of the cases, or the first and last of several."""
    days = sorted({str(day) for day in assessment.cases.get_column("observed_on")})
    return days[0] if len(days) == 1 else " – ".join((days[0], days[-1])) if days else "–"


def summary(assessment: Assessment, bad: Bools | None, metrics: Mapping[str, float] | None) -> Markup:
    """Return the figures of the book, how good the scores are, and what to take from them."""
    tiles = [*_money(assessment, bad), *_quality(len(assessment), bad, metrics)]
    return element(
        "section",
        element("div", tiles, class_="tiles"),
        element("div", [element("p", both(finding)) for finding in _findings(assessment, bad)], class_="findings"),
        class_="summary",
    )


def _money(assessment: Assessment, bad: Bools | None) -> list[Markup]:
    currency, loans = assessment.currency, len(assessment)
    at_risk = int(assessment.ledger.exposure_minor.sum())
    expected = float(assessment.ledger.expected_loss_minor.sum())
    outcome = (
        words.NOT_KNOWN_YET
        if bad is None
        else words.WENT_BAD.filled(count=f"{int(bad.sum()):,}", share=f"{bad.mean():.1%}")
    )
    return [
        _tile(words.LOANS, f"{loans:,}", outcome),
        _tile(words.AT_RISK, rounded(at_risk, currency), words.IN_ALL.filled(mean=rounded(at_risk / loans, currency))),
        _tile(
            words.EXPECTED_LOSS, rounded(expected, currency), words.OF_MONEY.filled(share=f"{expected / at_risk:.1%}")
        ),
    ]


def _quality(loans: int, bad: Bools | None, metrics: Mapping[str, float] | None) -> list[Markup]:
    if metrics is None:
        return []
    if bad is not None:
        base = words.RESTS_ON.filled(count=f"{round(metrics.get('rows_judged', loans)):,}")
    elif "rows_judged" in metrics:
        base = words.RESTS_ON_EARLIER.filled(count=f"{round(metrics['rows_judged']):,}")
    else:
        base = words.RESTS_ON_TRAINING
    named = ((words.AUC, "auc"), (words.KS, "ks"), (words.BRIER, "brier"))
    return [_tile(name, f"{metrics[key]:.3f}", base) for name, key in named if key in metrics]


def _tile(name: Text, figure: str, note: Text) -> Markup:
    return element(
        "div",
        element("p", both(name), class_="name"),
        element("p", figure, class_="figure"),
        element("p", both(note), class_="note"),
        class_="tile",
    )


def _findings(assessment: Assessment, bad: Bools | None) -> list[Text]:
    ledger, tenth = assessment.ledger, np.array([TENTH])
    if bad is None or not bad.any():
        everyone = np.ones(len(assessment), dtype=np.bool_)
        expected = np.asarray(np.rint(ledger.expected_loss_minor), dtype=np.int64)
        held = captured_money(everyone, ledger.priority, expected, tenth)[0] if expected.any() else 0.0
        return [words.FINDING_ORDER_ONLY.filled(tenth=f"{TENTH:.0%}", held=f"{held:.0%}")]
    money = ledger.exposure_minor
    return [
        words.FINDING_MONEY.filled(
            tenth=f"{TENTH:.0%}",
            held=f"{captured_money(bad, ledger.priority, money, tenth)[0]:.0%}",
            by_amount=f"{captured_money(bad, money.astype(np.float64), money, tenth)[0]:.0%}",
        ),
        words.FINDING_CALIBRATION.filled(
            predicted=f"{assessment.probability.mean():.1%}", observed=f"{bad.mean():.1%}"
        ),
    ]
