"""The command line: who will repay, who first, and why."""

from __future__ import annotations

import errno
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from features.errors import ConfigurationRefused, DataRefused, MonitoringAlarm, RepayrankError, UsageError
from serving.audit_verbs import audit_app
from serving.settings import DEFAULT_LOG_NAME
from serving.shadow.idle import SECONDS_BETWEEN_LOOKS
from serving.token_verbs import token_app
from serving.verb_options import (
    CheckpointsOption,
    DatabaseUrlOption,
    JsonOption,
    LogNameOption,
    RecordsOption,
    StateOption,
)
from training.card_verbs import card
from training.challenger_verbs import challenge
from training.early_warning_verbs import migration, warn
from training.options import (
    DEFAULT_HOME,
    TABLE_WIDTH,
    AsOfOption,
    CardOption,
    DataOption,
    HomeOption,
    PortfolioOption,
    VersionOption,
    ZoneOption,
)
from training.options import day as _day
from training.options import open_book as _book
from training.options import require_card as _require_card
from training.options import require_folder as _require_folder
from training.options import say as _say
from training.options import tell as _tell
from training.promotion_verbs import promoting
from training.tuning_verbs import tune
from training.validation_verbs import validate

if TYPE_CHECKING:
    import polars as pl

    from features.catalog import Catalog
    from features.portfolios import Portfolio
    from features.portfolios.bucketed import Bucket
    from models.assessment import Assessment
    from models.fitted_card import FittedCard
    from models.store import ModelStore
    from training.cohort import Cohort
    from training.statistics.metrics import Bools

