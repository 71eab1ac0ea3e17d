"""`repayrank audit`: are the decisions of record whole, can they be computed anew, and who is erased."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from features.errors import UsageError
from serving.retention_verbs import audit_expire
from serving.settings import ANCHORS, DEFAULT_HOME, DEFAULT_LOG_NAME, HOME, LOG_NAME, RECORDS, STATE

if TYPE_CHECKING:
    from serving.decisions.archive import Archive
    from serving.subjects.subject import Name
    from serving.subjects.vault import Vault

audit_app = typer.Typer(
    help="Verify, replay, prove and export the decisions of record; erase a borrower.", no_args_is_help=True
)

audit_app.command("expire")(audit_expire)

HomeOption = Annotated[Path, typer.Option("--home", envvar=HOME, help="Folder of models, keys and decisions.")]
StateOption = Annotated[
    Path | None,
    typer.Option("--state", envvar=STATE, help="Folder of what the service writes; the home by default."),
]
RecordsOption = Annotated[
    Path | None, typer.Option("--records", envvar=RECORDS, help="Folder of the decision log; by default in the state.")
]
CheckpointsOption = Annotated[
    Path | None,
    typer.Option("--checkpoints", envvar=ANCHORS, help="File of signed checkpoints; by default in the state."),
]
LogNameOption = Annotated[str, typer.Option("--log-name", envvar=LOG_NAME, help="The log's name.")]
ScoreIdArgument = Annotated[str, typer.Argument(metavar="SCORE_ID", help="The score_id of an answer.")]
BorrowerOption = Annotated[str | None, typer.Option("--borrower", help="The borrower_id that was sent.")]
LoanOption = Annotated[
    str | None, typer.Option("--loan", help="The loan_id, where features came ready and no borrower was named.")
]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why, for the record; name no person.")]
JsonOption = Annotated[bool, typer.Option("--json", help="As JSON.")]


@audit_app.command("verify")
def audit_verify(
    home: HomeOption = DEFAULT_HOME,
    state: StateOption = None,
    records: RecordsOption = None,
    checkpoints: CheckpointsOption = None,
    log_name: LogNameOption = DEFAULT_LOG_NAME,
    remembered: Annotated[
        list[Path] | None, typer.Option("--remembered", help="A checkpoint that was kept elsewhere; may be repeated.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check every record, every hash and every signature; exit code 13 names the first that does not hold.

    Example: `repayrank audit verify --remembered last-month.txt`
    """
    from serving.records.audit import verify

    archive = _archive(home, state, records, checkpoints, log_name)
    report = verify(archive.place, [path.read_bytes() for path in remembered or []])
    told: dict[str, Any] = {
        "records": report.records,
        "signed": report.signed,
        "checkpoints": report.checkpoints,
        "root": report.root.hex(),
    }
    if as_json:
        typer.echo(json.dumps(told))
    else:
        typer.echo(
            f"whole: {_count(report.records, 'record')}, {report.signed:,} of them under "
            f"{_count(report.checkpoints, 'signed checkpoint')}; root {told['root']}"
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
    checkpoints: CheckpointsOption = None,
    log_name: LogNameOption = DEFAULT_LOG_NAME,
    as_json: JsonOption = False,
) -> None:
    """Compute decisions anew from their records and compare every answer, feature and contribution to the bit.

    Exit code 13 when one differs or cannot be computed; what was erased is counted and is no fault.

    Example: `repayrank audit replay --sample 100`
    """
    from serving.decisions.lookup import find, sampled
    from serving.decisions.replay import Verdict, replayed_all
    from serving.records.errors import broken

    if score_id and sample:
        raise UsageError(
            "both SCORE_ID and --sample", where="the command line", expected="one of them", do="leave one out"
        )
    archive = _archive(home, state, records, checkpoints, log_name)
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
            f"{_count(told['decisions'], 'decision')} of {_count(len(outcomes), 'request')} computed anew with "
            f"{', '.join(f'{name} ({count:,})' for name, count in sorted(by_model.items())) or 'no model'}: "
            f"{_count(by_verdict[Verdict.EQUAL], 'request')} equal to the bit, {told['differs']:,} different, "
            f"{told['impossible']:,} not possible; {_count(told['erased'], 'decision')} erased"
        )
    faults = [one for one in outcomes if one.verdict in {Verdict.DIFFERS, Verdict.IMPOSSIBLE}]
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
    checkpoints: CheckpointsOption = None,
    log_name: LogNameOption = DEFAULT_LOG_NAME,
) -> None:
    """Write the proof that one decision is in the log, for somebody who has only the log's public key.

    Example: `repayrank audit receipt 01K... --out receipt.json`
    """
    from serving.decisions.lookup import find
    from serving.records.audit import receipt
    from serving.records.export import receipt_bytes

    archive = _archive(home, state, records, checkpoints, log_name)
    row, _, _ = find(archive.place, score_id)
    out.write_bytes(receipt_bytes(receipt(archive.place, row.entry.sequence)))
    typer.echo(f"receipt     {out}: record {row.entry.sequence}")


