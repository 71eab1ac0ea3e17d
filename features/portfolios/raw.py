"""How the facts that features read come out of a lender's own row: said in its portfolio file, kept by its card.

A book's files and a request's rows are read by the same functions, so that a code, a text for "nothing" or a column
worked out from two others means the same wherever a loan is scored.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import msgspec
import polars as pl

from features.declared import Kind, kinds_of
from features.errors import Fault
from features.portfolios import mapping
from features.portfolios.days import ISO_DAY
from features.portfolios.numbers import POINT, Notation
from features.portfolios.portfolio_file import ColumnSource, Computed, PortfolioFile, TableSource
from features.portfolios.reading import PARQUET
from features.tables import FACTS, NoFacts


class RawRows(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a portfolio file says of the rows that its facts are read from.

    table : how their texts are written, which of them mean nothing, and where each fact comes from
    beside : the same of the loans' file, where some facts come from it and others from a file of facts
    of_loans : the facts that come from the loans' file then
    computed : columns worked out from two others, in the order of the file, for one may read the one before
    codes : numbers that are no numbers, by column
    zone : the lender's time zone
    """

    table: TableSource = TableSource(file="", nulls=())
    computed: tuple[tuple[str, Computed], ...] = ()
    codes: Mapping[str, tuple[float, ...]] = {}
    zone: str = "UTC"
    beside: TableSource | None = None
    of_loans: tuple[str, ...] = ()

    def columns(self, kinds: Mapping[str, Kind]) -> dict[str, Kind]:
        """Return the columns of the lender's that some facts come from, and what each holds.

        A number may stand in a text, but not the other way round: a column that is read as both is a text.
        """
        found: dict[str, Kind] = {}
        for fact, kind in kinds.items():
            for column in self.behind(fact):
                own = self._kind(fact, column, kind)
                found[column] = own if found.get(column, own) == own else "text"
        return found

    def behind(self, fact: str) -> tuple[str, ...]:
        """Return the lender's columns that a fact comes from."""
        column = self._source(fact).column
        return () if column is None else tuple(dict.fromkeys(self._behind(column, len(self.computed))))

    def worked_out(self, column: str) -> tuple[str, ...] | None:
        """Return the two columns that one is worked out from; None for a column that is sent."""
        told = dict(self.computed).get(column)
        return None if told is None else told.columns

    def says_nothing(self, text: str) -> bool:
        """Return whether a text stands for no value."""
        told = pl.Series([text], dtype=pl.String)
        return any(bool(self._as_written(pl.DataFrame(), spec).known(told).is_null()[0]) for spec in self._specs)

    def facts(self, sent: pl.DataFrame, kinds: Mapping[str, Kind]) -> tuple[pl.DataFrame, list[Fault]]:
        """Return table `facts` with the columns given, and what of the rows cannot be read as declared.

        Parameters
        ----------
        sent : `loan_id`, `recorded_at` and the lender's columns, each a number, a text or a day
        """
        key = sent.select("loan_id", "recorded_at")
        parts: dict[str, pl.Series] = {}
        faults: list[Fault] = []
        for spec in self._specs:
            own = {fact: kind for fact, kind in kinds.items() if (fact in self.of_loans) == (spec is self.beside)}
            if own:
                part, found = self._facts_of(sent, own, spec)
                parts |= {fact: part.get_column(fact) for fact in own if fact in part.columns}
                faults += found
        return key.with_columns(parts[fact].alias(fact) for fact in kinds if fact in parts), faults

    @property
    def _specs(self) -> tuple[TableSource, ...]:
        return (self.table,) if self.beside is None else (self.table, self.beside)

    def _facts_of(
        self, sent: pl.DataFrame, kinds: Mapping[str, Kind], spec: TableSource
    ) -> tuple[pl.DataFrame, list[Fault]]:
        """Return the facts that come from one of the lender's files, and what cannot be read as it says."""
        written = self._as_written(sent, spec)
        own = [column for column in sent.columns if column not in NoFacts.columns()]
        written.rows = pl.DataFrame([self._text(written, sent.get_column(column)) for column in own])
        if not own:
            written.rows = sent.select(pl.lit(None, pl.String).alias(mapping.ROW))
        written.spec = msgspec.structs.replace(written.spec, format=None, formats={})
        mapping.work_out(written, dict(self.computed), FACTS, lenient=True)
        columns = {fact: self._of_days(fact, kind) for fact, kind in kinds.items()}
        facts = mapping.facts_from(written, kinds, sent.get_column("loan_id"), sent.get_column("recorded_at"), columns)
        return facts, written.faults

    def _as_written(self, rows: pl.DataFrame, spec: TableSource) -> mapping.Source:
        return mapping.Source(rows, spec, Notation(spec.decimal, spec.thousands), self.zone, self.codes)

    def _text(self, source: mapping.Source, cells: pl.Series) -> pl.Series:
        """Return a column's cells as a file of the lender's would have them; a day as ISO 8601 writes it."""
        known = source.known_values(cells)
        if known.dtype == pl.Float64:
            return source.notation.written(known)
        return known.dt.strftime(ISO_DAY) if known.dtype == pl.Date else known

    def _of_days(self, fact: str, kind: Kind) -> ColumnSource:
        """Return where a fact comes from when its day was sent as a day, in whatever form files have it."""
        source = self._source(fact)
        sent_as_day = kind == "date" and not source.values
        return msgspec.structs.replace(source, format=None) if sent_as_day else source

    def _source(self, fact: str) -> ColumnSource:
        told = self.table.columns.get(fact, fact)
        return told if isinstance(told, ColumnSource) else ColumnSource(column=told)

    def _kind(self, fact: str, column: str, kind: Kind) -> Kind:
        source = self._source(fact)
        if source.column != column:
            return "number"
        return "text" if source.values else kind

    def _behind(self, column: str, place: int) -> Iterator[str]:
        # What is worked out reads what was worked out before it, and else a column as it is sent.
        for earlier in range(place - 1, -1, -1):
            target, told = self.computed[earlier]
            if target == column:
                for part in told.columns:
                    yield from self._behind(part, earlier)
                return
        yield column