app = typer.Typer(
    help="Who will repay, who first, and why: scores, reasons and an order of work for a lender's loans.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)

portfolio_app = typer.Typer(
    help="Describe a book of your own in one file: draft it, check it, see examples.", no_args_is_help=True
)
app.add_typer(portfolio_app, name="portfolio")
app.add_typer(audit_app, name="audit")
app.add_typer(token_app, name="token")
outcomes_app = typer.Typer(help="What became of the loans that were scored, as it becomes known.", no_args_is_help=True)
app.add_typer(outcomes_app, name="outcomes")
app.command()(validate)
app.command()(card)
app.command()(tune)
app.command()(challenge)
app.command()(warn)
app.command()(migration)


def _posting(state: Path) -> Callable[[Mapping[str, Any]], object] | None:
    """Return what leaves a change of a champion for the decision log of a state folder; None where there is no log."""
    from serving.decisions.promotions import has_log, post_promotion

    return partial(post_promotion, state) if has_log(state) else None


app.command("promote")(promoting(_posting))

PolicyOption = Annotated[
    Path | None, typer.Option("--policy", envvar="REPAYRANK_POLICY", help="A policy file; the shipped one by default.")
]
LARGEST_SEED, LARGEST_PORT = 2**31 - 1, 2**16 - 1
SeedOption = Annotated[
    int, typer.Option("--seed", min=0, max=LARGEST_SEED, help="The same seed gives the same folds and model.")
]
PortOption = Annotated[int, typer.Option("--port", min=0, max=LARGEST_PORT, help="Port to listen on; 0: any free one.")]
ScoredOn = Annotated[
    datetime | None,
    typer.Option(
        "--as-of",
        formats=["%Y-%m-%d"],
        help="The one day on which each loan is scored; by default the book's own date, of several the latest.",
    ),
]
OutOption = Annotated[Path, typer.Option("--out", help="FILE.parquet or FILE.csv")]
KnownOption = Annotated[
    datetime | None,
    typer.Option("--as-of", formats=["%Y-%m-%d"], help="What became known later is not known yet."),
]
LoadedOption = Annotated[
    datetime | None,
    typer.Option(
        "--as-of",
        formats=["%Y-%m-%d"],
        help="The day from which a file's outcomes were known, where it has no column `known_on`; of a book, outcomes "
        "whose window had ended by then.",
    ),
]
DecidedOption = Annotated[
    str | None, typer.Option("--card", help="The card that decided: `application`, `behaviour`, `collection` or `all`.")
]
MonitoringPolicyOption = Annotated[
    Path | None,
    typer.Option(
        "--policy", envvar="REPAYRANK_MONITORING_POLICY", help="A monitoring policy; the shipped one by default."
    ),
]
WorkersOption = Annotated[
    int | None,
    typer.Option("--workers", min=1, help="Buckets worked on at a time, where the book is kept in buckets; all cores."),
]

DEMO_HOME = Path("demo")
HELD_OUT = 1 / 3


@app.callback()
def _root(debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False) -> None:
    """Read by `main`; here so that it is documented."""


@app.command()
def train(
    portfolio: PortfolioOption,
    card: CardOption = None,
    data: DataOption = None,
    home: HomeOption = DEFAULT_HOME,
    as_of: AsOfOption = None,
    zone: ZoneOption = None,
    seed: SeedOption = 0,
    tuned: Annotated[bool, typer.Option("--tuned", help="With what `repayrank tune` found for this card.")] = False,
    parameters: Annotated[
        Path | None, typer.Option("--parameters", help="With the parameters of a file that `repayrank tune` wrote.")
    ] = None,
    by: Annotated[
        str | None,
        typer.Option("--by", help="Who trains, by name or role, for the record; by default the user of this machine."),
    ] = None,
) -> None:
    """Fit a card on a book whose outcomes are known; sign it and record it in MLflow.

    It serves at once where no version of the card serves yet. Else it is a challenger: `validate` judges it, and
    `promote` lets it serve.

    Example: `repayrank train --portfolio taiwan --card collection`
    """
    from models.cards import card_of
    from training.train import train as train_card
    from training.tuning.result import size_asked_for

    _require_folder(home)
    _require_card(card)
    book = _book(portfolio, zone, data)
    wanted = card_of(book, card or book.card)
    size = size_asked_for(home, wanted.name, tuned=tuned, parameters=parameters)
    done = train_card(
        book, wanted, home, as_of=_day(as_of), seed=seed, measure_depth=True, parameters=size, by=by, say=_say
    )
    told = done.metrics
    _say(f"out of fold: AUC {told['auc']:.4f}, KS {told['ks']:.3f}, Brier {told['brier']:.4f}")
    _say(f"look at the runs: mlflow ui --backend-store-uri sqlite:///{home / 'mlflow' / 'mlflow.db'}")
    named = f"{wanted.name} card version {done.card.version}"
    if done.serves:
        _say("it serves at once: no version of the card served before")
        _tell(f"{named} is the champion in {done.folder}")
        return
    given = {"--data": data, "--zone": zone, "--home": None if home == DEFAULT_HOME else home}
    version = f"--portfolio {portfolio} --card {wanted.name} --version {done.card.version}"
    version += "".join(f" {option} {value}" for option, value in given.items() if value is not None)
    _say(f"next: repayrank validate {version} --by WHO\nthen: repayrank promote {version} --by WHO")
    _tell(f"{named} is a challenger in {done.folder}; version {done.champion} serves until it is promoted")


@app.command()
def evaluate(
    portfolio: PortfolioOption,
    card: CardOption = None,
    data: DataOption = None,
    folds: Annotated[int, typer.Option("--folds", min=2, help="How many, where cases are split in folds.")] = 5,
    split: Annotated[
        str | None,
        typer.Option("--split", help="`time`, `borrower` or `folds` (stratified); by default what the cases allow."),
    ] = None,
    test_from: Annotated[
        datetime | None,
        typer.Option("--test-from", formats=["%Y-%m-%d"], help="With --split time: first observation date judged."),
    ] = None,
    embargo_days: Annotated[
        int | None,
        typer.Option("--embargo-days", min=0, help="Days left out before it; by default the performance window."),
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option("--only", help="Judge a card of this feature alone; may be given again.")
    ] = None,
    seed: SeedOption = 0,
    as_of: AsOfOption = None,
    zone: ZoneOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    against: Annotated[
        bool, typer.Option("--compare", help="Add a WoE scorecard, HistGradientBoosting, XGBoost and CatBoost.")
    ] = False,
    separable: Annotated[bool, typer.Option(help="Measure without the constraint that keeps groups apart.")] = True,
    monotone: Annotated[bool, typer.Option(help="Measure without the declared directions.")] = True,
    shallow: Annotated[bool, typer.Option(help="Measure without the bound on the depth of trees.")] = True,
) -> None:
    """Judge a card on loans it has not seen, split through the same function as `train`.

    Example: `repayrank evaluate --portfolio taiwan --card collection --folds 5 --seed 0 --json`
    """
    from models.cards import card_of
    from training.cohort import cohort
    from training.evaluation import compare
    from training.evaluation import evaluate as judge
    from training.recovery import judge_recovery
    from training.rivals import rivals
    from training.splits import KINDS, splits

    _require_card(card)
    if split is not None and split not in KINDS:
        raise UsageError(f"no split '{split}'", where="--split", expected=f"one of {', '.join(KINDS)}", do="correct it")
    others = rivals(seed) if against else {}
    book = _book(portfolio, zone, data)
    wanted = card_of(book, card or book.card)
    cases = cohort(book, wanted, _day(as_of))
    if cases.left_out:
        _say(cases.left_out)
    if only:
        cases = cases.features(_chosen(cases, only))
    _require_enough_for(folds, cases)
    own_by, own_from = book.split or (None, None)
    among = splits(
        cases,
        by=split or own_by,
        folds=folds,
        seed=seed,
        test_from=_day(test_from) or own_from,
        embargo_days=embargo_days,
    )
    result = judge(
        cases,
        among,
        seed=seed,
        separable=separable,
        monotone=monotone,
        shallow=shallow,
        truth=book.truth,
        say=_say,
    )
    recovery = judge_recovery(cases, among, seed=seed)
    if recovery:
        result["recovery"] = recovery
    if others:
        result["compared"] = compare(cases, among, others, say=_say)
    if as_json:
        _tell(json.dumps(result))
        return
    _tell(_evaluation_table(wanted.name, result))


def _chosen(cases: Cohort, names: list[str]) -> tuple[str, ...]:
    known = [feature.name for feature in cases.matrix.features]
    strange = [name for name in names if name not in known]
    if strange:
        raise UsageError(
            f"features that the book's cases do not have: {', '.join(strange)}",
            where="--only",
            expected="names of features that are known for the book, as `repayrank features` lists them",
            do="correct the names",
        )
    return tuple(names)


@app.command()
def score(
    portfolio: PortfolioOption,
    out: OutOption,
    card: CardOption = None,
    data: DataOption = None,
    home: HomeOption = DEFAULT_HOME,
    policy: PolicyOption = None,
    as_of: ScoredOn = None,
    zone: ZoneOption = None,
    version: VersionOption = None,
    contributions: Annotated[bool, typer.Option(help="Add every feature's value and contribution.")] = False,
    workers: WorkersOption = None,
) -> None:
    """Score the card's loans of a book, in the book's order, with reasons in English and Chinese.

    Example: `repayrank score --portfolio taiwan --card behaviour --out scores.parquet`
    """
    _write(
        portfolio,
        card,
        data,
        home,
        policy,
        as_of,
        zone,
        version,
        out,
        workers,
        ranked=False,
        contributions=contributions,
    )


@app.command()
def rank(
    portfolio: PortfolioOption,
    out: OutOption,
    card: CardOption = None,
    data: DataOption = None,
    home: HomeOption = DEFAULT_HOME,
    policy: PolicyOption = None,
    as_of: ScoredOn = None,
    zone: ZoneOption = None,
    version: VersionOption = None,
    contributions: Annotated[bool, typer.Option(help="Add every feature's value and contribution.")] = False,
    workers: WorkersOption = None,
) -> None:
    """Score the card's loans of a book and put them in order of work: highest expected loss first.

    Example: `repayrank rank --portfolio taiwan --card collection --out worklist.csv`
    """
    _write(
        portfolio,
        card,
        data,
        home,
        policy,
        as_of,
        zone,
        version,
        out,
        workers,
        ranked=True,
        contributions=contributions,
    )


@app.command()
def report(
    portfolio: PortfolioOption,
    out: Annotated[Path, typer.Option("--out", help="FILE.html")],
    card: CardOption = None,
    data: DataOption = None,
    home: HomeOption = DEFAULT_HOME,
    policy: PolicyOption = None,
    as_of: ScoredOn = None,
    zone: ZoneOption = None,
    version: VersionOption = None,
    judge: Annotated[
        bool,
        typer.Option("--judge", help="Fit a card on part of the book and report on the rest and what became of it."),
    ] = False,
    seed: SeedOption = 0,
) -> None:
    """Write one page on a book: what is at risk, who comes first and why; with `--judge` also how good the order is.

    Example: `repayrank report --portfolio my_book --judge --out report.html`
    """
    from models.assessment import assess_population
    from models.cards import card_of
    from models.policy import default_policy, read_policy
    from models.store import ModelStore
    from training.book_report import report_judged, report_ranking

    _require_card(card)
    _require_page(out)
    _require_folder(home)
    rules = default_policy() if policy is None else read_policy(policy)
    if judge:
        book = _book(portfolio, zone, data)
        wanted = card_of(book, card or book.card)
        loans = report_judged(out, book, wanted, rules, as_of=_day(as_of), seed=seed, say=_say)
        _tell(f"report on {loans:,} loans that the {wanted.name} card had not seen: {out}")
        return
    book = _book(portfolio, zone, data, outcomes=False)
    _require_trained(ModelStore(home), card or book.card, version, portfolio)
    fitted = ModelStore(home).load(card or book.card, version)
    history = replace(book, allocation=fitted.allocation).to_score(_day(as_of))
    assessment = assess_population(history, fitted, rules)
    report_ranking(out, assessment, source=book.source)
    _say("how good the order is takes loans that the card has not seen: add --judge")
    by = f"{fitted.card.name} card, version {fitted.version}{_standing(book, as_of)}"
    _tell(f"report on {len(assessment):,} loans by the {by}: {out}")


def _require_page(out: Path) -> None:
    """Refuse a page that cannot be written, before the work is done."""
    if out.suffix.lower() not in {".html", ".htm"}:
        raise UsageError(f"a file of kind '{out.suffix}'", where=str(out), expected=".html", do="name such a file")
    if not out.parent.is_dir() or out.is_dir():
        raise _unusable(errno.EISDIR if out.is_dir() else errno.ENOENT, out)


@app.command()
def serve(
    home: HomeOption = DEFAULT_HOME,
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: PortOption = 3000,
    policy: PolicyOption = None,
    state: StateOption = None,
    records: RecordsOption = None,
    database_url: DatabaseUrlOption = None,
    checkpoints: CheckpointsOption = None,
    log_name: LogNameOption = DEFAULT_LOG_NAME,
    leave_seconds: Annotated[
        float,
        typer.Option(
            "--leave-seconds",
            min=0.0,
            help="How long after SIGTERM to go on answering while readiness is refused, for a load balancer to notice.",
        ),
    ] = 0.0,
    without_records: Annotated[
        bool, typer.Option("--without-records", help="Write no decision down; for trying out only.")
    ] = False,
) -> None:
    """Answer scores over HTTP until stopped, each written into the decision log before it is answered.

    Whoever asks shows a token: see `repayrank token create --help`.

    Example: `repayrank serve --home .repayrank --port 3000`
    """
    from serving.server import run
    from serving.settings import Settings, log_chosen

    _require_folder(home)
    log = log_chosen(state or home, records, database_url, without=without_records)
    run(
        Settings(
            home=home,
            state=state,
            policy=policy,
            records=log.folder,
            database_url=log.url,
            anchors=checkpoints,
            log_name=log_name,
            host=host,
            port=port,
            leave_seconds=leave_seconds,
        )
    )


@app.command()
def features(
    portfolio: Annotated[
        str | None, typer.Option("--portfolio", help="Add the features that this book declares itself.")
    ] = None,
    data: DataOption = None,
    card: Annotated[
        str | None, typer.Option("--card", help="Instead: the features that a trained card reads, from its artefact.")
    ] = None,
    home: HomeOption = DEFAULT_HOME,
    version: VersionOption = None,
    example: Annotated[
        bool, typer.Option("--example", help="With --card: print a request for a made-up loan, ready to be sent.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Try on the book's own rows whether every feature keeps its promises.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole dictionary as JSON.")] = False,
) -> None:
    """List every feature: its group, unit, direction, words in both languages and definition.

    Example: `repayrank features --portfolio my_book/portfolio.toml --check`
    """
    from features.catalog import catalog

    if card is not None or example:
        fitted = _stored(card, home, version)
        if example:
            from serving.own_columns import example as request_for

            _tell(json.dumps(request_for(fitted), ensure_ascii=False, indent=1))
            return
        _list_features(fitted.catalog, (), as_json=as_json)
        return
    book = None if portfolio is None else _book(portfolio, data=data, outcomes=False)
    if check:
        if book is None:
            raise UsageError(
                "no book to check the features on",
                where="--check",
                expected="a book of your own",
                do="add --portfolio, such as --portfolio taiwan",
            )
        _check_features(book)
        return
    listed = catalog() if book is None else book.catalog
    _list_features(listed, () if book is None else book.unsaid, as_json=as_json)


def _stored(card: str | None, home: Path, version: str | None) -> FittedCard:
    from models.store import ModelStore

    if card is None:
        raise UsageError(
            "no card to make an example for", where="--example", expected="a trained card", do="add --card, by its name"
        )
    _require_card(card)
    _require_folder(home)
    return ModelStore(home).load(card, version)


def _list_features(listed: Catalog, unsaid: Iterable[str], *, as_json: bool) -> None:
    if as_json:
        _tell(json.dumps(listed.dictionary(), ensure_ascii=False, indent=1))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("feature", "group", "direction", "English", "中文", title=f"{len(listed)} features")
    for feature in listed:
        table.add_row(feature.name, feature.group, feature.risk.name.lower(), feature.label.en, feature.label.zh)
    Console(width=None if sys.stdout.isatty() else TABLE_WIDTH).print(table)
    for lacking in unsaid:
        _tell(f"no words yet  {lacking}")


def _check_features(book: Portfolio) -> None:
    from features.promise_checks import check_promises

    breaches = check_promises(book, say=_say)
    if breaches:
        raise DataRefused(
            "; ".join(breaches),
            where=f"features of portfolio '{book.name}'",
            expected="features that keep their promises on every book",
            do="correct the declarations named; a feature of the release that breaks one is a bug: report it",
        )
    _tell("every promise is kept")


@app.command()
def simulate(
    out: Annotated[Path, typer.Option("--out", help="Folder to write the tables into; made when it is not there.")],
    loans: Annotated[int, typer.Option("--loans", min=1, help="How many loans.")] = 20_000,
    seed: SeedOption = 0,
) -> None:
    """Write the tables of a simulated lender, whose borrowers' true ability and willingness are known.

    Example: `repayrank simulate --loans 100000 --seed 0 --out my_lender`
    """
    from features.portfolios.simulated import write

    _require_folder(out)
    write(loans, seed, out, say=_say)
    _tell(f"{loans:,} simulated loans, and the truth about their borrowers: {out}")


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
        _tell(line)


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
        _tell(draft(files).rstrip("\n"))
        return
    if out.exists():  # one that somebody corrected is not written over
        raise _unusable(errno.EEXIST, out)
    out.write_text(draft(files, out.parent), encoding="utf-8")
    _tell(f"a first portfolio file, to be read and corrected: {out}")


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
    _tell(f"{made} bucket{'s' if made > 1 else ''} of borrowers: {out}")


@portfolio_app.command("schema")
def portfolio_schema() -> None:
    """Print the JSON Schema of a portfolio file, for editors that check while you type.

    Example: `repayrank portfolio schema > portfolio.schema.json`
    """
    from features.portfolios.portfolio_file import json_schema

    _tell(json.dumps(json_schema(), ensure_ascii=False, indent=1))


@portfolio_app.command("show")
def portfolio_show(
    name: Annotated[str, typer.Argument(help="A book whose file ships: german, lendingclub, ...")],
) -> None:
    """Print a portfolio file that ships with the release, to read or to begin from.

    Example: `repayrank portfolio show berka > portfolio.toml`
    """
    from features.portfolios.described import shipped_file

    _tell(shipped_file(name).read_text(encoding="utf-8").rstrip("\n"))


@outcomes_app.command("load")
def outcomes_load(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="CSV or Parquet: score_id, or loan_id and observed_on; known_on; bad."),
    ] = None,
    card: DecidedOption = None,
    portfolio: Annotated[
        str | None, typer.Option("--portfolio", help="Instead of a file: a book whose later tables tell the outcomes.")
    ] = None,
    data: DataOption = None,
    as_of: LoadedOption = None,
    zone: ZoneOption = None,
    home: HomeOption = DEFAULT_HOME,
    state: StateOption = None,
    records: RecordsOption = None,
    database_url: DatabaseUrlOption = None,
    checkpoints: CheckpointsOption = None,
    log_name: LogNameOption = DEFAULT_LOG_NAME,
) -> None:
    """Keep outcomes that became known after the decisions; loading again adds nothing, another outcome is refused.

    They lie in HOME/outcomes/CARD under score ids, each with the day from which it was known.

    Example: `repayrank outcomes load matured.csv --card collection`
    """
    import polars as pl

    from models.store import ModelStore
    from serving.decisions.frames import decisions
    from serving.decisions.opening import opened_archive
    from training.monitoring.outcome_sources import by_score_id, from_book, from_file
    from training.monitoring.outcomes import OutcomeStore, nothing_known

    if (file is None) == (portfolio is None):
        raise UsageError(
            "neither a file nor a book" if file is None else "both a file and a book",
            where="repayrank outcomes load",
            expected="FILE or --portfolio",
            do="name one of them",
        )
    if card is None:
        raise UsageError("no card", where="--card", expected="the card that decided", do="add --card")
    _require_card(card)
    _require_folder(home)
    by_loan = file is None or not by_score_id(file)
    archive = opened_archive(home, state, records, checkpoints, log_name, database_url)
    columns = ["score_id", "observed_on", *(["loan_id"] if by_loan else [])]
    found = [frame.select(columns) for frame in decisions(archive, card, loan_ids=by_loan, sealed=by_loan)]
    where = str(file or portfolio)
    if not found:
        raise nothing_known(where)
    if file is not None:
        sent = from_file(file, pl.concat(found), known_on=_day(as_of))
    else:
        fitted = ModelStore(home).load(card)
        book = replace(_book(portfolio or "", zone, data), allocation=fitted.allocation)
        sent = from_book(book, fitted.card, pl.concat(found), as_of=_day(as_of))
    if sent.rows.is_empty():
        raise nothing_known(where)
    store = OutcomeStore(home, card)
    added = store.add(sent.rows, where=where)
    left = [
        f"{count:,} {what}"
        for count, what in (
            (sent.without_decision, "without a decision on record"),
            (sent.not_in_book, "of loans that the book does not have"),
            (sent.not_known_yet, "not known yet"),
        )
        if count
    ]
    told = ", ".join([f"{added.new:,} new", f"{added.known:,} known before", *left])
    _tell(f"outcomes of {sent.rows.height:,} decisions of the {card} card: {told}: {store.folder}")


