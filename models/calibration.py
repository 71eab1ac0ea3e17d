"""How often loans with a given score really went bad: from the model's log-odds to a calibrated probability."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import isotonic_regression
from scipy.special import expit, log_expit
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

Floats = npt.NDArray[np.float64]

LEAST_BLOCK = 50
"""Fewest loans in a step of the isotonic map: smaller steps follow noise."""


@dataclass(frozen=True)
class Calibration:
    """A strictly rising, piecewise linear map from raw to calibrated log-odds.

    `raw` and `calibrated` are its knots; beyond the ends the outer pieces go on. Strictly rising, so that the order
    of the scores is the order of the probabilities and no ties arise.
    """

    kind: str
    raw: tuple[float, ...]
    calibrated: tuple[float, ...]

    def __post_init__(self) -> None:
        rising = np.all(np.diff(self.raw) > 0) and np.all(np.diff(self.calibrated) > 0)
        if len(self.raw) != len(self.calibrated) or len(self.raw) < 2 or not rising:  # noqa: PLR2004 - a line has two
            raise ValueError("a calibration needs two or more knots that rise strictly in both coordinates")

    def log_odds(self, raw: Floats) -> Floats:
        """Return calibrated log-odds of the bad outcome."""
        x, y, slope = self._lines
        piece = self._piece(raw)
        return np.asarray(y[piece] + slope[piece] * (raw - x[piece]))

    def probability(self, raw: Floats) -> Floats:
        """Return the calibrated probability of the bad outcome."""
        return np.asarray(expit(self.log_odds(raw)))

    def log_probability(self, raw: Floats) -> Floats:
        """Return the natural logarithm of the calibrated probability, exact also where it is tiny."""
        return np.asarray(log_expit(self.log_odds(raw)))

    def log_probability_slope(self, raw: Floats) -> Floats:
        """Return how much `log_probability` rises for each unit of raw log-odds; at a knot, that of the upper piece."""
        return np.asarray(expit(-self.log_odds(raw)) * self._lines[2][self._piece(raw)])

    def _piece(self, raw: Floats) -> npt.NDArray[np.intp]:
        before = np.searchsorted(self._lines[0], raw, side="right") - 1
        return np.minimum(np.maximum(before, 0), len(self.raw) - 2)

    @cached_property
    def _lines(self) -> tuple[Floats, Floats, Floats]:
        """Where the pieces begin, raw and calibrated, and their slopes."""
        x, y = np.asarray(self.raw), np.asarray(self.calibrated)
        return x, y, np.diff(y) / np.diff(x)

    def as_dict(self) -> dict[str, Any]:
        """Return the map as plain data."""
        return {"kind": self.kind, "raw": list(self.raw), "calibrated": list(self.calibrated)}

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> Calibration:
        """Return the map written by `as_dict`."""
        return cls(str(plain["kind"]), tuple(map(float, plain["raw"])), tuple(map(float, plain["calibrated"])))


IDENTITY = Calibration("identity", (0.0, 1.0), (0.0, 1.0))


def sigmoid(raw: Floats, bad: npt.NDArray[np.bool_]) -> Calibration:
    """Return the logistic recalibration: intercept and slope (Platt 1999; Cox 1958)."""
    fitted = LogisticRegression(C=np.inf).fit(raw.reshape(-1, 1), bad)
    slope, intercept = float(fitted.coef_[0, 0]), float(fitted.intercept_[0])
    return Calibration("sigmoid", (0.0, 1.0), (intercept, intercept + slope)) if slope > 0 else IDENTITY


def isotonic(raw: Floats, bad: npt.NDArray[np.bool_]) -> Calibration:
    """Return centred isotonic regression: straight lines between the centres of the steps (Oron and Flournoy 2017).

    Steps of fewer than `LEAST_BLOCK` loans are merged with their neighbour, and steps without a bad or a good loan
    take half a loan of it, so that no probability is 0 or 1. Beyond the outer centres, where no step says how steep
    the map is, a unit of raw log-odds counts as one: the outermost step's own slope may be many times that.
    """
    order = np.argsort(raw, kind="stable")
    scores, outcomes = raw[order], bad[order].astype(np.float64)
    chunks = np.array_split(np.arange(len(raw)), max(1, len(raw) // LEAST_BLOCK))
    means = np.array([outcomes[chunk].mean() for chunk in chunks])
    centres = np.array([scores[chunk].mean() for chunk in chunks])
    weights = np.array([len(chunk) for chunk in chunks], dtype=np.float64)
    blocks = isotonic_regression(means, weights=weights).blocks
    knots: list[tuple[float, float]] = []
    for start, stop in pairwise(blocks):
        weight = weights[start:stop].sum()
        bads = float((means[start:stop] * weights[start:stop]).sum())
        share = min(max(bads, 0.5), weight - 0.5) / weight
        x = float((centres[start:stop] * weights[start:stop]).sum() / weight)
        y = float(np.log(share / (1 - share)))
        if not knots or (x > knots[-1][0] and y > knots[-1][1]):
            knots.append((x, y))
    if len(knots) < 2:  # noqa: PLR2004 - one step only: nothing to interpolate
        return IDENTITY
    (low_x, low_y), (high_x, high_y) = knots[0], knots[-1]
    knots = [(low_x - 1, low_y - 1), *knots, (high_x + 1, high_y + 1)]
    return Calibration("isotonic", tuple(x for x, _ in knots), tuple(y for _, y in knots))


def best_calibration(raw: Floats, bad: npt.NDArray[np.bool_], *, seed: int, folds: int = 5) -> Calibration:
    """Return the map with the smallest cross-validated log-loss, if it is clearly better than a simpler one.

    Clearly: by more than one standard error of the difference, loan by loan. A more flexible map that is better by
    chance makes probabilities worse.

    Parameters
    ----------
    raw : log-odds of loans that the model was not fitted on
    bad : their outcomes
    """
    if min(bad.sum(), (~bad).sum()) < max(folds, LEAST_BLOCK):
        return IDENTITY
    fits = {"identity": lambda *_: IDENTITY, "sigmoid": sigmoid, "isotonic": isotonic}
    splits = list(StratifiedKFold(folds, shuffle=True, random_state=seed).split(raw, bad))

    def losses(name: str) -> Floats:
        told = np.empty(len(raw))
        for fit_on, judge_on in splits:
            told[judge_on] = fits[name](raw[fit_on], bad[fit_on]).log_odds(raw[judge_on])
        return np.asarray(-np.where(bad, log_expit(told), log_expit(-told)))

    best, least = "identity", losses("identity")
    for name in ("sigmoid", "isotonic"):
        tried = losses(name)
        gain = least - tried
        if gain.mean() > gain.std() / np.sqrt(len(gain)):
            best, least = name, tried
    return fits[best](raw, bad)
