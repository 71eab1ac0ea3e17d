"""How sure it is that one score orders loans better than another, where a borrower has several of them.

Cases of one borrower are alike. Counted as if each were a case of its own they would make a difference look surer than
it is.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from training.statistics.auc import LEAST_OF_EACH, placements
from training.statistics.inputs import both_outcomes, scores
from training.statistics.intervals import CONFIDENCE, reach
from training.statistics.paired import Difference


def auc_difference_by_borrower(
    bad: npt.ArrayLike, first: npt.ArrayLike, second: npt.ArrayLike, borrower: npt.ArrayLike
) -> Difference:
    """Return the difference of AUC, first score less second, with an interval that lets a borrower's cases be alike.

    Each case's share in the difference is what it adds to the mean of DeLong's placements; the variance is that of the
    borrowers' sums. Where each borrower has one case it is DeLong's, but for the count less one in its divisors.

    References: Obuchowski (1997), Biometrics 53:567, for clustered cases; DeLong, DeLong and Clarke-Pearson (1988),
    Biometrics 44:837.
    """
    told = both_outcomes(bad, where="AUC difference", least=LEAST_OF_EACH)
    of_bad, of_good = zip(
        *(placements(told, scores(score, len(told), where="AUC difference")) for score in (first, second)), strict=True
    )
    over_bad, over_good = np.subtract(*of_bad), np.subtract(*of_good)
    share = np.empty(len(told))
    share[told] = (over_bad - over_bad.mean()) / len(over_bad)
    share[~told] = (over_good - over_good.mean()) / len(over_good)
    _, place = np.unique(np.asarray(borrower), return_inverse=True)
    sums = np.bincount(place, weights=share)
    away = reach(CONFIDENCE) * float(np.sqrt(len(sums) / (len(sums) - 1) * np.sum(sums**2)))
    difference = float(over_bad.mean())
    return Difference(difference, difference - away, difference + away)
