"""How a challenger's scores differ from the answers that were given, and, once loans have matured, which were better.

Takes the pairs of `models.score_pairs`; those that the champion decided at different versions are judged apart, for a
pair says something of two models only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import numpy as np
import polars as pl
from scipy.stats import spearmanr

from models.risk_model import Floats
from models.score_pairs import Outcome
from training.shadow_outcomes import AMOUNT, BAD, SCORE_ID, checked
from training.statistics.auc import auc
from training.statistics.bins import NumberBins, equal_bands, number_bins
from training.statistics.calibration_error import calibration_error
from training.statistics.clustered import auc_difference_by_borrower
from training.statistics.inputs import TooFew
from training.statistics.intervals import Interval
from training.statistics.metrics import Bools, accuracy
from training.statistics.paired import Difference
from training.statistics.psi import psi
from training.statistics.recalibration import recalibration
from training.statistics.segments import NotJudged
from training.statistics.worked import worked

BINS = 10
WORKED = (0.05, 0.1, 0.2)
"""Shares of the loans, riskiest first, of which it is told what they hold of what went bad."""
LEAST_TO_RANK = 2


@dataclass(frozen=True)
class Distance:
    """How far two scores of the same decisions lie apart.

    Attributes
    ----------
    psi : between the distributions of both, in ten bins of the champion's; of pairs it has no p-value
    rank_correlation : Spearman's; None where one score is the same for all
    shift : mean calibrated log-odds of the challenger, less the champion's: above 0 it sees more risk
    safer, riskier : shares of the decisions that the challenger puts into a better and into a worse band
    """

    pairs: int
    psi: float
    rank_correlation: float | None
    shift: float
    safer: float
    riskier: float

    @property
    def moved(self) -> float:
        """The share of the decisions that change band."""
        return self.safer + self.riskier


@dataclass(frozen=True)
class Swap:
    """What changes hands at one cut of the policy: decisions in this band or a riskier one, as a promotion counts.

    `swapped_in` are there by the challenger's score alone, `swapped_out` by the champion's alone.
    """

    band: str
    both: int
    swapped_in: int
    swapped_out: int
    neither: int


@dataclass(frozen=True)
class Calibrated:
    """How right the probabilities of one score were; `in_the_large` above 0: more went bad than it expected."""

    expected: float
    brier: float
    error: float
    slope: float
    slope_interval: Interval
    in_the_large: float
    in_the_large_interval: Interval


@dataclass(frozen=True)
class Captured:
    """What the first loans by one score hold of what went bad, by share of the loans."""

    shares: list[float]
    captured: list[float]
    low: list[float]
    high: list[float]


@dataclass(frozen=True)
class Judged:
    """Both scores against what became of the loans.

    Attributes
    ----------
    difference : AUC of the challenger less the champion's, a borrower's decisions taken as alike
    held_by : what is captured: `money` where amounts are known, else `loans`
    """

    cases: int
    bad: int
    champion_auc: float
    champion_interval: Interval
    challenger_auc: float
    challenger_interval: Interval
    difference: Difference
    champion_calibration: Calibrated
    challenger_calibration: Calibrated
    held_by: str
    champion_captured: Captured
    challenger_captured: Captured


@dataclass(frozen=True)
class Matured:
    """The judgement, and how many decisions took no part in it and why.

    Attributes
    ----------
    open : without an outcome yet
    undecided : whose outcome is neither good nor bad
    seen : observed no later than what one of the versions was fitted on, where a score is no forecast
    """

    judged: Judged | NotJudged
    open: int
    undecided: int
    seen: int


@dataclass(frozen=True)
class Against:
    """A challenger against one version of the champion.

    Attributes
    ----------
    months : by the month, in UTC, in which the decision was taken
    swaps : at each cut of the newest policy, for `under_newest_policy` of the pairs
    """

    champion: str
    all: Distance
    months: dict[str, Distance]
    swaps: list[Swap]
    under_newest_policy: int
    matured: Matured | None


@dataclass(frozen=True)
class Comparison:
    """All that pairs of scores tell; `outcomes` counts what became of each decision."""

    card: str
    challenger: str
    outcomes: dict[str, int]
    against: list[Against]

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)


def compared(
    pairs: pl.DataFrame,
    *,
    card: str,
    challenger: str,
    bands: Sequence[str],
    outcomes: pl.DataFrame | None = None,
    seen_until: dict[str, date | None] | None = None,
) -> Comparison:
    """Return how a challenger compares with each version that answered.

    Parameters
    ----------
    pairs : of `models.score_pairs`
    bands : names of the newest policy's bands, the best first
    outcomes : `score_id`, `bad` (empty: neither good nor bad) and, where it is known, `amount_minor`; None without any
    seen_until : of each version the last observation date that it was fitted on, the challenger's too

    Raises
    ------
    DataRefused : a decision has two outcomes, or a column is missing
    """
    counts = {outcome.value: pairs.filter(outcome=outcome.value).height for outcome in Outcome}
    scored = pairs.filter(outcome=Outcome.SCORED.value)
    known = None if outcomes is None else checked(outcomes)
    newest = scored.get_column("policy").last() if scored.height else None
    against = []
    for champion in scored.get_column("champion").unique(maintain_order=True).to_list():
        ours = scored.filter(champion=champion)
        bins = number_bins(_log_odds(ours, "champion"), BINS)
        by_month = ours.with_columns(month=pl.col("scored_at").dt.strftime("%Y-%m"))
        here = ours.filter(policy=newest)
        against.append(
            Against(
                champion=champion,
                all=_distance(ours, bins, bands),
                months={
                    str(month): _distance(part, bins, bands)
                    for (month,), part in sorted(by_month.partition_by("month", as_dict=True).items())
                },
                swaps=[_swap(here, bands, place) for place in range(1, len(bands))],
                under_newest_policy=here.height,
                matured=None if known is None else _matured(ours, known, _last(seen_until, champion, challenger)),
            )
        )
    return Comparison(card, challenger, counts, against)


def _distance(pairs: pl.DataFrame, bins: NumberBins, bands: Sequence[str]) -> Distance:
    before, after = _log_odds(pairs, "champion"), _log_odds(pairs, "challenger")
    safer = pairs.get_column("challenger_points") > pairs.get_column("champion_points")
    moved = pairs.get_column("challenger_band") != pairs.get_column("champion_band")
    can_rank = pairs.height >= LEAST_TO_RANK and np.ptp(before) > 0 and np.ptp(after) > 0
    return Distance(
        pairs=pairs.height,
        psi=psi(bins.counts(before), bins.counts(after)).value,
        rank_correlation=float(spearmanr(before, after).statistic) if can_rank else None,
        shift=float(np.mean(after - before)),
        safer=float((moved & safer).sum() / pairs.height),
        riskier=float((moved & ~safer).sum() / pairs.height),
    )


def _swap(pairs: pl.DataFrame, bands: Sequence[str], place: int) -> Swap:
    riskier = list(bands[place:])
    before, after = (pairs.get_column(f"{who}_band").is_in(riskier) for who in ("champion", "challenger"))
    return Swap(
        band=bands[place],
        both=int((before & after).sum()),
        swapped_in=int((after & ~before).sum()),
        swapped_out=int((before & ~after).sum()),
        neither=int((~before & ~after).sum()),
    )


def _matured(pairs: pl.DataFrame, outcomes: pl.DataFrame, seen_until: date | None) -> Matured:
    with_outcomes = pairs.join(outcomes, on=SCORE_ID, how="inner", maintain_order="left")
    decided = with_outcomes.filter(pl.col(BAD).is_not_null())
    fresh = decided if seen_until is None else decided.filter(pl.col("observation_date") > seen_until)
    try:
        judged: Judged | NotJudged = _judged(fresh)
    except TooFew as few:
        judged = NotJudged(fresh.height, f"{few.found}; expected {few.expected}")
    return Matured(
        judged=judged,
        open=pairs.height - with_outcomes.height,
        undecided=with_outcomes.height - decided.height,
        seen=decided.height - fresh.height,
    )


def _judged(cases: pl.DataFrame) -> Judged:
    bad: Bools = cases.get_column(BAD).cast(pl.Boolean).to_numpy()
    weighs = AMOUNT in cases.columns and cases.get_column(AMOUNT).null_count() == 0
    weight = cases.get_column(AMOUNT).to_numpy() if weighs else None
    scores = {who: _log_odds(cases, who) for who in ("champion", "challenger")}
    ranked = {who: auc(bad, score) for who, score in scores.items()}
    calibrated = {who: _calibrated(bad, cases.get_column(f"{who}_default_probability").to_numpy()) for who in scores}
    held = {who: _captured(bad, score, weight) for who, score in scores.items()}
    return Judged(
        cases=cases.height,
        bad=int(bad.sum()),
        champion_auc=ranked["champion"].value,
        champion_interval=ranked["champion"].interval(),
        challenger_auc=ranked["challenger"].value,
        challenger_interval=ranked["challenger"].interval(),
        difference=auc_difference_by_borrower(
            bad, scores["challenger"], scores["champion"], cases.get_column("subject").to_numpy()
        ),
        champion_calibration=calibrated["champion"],
        challenger_calibration=calibrated["challenger"],
        held_by="loans" if weight is None else "money",
        champion_captured=held["champion"],
        challenger_captured=held["challenger"],
    )


def _calibrated(bad: Bools, probability: Floats) -> Calibrated:
    fitted = recalibration(bad, probability)
    return Calibrated(
        expected=float(probability.mean()),
        brier=accuracy(bad, probability).brier,
        error=calibration_error(bad, probability, equal_bands(probability, BINS)).value,
        slope=fitted.slope.value,
        slope_interval=fitted.slope.interval(),
        in_the_large=fitted.in_the_large.value,
        in_the_large_interval=fitted.in_the_large.interval(),
    )


def _captured(bad: Bools, score: Floats, weight: Floats | None) -> Captured:
    found = worked(bad, score, WORKED, weight)
    return Captured(found.shares.tolist(), found.captured.tolist(), found.low.tolist(), found.high.tolist())


def _log_odds(pairs: pl.DataFrame, who: str) -> Floats:
    return pairs.get_column(f"{who}_calibrated_log_odds").to_numpy()


def _last(seen_until: dict[str, date | None] | None, *versions: str) -> date | None:
    """Return the last day that one of the versions has seen; None where nobody knows of any."""
    days = [day for version in versions if (day := (seen_until or {}).get(version)) is not None]
    return max(days, default=None)
