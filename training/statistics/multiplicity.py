"""What p-values mean when many things are looked at: how often any alarm, or how many of them, may be false."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.stats import false_discovery_control

from features.errors import DataRefused
from models.risk_model import Floats


def holm(p_values: npt.ArrayLike) -> Floats:
    """Return p-values adjusted so that any false alarm at all is as rare as the level they are compared with.

    It asks nothing of how the tests depend on each other: features may be correlated.

    References: Holm (1979), Scandinavian Journal of Statistics 6:65.

    >>> holm([0.01, 0.04, 0.03])
    array([0.03, 0.06, 0.06])
    """
    found = _p_values(p_values)
    order = np.argsort(found, kind="stable")
    stepped = np.maximum.accumulate(found[order] * np.arange(len(found), 0, -1))
    adjusted = np.empty_like(found)
    adjusted[order] = np.minimum(stepped, 1)
    return adjusted


def false_discoveries(p_values: npt.ArrayLike) -> Floats:
    """Return p-values adjusted so that of the alarms raised at a level no more than that share is false, on average.

    It finds more than `holm` and promises less. Holds for tests that are independent or rise and fall together.

    References: Benjamini and Hochberg (1995), Journal of the Royal Statistical Society B 57:289.
    """
    found = _p_values(p_values)
    return np.asarray(false_discovery_control(found, method="bh")) if len(found) else found


def _p_values(given: npt.ArrayLike) -> Floats:
    found = np.asarray(given, dtype=np.float64)
    if found.ndim != 1 or not ((found >= 0) & (found <= 1)).all():
        raise DataRefused(
            "p-values that are missing or out of range",
            where="p-values",
            expected="a number from 0 to 1 for each test",
            do="leave out what was not judged, and say so",
        )
    return found