@app.command("monitor")
def monitor_card(
    card: DecidedOption = None,
    reference: Annotated[
        str | None, typer.Option("--reference", help="The version that is watched; the champion by default.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Folder for the page and the JSON.")] = None,
    month: Annotated[
        str | None, typer.Option("--month", metavar="YYYY-MM", help="The month that may raise an alarm; the latest.")
    ] = None,
    as_of: KnownOption = None,
    policy: MonitoringPolicyOption = None,
    show_policy: Annotated[
        bool, typer.Option("--show-policy", help="Print the shipped policy, to copy and change, and end.")
    ] = False,
    home: HomeOption = DEFAULT_HOME,
    state: StateOption = None,
    records: RecordsOption = None,
    database_url: DatabaseUrlOption = None,
    checkpoints: CheckpointsOption = None,
    log_name: LogNameOption = DEFAULT_LOG_NAME,
) -> None:
    """Watch whether a card still sees the borrowers it was fitted on, and foretells what happens; exit code 15 alarms.

    Example: `repayrank monitor --card collection --out monitoring`
    """
    import polars as pl

    from models.store import ModelStore
    from serving.decisions import frames
    from serving.decisions.opening import opened_archive
    from training.monitoring import monitor, output
    from training.monitoring.outcomes import OutcomeStore
    from training.monitoring.policy import default_bytes, read_policy

    if show_policy:
        _tell(default_bytes().decode().rstrip("\n"))
        return
    if card is None or out is None:
        option = "--card" if card is None else "--out"
        raise UsageError("nothing given", where=option, expected="a card and a folder", do=f"add {option}")
    _require_card(card)
    _require_folder(home)
    _require_folder(out)
    rules = read_policy(policy)
    fitted = ModelStore(home).load(card, reference)
    archive = opened_archive(home, state, records, checkpoints, log_name, database_url)
    met = frames.Count()
    found = list(frames.decisions(archive, card, met))
    told = monitor.monitor(
        fitted,
        pl.concat(found, how="diagonal") if found else pl.DataFrame(schema=frames.TOLD),
        OutcomeStore(home, card).read(),
        rules,
        as_of=_day(as_of),
        month=month,
        count=monitor.Count(met.erased, met.expired_requests),
    )
    files = output.write(out, told)
    watched = told.told["month"]
    if told.alarms:
        raise MonitoringAlarm(
            f"{len(told.alarms)} alarm{'s' if len(told.alarms) > 1 else ''} in {watched}: {'; '.join(told.alarms[:5])}",
            where=f"the {card} card, version {fitted.version}",
            expected=f"a month without one, by the monitoring policy {rules.rules.version}",
            do=f"read {files.page}",
        )
    _tell(f"no alarm in {watched}: {card} card version {fitted.version}, {met.decisions:,} decisions: {files.page}")


