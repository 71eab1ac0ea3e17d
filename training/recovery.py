"""How well a card expects what comes back, judged on loans it has not seen and in the order of money."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from models.risk_model import Floats
from training.cohort import Cohort
from training.fitting import fit_recovery
from training.splits import Split
from training.statistics.worked import captured_money

FIRST = 0.1
"""The share of a work list whose recovered money is compared."""


def judge_recovery(cohort: Cohort, splits: Sequence[Split], *, seed: int = 0) -> dict[str, Any]:
    """Return figures of the expected recovered share on loans it has not seen, all splits judged together.

    Together, because a tenth of a small split would be a handful of loans. A split with too few recoveries to fit on
    is left out; without any other the answer is empty, as it is for a card that expects no recoveries.

    Returns
    -------
    judged : cases judged; loans whose recovered share nobody knows are not
    auc_any_payment : how well those who pay something are told from those who pay nothing
    mean_absolute_error, mean_absolute_error_of_mean : of the expected share, and of the mean share of the fitted loans
    rmse, rmse_of_mean : the same as root of the mean square
    spearman : rank correlation of expected and recovered share
    calibration, calibration_of_mean : money expected over money recovered; 1 is exact
    calibration_of_shares : the same with each loan counting alike
    first_tenth, first_tenth_by_amount, first_tenth_at_best : share of all recovered money in the first tenth of the
        cases in order of expected recovered money, of the amount at risk, and of what did come back. With one mean
        share for all, the order by expected money is that by amount.
    """
    told = [_judged(cohort, split, seed) for split in splits]
    judged = [part for part in told if part is not None]
    any_payment, expected, mean, recovered, owed = np.hstack(judged or [np.empty((5, 0))])
    if not len(expected):
        return {}
    money = recovered * owed
    return {
        "judged": len(expected),
        "auc_any_payment": float(roc_auc_score(recovered > 0, any_payment)),
        "mean_absolute_error": float(np.abs(expected - recovered).mean()),
        "mean_absolute_error_of_mean": float(np.abs(mean - recovered).mean()),
        "rmse": float(np.sqrt(((expected - recovered) ** 2).mean())),
        "rmse_of_mean": float(np.sqrt(((mean - recovered) ** 2).mean())),
        "spearman": float(spearmanr(expected, recovered).statistic),
        "calibration": float((expected * owed).sum() / money.sum()),
        "calibration_of_mean": float((mean * owed).sum() / money.sum()),
        "calibration_of_shares": float(expected.sum() / recovered.sum()),
        "first_tenth": _captured(expected * owed, money),
        "first_tenth_by_amount": _captured(owed, money),
        "first_tenth_at_best": _captured(money, money),
    }


def _judged(cohort: Cohort, split: Split, seed: int) -> Floats | None:
    fit_on = cohort.rows(split.fit_on)
    model = fit_recovery(fit_on, seed=seed)
    if model is None:
        return None
    known = split.judge_on[~np.isnan(cohort.recovered[split.judge_on])]
    values = cohort.matrix.values[known]
    return np.vstack(
        [
            model.any_payment(values),
            model.expected_share(values),
            np.full(len(known), np.nanmean(fit_on.recovered)),
            cohort.recovered[known],
            cohort.money.get_column("owed_minor").to_numpy()[known],
        ]
    )


def _captured(ranking: Floats, recovered: Floats) -> float:
    minor = np.rint(recovered).astype(np.int64)
    return float(captured_money(minor > 0, ranking, minor, np.array([FIRST]))[0])
