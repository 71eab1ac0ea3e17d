"""What a lender may send, table by table and column by column, written out from the tables' own declarations.

`docs/portfolio.md` holds this text between its two marks; a test fails when the two differ.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import dataframely as dy
import polars as pl

from features.schemas import BESIDE, SCORED, Table

REQUIRED = "loans"
RECORDED = "recorded_at"
BEGINS, ENDS = "<!-- tables: generated -->", "<!-- tables: end -->"


def reference() -> str:
    """Return the reference of all tables in Markdown."""
    return "\n\n".join(_section(name, schema) for name, schema in {**SCORED, **BESIDE}.items())


def rewrite(page: Path) -> None:
    """Write the reference between the two marks of a page; what stands around them is kept."""
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGINS)
    _, _, after = rest.partition(ENDS)
    page.write_text(f"{before}{BEGINS}\n{reference()}\n{ENDS}{after}", encoding="utf-8")


def _section(name: str, schema: type[Table]) -> str:
    needed = "required" if name == REQUIRED else "optional"
    return "\n".join(
        [
            f"### `{name}` ({needed})",
            "",
            *inspect.cleandoc(schema.__doc__ or "").splitlines(),
            "",
            *(f"- {fact}" for fact in _facts(schema)),
            "",
            "| column | written as | may be empty | meaning and constraint |",
            "| --- | --- | --- | --- |",
            *(_row(column, kind) for column, kind in schema.columns().items()),
        ]
    )


def _facts(schema: type[Table]) -> Iterator[str]:
    identity = " and ".join(f"`{column}`" for column in schema.identity())
    restated = RECORDED in schema.primary_key()
    yield f"One row only for each {identity}{' and `recorded_at`; the one recorded last counts' if restated else ''}."
    if schema.about != "loan_id":
        yield "About a borrower: it counts for each of the borrower's loans."
    if schema.happened is not None:
        yield f"When it happened: `{schema.happened}`."
    if RECORDED in schema.columns():
        yield f"When it was recorded: `{RECORDED}`."
    for rule in schema._schema_validation_rules():
        if rule != "primary_key":
            yield f"Over the row: {rule.replace('_', ' ')}."


def _row(name: str, column: dy.Column) -> str:
    meaning = "; ".join([re.sub(r"\s+", " ", column.description or ""), *_limits(column)])
    return f"| `{name}` | {_written_as(column.dtype)} | {'yes' if column.nullable else 'no'} | {meaning} |"


def _limits(column: dy.Column) -> Iterator[str]:
    least, most = getattr(column, "min", None), getattr(column, "max", None)
    if least is not None and most is not None:
        yield f"{least:,} to {most:,}"
    elif least is not None:
        yield f"at least {least:,}"
    if (pattern := getattr(column, "regex", None)) is not None:
        yield f"like `{pattern}`"


def _written_as(dtype: pl.DataType) -> str:
    if isinstance(dtype, pl.Enum):
        return "one of " + ", ".join(f"`{word}`" for word in dtype.categories)
    if isinstance(dtype, pl.Datetime):
        return "instant, `2026-06-30T18:05:00+08:00`"
    if isinstance(dtype, pl.Date):
        return "date, `2026-06-30`"
    if isinstance(dtype, pl.Boolean):
        return "`true` or `false`"
    return "text" if isinstance(dtype, pl.String) else "whole number"
