"""The obvious service on BentoML: features ready, or one borrower's history."""

# No postponed annotations: BentoML reads the types of an API's arguments.
from datetime import date
from typing import Any

import bentoml

from benchmarks import obvious


@bentoml.service(workers=1, traffic={"timeout": 60})
class Obvious:
    """Scores with reasons."""

    def __init__(self) -> None:
        import pandas as pd

        self.frame = pd.DataFrame
        self.scorer = obvious.Scorer(obvious.folder())
        self.pipeline = obvious.Pipeline(obvious.folder())

    @bentoml.api
    def score(self, features: dict[str, Any]) -> dict[str, Any]:
        """Score one row of ready features."""
        return self.scorer.answer(self.frame([features]))[0]

    @bentoml.api
    def score_history(self, observation_date: str, tables: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
        """Score the loans of a request from their history."""
        frame = obvious.features_of_request(tables, date.fromisoformat(observation_date))
        return self.pipeline.answer(frame)
