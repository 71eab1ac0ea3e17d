"""Does the card see anything that was recorded after the observation date?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from features.history import History
from features.promise_checks import differs, with_later_rows
from features.tables import BORROWER, Tables, declaration
from features.words import Text
from models.risk_model import Floats
from training.checking.leakage import auc
from training.statistics.metrics import Bools
from training.validation.check import Check, Needs
from training.validation.evidence import Evidence
from training.validation.findings import Figure, Finding, Table
from training.validation.policy import Rule

LOAN = "loan_id"


@dataclass(frozen=True)
class Sample:
    """One case of each of some borrowers, with the tables of their loans: all of a case's later rows are then known.

    `cases` has `loan_id`, `observed_on`, `borrower_id`; `at` are the cases' places among the judged ones.
    """

    evidence: Evidence
    at: np.ndarray
    cases: pl.DataFrame
    tables: Tables

    @classmethod
    def of(cls, evidence: Evidence, most: int) -> Sample:
        """Return a sample of at most so many cases, always the same."""
        owners = evidence.cohort.borrowers
        # Of a borrower's cases one, drawn by lot: the last of each would always be the best known.
        mixed = np.random.default_rng(evidence.seed).permutation(len(owners))
        at = np.sort(mixed[np.unique(owners[mixed], return_index=True)[1]])
        at = at[np.unique(np.linspace(0, len(at) - 1, min(most, len(at))).round().astype(np.intp))]
        cases = (
            evidence.cohort.matrix.cases[at].select(LOAN, "observed_on").with_columns(pl.Series(BORROWER, owners[at]))
        )
        return cls(evidence, at, cases, evidence.portfolio.tables.of_loans(cases.get_column(LOAN)))

    def values(self, tables: Tables) -> Floats:
        """Return the features of the cases by other tables."""
        book = self.evidence.portfolio
        days = self.cases.select(LOAN, "observed_on")
        history = History.as_of(days, tables, zone=book.zone, allocation=book.allocation)
        return self.evidence.card.catalog.values(history).values

    def without_later_rows(self) -> Tables:
        """Return the tables without any row that was recorded after its case's observation date."""
        return Tables(**{name: self._known(name, frame) for name, frame in self.tables.items()})

    def with_later_rows(self, chosen: Bools) -> Tables:
        """Return the tables with every fact of some cases recorded anew, as other than it was, after their dates."""
        cases = self.cases.filter(pl.Series(chosen))
        return Tables(**{name: with_later_rows(name, frame, cases) for name, frame in self.tables.items()})

    def _known(self, name: str, frame: pl.DataFrame) -> pl.DataFrame:
        about = declaration(name).about
        days = self.cases.group_by(about).agg(observed__=pl.col("observed_on").max())
        # The day of the recording where the lender stands: told without the rule that a history is made by.
        recorded = pl.col("recorded_at").dt.convert_time_zone(self.evidence.portfolio.zone).dt.date()
        known = frame.join(days, on=about, how="inner", maintain_order="left").filter(recorded <= pl.col("observed__"))
        return known.drop("observed__")


def later_records(evidence: Evidence, rule: Rule) -> Finding:
    """Return how many values change when later rows are poisoned, or deleted."""
    sample = Sample.of(evidence, rule.count("cases"))
    base = sample.values(sample.tables)
    changed = {
        "poisoned": differs(base, sample.values(sample.with_later_rows(np.ones(len(sample.at), dtype=np.bool_)))),
        "deleted": differs(base, sample.values(sample.without_later_rows())),
    }
    names = evidence.card.catalog.names
    rows = [
        (name, *(int(told[:, column].sum()) for told in changed.values()))
        for column, name in enumerate(names)
        if any(told[:, column].any() for told in changed.values())
    ]
    return rule.finding(
        [Figure("values_changed", float(sum(int(told.sum()) for told in changed.values())))],
        Text(
            en=f"{{value}} of {2 * base.size:,} values change when what was recorded later is poisoned or deleted",
            zh=f"篡改或删除观察点之后的记录，{2 * base.size:,}个取值中有{{value}}个改变",
        ),
        more=[Figure("cases", float(len(sample.at)))],
        tables=[
            Table.of(
                "features",
                Text(en="Values that change, by feature", zh="各特征改变的取值数"),
                ("feature", *changed),
                rows,
            )
        ],
    )


def canary(evidence: Evidence, rule: Rule) -> Finding:
    """Return how far a sign that is planted in the later rows of bad loans alone tells them by their scores."""
    sample = Sample.of(evidence, rule.count("cases"))
    bad = evidence.bad[sample.at]
    model = evidence.card.model
    clean, planted = (model.log_odds(sample.values(tables)) for tables in (sample.tables, sample.with_later_rows(bad)))
    told = auc(np.abs(planted - clean), bad)
    return rule.finding(
        [Figure("auc_above_chance", told - CHANCE)],
        Text(
            en="a sign in what was recorded later about bad loans tells them with an AUC {value} off 0.5",
            zh="在坏样本的事后记录中植入标记，评分据此识别的AUC偏离0.5达{value}",
        ),
        more=[Figure("cases", float(len(sample.at)))],
    )


CHANCE = 0.5
"""The AUC of an order drawn by lot."""

CHECKS = (
    Check(
        "point_in_time.later_records",
        Text(en="Does anything recorded later change a feature?", zh="观察点之后的记录是否影响特征"),
        "values_changed",
        later_records,
        ("cases",),
        Needs.NOTHING,
    ),
    Check(
        "point_in_time.canary",
        Text(en="Does a score see a sign planted in the future?", zh="评分能否看到植入未来的标记"),
        "auc_above_chance",
        canary,
        ("cases",),
        Needs.NOTHING,
    ),
)
