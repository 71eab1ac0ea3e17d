"""The lender's scale: points that rise as risk falls, and the bands they are read in."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from models.policy import Band, Points
from models.risk_model import Floats


def points(calibrated_log_odds: Floats, scale: Points) -> npt.NDArray[np.int64]:
    """Return whole points from calibrated log-odds of the bad outcome; higher is safer.

    points = reference_points - factor x (log-odds + ln reference_odds), factor = points_to_double_odds / ln 2.
    Reference: Siddiqi, Intelligent Credit Scoring, 2nd ed. 2017, ch. 10.
    """
    factor = scale.points_to_double_odds / np.log(2)
    exact = scale.reference_points - factor * (calibrated_log_odds + np.log(scale.reference_odds))
    return np.asarray(np.rint(exact), dtype=np.int64)


def band_names(scored: npt.NDArray[np.int64], bands: tuple[Band, ...]) -> list[str]:
    """Return the band of each score; below the last band's start it is still the last band."""
    names = np.array([band.name for band in bands], dtype=object)
    starts = np.array([band.from_points for band in bands])
    reached = scored[:, None] >= starts[None, :]
    reached[:, -1] = True
    return [str(name) for name in names[reached.argmax(axis=1)]]
