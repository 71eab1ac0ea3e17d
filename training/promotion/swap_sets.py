"""Who goes up, who goes down and who stays when another version serves: counts, outcomes and money of each set.

Cases are compared twice: by the version as it will serve, and by models that had not seen the case, which is what its
gain in outcomes may be judged by. The version that serves scores as it does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product

import numpy as np
import numpy.typing as npt
import polars as pl

from models.assessment import Assessment
from models.policy import Policy
from models.priority import order
from models.risk_model import Floats
from models.scale import band_names, points
from training.promotion.compared import Compared
from training.promotion.words import Move, View

TENTHS = 10
CARD, UNSEEN = "card", "unseen"
"""Which scores of the second version: as it will serve, or by models that had not seen the case."""
IN, OUT = "in", "out"
SIDES = {(IN, IN): Move.STAYS_IN, (OUT, IN): Move.COMES_IN, (IN, OUT): Move.GOES_OUT, (OUT, OUT): Move.STAYS_OUT}

Marks = npt.NDArray[np.str_]
Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Placed:
    """Where a version puts each case: its band, 0 for the safest, and its place in the work list of its day.

    Attributes
    ----------
    priority : log of the expected loss
    loan_ids, observed_on : of each case; ties are broken by the loan, and each day has a work list of its own
    """

    band: Numbers
    priority: Floats
    loan_ids: list[str] = field(repr=False)
    observed_on: npt.NDArray[np.datetime64] = field(repr=False)

    @cached_property
    def standing(self) -> tuple[Numbers, Numbers]:
        """How many cases stand before each in the work list of its day, and how many the list has."""
        ahead, height = (np.empty(len(self.priority), dtype=np.int64) for _ in range(2))
        for day in np.unique(self.observed_on):
            of_day = np.flatnonzero(self.observed_on == day)
            ranked = order(self.priority[of_day], [self.loan_ids[case] for case in of_day])
            ahead[of_day[ranked]] = np.arange(len(of_day))
            height[of_day] = len(of_day)
        return ahead, height

    @property
    def tenth(self) -> Numbers:
        """The tenth of its day's work list, 1 for the first."""
        ahead, height = self.standing
        return ahead * TENTHS // height + 1

    def first(self, share: float) -> npt.NDArray[np.bool_]:
        """Return which cases stand in the first part of their day's work list."""
        ahead, height = self.standing
        return np.asarray(ahead / height < share)


def placed(told: Assessment) -> Placed:
    """Return where an assessment puts its cases."""
    return Placed(_numbers(told.bands, told.policy), told.ledger.priority, told.loan_ids, _days(told))


def placed_unseen(told: Assessment, log_odds: Floats) -> Placed:
    """Return where an assessment would put its cases with other raw scores; money and loss shares are its own."""
    calibration, ledger = told.model.model.calibration_, told.ledger
    bands = band_names(points(calibration.log_odds(log_odds), told.policy.points), told.policy.bands)
    priority = (calibration.log_probability(log_odds) + ledger.exposure) + ledger.loss_share
    return Placed(_numbers(bands, told.policy), priority, told.loan_ids, _days(told))


def swap_sets(of: Compared, *, first_share: float) -> pl.DataFrame:
    """Return every set of cases that share a way from before to after, with what became of them.

    Columns: `scores` (`card` or `unseen`), `view`, `cut` (the band of a cut), `before`, `after`, `move`, `cases`,
    `bad`, `exposure_minor`, `bad_exposure_minor`. Rows of a view and a cut hold each case once; sets without cases have
    no row, but for the four of `first` and of each `cut`.
    """
    bands = [band.name for band in of.after.policy.bands]
    before = placed(of.before)
    afters = {CARD: placed(of.after)}
    if of.unseen is not None:
        afters[UNSEEN] = placed_unseen(of.after, of.unseen)
    exposure = of.after.owed_minor
    cases = pl.DataFrame({"bad": of.bad, "exposure_minor": exposure})
    told = [
        _counted(cases, row_of).select(pl.lit(scores).alias("scores"), pl.all())
        for scores, after in afters.items()
        for row_of in _views(before, after, bands, first_share)
    ]
    return pl.concat(told)


