"""All features, in the order they are written down, and the one function that computes them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt
import polars as pl

from features.counting import all_found, found
from features.declaration import Feature, Group, declared_in
from features.errors import ConfigurationRefused, DataRefused, ModelRefused
from features.history import CASE, History
from features.probes import probe_history
from features.queries import all_answered
from features.shared_counts import Plan
from features.views import View

FINGERPRINT_LENGTH = 12


@dataclass(frozen=True)
class FeatureMatrix:
    """Feature values of many cases.

    `cases` has `case`, `loan_id`, `observed_on`; `values` is cases x features, float64, C order, NaN for
    "cannot know"; `features` names its columns.
    """

    cases: pl.DataFrame
    values: npt.NDArray[np.float64]
    features: tuple[Feature, ...]

    def __len__(self) -> int:
        return len(self.values)

    def rows(self, chosen: npt.NDArray[np.intp]) -> FeatureMatrix:
        """Return some of the cases, in the order given."""
        return FeatureMatrix(self.cases[chosen], np.ascontiguousarray(self.values[chosen]), self.features)

    def of(self, names: tuple[str, ...]) -> FeatureMatrix:
        """Return some of the features, in the order given."""
        place = {feature.name: column for column, feature in enumerate(self.features)}
        columns = [place[name] for name in names]
        chosen = tuple(self.features[column] for column in columns)
        return FeatureMatrix(self.cases, np.ascontiguousarray(self.values[:, columns]), chosen)

    def frame(self) -> pl.DataFrame:
        """Return loan, observation date and one Float64 column per feature, null for "cannot know"."""
        columns = pl.DataFrame(self.values, schema=[feature.name for feature in self.features]).fill_nan(None)
        return self.cases.select("loan_id", "observed_on").hstack(columns)


@dataclass(frozen=True)
class Catalog:
    """An ordered set of declared features."""

    features: tuple[Feature, ...]

    def __post_init__(self) -> None:
        names = [feature.name for feature in self.features]
        repeated = sorted({name for name in names if names.count(name) > 1})
        assert not repeated, f"declared twice: {repeated}"

    def __iter__(self) -> Iterator[Feature]:
        return iter(self.features)

    def __len__(self) -> int:
        return len(self.features)

    def __getitem__(self, name: str) -> Feature:
        return self._by_name[name]

    @cached_property
    def _by_name(self) -> dict[str, Feature]:
        return {feature.name: feature for feature in self.features}

    @property
    def names(self) -> tuple[str, ...]:
        """The features' names, in order."""
        return tuple(self._by_name)

    def chosen(self, names: Iterable[str]) -> Catalog:
        """Return the catalog of some features, in the order given.

        Raises
        ------
        ModelRefused : a name that this release does not declare
        """
        wanted = tuple(names)
        unknown = [name for name in wanted if name not in self._by_name]
        if unknown:
            raise ModelRefused(
                f"features that this release does not have: {', '.join(unknown)}",
                where="the model's list of features",
                expected="names from `repayrank features`",
                do="deploy the release that fitted the model, or promote a model fitted with this one",
            )
        return Catalog(tuple(self._by_name[name] for name in wanted))

    def and_declared(self, features: Iterable[Feature]) -> Catalog:
        """Return the catalog with a lender's own features after the release's.

        Raises
        ------
        ConfigurationRefused : one of them has a name that the release uses
        """
        own = tuple(features)
        taken = [feature.name for feature in own if feature.name in self._by_name]
        if taken:
            raise ConfigurationRefused(
                f"features named as the release names its own: {', '.join(taken)}",
                where="portfolio file, [features]",
                expected="names that `repayrank features` does not list",
                do="choose other names",
            )
        return Catalog((*self.features, *own))

    def of_group(self, group: Group) -> tuple[Feature, ...]:
        """Return one group's features, in order."""
        return tuple(feature for feature in self.features if feature.group is group)

    def values(self, history: History) -> FeatureMatrix:
        """Return every feature of every case: the only computation of features there is.

        Training, the batch verbs, the service and a Spark partition all call it. All features of a view are evaluated
        in one pass; a table that was not sent leaves its features missing.
        """
        cases = history.cases.get_column(CASE).to_numpy()
        values = np.full((len(cases), len(self)), np.nan)
        place = {name: column for column, name in enumerate(self.names)}
        for told in self._found_of_few(history) if history.is_small else self._found_of_many(history):
            row = np.searchsorted(cases, told.get_column(CASE).to_numpy())
            names = [name for name in told.columns if name != CASE]
            columns = np.array([place[name] for name in names], dtype=np.intp)
            values[np.ix_(row, columns)] = _floats(told, names)
        return FeatureMatrix(history.cases, values, self.features)

    def _found_of_many(self, history: History) -> Iterator[pl.DataFrame]:
        """Yield the values of each view's features, one view after another, for each fills memory."""
        for view, plan in self._plans.items():
            rows = view.rows(history)
            if rows is not None:
                self._require_columns(view, rows)
                yield found(plan, rows, CASE)

    def _found_of_few(self, history: History) -> list[pl.DataFrame]:
        """Return the values of each view's features, all views asked together."""
        asked = {view: query for view in self._plans if (query := view.query(history)) is not None}
        plans: list[tuple[Plan, pl.DataFrame]] = []
        for view, rows in zip(asked, all_answered(asked.values()), strict=True):
            self._require_columns(view, rows)
            if not rows.is_empty():
                plans.append((self._plans[view], rows))
        return all_found(plans, CASE)

    def _require_columns(self, view: type[View], rows: pl.DataFrame) -> None:
        """Refuse facts without a column that a declared feature reads."""
        read = self._read.get(view)
        absent = sorted(read - set(rows.columns)) if read else []
        if absent:
            raise DataRefused(
                f"columns that features read and the table has not: {', '.join(absent)}",
                where="table 'facts'",
                expected="every column that the lender's own features read; a value may be empty, a column may not",
                do="add the columns, or use a card that was fitted without them",
            )

    @cached_property
    def _read(self) -> dict[type[View], set[str]]:
        """The columns that declared features read of each view."""
        read: dict[type[View], set[str]] = {}
        for feature in self.features:
            read.setdefault(feature.view, set()).update(column for column, _ in feature.reads)
        return read

    @cached_property
    def _plans(self) -> dict[type[View], Plan]:
        return _plans_of(self.features)

    @cached_property
    def fingerprint(self) -> str:
        """A short hash of what this code computes for fixed probe borrowers.

        It travels with a model: a service whose code computes other values refuses to start.
        """
        matrix = self.values(probe_history(self.features))
        told = hashlib.sha256()
        for feature, column in zip(matrix.features, matrix.values.T, strict=True):
            written = ",".join("" if np.isnan(value) else float(value).hex() for value in column)
            told.update(f"{feature.name}|{feature.group}|{int(feature.risk)}|{written}\n".encode())
        return told.hexdigest()[:FINGERPRINT_LENGTH]

    @cached_property
    def texts_version(self) -> str:
        """A short hash of all words: an answer's reasons can be traced to the sentences of its day."""
        words = [
            (feature.name, *(word for text in feature.texts for word in text.as_dict().values())) for feature in self
        ]
        return hashlib.sha256(repr(words).encode()).hexdigest()[:FINGERPRINT_LENGTH]

    def dictionary(self) -> list[dict[str, object]]:
        """Return the feature dictionary: what `repayrank features --json` and `GET /v1/features` answer."""
        return [entry(feature) for feature in self.features]


