"""How the decision log refuses: what cannot be proven, what is not written now, and what may or may not be written."""

from __future__ import annotations

from features.errors import ConfigurationRefused, DataRefused, RepayrankError


class AuditBroken(RepayrankError):
    """The log is not what was written and signed: a record, a hash, a checkpoint or a proof does not hold."""

    exit_code = 13


class KeyReused(DataRefused):
    """An idempotency key came again with another request body; nothing was written."""


class LogOwned(ConfigurationRefused):
    """Another process writes to the log; two writers would each continue a history of their own."""


class LogUnreachable(ConfigurationRefused):
    """The database of the log does not answer, or does not let this user in."""


class LogAway(LogUnreachable):
    """The database of the log does not answer now; what asks again may find it."""


class Expired(DataRefused):
    """A record was dropped at the end of its term; its place and leaf hash are left."""


class LogBusy(RepayrankError):
    """The log takes no more at the moment; nothing was written, and the same request may come again."""


class LogStopped(RepayrankError):
    """The log cannot write after an error, and what was not acknowledged may or may not be written.

    The same request with the same key tells which. After an error of the disk only opening the log again makes sure,
    because a failed write may still have reached the disk.
    """


def broken(found: str, where: str, *, expected: str = "the log as it was written and signed") -> AuditBroken:
    """Return the error for something that does not hold."""
    return AuditBroken(
        found,
        where=where,
        expected=expected,
        do="keep all files as they are, restore the last copy that verifies beside them and compare the two",
    )


def owned(where: str) -> LogOwned:
    """Return the error for a log that another process writes to."""
    return LogOwned(
        "another process that writes to this log",
        where=where,
        expected="one writer",
        do="stop the other process, or give this one a log of its own",
    )


def expired(sequence: int) -> Expired:
    """Return the error for a record that is not there any more."""
    return Expired(
        "a record whose term is over, and of which nothing but its hash is left",
        where=f"record {sequence}",
        expected="a record that is still kept",
        do="nothing can bring it back; the order to drop it is of record: repayrank audit export",
    )


def key_reused() -> KeyReused:
    """Return the error for a key that came with another body."""
    return KeyReused(
        "an idempotency key that was used for another request body",
        where="the idempotency key",
        expected="a new key for a new request, or the first body again",
        do="send the request under a key of its own",
    )


def unwritable(where: str, error: OSError) -> ConfigurationRefused:
    """Return the error for a place in which this process cannot make or change files, as on a disk for reading."""
    return ConfigurationRefused(
        f"a place that cannot be written to ({error.strerror})",
        where=where,
        expected="a disk and a folder to which this user can write",
        do="let this user write there, or name another place; nothing was changed",
    )


def busy(found: str) -> LogBusy:
    """Return the error for a record that was not taken, and of which nothing was written."""
    return LogBusy(
        found,
        where="the decision log",
        expected="room for another record",
        do="nothing was written; send the same request again after a second",
    )


def stopped(cause: str) -> LogStopped:
    """Return the error for a record whose fate only a new start can tell."""
    return LogStopped(
        f"a log that has stopped ({cause})",
        where="the decision log",
        expected="a log that writes",
        do="it may or may not be written; start the service again, then send the same request with the same key",
    )


def in_doubt(cause: str) -> LogStopped:
    """Return the error for a record whose fate is not known yet, in a log that goes on by itself."""
    return LogStopped(
        f"a log that cannot be written to or read now ({cause})",
        where="the decision log",
        expected="a database that answers and has space",
        do="it may or may not be written; send the same request with the same key after a second",
    )
