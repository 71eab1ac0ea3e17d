"""Able or not, willing or not: the four quadrants that suggest how to treat a borrower."""

from __future__ import annotations

import numpy as np

from models.policy import QUADRANTS, CutOffs
from models.risk_model import Floats


def quadrants(ability: Floats, willingness: Floats, cut_offs: CutOffs) -> list[str]:
    """Return each case's quadrant from its group contributions in log-odds (positive raises risk)."""
    unable = (ability > cut_offs.ability_cut_off).astype(int)
    unwilling = (willingness > cut_offs.willingness_cut_off).astype(int)
    return [QUADRANTS[index] for index in np.asarray(2 * unable + unwilling)]