AS_DECLARED = RawRows()
"""Rows that hold the facts as they are: of a book without a portfolio file."""


def raw_of(file: PortfolioFile, own_facts: Collection[str] = ()) -> RawRows:
    """Return how the facts of a portfolio file come out of its rows: of the file of facts, or else of the loans.

    Parameters
    ----------
    own_facts : those that come from the file of facts, where there is one
    """
    if not file.features:
        return AS_DECLARED
    kinds = kinds_of(file.features)
    of_loans = tuple(fact for fact in kinds if fact not in own_facts) if FACTS in file.tables else ()
    return RawRows(
        table=_written_as(file, file.tables.get(FACTS, file.tables["loans"]), own=FACTS in file.tables),
        computed=tuple(file.computed.items()),
        codes=file.codes_by_column,
        zone=file.zone,
        beside=_written_as(file, file.tables["loans"], own=False) if of_loans else None,
        of_loans=of_loans,
    )


def _written_as(file: PortfolioFile, spec: TableSource, *, own: bool) -> TableSource:
    """Return what a card keeps of how a file is written; `own`: the table is that of facts, and says where each is."""
    if spec.file.endswith(PARQUET):  # in which numbers are numbers
        spec = msgspec.structs.replace(spec, decimal=POINT.decimal, thousands=POINT.thousands)
    return TableSource(
        file="",
        decimal=spec.decimal,
        thousands=spec.thousands,
        nulls=spec.nulls,
        format=spec.format,
        formats=spec.formats,
        columns={
            fact: _sendable(fact, source)
            for fact, source in spec.columns.items()
            if own and fact in kinds_of(file.features)
        },
    )


def raw_to_plain(raw: RawRows) -> Any:
    """Return it as plain data, as an artefact keeps it."""
    return msgspec.to_builtins(raw)


def raw_from_plain(plain: Any) -> RawRows:
    """Return what `raw_to_plain` wrote."""
    return msgspec.convert(plain, RawRows)


def _sendable(fact: str, source: str | ColumnSource) -> str | ColumnSource:
    """Return where a fact comes from in a row that is sent: a column there has no other meaning."""
    if isinstance(source, str):
        return fact if source in NoFacts.columns() else source
    if source.column in NoFacts.columns():
        return msgspec.structs.replace(source, column=fact)
    return source
