"""The few facts that moved a borrower's score most, as sentences with the borrower's own figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.catalog import Catalog
from features.declaration import Feature
from features.words import Text, Unit
from models.policy import ReasonRules
from models.risk_model import Floats


@dataclass(frozen=True)
class Reason:
    """One fact. `contribution` is its family's, in log-odds; `value` is None when it cannot be known."""

    feature: Feature
    contribution: float
    value: float | None
    text: Text

    @property
    def effect(self) -> str:
        """Return whether the fact raises or lowers the risk."""
        return "raises" if self.contribution > 0 else "lowers"

    @property
    def effect_text(self) -> Text:
        """Return the same in words."""
        return EFFECTS[self.effect]


def reasons(
    catalog: Catalog,
    family_columns: Mapping[str, npt.NDArray[np.intp]],
    values: Floats,
    contributions: Floats,
    *,
    currency: str,
    rules: ReasonRules,
) -> list[Reason]:
    """Return one case's reasons: those that raise the risk, largest first, then those that lower it.

    Features that say nearly the same thing form a family; families are ranked by the sum of their contributions and
    each is told by its member that moved most in the family's direction, a plain fact before a weighted count. Ties
    keep catalog order.

    Parameters
    ----------
    values, contributions : one case, in catalog order
    """
    sums = {family: float(np.add.reduce(contributions[columns])) for family, columns in family_columns.items()}
    least = rules.least_share * sum(map(abs, sums.values()))
    raising = sorted((family for family in sums if sums[family] > 0), key=lambda family: -sums[family])
    lowering = sorted((family for family in sums if sums[family] < 0), key=lambda family: sums[family])
    chosen = raising[: rules.raising] + lowering[: rules.lowering]
    return [
        _reason(catalog, family_columns[family], sums[family], values, contributions, currency)
        for family in chosen
        if abs(sums[family]) >= least
    ]


def _reason(
    catalog: Catalog,
    columns: npt.NDArray[np.intp],
    total: float,
    values: Floats,
    contributions: Floats,
    currency: str,
) -> Reason:
    moved = np.sign(total) * contributions[columns]
    plain = np.array([catalog.features[column].unit is not Unit.POINTS for column in columns])
    if (moved[plain] > 0).any():  # points are no fact that a reader can check: another member tells it, if one can
        moved = np.where(plain, moved, -np.inf)
    told_by = _what_is_so(catalog, columns, values, int(columns[np.argmax(moved)]))
    feature, value = catalog.features[told_by], float(values[told_by])
    known = None if np.isnan(value) else value
    return Reason(feature, total, known, stated(feature, value, currency))


def _what_is_so(catalog: Catalog, columns: npt.NDArray[np.intp], values: Floats, told_by: int) -> int:
    """Return the member of a family that states the fact itself: "rents", where another would say "owns: no".

    Among the marks of one category, or of one number's codes, that is the mark that holds; of codes that do not, the
    number.
    """
    feature = catalog.features[told_by]
    category = feature.mark_of or feature.name
    marks = [int(column) for column in columns if catalog.features[column].mark_of == category]
    holding = [column for column in marks if values[column] == 1]
    if holding:
        return holding[0]
    number = [int(column) for column in columns if catalog.features[column].name == category]
    return number[0] if feature.mark_of and number else told_by


def stated(feature: Feature, value: float, currency: str) -> Text:
    """Return the fact behind a feature's value as a sentence in both languages; NaN gives the missing sentence."""
    if np.isnan(value):
        return feature.missing
    if feature.mark_of:
        said = feature.holds if value else feature.otherwise
        if said is not None:
            return said
    return feature.reason.filled(value=_told(feature, value, currency))


def _told(feature: Feature, value: float, currency: str) -> Text:
    if feature.unit is Unit.MONTHS and value == 0:
        return NOT
    figure = feature.written(value, currency)
    return OR_MORE.filled(figure=figure) if feature.capped_at is not None and value >= feature.capped_at else figure


EFFECTS: Mapping[str, Text] = {
    "raises": Text(en="raises the risk", zh="提高风险"),
    "lowers": Text(en="lowers the risk", zh="降低风险"),
}
NOT = Text(en="not", zh="0个月")
"""No months: "was not overdue"."""
OR_MORE = Text(en="{figure} or more", zh="{figure}或以上")
