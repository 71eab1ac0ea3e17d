"""`repayrank audit expire`: drops the records that have been kept for as long as the lender's terms say."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

import typer

from features.errors import UsageError
from features.words import counted
from serving.settings import DEFAULT_HOME, DEFAULT_LOG_NAME
from serving.verb_options import (
    CheckpointsOption,
    DatabaseUrlOption,
    HomeOption,
    JsonOption,
    LogNameOption,
    RecordsOption,
    StateOption,
)


def audit_expire(
    policy: Annotated[Path, typer.Option("--policy", help="TOML file of the terms, each with its source.")],
    today: Annotated[
        str | None,
        typer.Option(metavar="DATE", help="As if it were this day; a later one than today only with --dry-run."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what is due and change nothing.")] = False,
    home: HomeOption = DEFAULT_HOME,
    state: StateOption = None,
    records: RecordsOption = None,
    database_url: DatabaseUrlOption = None,
    checkpoints: CheckpointsOption = None,
    log_name: LogNameOption = DEFAULT_LOG_NAME,
    as_json: JsonOption = False,
) -> None:
    """Drop every record whose term is over, by a signed order of record, and destroy the keys that nothing needs then.

    The log verifies as before; a legal hold keeps all records of its borrower. What challengers said of the records in
    shadow goes with them. The service and `repayrank shadow` must be stopped, except for --dry-run. A kind of record
    that no term speaks of refuses the run.

    Example: `repayrank audit expire --policy retention.toml --dry-run`
    """
    from serving.decisions.expiry import expired, previewed
    from serving.decisions.opening import opened_archive, secrets_in
    from serving.records.terms import day_everywhere, read_terms
    from serving.subjects.keys import read_keys

    terms, now = read_terms(policy), datetime.now(UTC)
    day = day_everywhere(now) if today is None else _day(today)
    archive = opened_archive(home, state, records, checkpoints, log_name, database_url)
    if dry_run:
        outcome = previewed(archive, terms, day)
    else:
        outcome = expired(archive, read_keys(secrets_in(state or home)).log, terms, day, now)
    if as_json:
        told = {
            "today": day.isoformat(),
            "policy_sha256": terms.digest,
            "dropped": dict(outcome.records),
            "held": dict(outcome.held),
            "keys": outcome.subjects,
            "kept": outcome.left,
            "orders": outcome.orders,
            "pairs": outcome.pairs,
            "erasures": outcome.erasures._asdict(),
            "dry_run": dry_run,
        }
        typer.echo(json.dumps(told))
        return
    for what, count in outcome.erasures.told().items():
        if count:
            typer.echo(f"{what}: {count:,}")
    for kind in sorted({*outcome.records, *outcome.held}):
        typer.echo(f"{kind:<28}{outcome.records[kind]:>12,} due{outcome.held[kind]:>12,} held by law")
    pairs = f"; {counted(outcome.pairs, 'row')} of scores in shadow with them" if outcome.pairs else ""
    orders = f"; ordered in record {', '.join(map(str, outcome.orders))}" if outcome.orders else ""
    typer.echo(
        f"{'would drop' if dry_run else 'dropped'}: {counted(outcome.records.total(), 'record')} whose terms ended "
        f"before {day}, and {counted(outcome.subjects, 'key')}; {outcome.left:,} stay{pairs}{orders}"
    )


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(
            "a day that is none", where="--today", expected="a day such as 2026-06-30", do="correct it"
        ) from None