@app.command()
def demo(
    home: Annotated[Path, typer.Option("--home", help="Where models, records, work list and report go.")] = DEMO_HOME,
    port: PortOption = 3000,
    stay: Annotated[bool, typer.Option("--serve/--no-serve", help="Stay up until Ctrl-C, or end.")] = True,
) -> None:
    """Rank a real book of overdue card customers, explain it, and serve it.

    Example: `repayrank demo --no-serve`
    """
    _require_folder(home)
    _Demo(home, port).run(stay=stay)


class _Demo:
    """The whole job on the Taiwan card book: read, train, rank, explain, serve."""

    def __init__(self, home: Path, port: int) -> None:
        self.home, self.port, self.began = home, port, time.monotonic()

    def run(self, *, stay: bool) -> None:
        """Run the five steps; end after the service has answered once, or stay up until Ctrl-C."""
        from features.catalog import catalog
        from models.assessment import assess_matrix
        from models.cards import card_of
        from models.policy import default_policy
        from training.train import train as train_card

        self._step(1, "reading the Taiwan card book (UCI data set 350, CC BY 4.0)")
        book = _book("taiwan")
        sizes = ", ".join(f"{frame.height:,} {name}" for name, frame in book.tables.items())
        _say(f"      {sizes}")
        self._step(2, f"{len(catalog())} features of ability, willingness and circumstances, as of {book.observed_on}")
        self._step(3, "training the behaviour and the collection card; a third of each is held out")
        for name in ("behaviour", "collection"):
            done = train_card(
                book, card_of(book, name), self.home, hold_out=HELD_OUT, say=lambda text: _say(f"      {text}")
            )
            told = done.metrics
            _say(
                f"      {name} card {done.card.version}, on {int(told['rows_judged']):,} loans held out: "
                f"AUC {told['auc']:.3f}, KS {told['ks']:.3f}, Brier {told['brier']:.4f}, "
                f"monotone violations {int(told['monotone_violations'])}"
            )
            if not done.serves:
                _say(f"      version {done.champion} of an earlier demo serves on; an empty --home begins anew")
        self._step(4, "ranking the overdue loans that were held out")
        held_out = done.held_out
        assert held_out is not None, "the demo holds out a third"
        assessment = assess_matrix(held_out.matrix, held_out.money, done.card, default_policy())
        self._show(assessment, held_out.bad, book.source, done.metrics)
        self._step(5, "starting the service")
        self._serve(book, assessment.loan_ids[assessment.order[0]], stay=stay)

    def _show(self, assessment: Assessment, bad: Bools, source: str, metrics: Mapping[str, float]) -> None:
        from rich.console import Console

        from features.table_files import write
        from models.pairwise import compare
        from serving.batch import frame
        from serving.terminal import work_list
        from training.report import write_report

        console = Console(width=None if sys.stdout.isatty() else TABLE_WIDTH)
        console.print(work_list(assessment))
        first, second = (int(case) for case in assessment.order[:2])
        console.print(f"Why: {compare(assessment, first, second).sentence().en}", highlight=False)
        rows = frame(assessment, ranked=True)
        for name in ("worklist.parquet", "worklist.csv"):
            write(rows, self.home / name)
        _say("      writing the report")
        write_report(self.home / "report.html", assessment, bad, source=source, metrics=metrics)
        _tell(f"work list   {self.home / 'worklist.csv'} (and .parquet)")
        _tell(f"report      {self.home / 'report.html'}")
        _tell(
            f"training    {Path(sys.executable).parent / 'mlflow'} ui --backend-store-uri sqlite:///{self._database()}"
        )

    def _serve(self, book: Portfolio, loan: str, *, stay: bool) -> None:
        from serving.asking import request_of
        from serving.child import asked_of, served
        from serving.decisions.opening import opened_archive
        from serving.records.audit import verify

        assert book.observed_on is not None, "the built-in book knows its day"
        asked = request_of(book.tables, [loan], card="collection", day=book.observed_on, zone=book.zone)
        body = self.home / "request.json"
        body.write_text(json.dumps(asked, indent=1, ensure_ascii=False) + "\n")
        with served(self.home, self.home / "service.log", port=self.port) as service:
            told = asked_of(service, "/v1/score", body.read_bytes())["scores"][0]
            _tell(
                f"service     {service.address} answered for {loan}: default probability "
                f"{told['default_probability']:.3f}, {told['points']} points, band {told['band']}: "
                f"{told['quadrant_name']['en']}"
            )
            _tell(f"token       {service.tokens['engine']} (role engine, for a day)")
            _tell("ask it      curl -s -H 'content-type: application/json' -H 'idempotency-key: 1' \\")
            _tell("              -H 'authorization: Bearer TOKEN' \\")
            _tell(f"              --data-binary @{body} {service.address}/v1/score")
            verified = verify(opened_archive(self.home).place)
            _tell(f"on record   {verified.records} decision, whole; see repayrank audit --help")
            _say(f"      done in {time.monotonic() - self.began:.0f} s")
            if stay:
                with suppress(KeyboardInterrupt):
                    _tell("Ctrl-C stops the service.")
                    service.process.wait()
        _say("      the service has stopped")

    def _database(self) -> Path:
        return self.home / "mlflow" / "mlflow.db"

    def _step(self, number: int, text: str) -> None:
        _say(f"{number}/5 {time.monotonic() - self.began:4.0f} s  {text}")


