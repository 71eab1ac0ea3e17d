"""From a lender's own files to the tables: each value is read as it is declared, or its row and column are named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import polars as pl

from features.errors import Fault
from features.portfolios.days import INSTANT, at_hour, beginning, days_in, noon, patterns
from features.portfolios.numbers import COMMA, POINT, Notation
from features.portfolios.portfolio_file import ColumnSource, Computed, Condition, Format, Outcome, TableSource
from features.portfolios.reading import PARQUET, other_text, rows_of, unreadable
from features.schemas import OutcomeTable, Table, type_words
from features.tables import FACTS, with_empty_columns

STATED_ON = ("borrowers", "stated_on")
"""The one required day that a lender may not know: a customer's master record says what is so, not since when."""
NO_LETTER = "\N{REPLACEMENT CHARACTER}"
"""What stands for bytes that are no letter: the file is in another encoding."""
NEARLY_WHOLE = 1e-6
"""Minor units by which a decimal amount, read as a binary number, may miss the whole number it was."""
TRUTH = {"true": True, "false": False, "1": True, "0": False}
ROWS_LISTED = 20
"""Rows with the same fault that are listed one by one; the others are counted."""
ROW = "row__"
OF_THE_ROW = frozenset({"loan_id", "borrower_id", "recorded_at"})


@dataclass
class Source:
    """A file's rows with their numbers, read as text where they are asked for, and the faults found meanwhile.

    `codes` are numbers that are no numbers, by the column that holds them; features know their own. `repeated` counts
    the rows that repeat another and do not count, `left_out` are those that `where` leaves out.
    """

    rows: pl.DataFrame
    spec: TableSource
    notation: Notation
    zone: str
    codes: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    repeated: int = 0
    left_out: pl.DataFrame | None = None

    def column(self, name: str, table: str) -> pl.Series | None:
        """Return a column's texts, null where there is none; None, with a fault, when the file has no such column."""
        if name not in self.rows.columns:
            self.faults.append(Fault(table, None, name, f"this column in the file, which has {_listed(self.rows)}"))
            return None
        return self.known(self.rows.get_column(name).cast(pl.String, strict=False))

    def known(self, text: pl.Series) -> pl.Series:
        """Return texts without those that stand for no value; numbers among these count however they are written."""
        trimmed = text.str.strip_chars()
        none = trimmed.is_in(list(self.spec.nulls)).fill_null(value=True)
        numbers = _numbers_among(self.spec.nulls, self.notation)
        if numbers:
            none |= self.notation.equal(trimmed, numbers)
        return text.set(none, None)

    def known_values(self, cells: pl.Series) -> pl.Series:
        """Return numbers or days without those that stand for no value, as the file writes them."""
        if cells.dtype == pl.Float64:
            nothing = cells.is_in(list(_numbers_among(self.spec.nulls, self.notation)))
        elif cells.dtype == pl.Date:
            form = patterns(self.spec.formats.get(cells.name) or self.spec.format)[0]
            nothing = self.known(cells.dt.strftime(form)).is_null()
        else:
            return cells
        return cells.set(nothing.fill_null(value=False), None)

    def without_codes(self, number: pl.Series, column: str | None) -> pl.Series:
        """Return a column's numbers without those that are codes."""
        codes = self.codes.get(column or "", ())
        return number.set(number.is_in(list(codes)).fill_null(value=False), None) if codes else number


