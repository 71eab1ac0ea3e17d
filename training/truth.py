"""What only a simulated lender can tell: do the ability and the willingness part find the borrowers' true traits?"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from scipy.stats import spearmanr

from features.declaration import Group
from models.attribution import Attribution, attribute
from models.risk_model import Floats, RiskModel
from training.cohort import Cohort, catalog_of
from training.statistics.metrics import discrimination

TRAITS = {Group.ABILITY: "ability", Group.WILLINGNESS: "willingness"}


def against_truth(
    model: RiskModel, told: Attribution, judged: Cohort, truth: pl.DataFrame, *, seed: int
) -> dict[str, Any]:
    """Return how the parts of scores agree with the truth, and what each group is worth.

    Parameters
    ----------
    told : the attribution of the judged cases
    truth : one row per loan: `loan_id`, `ability`, `willingness`

    Returns
    -------
    spearman : of each part with each trait, by `PART with TRAIT`; a part rises with risk, so it falls with its trait,
        and the sign is turned: 1 is perfect
    auc_without : AUC when one group's features are shuffled among the cases, by group; near the whole AUC when the
        group tells nothing that the others do not
    """
    traits = judged.matrix.cases.join(truth, on="loan_id", how="left", maintain_order="left")
    found = {
        f"{group.value} with {trait}": -_rank_correlation(told.parts[group], traits.get_column(trait).to_numpy())
        for group in TRAITS
        for trait in TRAITS.values()
    }
    return {
        "spearman": found,
        "auc_without": {group.value: _auc_without(group, model, judged, seed) for group in Group},
    }


def _rank_correlation(first: Floats, second: Floats) -> float:
    if len(np.unique(first)) == 1:  # a group without features has one part for all
        return 0.0
    return float(spearmanr(first, second).statistic)


def _auc_without(group: Group, model: RiskModel, judged: Cohort, seed: int) -> float:
    features = judged.matrix.features
    columns = [column for column, feature in enumerate(features) if feature.group is group]
    values = judged.matrix.values.copy()
    values[:, columns] = values[np.random.default_rng(seed).permutation(len(values))][:, columns]
    told = attribute(model, catalog_of(judged), values)
    return discrimination(judged.bad, told.log_odds).auc
