"""Cohorts of a few cases without features: days, borrowers and outcomes, to be split."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl

from features.catalog import FeatureMatrix
from models.cards import card_named
from training.cohort import Cohort

BEGIN = date(2024, 1, 1)


def cohort_of(days: list[int], borrowers: list[int], bad: list[bool]) -> Cohort:
    cases = pl.DataFrame(
        {
            "case": range(len(days)),
            "loan_id": [f"L{place}" for place in range(len(days))],
            "observed_on": [BEGIN + timedelta(days=day) for day in days],
        }
    )
    money = pl.DataFrame(
        {
            "product": ["instalment"] * len(days),
            "currency": ["CNY"] * len(days),
            "owed_minor": [1] * len(days),
            "borrower_id": [f"B{number}" for number in borrowers],
        }
    )
    values = np.zeros((len(days), 1))
    return Cohort(card_named("collection"), FeatureMatrix(cases, values, ()), np.array(bad), money, np.zeros(len(days)))