def opened(
    spec: TableSource,
    folder: Path,
    zone: str,
    name: str,
    *,
    computed: Mapping[str, Computed] | None = None,
    codes: Mapping[str, tuple[float, ...]] | None = None,
    lenient: bool = False,
) -> Source:
    """Return a file's rows that count as text, each with its number in the file, from 0.

    Parameters
    ----------
    computed : columns worked out from two of the file's
    codes : numbers that are no numbers, by column
    lenient : a computed column whose columns the file does not have is left out, and is no fault

    Raises
    ------
    DataRefused : the file cannot be read
    """
    file = folder / spec.file
    raw = rows_of(file, "the columns that the portfolio file names", separator=spec.separator, encoding=spec.encoding)
    if any(NO_LETTER in column for column in raw.columns):
        raise other_text(file) or unreadable(file, "names that are no text", "UTF-8", "write the table again")
    notation = POINT if file.suffix == PARQUET else Notation(spec.decimal, spec.thousands)
    rows = raw.with_row_index(ROW)
    source = Source(distinct(rows) if spec.distinct else rows, spec, notation, zone, codes or {})
    source.repeated = raw.height - source.rows.height
    work_out(source, computed or {}, name, lenient=lenient)
    every = source.rows
    for condition in spec.where:
        kept = _kept(source, condition, name)
        if kept is not None:
            source.rows = source.rows.filter(kept)
    if source.rows.height < every.height:
        source.left_out = every.join(source.rows.select(ROW), on=ROW, how="anti")
    return source


def distinct(rows: pl.DataFrame) -> pl.DataFrame:
    """Return rows without those that repeat an earlier one in every column; their numbers do not count."""
    columns = [name for name in rows.columns if name != ROW]
    return rows.unique(columns, keep="first", maintain_order=True) if columns else rows


def work_out(source: Source, computed: Mapping[str, Computed], name: str, *, lenient: bool = False) -> None:
    """Add the columns that are worked out from others; see `opened`."""
    for target, told in computed.items():
        if lenient and not set(told.columns) <= set(source.rows.columns):
            continue
        values = _computed(source, told, name)
        if values is not None:
            source.rows = source.rows.with_columns(source.notation.written(values).alias(target))


def table_from(source: Source, spec: TableSource, schema: type[Table], name: str) -> pl.DataFrame:
    """Return a table in its declared types; what could not be read is null and among the source's faults."""
    columns: list[pl.Series] = []
    told = dict(spec.columns)
    for column, kind in schema.columns().items():
        given = told.pop(column, column if column in source.rows.columns else None)
        if given is None:
            if (name, column) == STATED_ON:
                columns.append(beginning(source.rows.height).alias(column))
            if name == FACTS and column not in OF_THE_ROW:  # a feature reads it: it may be empty, and not absent
                source.column(column, name)
            continue
        where = given if isinstance(given, ColumnSource) else ColumnSource(column=given)
        read = _read(source, where, kind.dtype, name, column)
        if read is not None:
            columns.append(read.alias(column))
    source.faults += [Fault(name, None, column, f"one of the columns {', '.join(schema.columns())}") for column in told]
    frame = pl.DataFrame(columns)
    if "recorded_at" not in frame.columns and "recorded_at" in schema.columns():
        frame = frame.with_columns(recorded_at=_assumed(frame, schema, source.zone))
    return with_empty_columns(frame, schema)


def outcomes_from(
    source: Source, spec: Outcome, loans: pl.DataFrame, observed: pl.Series, window_days: int
) -> pl.DataFrame:
    """Return table `outcomes` from a column of the loans' file, one row per loan."""
    text = source.column(spec.column, "outcomes")
    if text is None:
        return OutcomeTable.create_empty()
    bad = _bad(source, spec, text)
    ends = observed.dt.offset_by(f"{spec.after_days or window_days}d")
    frame = pl.DataFrame(
        {"loan_id": loans.get_column("loan_id"), "happened_on": ends, "bad": bad, "recorded_at": noon(ends)}
    )
    if spec.recovered is not None:
        where = spec.recovered if isinstance(spec.recovered, ColumnSource) else ColumnSource(column=spec.recovered)
        money = _read(source, where, pl.Int64(), "outcomes", "recovered")
        if money is not None:
            frame = frame.with_columns(recovered=money)
    return with_empty_columns(frame, OutcomeTable).select(OutcomeTable.column_names())