@audit_app.command("export")
def audit_export(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A new folder.")],
    home: HomeOption = DEFAULT_HOME,
    state: StateOption = None,
    records: RecordsOption = None,
    checkpoints: CheckpointsOption = None,
    log_name: LogNameOption = DEFAULT_LOG_NAME,
) -> None:
    """Write the whole log with a program that verifies it without this software; personal content stays sealed.

    Example: `repayrank audit export decisions-2026`
    """
    from serving.records.export import export

    count = export(_archive(home, state, records, checkpoints, log_name).place, folder)
    typer.echo(f"exported    {folder}: {_count(count, 'record')}; check it with: python {folder / 'alone.py'} {folder}")


@audit_app.command("erase")
def audit_erase(
    reason: ReasonOption,
    borrower: BorrowerOption = None,
    loan: LoanOption = None,
    home: HomeOption = DEFAULT_HOME,
    state: StateOption = None,
) -> None:
    """Destroy the key of a borrower: what was sent and answered about them can be read by nobody any more.

    The log stays whole and verifies; scores, bands and the names of reasons stay under a pseudonym that leads to
    nobody. A legal hold refuses it.

    Example: `repayrank audit erase --borrower B-1 --reason "request of the borrower, case 17"`
    """
    from serving.decisions.outbox import outbox_of, posted
    from serving.subjects.errors import HeldByLaw

    name = _name(borrower, loan)
    with _vault(state or home) as vault:
        subject = {"subject": _pseudonym(vault, name), "reason": reason}
        posted(outbox_of(state or home), "erase:subject:ordered", subject)
        try:
            vault.erase(name)
        except HeldByLaw:
            posted(outbox_of(state or home), "erase:subject:refused", subject)
            raise
        posted(outbox_of(state or home), "erase:subject:done", subject)
    typer.echo("erased: nothing that was sent or answered about this subject can be read any more")


@audit_app.command("hold")
def audit_hold(
    reason: ReasonOption,
    borrower: BorrowerOption = None,
    loan: LoanOption = None,
    home: HomeOption = DEFAULT_HOME,
    state: StateOption = None,
) -> None:
    """Put a legal hold on a borrower, which refuses erasure until it is released.

    Example: `repayrank audit hold --borrower B-1 --reason "court order 12/2026"`
    """
    from serving.decisions.outbox import outbox_of, posted

    name = _name(borrower, loan)
    with _vault(state or home) as vault:
        vault.hold(name, reason, datetime.now(UTC).date())
        posted(outbox_of(state or home), "hold:subject:placed", {"subject": _pseudonym(vault, name), "reason": reason})
    typer.echo("held: erasure is refused until the hold is released")


@audit_app.command("release")
def audit_release(
    reason: ReasonOption,
    borrower: BorrowerOption = None,
    loan: LoanOption = None,
    home: HomeOption = DEFAULT_HOME,
    state: StateOption = None,
) -> None:
    """Release a legal hold; the reason is that of the hold.

    Example: `repayrank audit release --borrower B-1 --reason "court order 12/2026"`
    """
    from serving.decisions.outbox import outbox_of, posted

    name = _name(borrower, loan)
    with _vault(state or home) as vault:
        vault.release(name, reason)
        posted(
            outbox_of(state or home), "hold:subject:released", {"subject": _pseudonym(vault, name), "reason": reason}
        )
    typer.echo("released: the subject may be erased")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' if number != 1 else ''}"


def _name(borrower: str | None, loan: str | None) -> Name:
    from serving.subjects.subject import Name

    if (borrower is None) == (loan is None):
        raise UsageError(
            "no subject, or two", where="the command line", expected="--borrower or --loan", do="name one of them"
        )
    return Name("loan", loan) if borrower is None and loan is not None else Name("borrower", borrower or "")


def _pseudonym(vault: Vault, name: Name) -> str:
    from serving.subjects.errors import unknown

    pseudonym = vault.pseudonym_of(name)
    if pseudonym is None:
        raise unknown()
    return pseudonym.hex()


def _vault(state: Path) -> Vault:
    from serving.decisions.opening import opened_vault

    return opened_vault(state)


def _archive(home: Path, state: Path | None, records: Path | None, checkpoints: Path | None, log_name: str) -> Archive:
    from serving.decisions.opening import opened_archive

    return opened_archive(home, state, records, checkpoints, log_name)
