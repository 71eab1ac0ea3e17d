"""`repayrank audit erase`, `hold` and `release`: who is erased, and whom the law keeps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from features.errors import UsageError
from serving.settings import DEFAULT_HOME
from serving.verb_options import HomeOption, StateOption

if TYPE_CHECKING:
    from serving.subjects.subject import Name
    from serving.subjects.vault import Vault

BorrowerOption = Annotated[str | None, typer.Option("--borrower", help="The borrower_id that was sent.")]
LoanOption = Annotated[
    str | None, typer.Option("--loan", help="The loan_id, where features came ready and no borrower was named.")
]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why, for the record; name no person.")]


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
    from serving.subjects.errors import HeldByLaw, VaultBusy

    with _meant(state or home, borrower, loan, reason) as subject:
        subject.post("erase:subject:ordered")
        try:
            subject.vault.erase(subject.name)
        except (HeldByLaw, VaultBusy):  # nothing was erased
            subject.post("erase:subject:refused")
            raise
        subject.post("erase:subject:done")
    typer.echo("erased: nothing that was sent or answered about this subject can be read any more")


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
    with _meant(state or home, borrower, loan, reason) as subject:
        subject.vault.hold(subject.name, reason, datetime.now(UTC).date())
        subject.post("hold:subject:placed")
    typer.echo("held: erasure is refused until the hold is released")


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
    with _meant(state or home, borrower, loan, reason) as subject:
        # In this order: cut off in between, the vault has the hold still, and the command can be given again.
        if any((hold.pseudonym, hold.reason) == (subject.pseudonym, reason) for hold in subject.vault.holds()):
            subject.post("hold:subject:released")
        subject.vault.release(subject.name, reason)
    typer.echo("released: the subject may be erased")


class _Meant(NamedTuple):
    """A subject, the vault that has it, and the way of an event about it into the log."""

    vault: Vault
    name: Name
    pseudonym: bytes
    post: Callable[[str], object]


@contextmanager
def _meant(state: Path, borrower: str | None, loan: str | None, reason: str) -> Iterator[_Meant]:
    """Yield the subject that is named, which the vault has.

    Raises
    ------
    UsageError : none is named, or two; or the reason cannot go into the log, where it would stay
    SubjectUnknown : the vault does not have it
    """
    from serving.decisions.opening import opened_vault
    from serving.decisions.outbox import outbox_of, posted
    from serving.subjects.errors import unknown
    from serving.subjects.reasons import require_reason

    name = _name(borrower, loan)
    require_reason(reason, [name.id])
    with opened_vault(state) as vault:
        pseudonym = vault.pseudonym_of(name)
        if pseudonym is None:
            raise unknown()
        told = {"subject": pseudonym.hex(), "reason": reason}
        yield _Meant(vault, name, pseudonym, partial(posted, outbox_of(state), record=told))


def _name(borrower: str | None, loan: str | None) -> Name:
    from serving.subjects.subject import Name

    if (borrower is None) == (loan is None):
        raise UsageError(
            "no subject, or two", where="the command line", expected="--borrower or --loan", do="name one of them"
        )
    return Name("loan", loan) if borrower is None and loan is not None else Name("borrower", borrower or "")
