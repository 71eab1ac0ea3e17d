"""`repayrank portfolio` and `repayrank simulate`: the book of a lender, described in a file or made up."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Annotated

import typer

from models.verb_options import DataOption, SeedOption, require_folder, say, tell, unusable

portfolio_app = typer.Typer(
    help="Describe a book of your own in one file: draft it, check it, see examples.", no_args_is_help=True
)


@portfolio_app.command("check")
def portfolio_check(
    file: Annotated[Path, typer.Argument(help="The portfolio file.")],
    data: DataOption = None,
) -> None:
    """Report every fault of a portfolio file and its data at once, and every column that seems to know the outcome.

    Example: `repayrank portfolio check my_book/portfolio.toml`
    """
    from training.checking.portfolio_check import check

    report = check(file, data)
    for line in report.lines():
        tell(line)


@portfolio_app.command("new")
def portfolio_new(
    files: Annotated[list[Path], typer.Argument(help="Your files, as they are: CSV or Parquet.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Portfolio file to write; printed by default, to lie in the folder of the files."),
    ] = None,
) -> None:
    """Write a first draft of a portfolio file from the files' own columns, to be read and corrected by you.

    Example: `repayrank portfolio new my_book/*.csv --out my_book/portfolio.toml`
    """
    from features.portfolios.draft import draft

    if out is None:
        tell(draft(files).rstrip("\n"))
        return
    if out.exists():  # one that somebody corrected is not written over
        raise unusable(errno.EEXIST, out)
    out.write_text(draft(files, out.parent), encoding="utf-8")
    tell(f"a first portfolio file, to be read and corrected: {out}")


@portfolio_app.command("split")
def portfolio_split(
    folder: Annotated[Path, typer.Argument(help="Folder of Parquet tables, with a portfolio file or without.")],
    out: Annotated[Path, typer.Option("--out", help="Folder to make.")],
    count: Annotated[int, typer.Option("--buckets", min=1, max=99_999, help="How many.")] = 50,
) -> None:
    """Write a large book in buckets of borrowers, which `score` and `rank` read one after another.

    Example: `repayrank portfolio split my_book --out my_buckets --buckets 50`
    """
    from features.portfolios.bucketed import split

    made = split(folder, out, count=count)
    tell(f"{made} bucket{'s' if made > 1 else ''} of borrowers: {out}")


@portfolio_app.command("schema")
def portfolio_schema() -> None:
    """Print the JSON Schema of a portfolio file, for editors that check while you type.

    Example: `repayrank portfolio schema > portfolio.schema.json`
    """
    from features.portfolios.portfolio_file import json_schema

    tell(json.dumps(json_schema(), ensure_ascii=False, indent=1))


@portfolio_app.command("show")
def portfolio_show(
    name: Annotated[str, typer.Argument(help="A book whose file ships: german, lendingclub, ...")],
) -> None:
    """Print a portfolio file that ships with the release, to read or to begin from.

    Example: `repayrank portfolio show berka > portfolio.toml`
    """
    from features.portfolios.described import shipped_file

    tell(shipped_file(name).read_text(encoding="utf-8").rstrip("\n"))


def simulate(
    out: Annotated[Path, typer.Option("--out", help="Folder to write the tables into; made when it is not there.")],
    loans: Annotated[int, typer.Option("--loans", min=1, help="How many loans.")] = 20_000,
    seed: SeedOption = 0,
) -> None:
    """Write the tables of a simulated lender, whose borrowers' true ability and willingness are known.

    Example: `repayrank simulate --loans 100000 --seed 0 --out my_lender`
    """
    from features.portfolios.simulated import write

    require_folder(out)
    write(loans, seed, out, say=say)
    tell(f"{loans:,} simulated loans, and the truth about their borrowers: {out}")