def facts_from(
    source: Source,
    kinds: Mapping[str, str],
    loan_ids: pl.Series,
    recorded_at: pl.Series,
    columns: Mapping[str, str | ColumnSource] | None = None,
) -> pl.DataFrame:
    """Return table `facts`: the columns that declared features read, one row per loan.

    Parameters
    ----------
    columns : where a column comes from, if not from the one of its name
    """
    told = columns or {}
    dtypes: dict[str, pl.DataType] = {"number": pl.Float64(), "text": pl.String(), "date": pl.Date()}
    found = [loan_ids.alias("loan_id"), recorded_at.alias("recorded_at")]
    for column, kind in kinds.items():
        given = told.get(column, column)
        where = given if isinstance(given, ColumnSource) else ColumnSource(column=given)
        read = _read(source, where, dtypes[kind], FACTS, column)
        if read is not None:
            found.append(read.alias(column))
    return pl.DataFrame(found)


def in_plain_numbers(source: Source, text: pl.Series) -> pl.Series:
    """Return a column's texts with the numbers among them written as 1234.5."""
    plain = source.notation.plain(text)
    return text if source.notation == POINT else text.zip_with(plain.is_null(), plain)


def faults_in_the_file(source: Source, yours: Mapping[tuple[str, str], str]) -> list[Fault]:
    """Return the faults found, with row numbers as the file has them.

    Parameters
    ----------
    yours : the file's column that each column of a table is read from
    """
    rows = source.rows.get_column(ROW)
    # A column that is read twice has its faults twice.
    return list(dict.fromkeys(in_the_file(fault, rows, yours) for fault in source.faults))


def in_the_file(fault: Fault, rows: pl.Series, yours: Mapping[tuple[str, str], str]) -> Fault:
    """Return a fault with the number that its row has in the file, and the file's own name of its column."""
    row = None if fault.row is None else int(rows[fault.row])
    return replace(fault, row=row, yours=yours.get((fault.table, fault.column or ""), ""))


def _bad(source: Source, spec: Outcome, text: pl.Series) -> pl.Series:
    if spec.bad_above is not None or spec.bad_below is not None:
        number = source.without_codes(_number(source, text, "outcomes", spec.column), spec.column)
        above = number > spec.bad_above if spec.bad_above is not None else None
        below = number < spec.bad_below if spec.bad_below is not None else None
        return above | below if above is not None and below is not None else above if below is None else below  # type: ignore[return-value]
    meanings: dict[str, bool | None] = {
        **dict.fromkeys(spec.bad, True),
        **dict.fromkeys(spec.good, False),
        **dict.fromkeys(spec.indeterminate, None),
    }
    told = text.replace_strict(list(meanings), list(meanings.values()), default=None, return_dtype=pl.Boolean)
    named = text.is_in(list(meanings)).fill_null(value=False)
    every = ", ".join(f"'{word}'" for word in meanings)
    _fault_rows(source, named.not_(), "outcomes", spec.column, f"one of {every}")
    return told


def _as_it_is(source: Source, where: ColumnSource, dtype: Any) -> pl.Series | None:
    """Return a Parquet column that has the declared type already; None when it must be read from its text."""
    if where != ColumnSource(column=where.column) or where.column not in source.rows.columns:
        return None
    found = source.rows.get_column(str(where.column))
    if isinstance(found.dtype, pl.Datetime) and isinstance(dtype, pl.Datetime) and found.dtype.time_zone is not None:
        return found.dt.convert_time_zone("UTC").dt.cast_time_unit("us")
    return source.known_values(found) if found.dtype == dtype and found.dtype != pl.String else None


