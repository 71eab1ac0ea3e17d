"""The foot of the report: policy, assumptions, exactness, reference population, source and limits."""

from __future__ import annotations

import numpy as np

from features.words import Text, written_money
from models.assessment import Assessment
from models.attribution import ADDITIVITY_BOUND, distance_from_lightgbm
from models.policy import LossShare
from training import report_words as words
from training.markup import Markup, both, element, joined
from training.statistics.metrics import Bools

SHORT_HASH = 16


def grounds(assessment: Assessment, bad: Bools | None, source: str) -> Markup:
    """Return what the report rests on, and what it does not claim."""
    policy, reference = assessment.policy, assessment.model.reference
    limits = [*words.LIMITS_TOLD]
    if bad is not None:
        limits.append(words.LIMIT_ONE_WINDOW.filled(days=assessment.model.card.window_days))
    facts: list[tuple[Text, Markup]] = [
        (words.POLICY, both(words.POLICY_TOLD.filled(version=policy.version, digest=policy.digest[:SHORT_HASH]), "p")),
        (words.LOSS_SHARE, _loss_shares(assessment)),
        (words.LEAST, both(_least(assessment), "p")),
        (
            words.ADDITIVITY,
            both(
                words.ADDITIVITY_TOLD.filled(
                    error=f"{_distance(assessment):.1e}",
                    count=f"{len(assessment):,}",
                    bound=f"{ADDITIVITY_BOUND:.0e}",
                ),
                "p",
            ),
        ),
        (
            words.REFERENCE,
            both(
                words.REFERENCE_TOLD.filled(
                    count=f"{reference['loans']:,}",
                    day=" – ".join(dict.fromkeys((reference["observed_on"][0], reference["observed_on"][-1]))),
                    share=f"{reference['bad_share']:.1%}",
                ),
                "p",
            ),
        ),
        (words.SOURCE, element("p", source)),
        (words.LIMITS, joined(both(limit, "p") for limit in limits)),
    ]
    return element(
        "footer",
        element("h2", both(words.GROUNDS)),
        element("dl", [element("div", element("dt", both(name)), element("dd", told)) for name, told in facts]),
    )


def status_of(status: str) -> Text:
    """Return what a loss share is called: an assumption, what a lender measured, or what a model expects."""
    return words.STATUS.get(status, Text(en=status, zh=status))


def _loss_shares(assessment: Assessment) -> Markup:
    if assessment.expected_share is None:
        return joined(map(_loss_share, _in_force(assessment)))
    money = assessment.ledger.exposure_minor
    told = words.LOSS_SHARE_EXPECTED.filled(
        share=f"{np.average(np.exp(assessment.ledger.loss_share), weights=money):.0%}",
        count=f"{assessment.model.reference['recovered']['loans']:,}",
        days=assessment.model.card.window_days,
    )
    return both(told, "p")


def _in_force(assessment: Assessment) -> list[LossShare]:
    """Return the policy's loss shares that the book uses, in the order of the policy."""
    return [entry for entry in assessment.policy.loss_shares if entry in assessment.loss_shares]


def _loss_share(entry: LossShare) -> Markup:
    told = words.LOSS_SHARE_TOLD.filled(
        share=f"{entry.share:.0%}",
        product=words.PRODUCTS.get(entry.product, Text(en=entry.product, zh=entry.product)),
        day=str(entry.valid_from),
        status=status_of(entry.status),
    )
    return joined([both(told, "p"), element("p", entry.source, class_="quiet")])


def _distance(assessment: Assessment) -> float:
    return distance_from_lightgbm(assessment.model.model, assessment.attribution, assessment.values)


def _least(assessment: Assessment) -> Text:
    least = assessment.policy.exposure.least_minor
    return words.LEAST_TOLD.filled(
        amount=written_money(least, assessment.currency), count=f"{int((assessment.owed_minor < least).sum()):,}"
    )
