"""`repayrank audit`: are the decisions of record whole, and can they be computed anew."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer

from features.errors import UsageError
from features.words import counted
from serving.backup_verbs import audit_backup, audit_restore
from serving.retention_verbs import audit_expire
from serving.settings import DEFAULT_HOME, DEFAULT_LOG_NAME
from serving.subject_verbs import audit_erase, audit_hold, audit_release
from serving.verb_options import (
    CheckpointsOption,
    DatabaseUrlOption,
    HomeOption,
    JsonOption,
    KeyOption,
    LogNameOption,
    RecordsOption,
    StateOption,
)

audit_app = typer.Typer(
    help="Verify, replay, prove, export and copy the decisions of record; erase a borrower.", no_args_is_help=True
)
ScoreIdArgument = Annotated[str, typer.Argument(metavar="SCORE_ID", help="The score_id of an answer.")]


@audit_app.command("verify")
def audit_verify(
    home: HomeOption = DEFAULT_HOME,
    state: StateOption = None,
    records: RecordsOption = None,
    database_url: DatabaseUrlOption = None,
    checkpoints: CheckpointsOption = None,
    log_name: LogNameOption = DEFAULT_LOG_NAME,
    key: KeyOption = None,
    remembered: Annotated[
        list[Path] | None, typer.Option("--remembered", help="A checkpoint that was kept elsewhere; may be repeated.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check every record, every hash and every signature; exit code 13 names the first that does not hold.

    Reads only, and needs no secret: the log, its checkpoints and its public key.

    Example: `repayrank audit verify --remembered last-month.txt`
    """
    from serving.decisions.opening import place_to_check
    from serving.records.audit import verify
    from serving.subjects.keys import fingerprint

    place = place_to_check(state or home, records, checkpoints, log_name, database_url, key)
    report = verify(place, [path.read_bytes() for path in remembered or []])
    told: dict[str, Any] = {
        "records": report.records,
        "signed": report.signed,
        "expired": report.expired,
        "ordered": report.ordered,
        "checkpoints": report.checkpoints,
        "root": report.root.hex(),
        "key": fingerprint(place.trusted[0]),
    }
    if as_json:
        typer.echo(json.dumps(told))
    else:
        gone = f"; {report.expired:,} dropped at the end of their terms" if report.expired else ""
        waiting = f"; {report.ordered:,} ordered to go and still there" if report.ordered else ""
        typer.echo(
            f"whole: {counted(report.records, 'record')}, {report.signed:,} of them under "
            f"{counted(report.checkpoints, 'signed checkpoint')}{gone}{waiting}; root {told['root']}; "
            f"key {told['key']}"
        )


@audit_app.command("replay")
def audit_replay(
    score_id: Annotated[
        list[str] | None, typer.Argument(metavar="[SCORE_ID]...", help="Decisions; all of them when none is named.")
    ] = None,
    sample: Annotated[int | None, typer.Option("--sample", min=1, help="As many requests, chosen at random.")] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="The same seed chooses the same.")] = 0,
    home: HomeOption = DEFAULT_HOME,
    state: StateOption = None,
    records: RecordsOption = None,
    database_url: DatabaseUrlOption = None,
    checkpoints: CheckpointsOption = None,
    log_name: LogNameOption = DEFAULT_LOG_NAME,
    as_json: JsonOption = False,
) -> None:
    """Compute decisions anew from their records and compare every answer, feature and contribution to the bit.

    Exit code 13 when one differs, cannot be computed, or lacks a key though nobody ordered an erasure; what was erased
    by an order of record is counted and is no fault.

    Example: `repayrank audit replay --sample 100`
    """
    from serving.decisions.lookup import find, sampled
    from serving.decisions.opening import opened_archive
    from serving.decisions.replay import Verdict, replayed_all
    from serving.records.errors import broken

    if score_id and sample:
        raise UsageError(
            "both SCORE_ID and --sample", where="the command line", expected="one of them", do="leave one out"
        )
    archive = opened_archive(home, state, records, checkpoints, log_name, database_url)
    wanted: set[int] | None = None
    if score_id:
        wanted = {find(archive.place, one)[0].entry.sequence for one in score_id}
    elif sample:
        wanted = set(sampled(archive.place, sample, seed))
    outcomes = list(replayed_all(archive, wanted))
    by_verdict = Counter(one.verdict for one in outcomes)
    by_model = Counter(one.model for one in outcomes)
    told: dict[str, Any] = {
        "requests": len(outcomes),
        "decisions": sum(one.decisions for one in outcomes),
        "erased": sum(one.erased for one in outcomes),
        **{verdict.value: by_verdict[verdict] for verdict in Verdict if verdict is not Verdict.ERASED},
        "models": dict(by_model),
    }
    if as_json:
        typer.echo(json.dumps(told))
    else:
        typer.echo(
            f"{counted(told['decisions'], 'decision')} of {counted(len(outcomes), 'request')} computed anew with "
            f"{', '.join(f'{name} ({count:,})' for name, count in sorted(by_model.items())) or 'no model'}: "
            f"{counted(by_verdict[Verdict.EQUAL], 'request')} equal to the bit, {told['differs']:,} different, "
            f"{told['impossible']:,} not possible, {told['lost']:,} without a key that nobody erased; "
            f"{counted(told['erased'], 'decision')} erased"
        )
    faults = [one for one in outcomes if one.verdict in {Verdict.DIFFERS, Verdict.IMPOSSIBLE, Verdict.LOST}]
    if faults:
        first = faults[0]
        raise broken(
            f"{len(faults)} requests that are not what they were; first: {first.why}",
            f"record {first.sequence}",
            expected="the same answer from the same rows, model and policy",
        )


