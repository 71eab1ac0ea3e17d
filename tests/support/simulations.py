"""Whether a share of simulations is one that a promised probability gives: the tolerance is chance's own.

REPAYRANK_STATISTICS_SIMULATIONS sets how many books are drawn for each figure; a release asks for 4,000.
REPAYRANK_STATISTICS_SEED draws others. Figures are told to the log `repayrank.figures`; see them with
`-o log_cli=true --log-cli-level=INFO`.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable

import numpy as np
from hypothesis import settings
from scipy.stats import binom, kstest, norm

SIMULATIONS = int(os.environ.get("REPAYRANK_STATISTICS_SIMULATIONS", "200"))
SEED = int(os.environ.get("REPAYRANK_STATISTICS_SEED", "0"))
RARE = 1e-3
"""How seldom chance alone may make a right measure look wrong."""
LEAST_UNIFORM = 0.01
PROPERTY = settings(max_examples=50, deadline=None)
FIGURES = logging.getLogger("repayrank.figures")


def random_for(name: str) -> np.random.Generator:
    """Return the chance of one figure, which no other figure's simulations move."""
    return np.random.default_rng([SEED, *name.encode()])


def require_share(name: str, hits: Iterable[bool], least: float, most: float) -> float:
    """Return the share of hits after checking that a true share between these bounds may give it."""
    found = np.fromiter(hits, dtype=np.bool_)
    count, drawn = int(found.sum()), len(found)
    FIGURES.info("%s: %.2f %% of %d", name, 100 * count / drawn, drawn)
    assert binom.cdf(count, drawn, least) > RARE, f"{name}: {count} of {drawn}, too few for {least:.1%} (seed {SEED})"
    assert binom.sf(count - 1, drawn, most) > RARE, f"{name}: {count} of {drawn}, too many for {most:.1%} (seed {SEED})"
    return count / drawn


def require_uniform(name: str, p_values: Iterable[float]) -> None:
    """Check that p-values of a hypothesis that holds are uniform."""
    found = np.fromiter(p_values, dtype=np.float64)
    told = kstest(found, "uniform").pvalue
    FIGURES.info(
        "%s: p-values uniform with p = %.3f, %.2f %% below 5 %%, of %d",
        name,
        told,
        100 * (found < 0.05).mean(),
        len(found),
    )
    assert told > LEAST_UNIFORM, f"{name}: KS p {told:.4f} of {len(found)} (seed {SEED})"


def binormal(random: np.random.Generator, bads: int, goods: int, auc: float) -> tuple[np.ndarray, np.ndarray]:
    """Return outcomes and scores whose true AUC is this: two normal distributions of the same spread."""
    bad = np.arange(bads + goods) < bads
    return bad, random.normal(size=bads + goods) + bad * np.sqrt(2) * norm.ppf(auc)


def calibrated(
    random: np.random.Generator, cases: int, spread: float = 1.0, level: float = -1.5
) -> tuple[np.ndarray, np.ndarray]:
    """Return outcomes and the very probabilities that they were drawn with."""
    probability = 1 / (1 + np.exp(-random.normal(level, spread, cases)))
    return random.random(cases) < probability, probability
