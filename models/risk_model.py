"""The model that turns features into a score whose ability, willingness and circumstances parts add up exactly.

Each tree of the boosted model uses features of one group only, so a group's part is a part of the model itself and
not an estimate of it. It is an ordinary scikit-learn classifier.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any, Self, cast

import lightgbm as lgb
import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from features.catalog import Catalog
from features.declaration import Group
from models.calibration import IDENTITY, Calibration, best_calibration
from models.pattern_tables import compile_booster
from models.reference import with_reference

Floats = npt.NDArray[np.float64]
Told = tuple[Floats, npt.NDArray[np.bool_]]
"""Cases' features, with what became of them."""


@dataclass(frozen=True)
class Size:
    """How large and how cautious the boosted model may be; LightGBM's parameters under its own names."""

    learning_rate: float = 0.03
    max_depth: int = 5
    num_leaves: int = 15
    min_data_in_leaf: int = 30
    lambda_l2: float = 20.0
    feature_fraction: float = 0.5
    bagging_fraction: float = 0.9
    max_bin: int = 63
    most_trees: int = 500


SIZES = (
    Size(),
    Size(
        max_depth=4,
        num_leaves=7,
        min_data_in_leaf=10,
        lambda_l2=5.0,
        feature_fraction=0.3,
        bagging_fraction=0.6,
        most_trees=700,
    ),
    Size(feature_fraction=0.3, bagging_fraction=0.6, most_trees=700),
)
"""The sizes that inner cross-validation chooses from.

Tried on inner folds of the Taiwan book: leaves 4 to 31, bins 31 to 255, extra trees, path smoothing, sampling and
regularisation moved the AUC by less than 0.0005; seven leaves do better on a few thousand loans, fifteen on more. The
last two see less of the columns and the cases per tree, for columns that are many, thin and unlike each other, as
application forms are: on other folds than the published ones they gain 0.002 AUC on German credit and 0.001 on
LendingClub. A fourth size, seven leaves with half of the columns, was chosen now and then and gained nothing. Repeated
inner folds and the mean of several seeds gained nothing either.
"""


LARGE_SIZES = (
    Size(),
    Size(learning_rate=0.1, num_leaves=31, max_depth=6, min_data_in_leaf=100),
)
"""The sizes of a large book. On 200,000 made-up cases of 70 features, 300 trees each, the second gains 0.03 AUC on the
first, and is 0.002 behind LightGBM at its defaults, which mixes the groups and knows no bound of depth.
"""
LARGE_FROM = 100_000
"""Cases from which a book is large."""


def sizes_for(cases: int) -> tuple[Size, ...]:
    """Return the sizes to choose from for so many cases."""
    return LARGE_SIZES if cases >= LARGE_FROM else SIZES


@dataclass(frozen=True)
class Helpers:
    """Loans of another population: feature values, outcomes, and the weight of each beside a loan of the card's own."""

    values: Floats
    bad: npt.NDArray[np.bool_]
    weight: float


def fitting_rows(X: Floats, said: npt.NDArray[Any], helpers: Helpers | None = None) -> lgb.Dataset:
    """Return the rows to grow trees on: the card's, the helpers', and one without any value that weighs nothing.

    LightGBM reads a missing value as 0 in every column that never lacked one while fitting; "cannot know" would be
    scored as "counted, none". The empty row makes it send missing values a way of their own.
    """
    empty = np.full((1, X.shape[1]), np.nan)
    parts = [(X, said, 1.0), (empty, np.zeros(1, dtype=np.bool_), 0.0)]
    if helpers is not None:
        parts.insert(1, (helpers.values, helpers.bad, helpers.weight))
    return lgb.Dataset(
        np.vstack([values for values, _, _ in parts]),
        np.concatenate([outcomes for _, outcomes, _ in parts]),
        weight=np.concatenate([np.full(len(values), weight) for values, _, weight in parts]),
        free_raw_data=False,
    )


