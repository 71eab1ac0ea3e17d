"""The few facts that moved a borrower's score most, as sentences with the borrower's own figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from features.catalog import Catalog
from features.compilation import compiled
from features.declaration import Feature
from features.words import Text, Unit
from models.attribution import families
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
        return effect_of(self.contribution)

    @property
    def effect_text(self) -> Text:
        """Return the same in words."""
        return EFFECTS[self.effect]


@dataclass(frozen=True)
class Reasons:
    """The reasons of many cases: those that raise the risk, largest first, then those that lower it.

    `told_by`, `totals` and `values` are cases x places, with the column of the feature that tells the reason, its
    family's contribution in log-odds and the feature's value; a place that is not used holds NO_REASON, and comes
    after those that are.
    """

    catalog: Catalog
    told_by: npt.NDArray[np.intp]
    totals: Floats
    values: Floats
    currencies: Sequence[str]

    def of(self, case: int) -> list[Reason]:
        """Return the reasons of one case."""
        told: list[Reason] = []
        for column, total, value in zip(self.told_by[case], self.totals[case], self.values[case], strict=True):
            if column == NO_REASON:
                break
            feature = self.catalog.features[column]
            known = None if np.isnan(value) else float(value)
            told.append(Reason(feature, float(total), known, stated(feature, float(value), self.currencies[case])))
        return told

    def texts(self, place: int) -> tuple[list[Text], npt.NDArray[np.int64]]:
        """Return the different sentences in one place of the cases' reasons, and which of them each case has.

        NO_REASON for a case where that place is not used.
        """
        said: list[Text] = []
        which = np.full(len(self.told_by), NO_REASON, dtype=np.int64)
        column, value = self.told_by[:, place], self.values[:, place]
        currency = np.asarray(self.currencies, dtype=object)
        for feature in np.unique(column[column != NO_REASON]):
            declared, tells = self.catalog.features[feature], column == feature
            for owed_in in np.unique(currency[tells]) if declared.unit is Unit.MONEY else ("",):
                cases = np.flatnonzero(tells & (currency == owed_in) if owed_in else tells)
                figures, each = np.unique(value[cases], return_inverse=True)
                which[cases] = len(said) + each
                said += [stated(declared, figure, owed_in) for figure in figures.tolist()]
        return said, which


@dataclass(frozen=True)
class Families:
    """The families of a catalog's features, laid out for the loop that chooses among them.

    members : the columns, one family after another, families and columns in catalog order
    starts : the place of each family's first member, and the number of members
    plain : whether a column states a fact that a reader can check; points are none
    marked : whether some feature is the mark of a category
    """

    members: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]
    plain: npt.NDArray[np.bool_]
    marked: bool

    @classmethod
    def of(cls, catalog: Catalog) -> Families:
        """Return the families of a catalog."""
        columns = list(families(catalog).values())
        return cls(
            members=np.concatenate([np.zeros(0, np.int64), *columns]),
            starts=np.cumsum([0, *map(len, columns)], dtype=np.int64),
            plain=np.array([feature.unit is not Unit.POINTS for feature in catalog], dtype=np.bool_),
            marked=any(feature.mark_of for feature in catalog),
        )


def reasons(
    catalog: Catalog,
    among: Families,
    values: Floats,
    contributions: Floats,
    *,
    currencies: Sequence[str],
    rules: ReasonRules,
) -> Reasons:
    """Return the reasons of cases.

    Features that say nearly the same thing form a family; families are ranked by the sum of their contributions and
    each is told by its member that moved most in the family's direction, a plain fact before a weighted count. Ties
    keep catalog order.

    Parameters
    ----------
    values, contributions : cases x features, in catalog order
    """
    shape = (len(values), rules.raising + rules.lowering)
    told_by, totals = np.full(shape, NO_REASON, dtype=np.int64), np.zeros(shape)
    compiled(choose)(
        np.ascontiguousarray(contributions),
        among.members,
        among.starts,
        among.plain,
        rules.raising,
        rules.lowering,
        rules.least_share,
        told_by,
        totals,
    )
    used = told_by != NO_REASON
    if among.marked:
        columns = families(catalog)
        for case, place in np.argwhere(used).tolist():
            feature = catalog.features[told_by[case, place]]
            if feature.mark_of or len(columns[feature.family]) > 1:
                told_by[case, place] = _what_is_so(
                    catalog, columns[feature.family], values[case], int(told_by[case, place])
                )
    told = np.where(used, np.take_along_axis(values, np.where(used, told_by, 0), axis=1), np.nan) + 0.0  # no "-0"
    return Reasons(catalog, told_by, totals, told, currencies)


def choose(
    contributions: Any,
    members: Any,
    starts: Any,
    plain: Any,
    raising: int,
    lowering: int,
    least_share: float,
    told_by: Any,
    totals: Any,
) -> None:
    """Choose each case's families and the members that tell them; fills the last two arrays, used places first."""
    count = len(starts) - 1
    sums = np.empty(count)
    for case in range(len(contributions)):
        moved = contributions[case]
        all_moves = 0.0
        for family in range(count):
            sums[family] = 0.0
            for place in range(starts[family], starts[family + 1]):
                sums[family] += moved[members[place]]
            all_moves += abs(sums[family])
        used = 0
        for rank in range(raising + lowering):
            sign = 1.0 if rank < raising else -1.0
            best, most = -1, 0.0
            for family in range(count):
                if sign * sums[family] > most:  # of equals the first
                    best, most = family, sign * sums[family]
            if best < 0:
                continue
            total = sums[best]
            sums[best] = 0.0
            if abs(total) < least_share * all_moves:
                continue
            fact = False
            for place in range(starts[best], starts[best + 1]):
                fact |= plain[members[place]] and sign * moved[members[place]] > 0
            teller, furthest = -1, 0.0
            for place in range(starts[best], starts[best + 1]):
                column = members[place]
                if (plain[column] or not fact) and (teller < 0 or sign * moved[column] > furthest):
                    teller, furthest = column, sign * moved[column]
            told_by[case, used], totals[case, used] = teller, total
            used += 1


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
    return feature.reason.with_value(_told(feature, value, currency))


def _told(feature: Feature, value: float, currency: str) -> Text:
    if feature.unit is Unit.MONTHS and value == 0:
        return NOT
    figure = feature.written(value, currency)
    return OR_MORE.filled(figure=figure) if feature.capped_at is not None and value >= feature.capped_at else figure


def effect_of(contribution: float) -> str:
    """Return whether a contribution in log-odds raises or lowers the risk, by its key in EFFECTS."""
    return "raises" if contribution > 0 else "lowers"


NO_REASON = -1
"""Stands in a place for a reason that is not used."""
EFFECTS: Mapping[str, Text] = {
    "raises": Text(en="raises the risk", zh="提高风险"),
    "lowers": Text(en="lowers the risk", zh="降低风险"),
}
NOT = Text(en="not", zh="0个月")
"""No months: "was not overdue"."""
OR_MORE = Text(en="{figure} or more", zh="{figure}或以上")
