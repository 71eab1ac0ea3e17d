"""A card's answer to ready features as a plain table, for tools that only know tables."""

from __future__ import annotations

import pandas as pd

from features.declaration import Group
from models.attribution import attribute
from models.fitted_card import FittedCard
from models.risk_model import Floats


def parts_frame(card: FittedCard, values: Floats) -> pd.DataFrame:
    """Return probability, log-odds and its three parts for rows of feature values in the card's order."""
    told = attribute(card.model, card.catalog, values)
    return pd.DataFrame(
        {
            "default_probability": card.model.calibration_.probability(told.log_odds),
            "log_odds": told.log_odds,
            **{group.value: told.parts[group] for group in Group},
        }
    )
