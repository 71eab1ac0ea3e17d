"""An assessment as the service answers it: for each loan what was found, why, and what the policy suggests."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from features.declaration import Group
from features.words import Unit
from models.assessment import Assessment
from models.pairwise import Comparison, compare
from models.reasons import Reason
from models.risk_model import GROUP_ORDER
from serving.ids import score_ids

LINES_SHOWN = 6
"""Lines of a comparison that an answer spells out; the others go into one sum. All of them would be 20 KB a loan."""


def scores(assessment: Assessment) -> list[dict[str, Any]]:
    """Return the entries of `/v1/score`: one for each loan, in the order in which the loans were sent."""
    return numbered(entries_of(assessment))


def ranking(assessment: Assessment) -> list[dict[str, Any]]:
    """Return the entries of `/v1/rank`: the same in order of work, each with why it is above the next.

    Raises
    ------
    DataRefused : the loans have more than one currency
    """
    entries = entries_of(assessment)
    order = assessment.order.tolist()
    above = [_above(compare(assessment, first, second)) for first, second in pairwise(order)]
    return numbered(
        [
            {"priority": place, **entries[case], "above_next": reason}
            for place, (case, reason) in enumerate(zip(order, [*above, None], strict=True), start=1)
        ]
    )


def numbered(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return entries with an id for each score."""
    return [{"score_id": number, **entry} for number, entry in zip(score_ids(len(entries)), entries, strict=True)]


def entries_of(assessment: Assessment) -> list[dict[str, Any]]:
    """Return the part of the answer that does not depend on the other loans or on the time of day."""
    model, policy = assessment.model.identity(), assessment.policy
    columns = {
        "default_probability": assessment.probability.tolist(),
        "points": assessment.points.tolist(),
        "band": assessment.bands,
        "base": [assessment.attribution.base] * len(assessment),
        **{group.value: [{"contribution": part} for part in assessment.part(group).tolist()] for group in GROUP_ORDER},
        "log_odds": assessment.attribution.log_odds.tolist(),
        "calibrated_log_odds": assessment.calibrated_log_odds.tolist(),
        "quadrant": assessment.quadrants,
    }
    recovered = assessment.expected_recovery_minor
    ledger = {
        "chance": assessment.ledger.chance.tolist(),
        "exposure": assessment.ledger.exposure.tolist(),
        "loss_share": assessment.ledger.loss_share.tolist(),
        "priority": assessment.ledger.priority.tolist(),
        "expected_loss_minor": assessment.ledger.expected_loss_minor.tolist(),
        "loss_share_status": assessment.loss_share_status,
        "expected_recovery_minor": [None] * len(assessment) if recovered is None else recovered.tolist(),
    }
    exposure = {
        "amount_minor": assessment.ledger.exposure_minor.tolist(),
        "owed_minor": assessment.owed_minor.tolist(),
        "currency": assessment.currencies,
    }
    suggested = [assessment.treatment(case) for case in range(len(assessment))]
    days = [day.isoformat() for day in assessment.cases.get_column("observed_on").to_list()]
    return [
        {
            "loan_id": loan,
            "observation_date": days[case],
            **{name: column[case] for name, column in columns.items()},
            "quadrant_name": suggested[case].name.as_dict(),
            "treatment": {"rung": suggested[case].rung, "text": suggested[case].text.as_dict()},
            "exposure": {name: column[case] for name, column in exposure.items()},
            "ledger": {name: column[case] for name, column in ledger.items()},
            "reasons": [_reason(reason, assessment.currencies[case]) for reason in assessment.reasons(case)],
            "model": model,
            "policy": {"version": policy.version, "digest": policy.digest},
            "notes": [note.as_dict() for note in assessment.notes[case]],
        }
        for case, loan in enumerate(assessment.loan_ids)
    ]


def _reason(reason: Reason, currency: str) -> dict[str, Any]:
    return {
        "feature": reason.feature.name,
        "group": reason.feature.group.value,
        "effect": reason.effect,
        "contribution": reason.contribution,
        "value": reason.value,
        "value_in": f"minor units of {currency}" if reason.feature.unit is Unit.MONEY else reason.feature.unit.value,
        "unit": reason.feature.unit.value,
        "missing": reason.value is None,
        "text": reason.text.as_dict(),
    }


def _above(comparison: Comparison) -> dict[str, Any]:
    """Return why one loan is above the next; `lines` and `rest` add up to `gap`."""
    largest = sorted(comparison.lines, key=lambda line: -abs(line.difference))[:LINES_SHOWN]
    return {
        "loan_id": comparison.second,
        "gap": comparison.gap,
        "lines": [{"name": line.name, "difference": line.difference, "text": line.text.as_dict()} for line in largest],
        "rest": comparison.gap - sum(line.difference for line in largest),
        "groups": {group.value: comparison.groups[group] for group in Group},
        "swap_exposure_minor": comparison.swap_exposure_minor,
        "text": comparison.sentence().as_dict(),
    }
