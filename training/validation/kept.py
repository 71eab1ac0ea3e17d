"""A validation read back from where it is kept, with everything that its figures can be worked out from once more.

    result.json         what was found, signed
    policy.toml         by which thresholds and numbers, as the result names it
    evidence.parquet    the judged cases: outcomes, scores and what checks worked out for each, as the result names it
    protected.parquet   attributes of their borrowers, for the fairness figures alone

Nothing is taken from memory: the signature, the hashes and the version's own manifest have held, or it is refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from features.declaration import Group
from features.errors import ModelRefused
from models.artefact import read_whole
from models.fitted_card import FittedCard
from models.risk_model import Floats
from models.store import ModelStore
from models.trial import load_tried
from training.statistics.metrics import Bools
from training.validation.battery import ASKED
from training.validation.evidence import Mode
from training.validation.policy import ValidationPolicy, policy_from
from training.validation.result import POLICY, PROTECTED, RESULT, Result
from training.validation.scored import Positions
from training.validation.standing import evidence_path, folder_of, not_validated, read


@dataclass(frozen=True)
class Kept:
    """A kept validation of a version; arrays run over the cases that judged it. See `Scored`.

    Attributes
    ----------
    frame : the evidence
    protected : None where the book has no protected attributes
    """

    card: FittedCard
    result: Result
    policy: ValidationPolicy
    frame: pl.DataFrame
    protected: pl.DataFrame | None
    folder: Path

    def __len__(self) -> int:
        return self.frame.height

    @property
    def own(self) -> bool:
        """Whether it was judged on its own cases, and not on later ones."""
        return self.result.mode == Mode.OWN.value

    @property
    def scored(self) -> bool:
        """Whether the cases have scores of models that had not seen them."""
        return "log_odds" in self.frame.columns

    @property
    def seed(self) -> int:
        """The seed of every sample that is drawn."""
        return int(self.card.provenance.get("seed", 0))

    @cached_property
    def bad(self) -> Bools:
        """What became of the cases."""
        return self.frame.get_column("bad").to_numpy().astype(np.bool_)

    @property
    def exposure(self) -> npt.NDArray[np.int64]:
        """Amounts at risk, in minor units."""
        return self.frame.get_column("exposure_minor").to_numpy()

    @property
    def products(self) -> npt.NDArray[np.str_]:
        """The product of each case."""
        return self.frame.get_column("product").to_numpy().astype(str)

    @cached_property
    def observed_on(self) -> npt.NDArray[np.datetime64]:
        """The observation date of each case."""
        return self.frame.get_column("observed_on").to_numpy().astype("datetime64[D]")

    @cached_property
    def months(self) -> npt.NDArray[np.str_]:
        """The month of each case's observation date, as 2026-01."""
        return self.observed_on.astype("datetime64[M]").astype(str)

    @cached_property
    def log_odds(self) -> Floats:
        """The raw log-odds of each case, by a model that had not seen it."""
        return self.columns["log_odds"]

    @cached_property
    def calibrated(self) -> Floats:
        """The same by the calibration of the signed card."""
        return self.card.model.calibration_.log_odds(self.log_odds)

    @cached_property
    def probability(self) -> Floats:
        """The probability of each case, by the calibration of the signed card."""
        return self.card.model.calibration_.probability(self.log_odds)

    @cached_property
    def parts(self) -> Mapping[Group, Floats]:
        """What each group of features adds to the raw log-odds."""
        return {group: self.columns[group.value] for group in Group}

    @cached_property
    def columns(self) -> Mapping[str, Floats]:
        """Every number of the evidence, by name; NaN where a case has none."""
        numbers = self.frame.select(pl.selectors.numeric().cast(pl.Float64).fill_null(float("nan")))
        return {name: numbers.get_column(name).to_numpy() for name in numbers.columns}

    @property
    def reference_scores(self) -> Floats | None:
        """Of later cases: those of the version's own; they are kept with another validation."""
        return None

    def parts_of(self) -> list[tuple[Bools, Positions]]:
        """Return the outcomes and positions of the cases that one model scored."""
        folds = self.frame.get_column("fold").to_numpy()
        return [(self.bad[at], at) for at in (np.flatnonzero(folds == fold) for fold in np.unique(folds))]


def kept(store: ModelStore, card: str, version: str, folder: Path | None = None) -> Kept:
    """Return a validation of a version: the one on its own cases, or the one that another folder holds.

    Raises
    ------
    ModelRefused : there is none, or something is not what was signed
    """
    where = folder_of(store, card, version) if folder is None else folder
    if not (where / RESULT).exists():
        raise not_validated(card, version)
    result = read(store, card, version, where)
    return Kept(
        card=load_tried(store, card, version),
        result=result,
        policy=_policy(where, result),
        frame=frame_of(where, result),
        protected=_protected(where, result),
        folder=where,
    )


def frame_of(folder: Path, result: Result) -> pl.DataFrame:
    """Return the evidence of a validation, once it is the one that the result names."""
    return pl.read_parquet(evidence_path(folder, result))


def _policy(folder: Path, result: Result) -> ValidationPolicy:
    raw = _whole(folder / POLICY)
    if hashlib.sha256(raw).hexdigest() != result.policy:
        raise _refused(folder, "a policy that is not what the validation was made by")
    return policy_from(raw, ASKED, where=str(folder / POLICY))


def _protected(folder: Path, result: Result) -> pl.DataFrame | None:
    path = folder / PROTECTED
    if not path.exists():
        return None
    found = pl.read_parquet(_whole(path))
    if found.height != result.cases:
        raise _refused(folder, "protected attributes of other cases than those that were judged")
    return found.drop("case")


def _whole(path: Path) -> bytes:
    try:
        return read_whole(path)
    except OSError as error:
        raise _refused(path.parent, f"{path.name} cannot be read ({error.strerror})") from error


def _refused(folder: Path, found: str) -> ModelRefused:
    return ModelRefused(
        found,
        where=str(folder),
        expected="a validation of this very version, as it was signed",
        do="validate the version again",
    )
