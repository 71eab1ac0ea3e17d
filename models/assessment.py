"""All that is said of each loan: probability, points, quadrant, reasons and its place in the order of work.

The batch verbs, the service and the report all call `assess`; there is no other way to a score.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl

from features.catalog import Catalog, FeatureMatrix
from features.declaration import Group
from features.errors import DataRefused
from features.history import History
from features.schemas import NO_CURRENCY
from features.words import Text
from models.attribution import Attribution, attribute
from models.exposure import at_risk
from models.fitted_card import FittedCard
from models.notes import counted_as, remarks, strange_figures
from models.policy import LossShare, Policy, Treatment
from models.priority import Ledger, ledger, order
from models.quadrants import quadrants
from models.reasons import Reason, Reasons, reasons
from models.risk_model import Floats
from models.scale import band_names, points

BY_MODEL = "model"
"""What an answer calls a loss share that the card's own recovery model expects."""


@dataclass(frozen=True)
class Assessment:
    """Many cases, assessed by one model under one policy. Arrays run over cases, in the cases' order.

    `expected_share` is the share of each amount at risk that the card's recovery model expects back within the
    window; `loss_shares` are the policy's entries, of which there are none where the model speaks. `remarks` are what
    the history says of each case; None where features came ready.
    """

    model: FittedCard
    policy: Policy
    cases: pl.DataFrame
    values: Floats
    attribution: Attribution
    probability: Floats
    points: npt.NDArray[np.int64]
    bands: list[str]
    quadrants: list[str]
    ledger: Ledger
    owed_minor: npt.NDArray[np.int64]
    loss_shares: list[LossShare]
    currencies: list[str]
    expected_share: Floats | None = None
    remarks: list[list[Text]] | None = None

    def __len__(self) -> int:
        return len(self.values)

    @property
    def catalog(self) -> Catalog:
        """The features of the model, in column order."""
        return self.model.catalog

    @cached_property
    def loan_ids(self) -> list[str]:
        """The loan of each case."""
        return [str(loan) for loan in self.cases.get_column("loan_id")]

    @property
    def loss_share_status(self) -> list[str]:
        """Where the loss share of each case comes from: the policy's own word, or `BY_MODEL`."""
        if self.expected_share is not None:
            return [BY_MODEL] * len(self)
        return [entry.status for entry in self.loss_shares]

    @property
    def expected_recovery_minor(self) -> Floats | None:
        """Money expected back within the window, in minor units; None without a recovery model."""
        return None if self.expected_share is None else self.ledger.exposure_minor * self.expected_share

    @cached_property
    def currency(self) -> str:
        """The one currency of the cases.

        Raises
        ------
        DataRefused : there is more than one, and amounts cannot be compared
        """
        found = sorted(set(self.currencies))
        if len(found) > 1:
            raise mixed_currencies(len(found))
        return found[0] if found else ""

    @cached_property
    def order(self) -> npt.NDArray[np.intp]:
        """Positions of the cases in order of work."""
        _ = self.currency  # refuses amounts that cannot be compared
        return order(self.ledger.priority, self.loan_ids)

    @cached_property
    def calibrated_log_odds(self) -> Floats:
        """Calibrated log-odds of the bad outcome."""
        return self.model.model.calibration_.log_odds(self.attribution.log_odds)

    def part(self, group: Group) -> Floats:
        """Return a group's part of each score, in log-odds."""
        return self.attribution.parts[group]

    @cached_property
    def told(self) -> Reasons:
        """The reasons of all cases."""
        return reasons(
            self.catalog,
            self.model.families,
            self.values,
            self.attribution.contributions,
            currencies=self.currencies,
            rules=self.policy.reasons,
        )

    def reasons(self, case: int) -> list[Reason]:
        """Return the reasons of one case."""
        return self.told.of(case)

    def treatment(self, case: int) -> Treatment:
        """Return what the policy suggests for one case of the card."""
        return self.policy.treatment(self.model.card.name, self.quadrants[case])

    @cached_property
    def notes(self) -> list[list[Text]]:
        """What to know of each case before its score is used."""
        ranges = self.model.reference.get("own_ranges", {})
        told = strange_figures(self.catalog.features, self.values, self.currencies, ranges)
        for case, said in enumerate(self.remarks or ()):
            if said:
                told[case] = [*said, *told[case]]
        for case in np.flatnonzero(self.ledger.exposure_minor > self.owed_minor).tolist():
            told[case].append(counted_as(int(self.ledger.exposure_minor[case]), self.currencies[case]))
        return told


