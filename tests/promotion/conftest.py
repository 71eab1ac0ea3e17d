"""A home with a champion and two challengers that were validated, made once; each test works on a copy."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

import polars as pl
import pytest
from planted_faults import CARD, part_of

from features.portfolios import Portfolio
from features.words import Text
from models.cards import card_of
from models.risk_model import Size
from models.store import ModelStore
from training import fitting
from training.model_card.card import ModelCard
from training.model_card.write import Written
from training.train import train
from training.validation import validate as validating
from training.validation.battery import CHECKS, judge
from training.validation.validate import validate

SMALL = Size(learning_rate=0.1, max_depth=4, num_leaves=7, min_data_in_leaf=20, lambda_l2=10.0, most_trees=60)
FEW = tuple(check for check in CHECKS if check.name.startswith(("reproducibility.", "discrimination.", "calibration.")))


@pytest.fixture(scope="session")
def book(taiwan: Portfolio, overdue) -> Portfolio:
    return part_of(taiwan, overdue.matrix.cases.get_column("loan_id").cast(pl.String).gather_every(5))


@pytest.fixture(scope="session")
def made(tmp_path_factory, book) -> Path:
    """Version 1 serves; 2 and 3 are challengers by another size and on fewer cases, validated."""
    home = tmp_path_factory.mktemp("bank") / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(validating, "judge", partial(judge, checks=FEW))
        # A card of a few checks has gaps, and is not what is tried here.
        patch.setattr(validating, "write_beside", lambda *_: Written({}, ModelCard(Text(en="x", zh="x"), ())))
        for seed, size, hold_out in ((0, SMALL, 0.0), (1, SMALL, 0.0), (2, SMALL, 0.3)):
            patch.setattr(fitting, "sizes_for", lambda _, size=size: (size,))
            train(book, card_of(book, CARD), home, seed=seed, hold_out=hold_out, by="Model Team")
        for version in ("2", "3"):
            validate(book, CARD, home, by="model validation", version=version)
    return home


@pytest.fixture
def store(made, tmp_path) -> ModelStore:
    return ModelStore(Path(shutil.copytree(made, tmp_path / "home")))
