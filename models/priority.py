"""Whom to work first, as a ledger in money: chance of loss, times what is at risk, times the share that is lost.

The ledger is kept in logarithms, so that every line is exact and two borrowers can be compared line by line.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from models.calibration import Calibration
from models.risk_model import Floats

LINES = ("chance", "exposure", "loss_share")
"""The ledger's lines, in the order in which they are added."""


@dataclass(frozen=True)
class Ledger:
    """Each case's priority, line by line.

    Attributes
    ----------
    chance : log of the calibrated probability of the bad outcome
    exposure : log of the amount at risk in minor units
    loss_share : log of the share of it that is lost in the bad outcome
    exposure_minor : the amount at risk in minor units, as used (never below the policy's least amount)
    """

    chance: Floats
    exposure: Floats
    loss_share: Floats
    exposure_minor: npt.NDArray[np.int64]

    @cached_property
    def priority(self) -> Floats:
        """Log of the expected loss in minor units: the sum of the lines, added in their order."""
        return (self.chance + self.exposure) + self.loss_share

    @property
    def expected_loss_minor(self) -> Floats:
        """Expected loss in minor units."""
        return np.exp(self.priority)


def ledger(
    calibration: Calibration, log_odds: Floats, owed_minor: npt.NDArray[np.int64], shares: Floats, *, least_minor: int
) -> Ledger:
    """Return the ledger of cases.

    Parameters
    ----------
    log_odds : raw scores
    owed_minor : amounts at risk in minor units; what is below `least_minor` counts as `least_minor`
    shares : loss shares, above 0 and at most 1
    """
    at_risk = np.maximum(owed_minor, least_minor)
    return Ledger(
        chance=calibration.log_probability(log_odds),
        exposure=np.log(at_risk.astype(np.float64)),
        loss_share=np.log(shares),
        exposure_minor=at_risk,
    )


def order(priority: Floats, loan_ids: list[str]) -> npt.NDArray[np.intp]:
    """Return the cases' positions in order of work: highest priority first, ties by loan id."""
    by_id = np.argsort(np.array(loan_ids, dtype=str), kind="stable")
    return by_id[np.argsort(-priority[by_id], kind="stable")]