def _read(source: Source, where: ColumnSource, dtype: Any, table: str, column: str) -> pl.Series | None:
    as_it_is = _as_it_is(source, where, dtype)
    if as_it_is is not None:
        return as_it_is
    if where.value is not None:
        text = pl.repeat(str(where.value), source.rows.height, dtype=pl.String, eager=True)
    elif where.row is not None:
        numbers = source.rows.get_column(ROW).cast(pl.Int64) + 1
        width = len(str(numbers.max() or 1))
        text = numbers.cast(pl.String).str.zfill(width).str.replace("^", where.row)
    else:
        found = source.column(str(where.column), table)
        if found is None:
            return None
        text = found
    if where.values:
        text = _translated(source, text, where, table, column)
    return _typed(source, text, where, dtype, table, column)


def _translated(source: Source, text: pl.Series, where: ColumnSource, table: str, column: str) -> pl.Series:
    told = text.replace_strict(where.values, default=where.otherwise, return_dtype=pl.String)
    if where.otherwise is not None:
        # A row without a text is "otherwise" as well: nothing is known of it.
        return told.fill_null(where.otherwise)
    lost = told.is_null() & text.is_not_null()
    _fault_rows(source, lost, table, column, f"one of {', '.join(where.values)}, as the portfolio file lists them")
    return told


def _typed(  # noqa: PLR0911 - one line per type
    source: Source, text: pl.Series, where: ColumnSource, dtype: Any, table: str, column: str
) -> pl.Series:
    if isinstance(dtype, pl.String):
        return text.str.replace("^", where.prefix) if where.prefix else text
    if isinstance(dtype, pl.Date):
        return _day(source, text, where, table, column)
    if isinstance(dtype, pl.Datetime):
        return _instant(source, text, where, table, column)
    if isinstance(dtype, pl.Enum):
        cast = text.cast(dtype, strict=False)
        _lost(source, text, cast, table, column, type_words(dtype))
        return cast
    if isinstance(dtype, pl.Boolean):
        truth = text.str.to_lowercase().replace_strict(TRUTH, default=None, return_dtype=pl.Boolean)
        _lost(source, text, truth, table, column, "true or false")
        return truth
    number = _number(source, text, table, column)
    if isinstance(dtype, pl.Float64):
        return number
    return _whole(source, number, where, dtype, table, column)


def _number(source: Source, text: pl.Series, table: str, column: str) -> pl.Series:
    number = source.notation.numbers(text)
    lost = text.filter(number.is_null() & text.is_not_null())
    hint = ""
    if len(lost) and source.notation == POINT and COMMA.numbers(lost).null_count() == 0:
        hint = '; where numbers are written with a comma, the table says decimal = ","'
    _lost(source, text, number, table, column, f"a number, written like {source.notation.example}{hint}")
    return number


def _whole(source: Source, number: pl.Series, where: ColumnSource, dtype: Any, table: str, column: str) -> pl.Series:
    scaled = source.without_codes(number, where.column) * where.per_unit
    for other, texts in where.negative_where.items():
        sign = source.column(other, table)
        if sign is not None:
            scaled = scaled * sign.is_in(list(texts)).fill_null(value=False).cast(pl.Int8).replace({1: -1, 0: 1})
    whole = scaled.round()
    if not where.rounded:
        fraction = ((scaled - whole).abs() > NEARLY_WHOLE).fill_null(value=False)
        _fault_rows(source, fraction, table, column, "a whole number of minor units, or `rounded = true`")
    cast = whole.cast(dtype, strict=False)
    _lost(source, whole, cast, table, column, "a whole number that fits the column")
    return cast


def _day(source: Source, text: pl.Series, where: ColumnSource, table: str, column: str) -> pl.Series:
    form = _format(source, where)
    trimmed = text.str.strip_chars()
    plain = trimmed if form else trimmed.str.extract(r"^([0-9]{4}-[0-9]{2}-[0-9]{2})", 1)
    ways = patterns(form)
    day = days_in(plain, ways)
    _lost(source, text, day, table, column, f"a day written as {' or '.join(ways)}")
    moved = day.dt.offset_by(f"{where.plus_months}mo") if where.plus_months else day
    return moved.dt.offset_by(f"{where.plus_days}d") if where.plus_days else moved