@dataclass(frozen=True)
class _Way:
    """The ways of all cases under one view; `moves` says what each pair of before and after is."""

    view: View
    cut: str
    before: Marks
    after: Marks
    moves: dict[tuple[str, str], Move]
    whole: bool


def moved(before: Placed, after: Placed, view: View, *, first_share: float = 0.0) -> npt.NDArray[np.str_]:
    """Return the move of each case by band or into the first part of the work list: those that are explained."""
    if view is View.FIRST:
        sides = zip(_sides(before.first(first_share)).tolist(), _sides(after.first(first_share)).tolist(), strict=True)
        return np.array([SIDES[way] for way in sides], dtype=str)
    assert view is View.BAND, "no other move is explained"
    riskier, safer = after.band > before.band, after.band < before.band
    return np.select([riskier, safer], [Move.RISKIER.value, Move.SAFER.value], Move.SAME.value)


def _views(before: Placed, after: Placed, bands: list[str], first_share: float) -> Iterator[_Way]:
    names = np.array(bands, dtype=str)
    yield _Way(View.BAND, "", names[before.band], names[after.band], _ordered(bands, Move.RISKIER, Move.SAFER), False)
    tenths = [str(tenth) for tenth in range(1, TENTHS + 1)]
    of_tenths = _ordered(tenths, Move.LATER, Move.EARLIER)
    yield _Way(View.PLACE, "", before.tenth.astype(str), after.tenth.astype(str), of_tenths, False)
    yield _Way(View.FIRST, "", _sides(before.first(first_share)), _sides(after.first(first_share)), SIDES, True)
    for number, name in enumerate(bands[1:], start=1):
        yield _Way(View.CUT, name, _sides(before.band >= number), _sides(after.band >= number), SIDES, True)


def _ordered(names: list[str], more: Move, less: Move) -> dict[tuple[str, str], Move]:
    places = {name: place for place, name in enumerate(names)}
    return {
        (was, is_): more if places[is_] > places[was] else less if places[is_] < places[was] else Move.SAME
        for was, is_ in product(names, names)
    }


def _counted(cases: pl.DataFrame, way: _Way) -> pl.DataFrame:
    found = cases.with_columns(before=pl.Series(way.before), after=pl.Series(way.after))
    counted = found.group_by("before", "after").agg(
        cases=pl.len().cast(pl.Int64),
        bad=pl.col("bad").sum().cast(pl.Int64),
        exposure_minor=pl.col("exposure_minor").sum().cast(pl.Int64),
        bad_exposure_minor=pl.col("exposure_minor").filter("bad").sum().cast(pl.Int64),
    )
    frame = pl.DataFrame(
        [(way.view.value, way.cut, was, is_, move.value) for (was, is_), move in way.moves.items()],
        schema={"view": pl.String, "cut": pl.String, "before": pl.String, "after": pl.String, "move": pl.String},
        orient="row",
    )
    how = "left" if way.whole else "inner"
    joined = frame.join(counted, on=["before", "after"], how=how, maintain_order="left")  # type: ignore[arg-type]
    return joined.with_columns(pl.col(pl.Int64).fill_null(0))


def _sides(inside: npt.NDArray[np.bool_]) -> Marks:
    return np.where(inside, IN, OUT)


def _numbers(bands: list[str], policy: Policy) -> Numbers:
    number = {band.name: place for place, band in enumerate(policy.bands)}
    return np.array([number[name] for name in bands], dtype=np.int64)


def _days(told: Assessment) -> npt.NDArray[np.datetime64]:
    return told.cases.get_column("observed_on").to_numpy().astype("datetime64[D]")
