"""What became of the judged cases and how they were scored: all that a figure which can be worked out again needs.

The evidence of a running validation has it, and so has a validation that was kept (`training.validation.kept`): a check
that asks for no more is made again from what is stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from features.declaration import Group
from models.risk_model import Floats
from training.statistics.metrics import Bools

Positions = npt.NDArray[np.intp]


class Scored(Protocol):
    """Judged cases; arrays run over them. See `Evidence` for what each of them is."""

    def __len__(self) -> int: ...

    @property
    def own(self) -> bool:
        """Whether they are the version's own cases, and not later ones."""

    @property
    def seed(self) -> int:
        """The seed of every sample that is drawn."""

    @property
    def bad(self) -> Bools:
        """What became of them."""

    @property
    def exposure(self) -> npt.NDArray[np.int64]:
        """Amounts at risk, in minor units."""

    @property
    def products(self) -> npt.NDArray[np.str_]:
        """The product of each case."""

    @property
    def months(self) -> npt.NDArray[np.str_]:
        """The month of each case's observation date."""

    @property
    def log_odds(self) -> Floats:
        """The raw log-odds of each case, by a model that had not seen it."""

    @property
    def calibrated(self) -> Floats:
        """The same by the card's own calibration."""

    @property
    def probability(self) -> Floats:
        """The probability of each case, by the card's own calibration."""

    @property
    def parts(self) -> Mapping[Group, Floats]:
        """What each group of features adds to the raw log-odds."""

    @property
    def columns(self) -> Mapping[str, Floats]:
        """Figures that checks worked out for each case, by name; NaN where a case was not asked."""

    @property
    def protected(self) -> pl.DataFrame | None:
        """Attributes of each case's borrower, for the fairness checks alone."""

    @property
    def reference_scores(self) -> Floats | None:
        """Of later cases: the raw log-odds out of sample of the version's own."""

    def parts_of(self) -> list[tuple[Bools, Positions]]:
        """Return the outcomes and positions of the cases that one model scored."""
