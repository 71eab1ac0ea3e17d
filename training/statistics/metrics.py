"""How well scores separate good from bad loans, and how well probabilities match what happened."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score, roc_curve

from models.risk_model import Floats

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Discrimination:
    """Separation of bad from good loans; `ks_at_share` is the share of loans, riskiest first, where KS is reached."""

    auc: float
    gini: float
    ks: float
    ks_at_share: float


def discrimination(bad: Bools, score: Floats) -> Discrimination:
    """Return AUC, Gini (2 AUC - 1) and the Kolmogorov-Smirnov distance of scores that rise with risk.

    KS is the largest difference between the shares of bad and of good loans above a score. Needs one of each.

    >>> discrimination(np.array([False, True]), np.array([0.1, 0.9])).ks
    1.0
    """
    false_alarms, hits, _ = roc_curve(bad, score, drop_intermediate=False)
    best = int(np.argmax(hits - false_alarms))
    share = bad.mean()
    auc = float(roc_auc_score(bad, score))
    return Discrimination(
        auc=auc,
        gini=2 * auc - 1,
        ks=float(hits[best] - false_alarms[best]),
        ks_at_share=float(hits[best] * share + false_alarms[best] * (1 - share)),
    )


@dataclass(frozen=True)
class Accuracy:
    """Distance of probabilities from outcomes: mean squared error (Brier) and mean log-loss; smaller is better."""

    brier: float
    log_loss: float


def accuracy(bad: Bools, probability: Floats) -> Accuracy:
    """Return Brier score and log-loss of probabilities of the bad outcome."""
    return Accuracy(
        brier=float(brier_score_loss(bad, probability)),
        log_loss=float(log_loss(bad, probability, labels=[False, True])),
    )


def performance(bad: Bools, log_odds: Floats, probability: Floats) -> dict[str, float]:
    """Return the metrics of one set of scores under their usual names."""
    told, distance = discrimination(bad, log_odds), accuracy(bad, probability)
    return {
        "auc": told.auc,
        "gini": told.gini,
        "ks": told.ks,
        "brier": distance.brier,
        "log_loss": distance.log_loss,
    }