def _floats(frame: pl.DataFrame, names: list[str]) -> npt.NDArray[np.float64]:
    """Return columns side by side, NaN where there is no value."""
    columns = [frame.get_column(name).cast(pl.Float64).to_numpy() for name in names]
    return np.column_stack(columns) if columns else np.empty((frame.height, 0))


@lru_cache(maxsize=64)
def _plans_of(features: tuple[Feature, ...]) -> dict[type[View], Plan]:
    """Return what is to be counted of each view; kept, because taking formulas apart takes longer than one borrower."""
    views: dict[type[View], list[pl.Expr]] = {}
    for feature in features:
        views.setdefault(feature.view, []).append(feature.expression())
    return {view: Plan.of(expressions) for view, expressions in views.items()}


def entry(feature: Feature) -> dict[str, object]:
    """Return a feature's entry in the dictionary."""
    return {
        "name": feature.name,
        "group": feature.group.value,
        "family": feature.family,
        "unit": feature.unit.value,
        "direction": feature.risk.name.lower(),
        "label": feature.label.as_dict(),
        "en": feature.reason.en,
        "zh": feature.reason.zh,
        "missing": feature.missing.as_dict(),
        "definition": feature.definition,
    }


@lru_cache(maxsize=1)
def catalog() -> Catalog:
    """Return the catalog of this release; the order of modules and of features in them is the order of columns."""
    from features import ability, circumstances, willingness

    modules = (*ability.modules(), *willingness.modules(), *circumstances.modules())
    return Catalog(tuple(feature for module in modules for feature in declared_in(module)))