def _of_bucket(bucket: Bucket, zone: str | None) -> Portfolio:
    """Open a bucket and give Ctrl-C back, as `_book` does."""
    book = bucket.open(zone)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    return book


def _write(
    portfolio: str,
    card: str | None,
    data: Path | None,
    home: Path,
    policy: Path | None,
    as_of: datetime | None,
    zone: str | None,
    version: str | None,
    out: Path,
    workers: int | None,
    *,
    ranked: bool,
    contributions: bool,
) -> None:
    from features.portfolios.bucketed import buckets
    from features.table_files import require_writable, write
    from models.assessment import assess_population
    from models.policy import default_policy, read_policy
    from models.store import ModelStore
    from serving.batch import frame

    _require_card(card)
    require_writable(out)
    if out.is_dir():
        raise _unusable(errno.EISDIR, out)
    _require_folder(home)
    rules = default_policy() if policy is None else read_policy(policy)
    store = ModelStore(home)
    if card is not None:
        _require_trained(store, card, version, portfolio)
    kept = buckets(portfolio, data)
    book = _of_bucket(kept[0], zone) if kept else _book(portfolio, zone, data, outcomes=False)
    _require_trained(store, card or book.card, version, portfolio)
    fitted = store.load(card or book.card, version)
    if kept:
        from serving.by_bucket import Run, run, workers_by_default

        asked = Run(fitted, rules, _day(as_of), zone, ranked, contributions)
        try:
            height = run(kept, asked, out, workers=workers or workers_by_default(), say=_say)
        except KeyboardInterrupt:
            _say("stopped; the same command goes on where this one was")
            raise
    else:
        history = replace(book, allocation=fitted.allocation).to_score(_day(as_of))
        rows = frame(
            assess_population(history, fitted, rules), ranked=ranked, contributions=contributions, history=history
        )
        write(rows, out)
        height = rows.height
    verb = "ranked" if ranked else "scored"
    loans = "1 loan" if height == 1 else f"{height:,} loans"
    _tell(f"{loans} {verb} by the {fitted.card.name} card, version {fitted.version}{_standing(book, as_of)}: {out}")


