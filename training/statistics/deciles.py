"""How the loans behave tenth by tenth, riskiest first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.risk_model import Floats
from training.statistics.intervals import wilson
from training.statistics.metrics import Bools

Money = npt.NDArray[np.int64]

DECILES = 10


@dataclass(frozen=True)
class Decile:
    """A tenth of the loans, by score.

    `number` is 1 for the riskiest; `predicted` is their mean probability, `observed` the share that went bad, with
    `low` and `high` its Wilson interval; `lift` is `observed` over the share of all loans; `found` is the share of
    all bad loans in this and the riskier tenths. Money is in minor units.
    """

    number: int
    loans: int
    predicted: float
    observed: float
    low: float
    high: float
    lift: float
    found: float
    exposure_minor: int
    bad_minor: int


def decile_table(bad: Bools, probability: Floats, exposure_minor: Money | None = None) -> list[Decile]:
    """Return the tenths of loans in order of probability, riskiest first; fewer when there are fewer than ten loans.

    Parameters
    ----------
    bad : outcome of each loan; at least one is true
    probability : a score that rises with risk; `predicted` means something only when it is a probability
    exposure_minor : amounts at risk in minor units; 0 for each loan when not given
    """
    money = np.zeros(len(bad), dtype=np.int64) if exposure_minor is None else exposure_minor
    table: list[Decile] = []
    found = 0
    for number, members in enumerate(tenths(probability), start=1):
        went_bad, loans = int(bad[members].sum()), len(members)
        found += went_bad
        interval = wilson(went_bad, loans)
        table.append(
            Decile(
                number=number,
                loans=loans,
                predicted=float(probability[members].mean()),
                observed=went_bad / loans,
                low=interval.low,
                high=interval.high,
                lift=went_bad / loans / float(bad.mean()),
                found=found / int(bad.sum()),
                exposure_minor=int(money[members].sum()),
                bad_minor=int(money[members][bad[members]].sum()),
            )
        )
    return table


def tenths(score: Floats) -> list[npt.NDArray[np.intp]]:
    """Return the positions of the loans in ten groups of equal size, highest score first; ties keep their order."""
    return np.array_split(np.argsort(-score, kind="stable"), max(1, min(DECILES, len(score))))
