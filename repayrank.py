"""The command line: who will repay, who first, and why.

Here are the verbs that join training and serving, and `features`. The others are in `training` and `serving`, in
`*_verbs.py`, and what they share is in `models.verb_options`.
"""

from __future__ import annotations

import json
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
from models.terminal import tell_both
from models.verb_options import (
    DEFAULT_HOME,
    TABLE_WIDTH,
    DataOption,
    HomeOption,
    VersionOption,
    ZoneOption,
    day,
    open_book,
    require_card,
    require_folder,
    say,
    tell,
)
from serving.audit_verbs import audit_app
from serving.score_verbs import rank, score
from serving.serve_verb import serve
from serving.settings import DEFAULT_LOG_NAME
from serving.shadow.idle import SECONDS_BETWEEN_LOOKS
from serving.token_verbs import token_app
from serving.verb_options import (
    CheckpointsOption,
    DatabaseUrlOption,
    JsonOption,
    LogNameOption,
    PortOption,
    RecordsOption,
    StateOption,
)

if TYPE_CHECKING:
    from features.catalog import Catalog
    from features.portfolios import Portfolio
    from models.assessment import Assessment
    from models.fitted_card import FittedCard
    from training.statistics.metrics import Bools

app = typer.Typer(
    help="Who will repay, who first, and why: scores, reasons and an order of work for a lender's loans.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)

outcomes_app = typer.Typer(help="What became of the loans that were scored, as it becomes known.", no_args_is_help=True)

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

DEMO_HOME = Path("demo")
HELD_OUT = 1 / 3


@app.callback()
def _root(debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False) -> None:
    """Read by `main`; here so that it is documented."""


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

            tell(json.dumps(request_for(fitted), ensure_ascii=False, indent=1))
            return
        _list_features(fitted.catalog, (), as_json=as_json)
        return
    book = None if portfolio is None else open_book(portfolio, data=data, outcomes=False)
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
    require_card(card)
    require_folder(home)
    return ModelStore(home).load(card, version)


def _list_features(listed: Catalog, unsaid: Iterable[str], *, as_json: bool) -> None:
    if as_json:
        tell(json.dumps(listed.dictionary(), ensure_ascii=False, indent=1))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("feature", "group", "direction", "English", "中文", title=f"{len(listed)} features")
    for feature in listed:
        table.add_row(feature.name, feature.group, feature.risk.name.lower(), feature.label.en, feature.label.zh)
    Console(width=None if sys.stdout.isatty() else TABLE_WIDTH).print(table)
    for lacking in unsaid:
        tell(f"no words yet  {lacking}")


def _check_features(book: Portfolio) -> None:
    from features.promise_checks import check_promises

    breaches = check_promises(book, say=say)
    if breaches:
        raise DataRefused(
            "; ".join(breaches),
            where=f"features of portfolio '{book.name}'",
            expected="features that keep their promises on every book",
            do="correct the declarations named; a feature of the release that breaks one is a bug: report it",
        )
    tell("every promise is kept")


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
    require_card(card)
    require_folder(home)
    by_loan = file is None or not by_score_id(file)
    archive = opened_archive(home, state, records, checkpoints, log_name, database_url)
    columns = ["score_id", "observed_on", *(["loan_id"] if by_loan else [])]
    found = [frame.select(columns) for frame in decisions(archive, card, loan_ids=by_loan, sealed=by_loan)]
    where = str(file or portfolio)
    if not found:
        raise nothing_known(where)
    if file is not None:
        sent = from_file(file, pl.concat(found), known_on=day(as_of))
    else:
        fitted = ModelStore(home).load(card)
        book = replace(open_book(portfolio or "", zone, data), allocation=fitted.allocation)
        sent = from_book(book, fitted.card, pl.concat(found), as_of=day(as_of))
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
    tell(f"outcomes of {sent.rows.height:,} decisions of the {card} card: {told}: {store.folder}")


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
        tell(default_bytes().decode().rstrip("\n"))
        return
    if card is None or out is None:
        option = "--card" if card is None else "--out"
        raise UsageError("nothing given", where=option, expected="a card and a folder", do=f"add {option}")
    require_card(card)
    require_folder(home)
    require_folder(out)
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
        as_of=day(as_of),
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
    tell(f"no alarm in {watched}: {card} card version {fitted.version}, {met.decisions:,} decisions: {files.page}")


def demo(
    home: Annotated[Path, typer.Option("--home", help="Where models, records, work list and report go.")] = DEMO_HOME,
    port: PortOption = 3000,
    stay: Annotated[bool, typer.Option("--serve/--no-serve", help="Stay up until Ctrl-C, or end.")] = True,
) -> None:
    """Rank a real book of overdue card customers, explain it, and serve it.

    Example: `repayrank demo --no-serve`
    """
    require_folder(home)
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
        book = open_book("taiwan")
        sizes = ", ".join(f"{frame.height:,} {name}" for name, frame in book.tables.items())
        say(f"      {sizes}")
        self._step(2, f"{len(catalog())} features of ability, willingness and circumstances, as of {book.observed_on}")
        self._step(3, "training the behaviour and the collection card; a third of each is held out")
        for name in ("behaviour", "collection"):
            done = train_card(
                book, card_of(book, name), self.home, hold_out=HELD_OUT, say=lambda text: say(f"      {text}")
            )
            told = done.metrics
            say(
                f"      {name} card {done.card.version}, on {int(told['rows_judged']):,} loans held out: "
                f"AUC {told['auc']:.3f}, KS {told['ks']:.3f}, Brier {told['brier']:.4f}, "
                f"monotone violations {int(told['monotone_violations'])}"
            )
            if not done.serves:
                say(f"      version {done.champion} of an earlier demo serves on; an empty --home begins anew")
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
        say("      writing the report")
        write_report(self.home / "report.html", assessment, bad, source=source, metrics=metrics)
        tell(f"work list   {self.home / 'worklist.csv'} (and .parquet)")
        tell(f"report      {self.home / 'report.html'}")
        tell(
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
            tell(
                f"service     {service.address} answered for {loan}: default probability "
                f"{told['default_probability']:.3f}, {told['points']} points, band {told['band']}: "
                f"{told['quadrant_name']['en']}"
            )
            tell(f"token       {service.tokens['engine']} (role engine, for a day)")
            tell("ask it      curl -s -H 'content-type: application/json' -H 'idempotency-key: 1' \\")
            tell("              -H 'authorization: Bearer TOKEN' \\")
            tell(f"              --data-binary @{body} {service.address}/v1/score")
            verified = verify(opened_archive(self.home).place)
            tell(f"on record   {verified.records} decision, whole; see repayrank audit --help")
            say(f"      done in {time.monotonic() - self.began:.0f} s")
            if stay:
                with suppress(KeyboardInterrupt):
                    tell("Ctrl-C stops the service.")
                    service.process.wait()
        say("      the service has stopped")

    def _database(self) -> Path:
        return self.home / "mlflow" / "mlflow.db"

    def _step(self, number: int, text: str) -> None:
        say(f"{number}/5 {time.monotonic() - self.began:4.0f} s  {text}")


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
    require_card(card)
    if compare:
        _require_training("--compare")
        _compare_shadow(card, version, home, state or home, outcomes, as_json=as_json)
        return
    if outcomes is not None:
        raise UsageError(
            "outcomes without a comparison", where="--outcomes", expected="--compare beside it", do="add --compare"
        )
    from serving.decisions.opening import opened_archive
    from serving.shadow import words
    from serving.shadow.idle import step_back
    from serving.shadow.work import work

    step_back()
    archive = opened_archive(home, state, records, checkpoints, log_name, database_url)
    done = work(archive, card, version, every=None if once else every, beside=beside)
    if as_json:
        tell(json.dumps(done))
    else:
        tell_both(
            words.DONE.filled(
                version=done["version"],
                card=card,
                decisions=words.decisions(done["decisions"]),
                records=words.records(done["records"]),
                folder=done["folder"],
            )
        )


def _compare_shadow(
    card: str, version: str | None, home: Path, state: Path, outcomes: Path | None, *, as_json: bool
) -> None:
    from models.challengers import required
    from models.score_pairs import Outcome, ScorePairs
    from models.store import ModelStore
    from serving.decisions.policies import kept_policy, policies_in
    from training.shadow_comparison import compared
    from training.shadow_outcomes import kept_outcomes, last_seen, read_outcomes
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
        outcomes=kept_outcomes(home, card) if outcomes is None else read_outcomes(outcomes),
        seen_until=last_seen(store, card, {chosen, *pairs.get_column("champion")}),
    )
    if as_json:
        tell(json.dumps(told.as_dict(), allow_nan=False))
    else:
        show(told)


def _posting(state: Path) -> Callable[[Mapping[str, Any]], object] | None:
    """Return what leaves a change of a champion for the decision log of a state folder; None where there is no log."""
    from serving.decisions.promotions import has_log, post_promotion

    return partial(post_promotion, state) if has_log(state) else None


Verb = Callable[..., None]


def _has_training() -> bool:
    try:
        import training  # noqa: F401
    except ModuleNotFoundError as error:
        if error.name != "training":
            raise
        return False
    return True


def _of_training() -> tuple[Mapping[str, Verb], Mapping[str, typer.Typer]]:
    """Return the verbs and the groups of verbs that need training's code; none in the image, in which nobody trains."""
    if not _has_training():
        return {}, {}
    from training.card_verbs import card
    from training.challenger_verbs import challenge
    from training.early_warning_verbs import migration, warn
    from training.portfolio_verbs import portfolio_app, simulate
    from training.promotion_verbs import promoting
    from training.report_verbs import report
    from training.train_verbs import evaluate, train
    from training.tuning_verbs import tune
    from training.validation_verbs import validate

    verbs: dict[str, Verb] = {
        "demo": demo,
        "simulate": simulate,
        "train": train,
        "tune": tune,
        "evaluate": evaluate,
        "validate": validate,
        "card": card,
        "promote": promoting(_posting),
        "challenge": challenge,
        "monitor": monitor_card,
        "warn": warn,
        "migration": migration,
        "report": report,
    }
    return verbs, {"portfolio": portfolio_app, "outcomes": outcomes_app}


NEED_TRAINING = (
    *("demo", "simulate", "train", "tune", "evaluate", "validate", "card", "promote", "challenge", "monitor", "warn"),
    *("migration", "report", "portfolio", "outcomes"),
)
"""What `_of_training` gives: the image knows their names, to say where they can be run."""


def _absent(name: str) -> Verb:
    def refuse(_: typer.Context) -> None:
        _require_training(f"repayrank {name}")

    return refuse


def _told_in_order() -> None:
    """Give the command line its verbs, in the order in which `repayrank --help` lists them."""
    verbs, groups = _of_training()
    if not verbs:
        whatever = {"allow_extra_args": True, "ignore_unknown_options": True}
        for name in NEED_TRAINING:
            app.command(name, hidden=True, add_help_option=False, context_settings=whatever)(_absent(name))
    of_serving: dict[str, Verb] = {
        "features": features,
        "score": score,
        "rank": rank,
        "serve": serve,
        "shadow": shadow,
    }
    for name, verb in {**verbs, **of_serving}.items():
        app.command(name)(verb)
    for name, group in {**groups, "audit": audit_app, "token": token_app}.items():
        app.add_typer(group, name=name)


_told_in_order()


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
            say(f"refused\n  found     {refusal.found}\n  where     {refusal.where}")
            say(f"  expected  {refusal.expected}\n  do        {refusal.do}")
            sys.exit(refusal.exit_code)
        # The text of an unforeseen error may hold a borrower's value: it is shown only when asked for.
        say(f"a bug in repayrank ({type(error).__name__}); run again with --debug and report what it prints")
        sys.exit(RepayrankError.exit_code)


def _require_training(asked: str) -> None:
    if not _has_training():
        raise ConfigurationRefused(
            "no code for it: this is the image that serves",
            where=asked,
            expected="repayrank as it is installed where models are trained",
            do="run it there, on the same state folder",
        )


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
