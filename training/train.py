"""Training as a bank does it: fit, judge on loans not seen, sign, store, record.

The first version of a card serves at once. Every later one is a challenger, and serves once it is promoted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from matplotlib.figure import Figure

from features.errors import ModelRefused
from features.portfolios import Portfolio
from models.attribution import attribute
from models.cards import Card
from models.champions import ConflictingChampion
from models.fitted_card import FittedCard
from models.risk_model import Floats
from models.store import ModelStore
from models.trial import has_lived
from training.benchmark import NAME as BENCHMARK
from training.benchmark import against_benchmark
from training.cohort import Cohort, cohort
from training.fitting import against_any_depth, data_hash, fitted_card, golden_rows
from training.monotonicity import monotone_violations
from training.plots import calibration_by_decile, lift_by_decile, roc_and_ks
from training.principals import TRAINED_BY, account, named
from training.promotion.words import NO_VERSION_BEFORE
from training.splits import kept_from_the_fit
from training.statistics.metrics import Bools, performance
from training.tracking import CHALLENGER, CHAMPION, Tracker
from training.tuning.result import Chosen

CHANCE = 0.5
"""The AUC of an order drawn by lot."""


@dataclass(frozen=True)
class Trained:
    """A card that was fitted and stored.

    `card` is the one read back from the store, so it has no `size_` and no out-of-fold scores. `held_out` are the cases
    kept from the fit (None when all were used); `metrics` were judged on them, or out of fold when there are none.
    `registered` is the version in MLflow's registry. `serves` is whether it became the champion; if not, `champion` is
    the version that serves.
    """

    card: FittedCard
    fitted_on: Cohort
    held_out: Cohort | None
    metrics: Mapping[str, float]
    folder: Path
    registered: str
    champion: str

    @property
    def serves(self) -> bool:
        """Whether it became the champion: it is the card's first version."""
        return self.champion == self.card.version


