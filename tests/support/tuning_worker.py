"""A process that tunes a card until it is done or killed."""

from __future__ import annotations

import os
from pathlib import Path

from training.cohort import Cohort
from training.tuning.tune import tune


def work(whole: Cohort, home: Path, trials: int, folds: int) -> None:
    """Tune with the caller's own group of processes, so that a kill takes all of it."""
    os.setsid()
    tune(whole, home, portfolio="made for tests", source="tests", trials=trials, folds=folds, threads=1)