class RiskModel(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Gradient boosted trees, separable by group, monotone by declaration, calibrated out of fold.

    Parameters
    ----------
    groups : group name of each column, or None for one group
    directions : +1, -1 or 0 for each column (risk rises, falls, free), or None for all free
    sizes : the candidates; inner cross-validation chooses one and its number of trees by log-loss. None: those of
        `sizes_for`
    inner_folds : folds of that cross-validation; its out-of-fold scores also fit the calibration
    separable : False lets trees mix the groups, to measure what separability costs
    seed : the same seed, data and versions give the same model
    threads : 0 for all cores; the model does not depend on it

    Attributes
    ----------
    booster_ : the LightGBM booster
    tables_ : the same trees, compiled for scores and contributions; `base_` their mean score
    calibration_ : from raw to calibrated log-odds
    size_ : the chosen size; `trees_` the chosen number of trees
    out_of_fold_ : raw log-odds of each fitted case from a booster that had not seen it; None on too few cases
    fold_boosters_ : the boosters that gave them, one for each inner fold; empty on too few cases
    inner_log_loss_ : the chosen size's out-of-fold log-loss before calibration
    """

    objective, loss = "binary", "binary_logloss"
    """What trees are grown on, and what tells that they are enough; LightGBM's names."""

    def __init__(
        self,
        groups: Sequence[str] | None = None,
        directions: Sequence[int] | None = None,
        sizes: Sequence[Size] | None = None,
        inner_folds: int = 4,
        separable: bool = True,
        seed: int = 0,
        threads: int = 0,
    ) -> None:
        self.groups = groups
        self.directions = directions
        self.sizes = sizes
        self.inner_folds = inner_folds
        self.separable = separable
        self.seed = seed
        self.threads = threads

    @classmethod
    def of(cls, catalog: Catalog, **parameters: Any) -> Self:
        """Return an unfitted model with the groups and directions of a catalog."""
        return cls(
            groups=[feature.group.value for feature in catalog],
            directions=[int(feature.risk) for feature in catalog],
            **parameters,
        )

    @classmethod
    def fitted(
        cls, booster: lgb.Booster, calibration: Calibration, groups: Sequence[str], directions: Sequence[int]
    ) -> Self:
        """Return a model from its stored parts."""
        model = cls(groups=groups, directions=directions)
        model.booster_, model.calibration_ = booster, calibration
        model.classes_, model.n_features_in_ = np.array([False, True]), len(groups)
        model._compile()
        return model

    def fit(self, X: Any, y: Any, *, helpers: Helpers | None = None, borrowers: Any = None) -> Self:
        """Fit on cases x features (NaN for "cannot know") and outcomes; the larger class label is the bad one.

        Parameters
        ----------
        helpers : loans of another population that take part in growing the trees at a small weight. They are never
            judged on, calibrated on, or part of the population that contributions compare with.
        borrowers : the borrower of each case; inner folds keep a borrower's cases together
        """
        X, y = validate_data(self, X, y, dtype=np.float64, ensure_all_finite="allow-nan", ensure_min_samples=2)
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) != 2:  # noqa: PLR2004 - good and bad
            raise ValueError(
                "RiskModel is a binary classifier: Only binary classification is supported. "
                f"y has {len(self.classes_)} class(es); pass outcomes with one class of good and one class of bad loans"
            )
        bad = codes.astype(np.bool_)
        self.out_of_fold_ = self._choose_size(X, bad, helpers, borrowers)
        threads = self.threads or (1 if len(X) < THREADS_PAY_FROM else 0)
        grown = lgb.train(
            {**self._parameters(self.size_), "num_threads": threads},
            fitting_rows(X, bad, helpers),
            num_boost_round=self.trees_,
        )
        self.booster_ = with_reference(grown, X)
        self.calibration_ = (
            IDENTITY if self.out_of_fold_ is None else best_calibration(self.out_of_fold_, bad, seed=self.seed)
        )
        self._compile()
        return self

    def contributions(self, X: Any) -> Floats:
        """Return each feature's exact path-dependent TreeSHAP value in log-odds: cases x features.

        Their sum with `base_` is the score. Positive values raise the risk.
        """
        return self.tables_.contributions(self._checked(X), self.threads)

    def log_odds(self, X: Any) -> Floats:
        """Return LightGBM's own raw score: log-odds of the bad outcome before calibration."""
        values = self._checked(X)
        return np.asarray(self.booster_.predict(values, raw_score=True, num_threads=self.threads))

    def decision_function(self, X: Any) -> Floats:
        """Return calibrated log-odds of the bad outcome."""
        raw = self.log_odds(X)
        return self.calibration_.log_odds(raw)

    def predict_proba(self, X: Any) -> Floats:
        """Return calibrated probabilities of the good and of the bad outcome."""
        raw = self.log_odds(X)
        bad = self.calibration_.probability(raw)
        return np.column_stack([1 - bad, bad])

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Return the likelier class."""
        likelier = (self.decision_function(X) > 0).astype(int)
        return cast("npt.NDArray[Any]", self.classes_[likelier])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.classifier_tags.multi_class = False
        return tags

    def _checked(self, X: Any) -> Floats:
        check_is_fitted(self, "booster_")
        return cast("Floats", validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan", reset=False))

    def _compile(self) -> None:
        """Compile the trees; the base is the fitting population's mean score (`models.reference`), for every case."""
        self.tables_ = compile_booster(self.booster_)
        self.base_ = self.tables_.base

    def _choose_size(
        self, X: Floats, bad: npt.NDArray[np.bool_], helpers: Helpers | None, borrowers: Any
    ) -> Floats | None:
        """Set `size_` and `trees_`; return the chosen size's out-of-fold log-odds, or None on too few cases."""
        folds = min(self.inner_folds, int(bad.sum()), int((~bad).sum()))
        sizes = self.sizes or sizes_for(len(X))
        if folds < 2:  # noqa: PLR2004 - cross-validation needs two
            self.size_ = sizes[0]
            self.trees_, self.inner_log_loss_ = self.size_.most_trees // 4, float("nan")
            self.fold_boosters_: list[lgb.Booster] = []
            return None
        splits = inner_folds(X, bad, borrowers, folds, self.seed)
        best: tuple[float, Size, int, Floats, list[lgb.Booster]] | None = None
        for size in sizes:
            loss, trees, told, boosters = self._out_of_fold(size, X, bad, splits, helpers)
            if best is None or loss < best[0]:
                best = (loss, size, trees, told, boosters)
        assert best is not None, "sizes must not be empty"
        self.inner_log_loss_, self.size_, trees, out_of_fold, boosters = best
        self.fold_boosters_ = [first_trees(booster, trees) for booster in boosters]
        self.trees_ = round(trees * MORE_TREES)
        return out_of_fold

    def out_of_fold(
        self,
        size: Size,
        X: Floats,
        bad: npt.NDArray[np.bool_],
        *,
        helpers: Helpers | None = None,
        borrowers: Any = None,
    ) -> Floats:
        """Return each case's raw log-odds by a model of some size that had not seen it, on the inner folds of `fit`."""
        folds = min(self.inner_folds, int(bad.sum()), int((~bad).sum()))
        return self._out_of_fold(size, X, bad, inner_folds(X, bad, borrowers, folds, self.seed), helpers)[2]

    def _out_of_fold(
        self,
        size: Size,
        X: Floats,
        bad: npt.NDArray[np.bool_],
        splits: list[tuple[Any, Any]],
        helpers: Helpers | None,
    ) -> tuple[float, int, Floats, list[lgb.Booster]]:
        """Return the least held-out log-loss, the trees it takes, the held-out log-odds of all cases, and boosters."""
        fold_boosters, losses = self._cross_validate(size, X, bad, splits, helpers)
        trees = int(np.argmin(losses)) + 1
        told = np.empty(len(X))
        for booster, (_, held_out) in zip(fold_boosters, splits, strict=True):
            told[held_out] = booster.predict(X[held_out], raw_score=True, num_iteration=trees, num_threads=self.threads)
        return float(losses[trees - 1]), trees, told, fold_boosters

    def _cross_validate(
        self,
        size: Size,
        X: Floats,
        said: npt.NDArray[Any],
        splits: list[tuple[Any, Any]],
        helpers: Helpers | None,
    ) -> tuple[list[lgb.Booster], Floats]:
        """Return one booster per fold and the mean held-out loss after each tree.

        The folds run side by side with one thread each: LightGBM's own threads wait for each other after every
        split, which on a few thousand loans, or on a busy machine, costs more than they save.
        """

        def fold(split: tuple[Any, Any]) -> tuple[lgb.Booster, list[float]]:
            fit_on, held_out = split
            return self.grow(size, (X[fit_on], said[fit_on]), (X[held_out], said[held_out]), helpers)

        with ThreadPoolExecutor(max_workers=self.threads or os.cpu_count()) as pool:
            done = list(pool.map(fold, splits))
        reached = min(len(losses) for _, losses in done)
        return [booster for booster, _ in done], np.mean([losses[:reached] for _, losses in done], axis=0)

    def grow(
        self,
        size: Size,
        fitted: Told,
        held_out: Told,
        helpers: Helpers | None = None,
        *,
        after_each_tree: Callable[[Any], None] | None = None,
    ) -> tuple[lgb.Booster, list[float]]:
        """Return a booster, grown until held-out cases gain nothing, and their log-loss after each of its trees.

        On one thread, so that several can grow side by side; the model itself is not changed.

        Parameters
        ----------
        after_each_tree : called with LightGBM's `CallbackEnv`; what it raises ends the growing
        """
        (X, bad), (other_X, other_bad) = fitted, held_out
        fitting = fitting_rows(X, bad, helpers)
        seen: dict[str, dict[str, list[float]]] = {}
        callbacks = [lgb.early_stopping(PATIENCE, verbose=False), lgb.record_evaluation(seen)]
        booster = lgb.train(
            {**self._parameters(size), "num_threads": 1},
            fitting,
            num_boost_round=size.most_trees,
            valid_sets=[lgb.Dataset(other_X, other_bad, reference=fitting, free_raw_data=False)],
            valid_names=["held out"],
            callbacks=callbacks if after_each_tree is None else [*callbacks, after_each_tree],
        )
        return booster, seen["held out"][self.loss]

    def _parameters(self, size: Size) -> dict[str, Any]:
        shape = {name: value for name, value in asdict(size).items() if name != "most_trees"}
        parameters = {
            **shape,
            "objective": self.objective,
            "metric": self.loss,
            "bagging_freq": 1,
            "feature_pre_filter": False,
            "deterministic": True,
            "force_row_wise": True,
            "seed": self.seed,
            "verbosity": -1,
        }
        if self.groups is not None and self.separable:
            columns = range(len(self.groups))
            members = {name: [i for i in columns if self.groups[i] == name] for name in dict.fromkeys(self.groups)}
            parameters["interaction_constraints"] = [list(group) for group in members.values()]
        if self.directions is not None and any(self.directions):
            parameters["monotone_constraints"] = list(self.directions)
            # The other two methods break directions in LightGBM 4.7: "advanced" often (LightGBM issues 5358 and
            # 6155), "intermediate" in 3 steps of a sweep over the Taiwan book. "basic" costs no AUC there.
            parameters["monotone_constraints_method"] = "basic"
        return parameters


def first_trees(booster: lgb.Booster, trees: int) -> lgb.Booster:
    """Return a booster of the first so many trees of another."""
    return lgb.Booster(model_str=booster.model_to_string(num_iteration=trees))


def inner_folds(X: Floats, bad: npt.NDArray[np.bool_], borrowers: Any, folds: int, seed: int) -> list[tuple[Any, Any]]:
    """Return folds of cases: stratified by outcome, a borrower's cases together where one has several."""
    if borrowers is not None and len(np.unique(borrowers)) < len(borrowers):
        grouped = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
        return list(grouped.split(X, bad, groups=borrowers))
    return list(StratifiedKFold(folds, shuffle=True, random_state=seed).split(X, bad))


PATIENCE = 60
"""Rounds without a better out-of-fold log-loss after which no more trees are tried."""

MORE_TREES = 1.1
"""The last fit sees a third more loans than the inner folds did, and bears this many times their trees."""

THREADS_PAY_FROM = 100_000
"""Loans from which LightGBM's own threads gain more in one fit than their waiting for each other costs."""

GROUP_ORDER = (Group.ABILITY, Group.WILLINGNESS, Group.CIRCUMSTANCES)
"""The order in which the parts are added to the base; fixed, so that sums agree to the bit."""