def train(
    portfolio: Portfolio,
    card: Card,
    home: Path,
    *,
    as_of: date | None = None,
    seed: int = 0,
    hold_out: float = 0.0,
    measure_depth: bool = False,
    parameters: Chosen | None = None,
    by: str | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Trained:
    """Return a fitted card, stored under `home` and recorded in MLflow; the first of its card serves from now on.

    Parameters
    ----------
    hold_out : share of the cohort, stratified by outcome, that is kept from the fit and judged
    measure_depth : tell and record what the bound on the depth of trees costs; it takes a third as long again
    parameters : the size of the trees that a file chooses; None: inner folds choose among the release's own
    by : who trains, for the record; None: the operating system's user

    Raises
    ------
    UsageError : `by` is no name
    ModelRefused : the card orders loans no better than chance, or breaks a declared direction; it is stored and
        recorded, and neither champion nor challenger
    """
    who = named(account() if by is None else by, "trains")
    whole = cohort(portfolio, card, as_of)
    if whole.left_out:
        say(whole.left_out)
    fitted_on, held_out = kept_from_the_fit(whole, hold_out, seed)
    store, tracker = ModelStore(home), Tracker(home / "mlflow")
    say(f"fitting the {card.name} card on {len(fitted_on):,} cases, {len(fitted_on.matrix.features)} features")
    if parameters is not None:
        on = "this very book" if parameters.tuned_on == data_hash(whole) else "another book or an earlier day"
        say(f"with the size of a file, tuned on {on}; {parameters.words}")
    with tracker.run(card.name) as run:
        version = store.next_version(card.name)
        fitted = fitted_card(
            fitted_on,
            version=version,
            seed=seed,
            sizes=None if parameters is None else (parameters.size,),
            provenance={
                "run": run,
                "portfolio": portfolio.name,
                "source": portfolio.source,
                "zone": portfolio.zone,
                "hold_out": hold_out,
                "trained_at": datetime.now(UTC).isoformat(timespec="seconds"),
                TRAINED_BY: who,
                **({} if parameters is None else {"parameters_sha256": parameters.sha256}),
            },
            declared=portfolio.declared,
            allocation=portfolio.allocation,
            raw=portfolio.raw,
        )
        judged_on, log_odds = _judged(fitted, fitted_on, held_out)
        assert fitted.model.out_of_fold_ is not None, "cohorts with both outcomes have enough cases for folds"
        compared = against_benchmark(fitted_on, fitted.model.out_of_fold_, folds=fitted.model.inner_folds, seed=seed)
        say(f"inner folds: {compared.words(BENCHMARK)}")
        metrics = {
            **performance(judged_on.bad, log_odds, fitted.model.calibration_.probability(log_odds)),
            "auc_against_logistic": compared.auc,
            "auc_against_logistic_low": compared.low,
            "auc_against_logistic_high": compared.high,
            "rows_fitted": float(len(fitted_on)),
            "rows_judged": float(len(judged_on)),
            "monotone_violations": float(monotone_violations(fitted.model, judged_on.matrix.values)),
        }
        if measure_depth:
            depth = against_any_depth(fitted_on, fitted.model)
            say(f"bound on depth: {depth.words('trees of any depth')}")
            metrics |= {
                "auc_against_any_depth": depth.auc,
                "auc_against_any_depth_low": depth.low,
                "auc_against_any_depth_high": depth.high,
            }
        say("signing, storing and recording it in MLflow")
        folder = store.save(fitted, golden_rows(fitted_on))
        stored = store.load(card.name, version)
        has_lived(store, card.name, version)
        registered = tracker.record(
            fitted,
            fitted_on,
            folder,
            metrics=metrics,
            judged_on="out of fold" if held_out is None else "held out",
            hold_out=hold_out,
            figures=_figures(judged_on.bad, log_odds, fitted),
            source=portfolio.source,
        )
        _require_fit_to_serve(folder, metrics)
        champion = _serving(store, card.name, version, who)
        tracker.alias(card.name, registered, CHAMPION if champion == version else CHALLENGER)
    return Trained(stored, fitted_on, held_out, metrics, folder, registered, champion)


def _serving(store: ModelStore, card: str, version: str, by: str) -> str:
    """Return the version that serves: the one that serves already or, where none does, this one from now on."""
    nobody = store.standing(card)
    if nobody.version is not None:
        return nobody.version
    try:
        store.promote(card, version, expected=nobody, by=by, at=datetime.now(UTC), reason=NO_VERSION_BEFORE.en)
    except ConflictingChampion:  # two were trained at once, and the other was first
        return store.champion(card)
    return version


def _require_fit_to_serve(folder: Path, metrics: Mapping[str, float]) -> None:
    faults = []
    if not metrics["auc"] > CHANCE:
        faults.append(f"AUC {metrics['auc']:.4f} is no better than chance")
    if metrics["monotone_violations"] > 0:
        faults.append(f"{metrics['monotone_violations']:.0f} steps of the risk go against a declared direction")
    if faults:
        raise ModelRefused(
            f"the version is stored but not champion: {'; '.join(faults)}",
            where=str(folder),
            expected=f"AUC above {CHANCE} and no step against a direction",
            do="check the outcomes and the observation date, then train again; the champion is what it was",
        )


def _judged(fitted: FittedCard, fitted_on: Cohort, held_out: Cohort | None) -> tuple[Cohort, Floats]:
    if held_out is None:
        assert fitted.model.out_of_fold_ is not None, "see above"
        return fitted_on, fitted.model.out_of_fold_
    return held_out, attribute(fitted.model, fitted.catalog, held_out.matrix.values).log_odds


def _figures(bad: Bools, log_odds: Floats, fitted: FittedCard) -> dict[str, Figure]:
    probability = fitted.model.calibration_.probability(log_odds)
    return {
        "roc_and_ks": roc_and_ks(bad, log_odds),
        "calibration": calibration_by_decile(bad, probability),
        "lift": lift_by_decile(bad, log_odds),
    }
