"""What tuning may change about a card's trees, and between which bounds.

Groups stay apart and directions hold whatever the size; neither is for tuning. The number of trees is not drawn either:
each size grows until loans it has not seen gain nothing more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from models.risk_model import Size, sizes_for

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

Parameters = Mapping[str, float]

ROUNDS = 20.0
"""Most trees times the learning rate: slow learners may grow as far as quick ones."""


@dataclass(frozen=True)
class Range:
    """Between which bounds a parameter is drawn; `log`: each doubling as likely as the next."""

    low: float
    high: float
    log: bool = False
    whole: bool = False


def space(cases: int) -> dict[str, Range]:
    """Return the parameters that tuning draws for so many cases, with their bounds."""
    fewest, most = 5, max(40, min(cases // 25, 500))
    return {
        "learning_rate": Range(0.02, 0.15, log=True),
        "num_leaves": Range(3, 31, log=True, whole=True),
        "max_depth": Range(2, 6, whole=True),
        "min_data_in_leaf": Range(fewest, most, log=True, whole=True),
        "lambda_l2": Range(0.1, 100.0, log=True),
        "feature_fraction": Range(0.1, 1.0),
        "bagging_fraction": Range(0.4, 1.0),
    }


def distributions(cases: int) -> dict[str, BaseDistribution]:
    """Return the space as Optuna has it."""
    from optuna.distributions import FloatDistribution, IntDistribution

    return {
        name: IntDistribution(int(bounds.low), int(bounds.high), log=bounds.log)
        if bounds.whole
        else FloatDistribution(bounds.low, bounds.high, log=bounds.log)
        for name, bounds in space(cases).items()
    }


def size_of(parameters: Parameters) -> Size:
    """Return the size that drawn parameters stand for."""
    return replace(Size(), **_typed(parameters), most_trees=round(ROUNDS / parameters["learning_rate"]))


def _typed(parameters: Parameters) -> dict[str, Any]:
    whole = {name for name, value in asdict(Size()).items() if isinstance(value, int)}
    return {name: int(value) if name in whole else float(value) for name, value in parameters.items()}


def defaults(cases: int) -> tuple[dict[str, float], ...]:
    """Return the release's own sizes as parameters: the first trials, so that tuning starts from them."""
    bounds = space(cases)
    return tuple(
        {
            name: min(max(value, bounds[name].low), bounds[name].high)
            for name, value in asdict(size).items()
            if name in bounds
        }
        for size in sizes_for(cases)
    )