@app.command()
def shadow(
    card: Annotated[str, typer.Option("--card", help="The card whose challenger is scored.")],
    version: Annotated[
        str | None, typer.Option("--version", help="A version of it; by default the one that `challenge` named.")
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="End with what is on record by now.")] = False,
    every: Annotated[
        float, typer.Option("--every", min=0.1, help="Seconds between looks for new decisions.")
    ] = SECONDS_BETWEEN_LOOKS,
    beside: Annotated[
        bool,
        typer.Option("--beside", help="Work also while other processes of the machine run, at the lowest priority."),
    ] = False,
    compare: Annotated[
        bool, typer.Option("--compare", help="Score nothing; compare the scores that are kept.")
    ] = False,
    outcomes: Annotated[
        Path | None,
        typer.Option(
            "--outcomes",
            help="With --compare: FILE.parquet or FILE.csv of score_id, bad and maybe amount_minor; by default what "
            "`outcomes load` has kept.",
        ),
    ] = None,
    home: HomeOption = DEFAULT_HOME,
    state: StateOption = None,
    records: RecordsOption = None,
    database_url: DatabaseUrlOption = None,
    checkpoints: CheckpointsOption = None,
    log_name: LogNameOption = DEFAULT_LOG_NAME,
    as_json: JsonOption = False,
) -> None:
    """Score the decisions of record with the challenger, beside the service, and keep both scores.

    It reads the log with the operator's secrets, as `audit replay` does, and takes a processor only while nobody else
    wants it. It may be killed at any moment: the same command goes on where this one was. With --compare it tells how
    far the scores lie apart, and on outcomes which of them was better; that needs no secret.

    Example: `repayrank shadow --card collection --once`, then `repayrank shadow --card collection --compare`
    """
    _require_card(card)
    if compare:
        _compare_shadow(card, version, home, state or home, outcomes, as_json=as_json)
        return
    if outcomes is not None:
        raise UsageError(
            "outcomes without a comparison", where="--outcomes", expected="--compare beside it", do="add --compare"
        )
    from serving.decisions.opening import opened_archive
    from serving.shadow.idle import step_back
    from serving.shadow.work import work

    step_back()
    archive = opened_archive(home, state, records, checkpoints, log_name, database_url)
    done = work(archive, card, version, every=None if once else every, beside=beside)
    if as_json:
        _tell(json.dumps(done))
    else:
        _tell(
            f"{done['decisions']['scored']:,} decisions scored in shadow by version {done['version']} of the {card} "
            f"card; {done['records']:,} records worked through: {done['folder']}"
        )