@audit_app.command("receipt")
def audit_receipt(
    score_id: ScoreIdArgument,
    out: Annotated[Path, typer.Option("--out", help="FILE.json")],
    home: HomeOption = DEFAULT_HOME,
    state: StateOption = None,
    records: RecordsOption = None,
    database_url: DatabaseUrlOption = None,
    checkpoints: CheckpointsOption = None,
    log_name: LogNameOption = DEFAULT_LOG_NAME,
    key: KeyOption = None,
) -> None:
    """Write the proof that one decision is in the log, for somebody who has only the log's public key.

    Example: `repayrank audit receipt 01K... --out receipt.json`
    """
    from serving.decisions.lookup import find
    from serving.decisions.opening import place_to_check
    from serving.records.audit import receipt
    from serving.records.export import receipt_bytes

    place = place_to_check(state or home, records, checkpoints, log_name, database_url, key)
    row, _, _ = find(place, score_id)
    out.write_bytes(receipt_bytes(receipt(place, row.entry.sequence)))
    typer.echo(f"receipt     {out}: record {row.entry.sequence}")


@audit_app.command("export")
def audit_export(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A new folder.")],
    home: HomeOption = DEFAULT_HOME,
    state: StateOption = None,
    records: RecordsOption = None,
    database_url: DatabaseUrlOption = None,
    checkpoints: CheckpointsOption = None,
    log_name: LogNameOption = DEFAULT_LOG_NAME,
    key: KeyOption = None,
) -> None:
    """Write the whole log with a program that verifies it without this software; personal content stays sealed.

    Example: `repayrank audit export decisions-2026`
    """
    from serving.decisions.opening import place_to_check
    from serving.records.export import export

    place = place_to_check(state or home, records, checkpoints, log_name, database_url, key)
    count = export(place, folder)
    typer.echo(
        f"exported    {folder}: {counted(count, 'record')}; check it with: python {folder / 'alone.py'} {folder}"
    )


@audit_app.command("champions")
def audit_champions(
    home: HomeOption = DEFAULT_HOME,
    state: StateOption = None,
    records: RecordsOption = None,
    database_url: DatabaseUrlOption = None,
    checkpoints: CheckpointsOption = None,
    log_name: LogNameOption = DEFAULT_LOG_NAME,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print the promotions and rollbacks that the log tells of, and the versions that a service would not take up.

    Reads only, and needs no secret. `repayrank promote --history` tells the same of the model store.

    Example: `repayrank audit champions`
    """
    from serving.decisions.opening import place_to_check
    from serving.decisions.promotions import Change, changes_in
    from serving.decisions.refused_versions import RefusedVersion, refused_in

    place = place_to_check(state or home, records, checkpoints, log_name, database_url, key)
    changes = list(changes_in(place))
    both: list[Change | RefusedVersion] = [*changes, *refused_in(place)]
    told = sorted(both, key=lambda one: one.sequence)
    if as_json:
        typer.echo(json.dumps([{"sequence": one.sequence, "event": one.event, **one.record} for one in told]))
        return
    for one in told:
        of, when = one.record, f"record {one.sequence}  {one.record['recorded_at'][:19]}  {one.event}"
        if isinstance(one, RefusedVersion):
            named = "a version that cannot be told" if of["version"] is None else f"version {of['version']}"
            typer.echo(f"{when}  {of['card']} card: {named} ({of['fault']}), version {of['goes_on_with']} went on")
            continue
        place_of = "no version" if of["before"] is None else f"version {of['before']}"
        typer.echo(
            f"{when}  {of['card']} card: version {of['version']} after {place_of}, change {of['generation']}, "
            f"by {of['by']}: {of['reason']}"
        )
    refused = f", {counted(len(told) - len(changes), 'version')} refused" if len(told) > len(changes) else ""
    typer.echo(f"on record   {counted(len(changes), 'change')} of champions{refused}")


audit_app.command("backup")(audit_backup)
audit_app.command("restore")(audit_restore)
audit_app.command("erase")(audit_erase)
audit_app.command("hold")(audit_hold)
audit_app.command("release")(audit_release)
audit_app.command("expire")(audit_expire)
