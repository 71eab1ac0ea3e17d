"""One trial of tuning: cards of one size, each grown on some of the loans and judged on others.

The splits are worked on side by side and looked at one after the other, so that what is found, and where a trial is
given up, does not depend on how many cores there are.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from threading import Event
from typing import Any

import lightgbm as lgb
import numpy as np

from models.risk_model import Floats, Helpers, RiskModel, Size, Told
from training.cohort import Cohort, catalog_of
from training.fitting import helpers_of
from training.splits import Positions, Split
from training.tuning.objective import Objective
from training.tuning.objective import Told as Judged

GiveUp = Callable[[int, float], bool]
"""Whether to give up a trial after so many splits, whose mean Gini so far is told."""


@dataclass(frozen=True)
class Trial:
    """What came of a size.

    `judged` is None where the trial was given up. `ginis` are the mean Gini after each split that was judged; `trees`
    is where the splits' mean log-loss, `log_loss`, is least.
    """

    judged: Judged | None
    ginis: tuple[float, ...]
    trees: int
    log_loss: float


class Stopped(Exception):
    """The growing of a booster was stopped: its trial is given up."""


@dataclass(frozen=True)
class Ground:
    """The loans and the splits that all trials of a search are judged on.

    `threads` is how many splits are worked on at a time, 0 for all cores; no figure depends on it.
    """

    cohort: Cohort
    among: tuple[Split, ...]
    seed: int = 0
    threads: int = 0

    @cached_property
    def objective(self) -> Objective:
        """What the trials are compared by."""
        return Objective.of(self.cohort, self.among)

    @cached_property
    def _model(self) -> RiskModel:
        return RiskModel.of(catalog_of(self.cohort), seed=self.seed)

    @cached_property
    def _helpers(self) -> list[Helpers | None]:
        """The helpers of each split: nobody helps to judge themselves, or an earlier day."""
        return [helpers_of(self.cohort.rows(split.fit_on)) for split in self.among]

    def _side(self, cases: Positions) -> Told:
        return self.cohort.matrix.values[cases], self.cohort.bad[cases]

    def trial(self, size: Size, give_up: GiveUp = lambda *_: False) -> Trial:
        """Return what comes of a size, or what had come of it when it was given up."""
        boosters: list[lgb.Booster] = []
        losses: list[list[float]] = []
        ginis: list[float] = []
        stop, splits = Event(), range(len(self._helpers))
        with ThreadPoolExecutor(max_workers=self.threads or os.cpu_count()) as pool:
            growing = [pool.submit(self._grown, size, place, stop) for place in splits]
            try:
                for done in growing:
                    booster, after_each_tree = done.result()
                    boosters.append(booster)
                    losses.append(after_each_tree)
                    trees, loss = _best(losses)
                    scores = self._scores(boosters, trees)
                    ginis.append(self.objective.so_far(scores))
                    if len(ginis) < len(self.among) and give_up(len(ginis), ginis[-1]):
                        return Trial(None, tuple(ginis), trees, loss)
            finally:
                _end(growing, stop)
        return Trial(self.objective.told(scores), tuple(ginis), trees, loss)

    def _grown(self, size: Size, place: int, stop: Event) -> tuple[lgb.Booster, list[float]]:
        def heed(_: Any) -> None:
            if stop.is_set():
                raise Stopped

        split = self.among[place]
        fitted, held_out = self._side(split.fit_on), self._side(split.judge_on)
        return self._model.grow(size, fitted, held_out, self._helpers[place], after_each_tree=heed)

    def _scores(self, boosters: list[lgb.Booster], trees: int) -> list[Floats]:
        """Return the raw log-odds of the judged cases of the first splits, by so many trees of each one's booster."""
        return [
            np.asarray(
                booster.predict(self._side(split.judge_on)[0], raw_score=True, num_iteration=trees, num_threads=1)
            )
            for booster, split in zip(boosters, self.among, strict=False)
        ]


def _best(losses: list[list[float]]) -> tuple[int, float]:
    """Return the trees at which the mean log-loss is least, and that loss: one number for all, as for a card's fit."""
    reached = min(map(len, losses))
    mean = np.mean([after_each_tree[:reached] for after_each_tree in losses], axis=0)
    return int(np.argmin(mean)) + 1, float(mean.min())


def _end(growing: list[Future[Any]], stop: Event) -> None:
    """Stop what is still growing; also when Ctrl-C comes, which would wait for it otherwise."""
    stop.set()
    for one in growing:
        one.cancel()