def _compare_shadow(
    card: str, version: str | None, home: Path, state: Path, outcomes: Path | None, *, as_json: bool
) -> None:
    from models.challengers import required
    from models.score_pairs import Outcome, ScorePairs
    from models.store import ModelStore
    from serving.decisions.policies import kept_policy, policies_in
    from training.shadow_comparison import compared
    from training.shadow_outcomes import last_seen, read_outcomes
    from training.shadow_table import show

    store = ModelStore(home)
    chosen = version or required(store, card)
    pairs = ScorePairs.of(state, card, chosen).scored()
    policy = kept_policy(
        policies_in(state), str(pairs.filter(outcome=Outcome.SCORED.value).get_column("policy").last())
    )
    told = compared(
        pairs,
        card=card,
        challenger=chosen,
        bands=[band.name for band in policy.bands],
        outcomes=_kept_outcomes(home, card) if outcomes is None else read_outcomes(outcomes),
        seen_until=last_seen(store, card, {chosen, *pairs.get_column("champion")}),
    )
    if as_json:
        _tell(json.dumps(told.as_dict(), allow_nan=False))
    else:
        show(told)


def _kept_outcomes(home: Path, card: str) -> pl.DataFrame | None:
    """Return what `outcomes load` has kept of a card's decisions; None where it kept nothing."""
    import polars as pl

    from training.monitoring import outcomes
    from training.shadow_outcomes import BAD, SCORE_ID

    lines = outcomes.OutcomeStore(home, card).read()
    if lines.is_empty():
        return None
    known = {outcomes.BAD: True, outcomes.GOOD: False}
    return (
        outcomes.first_known(lines)
        .filter(pl.col("outcome").is_not_null())
        .select(SCORE_ID, pl.col("outcome").replace_strict(known, default=None, return_dtype=pl.Boolean).alias(BAD))
    )