def _format(source: Source, where: ColumnSource) -> Format | None:
    """Return how a column writes its days: as it says itself, as its table says of it, or as the whole table does."""
    if where.column is None:
        return where.format
    return where.format or source.spec.formats.get(where.column) or source.spec.format


def _instant(source: Source, text: pl.Series, where: ColumnSource, table: str, column: str) -> pl.Series:
    if _format(source, where) is None and text.str.contains(INSTANT).any():
        plain = text.str.replace(INSTANT, "${1}T${2}${3}").str.replace("[Zz]$", "+00:00")
        instant = plain.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%z", time_unit="us", time_zone="UTC", strict=False)
        _lost(source, text, instant, table, column, "an instant written like 2026-06-30T18:05:00+08:00")
        return instant
    return at_hour(_day(source, text, where, table, column), where.at, source.zone)


def _assumed(frame: pl.DataFrame, schema: type[Table], zone: str) -> pl.Series:
    """Return when a row counts as recorded, where the file does not say: at noon of the day it happened."""
    days = [name for name in (schema.happened, "applied_on", "opened_on") if name in frame.columns]
    always = beginning(frame.height)
    day = frame.select(pl.coalesce(*days, always)).to_series() if days else always
    return at_hour(day, "12:00", zone)


def _computed(source: Source, computed: Computed, table: str) -> pl.Series | None:
    numbers: list[pl.Series] = []
    for name in computed.columns:
        text = source.column(name, table)
        if text is not None:
            numbers.append(source.without_codes(_number(source, text, table, name), name))
    if len(numbers) < 2:  # noqa: PLR2004 - the file lacks one, and the fault is told
        return None
    a, b = numbers
    told = a + b if computed.plus is not None else a - b if computed.minus is not None else a.set(b <= 0, None) / b
    return told.set(told.is_finite().not_(), None)  # beyond all numbers: not known


def _kept(source: Source, condition: Condition, table: str) -> pl.Series | None:
    text = source.column(condition.column, table)
    if text is None:
        return None
    kept = pl.repeat(value=True, n=len(text), dtype=pl.Boolean, eager=True)
    if condition.one_of is not None:
        kept &= text.is_in(list(condition.one_of))
    if condition.none_of is not None:
        kept &= text.is_in(list(condition.none_of)).not_()
    for bound, sign in ((condition.at_least, 1), (condition.at_most, -1)):
        if isinstance(bound, str):
            kept &= text >= bound if sign > 0 else text <= bound
        elif bound is not None:
            number = source.notation.numbers(text)
            kept &= number >= bound if sign > 0 else number <= bound
    return kept.fill_null(value=False)


def _lost(source: Source, before: pl.Series, after: pl.Series, table: str, column: str, expected: str) -> None:
    _fault_rows(source, after.is_null() & before.is_not_null(), table, column, expected)


def _fault_rows(source: Source, marks: pl.Series, table: str, column: str, expected: str) -> None:
    rows = marks.arg_true().to_list()
    listed = [Fault(table, row, column, expected) for row in rows[:ROWS_LISTED]]
    if len(rows) > ROWS_LISTED:
        listed[-1] = replace(listed[-1], more=len(rows) - ROWS_LISTED)
    source.faults += listed


def _numbers_among(nulls: tuple[str, ...], notation: Notation) -> tuple[float, ...]:
    """Return the numbers among the texts for no value, written as the file or as anyone writes them."""
    texts = pl.Series(nulls, dtype=pl.String)
    found = {number for how in (notation, POINT) for number in how.numbers(texts).drop_nulls()}
    return tuple(sorted(found))


def _listed(rows: pl.DataFrame) -> str:
    return ", ".join(name for name in rows.columns if name != ROW)
