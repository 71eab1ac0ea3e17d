"""One declaration of a feature: its formula, its group, its lawful direction and the words for it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from types import ModuleType
from typing import Any, TypeVar, get_type_hints

import polars as pl

from features.views import View
from features.words import Text, Unit, window, written

Formula = TypeVar("Formula", bound=Callable[..., pl.Expr])


class Group(StrEnum):
    """What a feature speaks of: can they pay, do they choose to, or neither."""

    ABILITY = "ability"
    WILLINGNESS = "willingness"
    CIRCUMSTANCES = "circumstances"

    @property
    def text(self) -> Text:
        """Return the group's name in both languages."""
        return Text(
            en=self.value, zh={"ability": "还款能力", "willingness": "还款意愿", "circumstances": "客观情况"}[self]
        )


class Risk(IntEnum):
    """How risk may move when the feature rises; it is the model's monotone constraint."""

    FALLS = -1
    FREE = 0
    RISES = 1


@dataclass(frozen=True)
class Feature:
    """A declared feature, ready to be computed and to be put into words.

    `months` is the look-back of a feature that is declared for several windows, else None. `family` names the
    features that say nearly the same thing; a list of reasons shows one of a family. A value of `capped_at` stands for
    that much or more, and is said so. The values of a category are the positions of its `levels`. A feature that the
    lender declared itself `reads` columns of table `facts`, each with its kind; `samples` are texts it knows in them.
    A mark says yes or no of one level, or one code, of the declared feature `mark_of`: `holds` states the fact where it
    is yes, and `otherwise` where no mark of the feature is.
    """

    name: str
    group: Group
    unit: Unit
    risk: Risk
    family: str
    label: Text
    reason: Text
    missing: Text
    definition: str
    view: type[View]
    formula: Callable[..., pl.Expr]
    months: int | None = None
    capped_at: float | None = None
    levels: tuple[Text, ...] = ()
    reads: tuple[tuple[str, str], ...] = ()
    mark_of: str = ""
    holds: Text | None = None
    otherwise: Text | None = None
    samples: tuple[str, ...] = ()

    @property
    def texts(self) -> tuple[Text, ...]:
        """Every sentence that may be said of the feature."""
        own = (self.label, self.reason, self.missing, self.holds, self.otherwise)
        return tuple(text for text in own if text is not None)

    def written(self, value: float, currency: str) -> Text:
        """Return a known value as a reader expects to see it; money is given in minor units."""
        if self.unit is Unit.CATEGORY:
            return self.levels[round(value)]
        return written(value, self.unit, currency)

    def expression(self) -> pl.Expr:
        """Return the Polars expression that gives the feature for one loan at its observation date."""
        arguments = (self.view(),) if self.months is None else (self.view(), self.months)
        return self.formula(*arguments).cast(pl.Float64).alias(self.name)


@dataclass(frozen=True)
class _Declaration:
    group: Group
    unit: Unit
    risk: Risk
    label: Text
    reason: Text
    missing: Text
    family: str | None
    months: tuple[int, ...]
    capped_at: float | None


def feature(
    *,
    group: Group,
    unit: Unit,
    risk: Risk,
    label: Text,
    reason: Text,
    missing: Text,
    family: str | None = None,
    months: Iterable[int] = (),
    capped_at: float | None = None,
) -> Callable[[Formula], Formula]:
    """Declare the decorated formula as a feature, and return the formula itself unchanged.

    Parameters
    ----------
    group : ability, willingness or circumstances; each tree of a model uses one group only
    unit : how the value is written, and its possible range
    risk : the direction that the model is held to
    label : a short noun phrase for tables and pictures
    reason : a sentence that states the fact, with `{value}`, and `{months}` when there are several windows
    missing : a sentence for "cannot know"
    family : features that say nearly the same thing; by default the formula's own name
    months : one feature for each look-back window, named with the suffix `_3m`, `_6m`, ...
    capped_at : the formula's upper bound, when it has one
    """
    declaration = _Declaration(group, unit, risk, label, reason, missing, family, tuple(months), capped_at)

    def declare(formula: Formula) -> Formula:
        formula.declaration = declaration  # type: ignore[attr-defined]
        return formula

    return declare


def declared_in(module: ModuleType) -> tuple[Feature, ...]:
    """Return the features that a module declares, in the order they are written there."""
    features: list[Feature] = []
    for formula in vars(module).values():
        declaration = getattr(formula, "declaration", None)
        if isinstance(declaration, _Declaration) and formula.__module__ == module.__name__:
            features.extend(_features_of(formula, declaration))
    return tuple(features)


def _features_of(formula: Callable[..., pl.Expr], declaration: _Declaration) -> Iterable[Feature]:
    view = _view_of(formula)
    for months in declaration.months or (None,):
        look_back: dict[str, Text] = {} if months is None else {"months": window(months)}
        figures: dict[str, Any] = {"value": "{value}", **look_back}
        yield Feature(
            name=formula.__name__ if months is None else f"{formula.__name__}_{months}m",
            group=declaration.group,
            unit=declaration.unit,
            risk=declaration.risk,
            family=declaration.family or formula.__name__,
            label=declaration.label.filled(**figures),
            reason=declaration.reason.filled(**figures),
            missing=declaration.missing.filled(**figures),
            definition=inspect.cleandoc(formula.__doc__ or ""),
            view=view,
            formula=formula,
            months=months,
            capped_at=declaration.capped_at,
        )


def _view_of(formula: Callable[..., pl.Expr]) -> type[View]:
    first = next(iter(inspect.signature(formula).parameters))
    view: type[View] = get_type_hints(formula)[first]
    assert issubclass(view, View), f"{formula.__name__}: the first parameter names the view that the formula reads"
    return view
