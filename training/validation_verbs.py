"""`repayrank validate`: may this version serve, and if not, why."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from features.errors import UsageError, ValidationRefused
from models.verb_options import (
    DEFAULT_HOME,
    TABLE_WIDTH,
    AsOfOption,
    CardOption,
    DataOption,
    HomeOption,
    PortfolioOption,
    VersionOption,
    ZoneOption,
    day,
    open_book,
    require_card,
    require_folder,
    say,
    tell,
)

if TYPE_CHECKING:
    from training.validation.findings import Finding
    from training.validation.result import Result

ByOption = Annotated[
    str | None, typer.Option("--by", help="Who validates, by name or role; it is signed with the result.")
]
ValidationPolicyOption = Annotated[
    Path | None,
    typer.Option(
        "--policy", envvar="REPAYRANK_VALIDATION_POLICY", help="A validation policy; the shipped one by default."
    ),
]

AboutOption = Annotated[
    Path | None,
    typer.Option("--about", help="Your own sentences for the model card; `repayrank card --show-about` prints some."),
]


def validate(
    portfolio: PortfolioOption = "",
    by: ByOption = None,
    card: CardOption = None,
    version: VersionOption = None,
    data: DataOption = None,
    home: HomeOption = DEFAULT_HOME,
    policy: ValidationPolicyOption = None,
    new_data: Annotated[
        bool, typer.Option("--new-data", help="Judge the version on cases observed after its own.")
    ] = False,
    as_of: AsOfOption = None,
    zone: ZoneOption = None,
    about: AboutOption = None,
    render: Annotated[
        bool, typer.Option("--render", help="Write the reports anew from what is stored, judge nothing, and end.")
    ] = False,
    show_policy: Annotated[
        bool, typer.Option("--show-policy", help="Print the shipped policy, to copy and change, and end.")
    ] = False,
) -> None:
    """Ask all that a validator asks of a version; where it may not serve, the exit code is 14 and the checks are named.

    The book is the one that the version was fitted on: its fit is repeated. The signed result lies in
    HOME/validations/CARD/VERSION, and in MLflow under the run that trained the version.

    Example: `repayrank validate --portfolio taiwan --card collection --by "model validation"`
    """
    from training.validation.findings import Verdict
    from training.validation.policy import default_bytes

    if show_policy:
        tell(default_bytes().decode().rstrip("\n"))
        return
    if render:
        _render(home, card, version)
        return
    from training.validation.validate import validate as validated

    _require(portfolio, "--portfolio", "the book that the version was fitted on, or with --new-data a later one")
    _require(by, "--by", "the name or role of who validates")
    if as_of is not None and not new_data:
        raise UsageError(
            "an observation date for cases of its own",
            where="--as-of",
            expected="no date: a version is judged on the dates that it was fitted on",
            do="leave it out, or add --new-data",
        )
    require_card(card)
    require_folder(home)
    book = open_book(portfolio, zone, data)
    done = validated(
        book,
        card or book.card,
        home,
        by=by or "",
        version=version,
        policy=policy,
        about=about,
        new_data=new_data,
        as_of=day(as_of),
        say=say,
    )
    result = done.result
    _show(result)
    for name, digest in done.documents.items():
        say(f"{done.folder / name}: SHA-256 {digest}")
    if result.verdict is Verdict.REFUSE:
        raise ValidationRefused(
            f"the {result.card} card, version {result.version}, is refused by {', '.join(result.refused_by)}",
            where=str(done.folder),
            expected=f"no check that refuses, by the validation policy {result.policy_version}",
            do="read the findings, mend what they name, train the card again and validate that version",
        )
    warned = sum(finding.verdict is Verdict.WARN for finding in result.findings)
    unjudged = sum(finding.verdict is Verdict.NOT_JUDGED for finding in result.findings)
    tell(
        f"{result.verdict.text.en}: {result.card} card version {result.version}, {len(result.findings)} checks, "
        f"{warned} warn, {unjudged} not judged, in {sum(result.seconds.values()):.0f} s: {done.folder}"
    )


def _render(home: Path, card: str | None, version: str | None) -> None:
    """Write the report of every kept validation of a version anew; the same bytes where the release is the same."""
    from models.store import ModelStore
    from training.validation.report import write_report
    from training.validation.standing import kept_in

    _require(card, "--card", "the card whose validation is rendered")
    require_card(card)
    require_folder(home)
    store = ModelStore(home)
    chosen = version or store.champion(card or "")
    for folder in kept_in(store, card or "", chosen):
        path, digest = write_report(store, card or "", chosen, folder)
        tell(f"{path}: SHA-256 {digest}")


def _require(given: str | None, option: str, expected: str) -> None:
    if not given:
        raise UsageError("nothing given", where=option, expected=expected, do=f"add {option}")


def _show(result: Result) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(
        "check", "verdict", "figure", "warns", "refuses", title=f"{result.card} card, version {result.version}"
    )
    for finding in result.findings:
        table.add_row(finding.check, finding.verdict.text.en, *_row(finding))
    Console(width=None if sys.stdout.isatty() else TABLE_WIDTH).print(table)


def _row(finding: Finding) -> tuple[str, str, str]:
    if not finding.figures or finding.threshold is None:
        return finding.words.en, "", ""
    figure = finding.figures[0]
    of = f" ({figure.of})" if figure.of else ""
    return f"{figure.name} {figure.words.en}{of}", finding.threshold.warn, finding.threshold.refuse
