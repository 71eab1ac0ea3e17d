"""Proof by trying: does the calibrated risk ever move against a feature's declared direction?"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from models.risk_model import Floats, RiskModel

TOLERANCE = 1e-12
"""A step against the direction that is smaller than this is rounding."""
ROWS = 100


def monotone_violations(model: RiskModel, values: Floats, *, rows: int = ROWS) -> int:
    """Return how many steps of the calibrated probability go against a declared direction.

    Each directed feature is swept, on real rows, through one point in every interval between the thresholds that
    the trees use for it: between two thresholds nothing can change, so the sweep is complete for these rows. Missing
    is no step: a missing value has no place in an order.
    """
    base = values[np.linspace(0, len(values) - 1, min(rows, len(values))).astype(int)]
    thresholds = points_between_thresholds(model)
    wrong = 0
    for column, direction in enumerate(model.directions or []):
        points = thresholds.get(column)
        if not direction or points is None:
            continue
        swept = np.repeat(base, len(points), axis=0)
        swept[:, column] = np.tile(points, len(base))
        risk = model.predict_proba(swept)[:, 1].reshape(len(base), len(points))
        wrong += int((np.diff(risk, axis=1) * direction < -TOLERANCE).sum())
    return wrong


def points_between_thresholds(model: RiskModel) -> dict[int, Floats]:
    """Return, for each column that the trees use, one value inside each interval between its thresholds."""
    used: dict[int, set[float]] = {}
    for tree in model.booster_.dump_model()["tree_info"]:
        pending = [tree["tree_structure"]]
        while pending:
            node = pending.pop()
            if "split_feature" in node:
                used.setdefault(int(node["split_feature"]), set()).add(float(node["threshold"]))
                pending += [node["left_child"], node["right_child"]]
    return {column: _between(sorted(thresholds)) for column, thresholds in used.items()}


def _between(thresholds: list[float]) -> Floats:
    inside = [(low + high) / 2 for low, high in pairwise(thresholds)]
    return np.array([thresholds[0] - 1, *inside, thresholds[-1] + 1])
