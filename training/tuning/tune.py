"""Tuning a card: try sizes of its trees on loans held out in turn, keep the best, and say honestly whether it pays."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from sklearn.metrics import roc_auc_score

from features.errors import UsageError
from models.cards import declaration
from models.risk_model import Size
from training.cohort import Cohort
from training.fitting import data_hash, fit
from training.splits import Split
from training.statistics.clustered import auc_difference_by_borrower
from training.tracking import Tracker
from training.tuning.objective import Objective
from training.tuning.plots import parameter_importance, tuning_history
from training.tuning.record import TuningRecord, recorded
from training.tuning.result import FILE, Tuned, Verdict, path_of, write
from training.tuning.space import defaults, space
from training.tuning.splits import INNER_FOLDS, Nested, nested
from training.tuning.study import Finished, finished, opened, search
from training.tuning.trials import Ground

Say = Callable[[str], None]
BEST_SHOWN = 5
LOOKS = "looks"
"""The attribute of a search that says after how many trials the loans set apart were looked at."""
MATTERS = ("repayrank", "lightgbm", "numpy", "optuna", "scikit-learn")
"""What a figure of a trial depends on: with another version of one of them a search begins anew."""
SHORT = 12
"""Letters of a digest that name a search."""
MINUTE = 60
LEAST_FOR_IMPORTANCE = 4
"""Judged trials below which no importance can be told."""


@dataclass(frozen=True)
class Outcome:
    """What a tuning came to: the file, its best trials in order, and how much each parameter moved the objective."""

    tuned: Tuned
    path: Path
    best: tuple[Finished, ...]
    importance: Mapping[str, float]


def tune(
    whole: Cohort,
    home: Path,
    *,
    portfolio: str,
    source: str,
    trials: int,
    seed: int = 0,
    seconds: float | None = None,
    by: str | None = None,
    folds: int = INNER_FOLDS,
    test_from: date | None = None,
    embargo_days: int | None = None,
    threads: int = 0,
    say: Say = lambda _: None,
) -> Outcome:
    """Search for a better size of a card's trees; the same call goes on where the last one stopped.

    Parameters
    ----------
    portfolio, source : the name of the cohort's book and where it comes from
    trials : trials in all, with those that are already done; they are the same whether done at once or not
    seconds : stop beginning trials after so long
    by, folds, test_from, embargo_days : how cases are split (`training.tuning.splits.nested`)
    threads : splits worked on at a time, 0 for all cores; no figure depends on it

    Raises
    ------
    UsageError : too few cases, another process at work on the same search, or no time for a single trial
    """
    card = whole.card
    cut = nested(whole, by=by, folds=folds, seed=seed, test_from=test_from, embargo_days=embargo_days)
    ground = Ground(cut.tuned_on, cut.among, seed, threads)
    about = {"portfolio": portfolio, "source": source, **_about(whole, cut, ground)}
    name = _digest({**about, "card": declaration(card)})[:SHORT]
    say(f"tuning the {card.name} card on {len(cut.tuned_on):,} cases, {len(cut.set_apart):,} {cut.words}")
    say(f"making large: {ground.objective.words}")
    latest = path_of(home, card.name)
    with (
        opened(latest.parent / name) as study,
        recorded(Tracker(home / "mlflow"), card.name, name, parameters=about, tags=_tags(ground)) as record,
    ):
        record.dataset(card.name, about["data_sha256"], source, len(cut.tuned_on))
        done = _searched(study, ground, record, trials, seconds, say)
        best = _best(done)
        say("judging the best size on the loans set apart, against the default sizes")
        looks = sorted({*study.user_attrs.get(LOOKS, []), len(done)})
        study.set_user_attr(LOOKS, looks)
        found = {
            **{name: value for name, value in about.items() if name not in MATTERS},
            "search": name,
            "run": record.parent,
            "splits": cut.words,
            "objective": ground.objective.words,
            "cases": len(cut.tuned_on),
            "trials": len(done),
            "given_up": sum(one.value is None for one in done),
            "trial": best[0].number,
            "value": best[0].value,
            "value_of_defaults": _of_defaults(done, len(cut.tuned_on)),
            "judged_after_trials": looks,
        }
        tuned = Tuned(card.name, best[0].size, found, _verdict(cut, best[0].size, seed), _versions())
        importance = _importance(study, seed)
        figures = {"history": tuning_history(done, len(defaults(len(cut.tuned_on))))}
        if importance:
            figures["importance"] = parameter_importance(importance)
        record.result(tuned, table=[row(one) for one in best], importance=importance, figures=figures, done=done)
        write(tuned, latest.parent / name / FILE)
        write(tuned, latest)
    return Outcome(tuned, latest, tuple(best), importance)


def _searched(
    study: optuna.Study, ground: Ground, record: TuningRecord, trials: int, seconds: float | None, say: Say
) -> list[Finished]:
    """Do the trials that are left, each on record as soon as it is done."""
    before = finished(study)
    if before:
        say(f"going on after {len(before)} trials")
    record.trials(before)
    progress = _Progress(before, trials, seconds, say)

    def each(one: Finished) -> None:
        record.trial(one)
        progress.told(one)

    return search(study, ground, trials=trials, seconds=seconds, each=each)


class _Progress:
    """Says after each trial where the search stands and how long it may still take."""

    def __init__(self, before: Sequence[Finished], trials: int, seconds: float | None, say: Say) -> None:
        self.best = max((one.value for one in before if one.value is not None), default=None)
        self.already, self.trials, self.seconds, self.say = len(before), trials, seconds, say
        self.began = time.monotonic()

    def told(self, one: Finished) -> None:
        spent = time.monotonic() - self.began
        each = spent / (one.number - self.already)
        left = each * (self.trials - one.number)
        if self.seconds is not None:
            left = min(left, max(self.seconds - spent, 0.0))
        if one.value is None:
            told = f"given up after {len(one.ginis)} splits"
        else:
            better = self.best is None or one.value > self.best
            self.best = one.value if better else self.best
            told = f"objective {one.value:.4f}{', the best so far' if better else ''}"
        self.say(f"trial {one.number} of {self.trials}: {told}; {each:.1f} s each, {_duration(left)} left")


def _duration(seconds: float) -> str:
    return f"about {seconds / MINUTE:.0f} min" if seconds >= 2 * MINUTE else f"about {seconds:.0f} s"


def _about(whole: Cohort, cut: Nested, ground: Ground) -> dict[str, Any]:
    """Return what decides every figure of a search: another of one of them is another search."""
    told = hashlib.sha256(cut.tuned_on.observed_on.tobytes())
    for split in ground.among:
        told.update(np.ascontiguousarray(split.fit_on).tobytes() + np.ascontiguousarray(split.judge_on).tobytes())
    return {
        "seed": ground.seed,
        "book_sha256": data_hash(whole),
        "data_sha256": data_hash(cut.tuned_on),
        "splits_sha256": told.hexdigest(),
        "space_sha256": _digest({name: asdict(bounds) for name, bounds in space(len(cut.tuned_on)).items()}),
        **_versions(),
    }


def _versions() -> dict[str, str]:
    return {name: installed(name) for name in MATTERS}


def _tags(ground: Ground) -> dict[str, str]:
    return {"data_sha256": data_hash(ground.cohort), "objective": ground.objective.words}


def _digest(plain: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def _best(done: Sequence[Finished]) -> list[Finished]:
    """Return the best trials, best first; of equal ones the earlier."""
    judged = [one for one in done if one.value is not None]
    if not judged:
        raise UsageError(
            "no trial was finished",
            where="--trials, --minutes",
            expected="at least one trial",
            do="give it more; the same command goes on where this one stopped",
        )
    return sorted(judged, key=lambda one: (-(one.value or 0.0), one.number))[:BEST_SHOWN]


def _of_defaults(done: Sequence[Finished], cases: int) -> float:
    """Return the best objective of the default sizes, which are the first trials."""
    return max(one.value for one in done[: len(defaults(cases))] if one.value is not None)


def _verdict(cut: Nested, size: Size, seed: int) -> Verdict:
    """Return how a size and the default ones do on the loans set apart, all fitted as `train` fits."""
    values, bad = cut.set_apart.matrix.values, cut.set_apart.bad
    default, tuned = (fit(cut.tuned_on, seed=seed, sizes=sizes).log_odds(values) for sizes in (None, (size,)))
    objective = Objective.of(cut.set_apart, [Split(np.arange(0), np.arange(len(bad)), "all")])
    steady = [None, None] if objective.weeks is None else [objective.told([told]).value for told in (tuned, default)]
    return Verdict(
        len(bad),
        float(roc_auc_score(bad, tuned)),
        float(roc_auc_score(bad, default)),
        auc_difference_by_borrower(bad, tuned, default, cut.set_apart.borrowers),
        *steady,
    )


def _importance(study: optuna.Study, seed: int) -> dict[str, float]:
    """Return each parameter's share in the variance of the objective, by functional ANOVA; none of too few trials.

    References: Hutter, Hoos and Leyton-Brown (2014), ICML 32:754.
    """
    judged = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
    if len(judged) < LEAST_FOR_IMPORTANCE or len({one.value for one in judged}) < LEAST_FOR_IMPORTANCE:
        return {}
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=seed)
    return {
        name: float(share)
        for name, share in optuna.importance.get_param_importances(study, evaluator=evaluator).items()
    }


def row(one: Finished) -> dict[str, Any]:
    """Return a trial as a row of a table."""
    return {
        "trial": one.number,
        "objective": one.value,
        "gini": one.gini,
        "slope_per_week": one.slope,
        "spread": one.spread,
        "log_loss": one.log_loss,
        "trees": one.trees,
        **asdict(one.size),
    }
