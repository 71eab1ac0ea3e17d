"""One case of each loan beside its row of the loans' file, as it was known when the loan was first observed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from features.history import CASE, History
from features.portfolios import Portfolio
from features.portfolios.portfolio_file import ColumnSource, PortfolioFile
from features.tables import FACTS
from models.cards import Card, Population
from models.risk_model import Floats
from training.checking.column_roles import OF_FACTS
from training.checking.leakage import Cases, Column
from training.statistics.metrics import Bools

LOAN = "loan_id__"


@dataclass(frozen=True)
class RowsOfCases:
    """Cases, and the columns of the loans' file as text in the same order.

    Columns that features read from a file of their own stand beside them, named as in `facts.income`.
    """

    cases: Cases
    texts: pl.DataFrame

    def column(self, name: str) -> Column:
        """Return a column by name."""
        return Column(name.removeprefix(OF_FACTS), self.texts.get_column(name))


def rows_of_cases(
    portfolio: Portfolio, file: PortfolioFile, rows: pl.DataFrame, members: History, bad: pl.Series | None, card: Card
) -> RowsOfCases:
    """Return the first case of each loan of a card. A loan went bad when any of its cases did.

    One case of each loan, because a column of the loans' file says the same on every observation date: counted once a
    date, a single loan would look like many. Cases that are neither good nor bad are left out.

    Parameters
    ----------
    rows : the rows of the loans' file as text, behind the loan that each became
    bad : the members' outcomes; None where they are not known
    """
    cases = members.cases.select(CASE, "loan_id", "observed_on")
    if bad is not None:
        judged = cases.with_columns(bad=bad).filter(pl.col("bad").is_not_null())
        cases = judged.with_columns(pl.col("bad").any().over("loan_id"))
    first = cases.sort("observed_on", CASE).unique("loan_id", keep="first", maintain_order=True)
    loans = portfolio.tables.loans.select("loan_id", "recorded_at").with_row_index("place")
    assert rows.get_column(LOAN).equals(loans.get_column("loan_id")), "both are the rows of one file"
    placed = first.join(
        members.known.loans.select(CASE, "recorded_at"), on=CASE, how="inner", maintain_order="left"
    ).join(loans, on=["loan_id", "recorded_at"], how="inner", maintain_order="left")
    texts = rows.drop(LOAN)[placed.get_column("place")]
    beside = _facts(members, placed) if FACTS in file.tables else None
    went_bad: Bools | None = None if bad is None else placed.get_column("bad").to_numpy().astype(np.bool_)
    known = Cases(
        observed_on=placed.get_column("observed_on"),
        amount=_amount(file, texts),
        bad=went_bad,
        applicants=card.population is Population.APPLICANTS,
    )
    return RowsOfCases(known, texts if beside is None else texts.hstack(beside))


def _facts(members: History, placed: pl.DataFrame) -> pl.DataFrame | None:
    facts = members.known.facts
    if facts is None:
        return None
    latest = facts.group_by(CASE, maintain_order=True).agg(pl.all().last())
    rows = placed.select(CASE).join(latest, on=CASE, how="left", maintain_order="left")
    own = [name for name in facts.columns if name not in {CASE, "loan_id", "observed_on", "recorded_at"}]
    return rows.select(pl.col(name).cast(pl.String).alias(OF_FACTS + name) for name in own)


def _amount(file: PortfolioFile, texts: pl.DataFrame) -> Floats:
    """Return the amount of each loan in the file's own units, so that other columns can be compared with it."""
    named = file.tables["loans"].columns
    for target in ("amount", "credit_limit"):
        source = named.get(target, target)
        column = source.column if isinstance(source, ColumnSource) else source
        if column in texts.columns:
            numbers = Column(column, texts.get_column(column)).numbers
            if numbers is not None:
                return numbers
    return np.full(texts.height, np.nan)
