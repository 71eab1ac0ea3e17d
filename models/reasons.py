"""The few facts that moved a borrower's score most, as sentences with the borrower's own figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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

    def texts(self, place: int) -> list[Text | None]:
        """Return the sentence in one place of each case's reasons; None where that place is not used."""
        told = np.full(len(self.told_by), None, dtype=object)
        column, value = self.told_by[:, place], self.values[:, place]
        for feature in np.unique(column[column != NO_REASON]):
            declared = self.catalog.features[feature]
            cases = np.flatnonzero(column == feature)
            owed_in = [self.currencies[case] for case in cases.tolist()]
            figures, each = np.unique(value[cases], return_inverse=True)
            for currency in set(owed_in) if declared.unit is Unit.MONEY else {""}:
                said = np.array([stated(declared, float(figure), currency) for figure in figures], dtype=object)
                of_it = np.array([one == currency or not currency for one in owed_in])
                told[cases[of_it]] = said[each[of_it]]
        return list(told)


def reasons(
    catalog: Catalog,
    family_columns: Mapping[str, npt.NDArray[np.intp]],
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
    columns = list(family_columns.values())
    sums = _sums(contributions, columns)
    least = rules.least_share * _sums(np.abs(sums), [np.arange(len(columns))])
    raising, lowering = _largest(sums, rules.raising), _largest(-sums, rules.lowering)
    family = np.hstack([raising, lowering])
    totals = np.where(family == NO_REASON, 0.0, np.take_along_axis(sums, family, axis=1))
    family = np.where(np.abs(totals) >= least, family, NO_REASON)
    used_first = np.argsort(family == NO_REASON, axis=1, kind="stable")
    family, totals = (np.take_along_axis(told, used_first, axis=1) for told in (family, totals))
    told_by = np.full_like(family, NO_REASON)
    for number in np.unique(family[family != NO_REASON]):
        cases, places = np.nonzero(family == number)
        members = columns[number]
        moved = np.sign(totals[cases, places])[:, None] * contributions[np.ix_(cases, members)]
        told_by[cases, places] = _tellers(catalog, members, values[cases], moved)
    told = np.where(told_by == NO_REASON, np.nan, np.take_along_axis(values, told_by, axis=1)) + 0.0  # no "-0"
    return Reasons(catalog, told_by, totals, told, currencies)


def _sums(parts: Floats, columns: Sequence[npt.NDArray[np.intp]]) -> Floats:
    """Return the sums of some columns; one after another, for one case's sum may not round otherwise than a book's."""
    sums = np.zeros((len(parts), len(columns)))
    for place, members in enumerate(columns):
        for member in members:
            sums[:, place] += parts[:, member]
    return sums


def _largest(sums: Floats, most: int) -> npt.NDArray[np.intp]:
    """Return the places of each case's largest sums above 0, the first of equals first; NO_REASON where none is."""
    left = sums.copy()
    places = np.full((len(sums), most), NO_REASON, dtype=np.intp)
    cases = np.arange(len(sums))
    for rank in range(most):
        best = left.argmax(axis=1)
        above = left[cases, best] > 0
        places[above, rank] = best[above]
        left[cases, best] = 0.0
    return places


def _tellers(catalog: Catalog, members: npt.NDArray[np.intp], values: Floats, moved: Floats) -> npt.NDArray[np.intp]:
    """Return the member of a family that tells each case's reason.

    Parameters
    ----------
    values : cases x features
    moved : cases x members, what each moved in the family's direction
    """
    plain = np.array([catalog.features[member].unit is not Unit.POINTS for member in members])
    # Points are no fact that a reader can check: another member tells it, if one can.
    checked = np.any(moved[:, plain] > 0, axis=1, keepdims=True) & ~plain
    told_by = members[np.where(checked, -np.inf, moved).argmax(axis=1)]
    if any(catalog.features[member].mark_of for member in members):
        so = (_what_is_so(catalog, members, case, int(column)) for case, column in zip(values, told_by, strict=True))
        return np.fromiter(so, dtype=np.intp, count=len(told_by))
    return np.asarray(told_by, dtype=np.intp)


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