def mixed_currencies(count: int) -> DataRefused:
    """Return the refusal of a ranking whose amounts cannot be compared."""
    return DataRefused(
        f"{count} currencies in one ranking",
        where="table 'loans', column 'currency'",
        expected="one currency for all loans that are ranked together",
        do="rank each currency on its own, or convert the amounts first",
    )


def assess(history: History, model: FittedCard, policy: Policy) -> Assessment:
    """Return the assessment of every case of a history, whether or not the card was made for it."""
    assessment = assess_matrix(model.catalog.values(history), at_risk(history), model, policy)
    return replace(assessment, remarks=remarks(history, model))


def assess_population(history: History, model: FittedCard, policy: Policy) -> Assessment:
    """Return the assessment of the cases that belong to the model's card.

    Raises
    ------
    DataRefused : none does
    """
    members = model.card.members(history)
    if not members.any():
        raise DataRefused(
            f"none of the {len(history.cases)} loans belongs to the card",
            where=f"card '{model.card.name}'",
            expected=f"loans of its population ({model.card.title.en})",
            do="check the observation date and the statements, or use the card that these loans belong to",
        )
    return assess(history.of(pl.Series(members)), model, policy)


def assess_matrix(matrix: FeatureMatrix, money: pl.DataFrame, model: FittedCard, policy: Policy) -> Assessment:
    """Return the assessment of ready features.

    Parameters
    ----------
    money : one row per case with `product`, `currency`, `owed_minor` (see `at_risk`)
    """
    _require_currency_of(model, money)
    attribution = attribute(model.model, model.catalog, matrix.values)
    calibration = model.model.calibration_
    owed = money.get_column("owed_minor").to_numpy()
    scored = points(calibration.log_odds(attribution.log_odds), policy.points)
    expected = None if model.recovery is None else model.recovery.expected_share(matrix.values)
    lost = None if model.recovery is None else model.recovery.lost_share(matrix.values)
    shares = _loss_shares(matrix.cases, money, policy) if lost is None else []
    return Assessment(
        model=model,
        policy=policy,
        cases=matrix.cases,
        values=matrix.values,
        attribution=attribution,
        probability=calibration.probability(attribution.log_odds),
        points=scored,
        bands=band_names(scored, policy.bands),
        quadrants=quadrants(attribution.parts[Group.ABILITY], attribution.parts[Group.WILLINGNESS], policy.quadrants),
        ledger=ledger(
            calibration,
            attribution.log_odds,
            owed,
            np.array([entry.share for entry in shares], dtype=np.float64) if lost is None else lost,
            least_minor=policy.exposure.least_minor,
        ),
        owed_minor=owed,
        loss_shares=shares,
        currencies=[str(currency) for currency in money.get_column("currency")],
        expected_share=expected,
    )


def _require_currency_of(model: FittedCard, money: pl.DataFrame) -> None:
    """Refuse amounts in another currency than the card was fitted in: its thresholds are amounts of money."""
    fitted = model.reference.get("currency")
    strange = [found for found in money.get_column("currency").to_list() if found not in {fitted, NO_CURRENCY}]
    if fitted and strange:
        raise DataRefused(
            f"{len(strange)} loans in another currency",
            where="table 'loans', column 'currency'",
            expected=f"{fitted}, in which the {model.card.name} card was fitted",
            do="convert the amounts first, or use a card fitted in the loans' currency",
        )


def _loss_shares(cases: pl.DataFrame, money: pl.DataFrame, policy: Policy) -> list[LossShare]:
    keys = list(zip(money.get_column("product"), cases.get_column("observed_on"), strict=True))
    in_force = {key: policy.loss_share(*key) for key in set(keys)}
    return [in_force[key] for key in keys]
