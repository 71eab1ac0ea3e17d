"""Where the time goes: the steps of one bucket of a whole book, and of fitting a large card, each by itself.

python -m benchmarks.stages book
python -m benchmarks.stages training
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from benchmarks.book import PER_BUCKET
from benchmarks.features import OBSERVED_ON, write_book
from benchmarks.made_card import made_card
from benchmarks.turns import timed

TURNS = 5
Done = TypeVar("Done")


class Stages:
    """Seconds of each step, over turns."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = {}

    def step(self, name: str, work: Callable[[], Done]) -> Done:
        """Do some work and keep how long it took."""
        done, seconds = timed(work)
        self.seconds.setdefault(name, []).append(seconds)
        return done

    def tell(self) -> None:
        """Print the median of each step and its share."""
        medians = {name: statistics.median(seconds) for name, seconds in self.seconds.items()}
        whole = sum(medians.values())
        print("| step | ms | share |\n| --- | --- | --- |")
        for name, seconds in medians.items():
            print(f"| {name} | {1000 * seconds:,.0f} | {seconds / whole:.0%} |")
        print(f"| | {1000 * whole:,.0f} | |")


def of_a_bucket() -> Stages:
    """Return the steps from Parquet to Parquet, on one bucket and one thread but for the explanation's two."""
    from features import table_files
    from features.portfolios import open_portfolio
    from models.assessment import assess_matrix
    from models.exposure import at_risk
    from models.notes import remarks
    from models.policy import default_policy
    from serving import batch

    stages, policy = Stages(), default_policy()
    with tempfile.TemporaryDirectory() as made:
        here = Path(made)
        card = made_card(here / "home", here / "fitted_on")
        write_book(here / "book", PER_BUCKET, seed=0)
        for turn in range(TURNS + 1):
            seen = Stages() if turn == 0 else stages  # the first warms
            book = seen.step("read and check", lambda: open_portfolio(str(here / "book")))
            history = seen.step("what was known on the day", lambda book=book: book.to_score(OBSERVED_ON))
            seen.step("ledger: payments meet instalments", lambda known=history: (known.instalments, known.spells))
            matrix = seen.step("features", lambda known=history: card.catalog.values(known))
            money = seen.step("amounts at risk", lambda known=history: at_risk(known))
            told = seen.step(
                "score and exact contributions",
                lambda matrix=matrix, money=money: assess_matrix(matrix, money, card, policy),
            )
            told = replace(told, remarks=seen.step("remarks", lambda known=history: remarks(known, card)))
            seen.step("reasons chosen, notes", lambda told=told: (told.told, told.notes))
            seen.step("sentences in two languages", lambda told=told: [told.told.texts(place) for place in range(6)])
            rows = seen.step(
                "table, sentences again",
                lambda told=told, known=history: batch.frame(told, ranked=False, contributions=True, history=known),
            )
            seen.step("Parquet, compressed", lambda rows=rows: table_files.write(rows, here / "out.parquet"))
    # The table is made of the sentences: what it takes besides is told.
    pairs = zip(stages.seconds["table, sentences again"], stages.seconds["sentences in two languages"], strict=True)
    stages.seconds["the rest of the table"] = [max(whole - part, 0.0) for whole, part in pairs]
    del stages.seconds["table, sentences again"]
    return stages


def of_training() -> Stages:
    """Return the steps of fitting the large size on 200,000 made-up cases, and LightGBM at its defaults beside them."""
    import lightgbm as lgb

    from benchmarks.explanation import ROWS, outcomes, rows
    from benchmarks.training import TREES, groups_of_columns
    from models import risk_model
    from models.pattern_tables import compile_booster
    from models.reference import with_reference

    values = rows(0, ROWS)
    bad = outcomes(1, values)
    size = replace(risk_model.LARGE_SIZES[-1], most_trees=4 * TREES)
    card = risk_model.RiskModel(groups_of_columns(values.shape[1]), None, (size,), inner_folds=1, seed=0)
    stages = Stages()
    fitted, whole = timed(lambda: card.fit(values, bad))
    counted = stages.step("the population counted through the trees", lambda: with_reference(fitted.booster_, values))
    stages.step("tables", lambda: compile_booster(counted))
    stages.seconds["growing the trees, checks"] = [whole - sum(took for (took,) in stages.seconds.values())]
    defaults = {"objective": "binary", "verbosity": -1, "seed": 0}
    _, seconds = timed(lambda: lgb.train(defaults, lgb.Dataset(values, bad), num_boost_round=TREES))
    print(f"LightGBM at its defaults: {seconds:.1f} s\n")
    return stages


if __name__ == "__main__":
    {"book": of_a_bucket, "training": of_training}[sys.argv[1]]().tell()