def _require_trained(store: ModelStore, card: str, version: str | None, portfolio: str) -> None:
    """Refuse a card that was never trained, with the command that trains it on the reader's own book."""
    if version is not None:
        store.folder(card, version)
    else:
        store.champion(card, book=portfolio)


def _standing(book: Portfolio, as_of: datetime | None) -> str:
    """Return, in words, on which of several dates a book is scored."""
    day = book.latest_of_several
    if as_of is not None or day is None:
        return ""
    return f", as of {day}, the latest of the book's {len(book.observed_dates)} dates"


def _unusable(number: int, path: Path) -> OSError:
    return OSError(number, os.strerror(number), str(path))


def _require_enough_for(folds: int, cases: Cohort) -> None:
    rarer = int(min(cases.bad.sum(), (~cases.bad).sum()))
    if folds > rarer:
        raise UsageError(
            f"{folds} folds for {rarer} loans of the rarer outcome",
            where="--folds",
            expected="a loan of each outcome in every fold",
            do=f"ask for {rarer} folds or fewer",
        )


def _evaluation_table(card: str, result: dict[str, Any]) -> str:
    columns = ("auc", "auc_sd", "ks", "brier", "log_loss")
    named = {f"repayrank {card}": result, **result.get("compared", {})}
    width = max(map(len, named))
    lines = [f"{'':{width}}  " + "  ".join(f"{column:>8}" for column in columns)]
    lines += [
        f"{name:{width}}  " + "  ".join(f"{_figure(figures[column]):>8}" for column in columns)
        for name, figures in named.items()
    ]
    lines.append(
        f"judged on {result['judged']:,} of {result['rows']:,} cases, each by a card that had not seen it "
        f"({'one split' if result['splits'] == 1 else str(result['splits']) + ' splits'})"
    )
    lines.append(
        f"all cases: {result['base_rate']:.1%} bad, {result['counts'].get('indeterminate', 0):,} more "
        f"indeterminate, {result['features']} features; additivity error {result['additivity_error']:.1e}, "
        f"monotone violations {result['monotone_violations']}"
    )
    lines.append(result["against"]["words"])
    lines += result["warnings"]
    if "recovery" in result:
        told = result["recovery"]
        lines.append(
            f"recovery: AUC of any payment {told['auc_any_payment']:.4f}; the first tenth by expected money holds "
            f"{told['first_tenth']:.0%} of what came back, by amount {told['first_tenth_by_amount']:.0%}; expected "
            f"over recovered {told['calibration']:.2f}"
        )
    if "truth" in result:
        found, without = result["truth"]["spearman"], result["truth"]["auc_without"]
        lines.append(
            "rank correlation with the truth: " + ", ".join(f"{name} {told:.2f}" for name, told in found.items())
        )
        lines.append("AUC with a group shuffled: " + ", ".join(f"{name} {told:.4f}" for name, told in without.items()))
    return "\n".join(lines)


def _figure(figure: float | None) -> str:
    return "-" if figure is None else f"{figure:.4f}"


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 a bug, 2 usage, 10 data, 11 configuration, 12 model; see the docs."""
    said = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in said
    given = [word for word in said if word != "--debug"]  # wherever it stands
    try:
        app(given)
    except Exception as error:
        if debug:
            traceback.print_exc()
        refusal = _of_the_machine(error) if isinstance(error, OSError) else error
        if isinstance(refusal, RepayrankError):
            _say(f"refused\n  found     {refusal.found}\n  where     {refusal.where}")
            _say(f"  expected  {refusal.expected}\n  do        {refusal.do}")
            sys.exit(refusal.exit_code)
        # The text of an unforeseen error may hold a borrower's value: it is shown only when asked for.
        _say(f"a bug in repayrank ({type(error).__name__}); run again with --debug and report what it prints")
        sys.exit(RepayrankError.exit_code)


def _of_the_machine(error: OSError) -> Exception:
    """Return what the machine refused, by its file; the error itself when a library made it up."""
    if error.errno is None:
        return error
    file = error.filename if error.filename2 is None else error.filename2
    return ConfigurationRefused(
        error.strerror or "an error of the operating system",
        where="a file being read or written" if file is None else str(file),
        expected="files and folders that can be read and written, and space for them",
        do="correct the path, its permissions or the space, and run again",
    )


if __name__ == "__main__":
    main()
