"""The columns that a lender's own features read, whichever of its files they stand in: one row per loan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import dataframely as dy
import polars as pl

from features.declared import Kind, columns_of_kinds, declared_facts
from features.portfolios import mapping
from features.portfolios.portfolio_file import TableSource
from features.schemas import Table
from features.tables import BORROWER, FACTS

LOAN = "loan_id"


class OfBorrowers(Table):
    """Facts about each borrower, one row per borrower; they are given to each of the borrower's loans."""

    about = BORROWER

    borrower_id = dy.String(primary_key=True, min_length=1, description="the borrower")
    recorded_at = dy.Datetime(
        primary_key=True, time_unit="us", time_zone="UTC", description="instant the facts were recorded"
    )


@dataclass(frozen=True)
class FactsFile:
    """The file that `[tables.facts]` names, and what features read from it.

    Attributes
    ----------
    source : its rows
    kinds : the columns that come from it; the others come from the loans' file
    of_borrowers : its rows are about borrowers, not about loans
    """

    source: mapping.Source
    spec: TableSource
    kinds: Mapping[str, Kind]
    of_borrowers: bool

    @property
    def schema(self) -> type[Table]:
        """The declaration that its rows keep to."""
        if not self.of_borrowers:
            return declared_facts(self.kinds)
        return type("OwnerFacts", (OfBorrowers,), {"__annotations__": {}, **columns_of_kinds(self.kinds)})

    def read(self) -> pl.DataFrame:
        """Return its rows; what could not be read is null and among the source's faults."""
        return mapping.table_from(self.source, self.spec, self.schema, FACTS)


def facts_file(
    source: mapping.Source, spec: TableSource, kinds: Mapping[str, Kind], loans: mapping.Source | None
) -> FactsFile:
    """Return a file of facts: of a column that both files have, it has the first say.

    Parameters
    ----------
    loans : the rows of the loans' file, which may hold what the file of facts does not
    """
    others = set() if loans is None else set(loans.rows.columns)
    own = {
        column: kind
        for column, kind in kinds.items()
        if column in spec.columns or column in source.rows.columns or column not in others
    }
    named = {*spec.columns, *source.rows.columns}
    return FactsFile(source, spec, own, of_borrowers=LOAN not in spec.columns and _is_of_borrowers(spec, named))


def _is_of_borrowers(spec: TableSource, named: set[str]) -> bool:
    return BORROWER in spec.columns or (BORROWER in named and LOAN not in named)


def of_each_loan(facts: pl.DataFrame, rows: pl.Series, loans: pl.DataFrame) -> pl.DataFrame:
    """Return facts about borrowers as facts about each of their loans, with each row's number in the file.

    Parameters
    ----------
    facts : rows of a file of facts about borrowers
    rows : the number of each in the file
    """
    pairs = loans.select(LOAN, BORROWER).unique(maintain_order=True)
    numbered = facts.with_columns(rows.alias(mapping.ROW))
    return pairs.join(numbered, on=BORROWER, how="inner", maintain_order="left").drop(BORROWER)


def beside_the_loans(facts: pl.DataFrame, of_loans: pl.DataFrame) -> pl.DataFrame:
    """Return facts of two files in one table: at each recording what both files said by then.

    Parameters
    ----------
    facts, of_loans : `loan_id`, `recorded_at` and columns of their own
    """
    key = [LOAN, "recorded_at"]
    instants = pl.concat([of_loans.select(key), facts.select(key)]).unique(maintain_order=True).sort("recorded_at")
    for part in (of_loans, facts):
        known = part.filter(pl.all_horizontal(pl.col(key).is_not_null())).sort("recorded_at")
        instants = instants.join_asof(known, on="recorded_at", by=LOAN, check_sortedness=False)
    return instants
