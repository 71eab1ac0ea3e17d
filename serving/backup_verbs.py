"""`repayrank audit backup` and `restore`: copies of the log that take its place, and of the vault apart from them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from features.errors import UsageError
from features.words import counted
from serving.settings import DEFAULT_HOME, DEFAULT_LOG_NAME
from serving.verb_options import (
    CheckpointsOption,
    DatabaseUrlOption,
    HomeOption,
    KeyOption,
    LogNameOption,
    RecordsOption,
    StateOption,
)

if TYPE_CHECKING:
    from serving.records.audit import Report


def audit_backup(
    folder: Annotated[Path | None, typer.Argument(metavar="[FOLDER]", help="A new folder, for the log.")] = None,
    subjects: Annotated[
        Path | None,
        typer.Option("--subjects", metavar="FOLDER", help="A new folder, for the vault; never one with a log."),
    ] = None,
    home: HomeOption = DEFAULT_HOME,
    state: StateOption = None,
    records: RecordsOption = None,
    database_url: DatabaseUrlOption = None,
    checkpoints: CheckpointsOption = None,
    log_name: LogNameOption = DEFAULT_LOG_NAME,
    key: KeyOption = None,
) -> None:
    """Copy the log with its checkpoints, or the vault of subjects, also while a service runs; the copy is verified.

    The log's copy needs the log's public key alone, the vault's the secrets. Of a log in PostgreSQL the server's own
    tools make the copy: pg_dump, or a base backup.

    Example: `repayrank audit backup log-2026-10-01`
    """
    from serving.decisions.opening import opened_vault, place_to_check, secrets_in
    from serving.records.backup import backup
    from serving.subjects.backup import backup as backup_subjects
    from serving.subjects.backup import require_apart, require_no_vault
    from serving.subjects.keys import read_keys

    if folder is None and subjects is None:
        raise UsageError(
            "nothing to copy", where="the command line", expected="FOLDER, --subjects FOLDER or both", do="name one"
        )
    place = place_to_check(state or home, records, checkpoints, log_name, database_url, key)
    logs = [place.folder, *([folder] if folder else [])]
    if subjects is not None:
        require_apart(subjects, logs)
    if folder is not None:
        require_no_vault(folder)
        _tell("copied     ", folder, backup(place, folder))
    if subjects is not None:
        master = read_keys(secrets_in(state or home)).subjects
        with opened_vault(state or home) as vault:
            copied = backup_subjects(vault, master, subjects, logs)
        typer.echo(
            f"copied      {subjects}: {counted(copied.subjects, 'subject')}, whose keys all open, and "
            f"{counted(copied.holds, 'legal hold')}; keep it apart from every copy of the log"
        )


def audit_restore(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="As `repayrank audit backup` made it.")],
    accept_loss: Annotated[
        bool,
        typer.Option("--accept-loss", help="Go on without the decisions that were signed after the backup was made."),
    ] = False,
    home: HomeOption = DEFAULT_HOME,
    state: StateOption = None,
    records: RecordsOption = None,
    database_url: DatabaseUrlOption = None,
    checkpoints: CheckpointsOption = None,
    log_name: LogNameOption = DEFAULT_LOG_NAME,
    key: KeyOption = None,
) -> None:
    """Put a backup of the log where no log is, while no service runs; it is verified before and after.

    Leave the file of checkpoints where it is: when it tells of decisions that the backup does not have, their number is
    told and nothing is put back.

    Example: `repayrank audit restore log-2026-10-01`
    """
    from serving.decisions.opening import place_to_check
    from serving.records.backup import restore

    place = place_to_check(state or home, records, checkpoints, log_name, database_url, key)
    report = restore(folder, place, accept_loss=accept_loss)
    _tell("restored   ", place.folder, report)


def _tell(done: str, folder: Path, report: Report) -> None:
    typer.echo(
        f"{done} {folder}: whole, {counted(report.records, 'record')}, {report.signed:,} of them under "
        f"{counted(report.checkpoints, 'signed checkpoint')}; root {report.root.hex()}"
    )
