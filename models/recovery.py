"""How much of what is at risk on a loan comes back, and how much of it is lost when it goes bad."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import lightgbm as lgb
import numpy as np
import numpy.typing as npt
from scipy.special import expit

from features.catalog import Catalog
from models.calibration import IDENTITY
from models.reference import with_reference
from models.risk_model import MORE_TREES, SIZES, Floats, RiskModel, Size, fitting_rows, inner_folds

LEAST_OF_EACH = 50
"""Fewer loans that paid something, or fewer that paid nothing, teach no recovery model."""

ANY_SIZES = (Size(max_depth=4, num_leaves=7), SIZES[1])
"""The card's sizes of seven leaves: loans in collection are few."""

SHARE_SIZE = Size(max_depth=3, num_leaves=4, most_trees=400)
"""The size for the share paid: the loans that paid something are fewer still.

Out of fold on two simulated books, seven leaves, or the better of both, moved the mean absolute error of the expected
share by less than 0.0002 of 0.164; three leaves, a smaller penalty and the card's own sizes by less than 0.002 there,
and so did the smaller penalty on LendingClub's recoveries.
"""

Names = npt.NDArray[np.str_]


class UnpaidShare(RiskModel):
    """The share left unpaid by those who pay something: the card's kind of trees, grown on a share, not an outcome.

    What a risk model calls the probability of the bad outcome is here the expected unpaid share, so that directions
    and signs stay those of a risk. Its trees have one size, `SHARE_SIZE`, whatever `sizes` says.
    """

    objective = loss = "cross_entropy"

    def fit_share(self, values: Floats, unpaid: Floats, borrowers: Names | None = None) -> Self:
        """Fit on cases x features and the unpaid share of each, 0 to 1, by cross-entropy.

        Parameters
        ----------
        borrowers : the borrower of each case; inner folds keep a borrower's cases together
        """
        self.classes_, self.n_features_in_ = np.array([False, True]), values.shape[1]
        folds = inner_folds(values, unpaid > np.median(unpaid), borrowers, self.inner_folds, self.seed)
        _, losses = self._cross_validate(SHARE_SIZE, values, unpaid, folds, None)
        self.size_, self.trees_ = SHARE_SIZE, round((int(np.argmin(losses)) + 1) * MORE_TREES)
        grown = lgb.train(
            {**self._parameters(SHARE_SIZE), "num_threads": self.threads or 1},
            fitting_rows(values, unpaid),
            num_boost_round=self.trees_,
        )
        self.booster_, self.calibration_ = with_reference(grown, values), IDENTITY
        self._compile()
        return self


@dataclass(frozen=True)
class RecoveryModel:
    """What comes back of all loans, and what is lost of the bad ones: separable by group, exact and monotone.

    Two numbers, because they answer two questions. The money to expect is that of good and bad loans alike. The
    ledger asks what a bad outcome costs, whose chance is a line of its own: a share of all loans would count it twice.

    Attributes
    ----------
    nothing : its bad outcome is that nothing is paid within the window; calibrated
    unpaid : its "probability" is the share left unpaid by those who pay something
    lost : its "probability" is the share left unpaid by loans with the bad outcome
    """

    nothing: RiskModel
    unpaid: UnpaidShare
    lost: UnpaidShare

    @classmethod
    def fit(
        cls,
        catalog: Catalog,
        values: Floats,
        recovered: Floats,
        bad: npt.NDArray[np.bool_],
        *,
        borrowers: Names | None = None,
        seed: int = 0,
    ) -> Self:
        """Return the model of cases x features and the recovered share of each, 0 to 1 (see `teaches`).

        Parameters
        ----------
        recovered : NaN where nobody knows; such cases take no part
        """
        known, paid = ~np.isnan(recovered), recovered > 0
        nothing = RiskModel.of(catalog, sizes=ANY_SIZES, seed=seed)

        def share_among(chosen: npt.NDArray[np.bool_]) -> UnpaidShare:
            unpaid = UnpaidShare.of(catalog, seed=seed)
            return unpaid.fit_share(
                values[chosen], 1 - recovered[chosen], None if borrowers is None else borrowers[chosen]
            )

        return cls(
            nothing.fit(values[known], ~paid[known], borrowers=None if borrowers is None else borrowers[known]),
            share_among(paid),
            share_among(bad & known),
        )

    def any_payment(self, values: Floats) -> Floats:
        """Return the calibrated probability that anything is paid within the window."""
        raw = self.nothing.tables_.scores(values)
        return np.asarray(expit(-self.nothing.calibration_.log_odds(raw)))

    def expected_share(self, values: Floats) -> Floats:
        """Return the expected recovered share of each case, above 0 and below 1: P(any payment) x E(share | any)."""
        return np.asarray(self.any_payment(values) * expit(-self.unpaid.tables_.scores(values)))

    def lost_share(self, values: Floats) -> Floats:
        """Return the share expected to be lost of each case if it goes bad, above 0 and below 1."""
        return np.asarray(expit(self.lost.tables_.scores(values)))


def teaches(recovered: Floats, bad: npt.NDArray[np.bool_]) -> bool:
    """Return whether recovered shares, NaN where nobody knows, are enough to fit on."""
    paid, nothing = int((recovered > 0).sum()), int((recovered <= 0).sum())
    lost = int((bad & ~np.isnan(recovered)).sum())
    return min(paid, nothing, lost) >= LEAST_OF_EACH
