"""Which version of a card serves, and every change of it: who wanted it, when, and what served before.

    champion            the number of the version that serves
    champions.jsonl     one line for each change, oldest first, only ever added to
    .champion.made      the line of the newest change that is known to have taken effect

One change is made at a time, under a lock that ends with the process that holds it. The line is written and synced
first, then the number takes the old one's place: a process that dies in between has changed nothing, and the next
change says so in a line of its own. Once the number stands, the line is noted as made. So a number that nobody promoted
is told from one that a death left standing, and serves nobody. The next change notes it in a line of its own; one that
was written back by hand before that leaves no trace here.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from features.errors import ModelRefused, UsageError

CHAMPION, HISTORY, MADE = "champion", "champions.jsonl", ".champion.made"
LOCK, NEXT = ".champions.lock", ".champion.next"
READABLE = 0o666
"""Less the process's mask: a service may run as another user than the one who trains."""
LONGEST = 64
"""Bytes of the file that names the champion, beyond which it names none."""
FOUND = "found"
"""Stands for whoever wrote the number by hand, or died while changing it."""


class ConflictingChampion(ModelRefused):
    """Another version became champion, or became it again, since the caller looked."""


class UnpromotedChampion(ModelRefused):
    """The file names a version that no change made champion, or was taken away: `version` is what it names."""

    def __init__(self, found: str, *, where: str, expected: str, do: str, version: str | None = None) -> None:
        super().__init__(found, where=where, expected=expected, do=do)
        self.version = version


@dataclass(frozen=True)
class Standing:
    """What serves, and the number of the change that made it so; `version` is None where nothing does.

    The number of changes tells a version that has served all along from one that came back.
    """

    version: str | None
    generation: int


@dataclass(frozen=True)
class Promotion:
    """One change of a champion.

    Attributes
    ----------
    generation : counts from 1
    version, before : what serves from then on, and what served until then; None for nothing
    manifest : SHA-256 of the version's manifest, which names all its files; None where it could not be read
    by, at : who made it champion and when, as the caller said; an instant in UTC
    reason : why, as the caller said
    record : SHA-256 of what is kept about the change elsewhere, such as what it was decided on; "" for nothing
    """

    generation: int
    version: str | None
    before: str | None
    manifest: str | None = None
    by: str = ""
    at: str = ""
    reason: str = ""
    record: str = ""


@dataclass(frozen=True)
class Champions:
    """The champion of one card, in the card's folder."""

    folder: Path

    @property
    def pointer(self) -> Path:
        """The file that names the champion."""
        return self.folder / CHAMPION

    def named(self) -> str | None:
        """Return what the file says, or None where there is none; it need not be a version."""
        if not os.path.lexists(self.pointer):
            return None
        if not self.pointer.is_file():
            return ""  # a folder, a pipe or a link to nothing names no version, and is not nothing
        with self.pointer.open("rb") as stream:
            return stream.read(LONGEST).decode(errors="replace").strip()

    def promoted(self) -> str | None:
        """Return what the file says, unless it is a version that nobody promoted; None where none ever served.

        It takes no lock, so that a promoter who hangs holds up no reader: what changes meanwhile is read again.

        Raises
        ------
        UnpromotedChampion : the history tells of another version
        ModelRefused : the last line of the history is damaged
        """
        named = self.named()
        while not self._is_borne_out(named):
            before, named = named, self.named()
            if named == before:
                raise self._unpromoted(named)
        return named

    def has_any(self) -> bool:
        """Return whether a version serves or ever served, whatever became of the file that names it."""
        return self.named() is not None or not self._is_borne_out(None)

    def standing(self) -> Standing:
        """Return what serves, to be expected by a change that follows."""
        with _locked(self.folder / LOCK, fcntl.LOCK_SH):
            return self._standing(self._last())

    def history(self) -> list[Promotion]:
        """Return every change, oldest first.

        Raises
        ------
        ModelRefused : a line is damaged
        """
        return [self._promotion(line, generation) for generation, line in enumerate(self._lines(), start=1)]

    def promote(
        self,
        version: str,
        manifest: str | None,
        *,
        expected: Standing | None = None,
        by: str = "",
        at: datetime | None = None,
        reason: str = "",
        record: str = "",
    ) -> Promotion:
        """Make a version the champion, durably: readers see the old one or the new one, never neither.

        Parameters
        ----------
        expected : what must still stand; without it whatever does is replaced
        by, at : who makes it champion, and when: an instant with its time zone
        reason, record : see `Promotion`

        Raises
        ------
        UsageError : `at` has no time zone
        ConflictingChampion : something else stands
        ModelRefused : the last line of the history is damaged
        """
        when = "" if at is None else _in_utc(at)
        self.folder.mkdir(parents=True, exist_ok=True)
        with _locked(self.folder / LOCK, fcntl.LOCK_EX):
            last = self._last()
            now = self._standing(last)
            if expected is not None and expected != now:
                raise self._conflict(expected, now)
            lines = [Promotion(now.generation + 1, version, now.version, manifest, by, when, reason, record)]
            if now.generation > last.generation:
                lines.insert(0, Promotion(now.generation, now.version, last.version, by=FOUND))
            elif last.generation and last.by != FOUND:
                self._note_made(self._lines()[-1])  # whoever made it died before this, or was an older release
            self._add(lines)
            self._point_to(version)
            with suppress(OSError):  # the change is made; the next one notes it
                self._note_made(_line(lines[-1]).removesuffix(b"\n"))
        return lines[-1]

    def _lines(self) -> list[bytes]:
        try:
            return (self.folder / HISTORY).read_bytes().split(b"\n")[:-1]  # what no newline ends was never finished
        except FileNotFoundError:
            return []

    def _last(self) -> Promotion:
        lines = self._lines()
        return self._promotion(lines[-1], len(lines)) if lines else Promotion(0, None, None)

    def _is_borne_out(self, named: str | None) -> bool:
        """Return whether a change, or a death in the middle of one, can have left what the file says."""
        if named is not None and not is_number(named):
            return True  # no version at all, which is refused as such
        lines = self._lines()
        while lines and self._promotion(lines[-1], len(lines)).by == FOUND:
            lines.pop()  # who noted it died before the line of the change itself
        if not lines:
            return True  # a store from before there was a history
        last, made = self._promotion(lines[-1], len(lines)), self._made(lines)
        if made is None:
            return named in {last.version, last.before}
        # Those after it died on the way, as far as anybody knows, and each of them may have come to its end.
        since = (self._promotion(line, place) for place, line in enumerate(lines[made - 1 :], start=made))
        return named in {change.version for change in since if change.by != FOUND}

    def _made(self, lines: list[bytes]) -> int | None:
        """Return the number of the newest change that is known to have taken effect; None where that is not known."""
        try:
            line = (self.folder / MADE).read_bytes().removesuffix(b"\n")
        except FileNotFoundError:
            return None  # made by a release that did not note it
        # A line that is not among them is of a history that was taken away.
        return lines.index(line) + 1 if line in lines else None

    def _unpromoted(self, named: str | None) -> UnpromotedChampion:
        last = self._last()
        return UnpromotedChampion(
            "no file where a version serves" if named is None else f"version {named}, which no promotion put there",
            where=str(self.pointer),
            expected=f"what a change of {HISTORY} made champion, the last being {_words(_of(last))}",
            do=f"put back what was promoted with `repayrank promote --rollback --card {self.folder.name}`, or, to let "
            "another serve that did before, name it there with --version",
            version=named,
        )

    def _standing(self, last: Promotion) -> Standing:
        named = self.named()
        version = named if named is not None and is_number(named) else None
        return Standing(version, last.generation + (version != last.version))

    def _promotion(self, line: bytes, generation: int) -> Promotion:
        with suppress(ValueError, TypeError):
            told = Promotion(**json.loads(line))
            if told.generation == generation:
                return told
        raise ModelRefused(
            f"line {generation} is not the {generation}. change of a champion",
            where=str(self.folder / HISTORY),
            expected="one change in each line, as they were written",
            do="restore the file from a copy, or take it out of the folder: a new one begins with what serves now",
        )

    def _conflict(self, expected: Standing, now: Standing) -> ConflictingChampion:
        return ConflictingChampion(
            f"{_words(now)} is champion",
            where=str(self.pointer),
            expected=f"{_words(expected)}, as when it was looked at",
            do="look at what serves now, and promote again if the version is still better",
        )

    def _add(self, lines: list[Promotion]) -> None:
        path = self.folder / HISTORY
        with path.open("ab") as stream:
            whole = _end_of_lines(path)
            if whole != stream.tell():
                stream.truncate(whole)  # begun by a process that died: it was never told that it had changed anything
            stream.write(b"".join(_line(promotion) for promotion in lines))
            stream.flush()
            os.fsync(stream.fileno())

    def _point_to(self, version: str) -> None:
        self._put(self.pointer, version.encode())

    def _note_made(self, line: bytes) -> None:
        path = self.folder / MADE
        if not path.exists() or path.read_bytes() != line + b"\n":
            self._put(path, line)

    def _put(self, path: Path, line: bytes) -> None:
        # Nobody else writes under this name: we hold the lock.
        following = self.folder / NEXT
        descriptor = os.open(following, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, READABLE)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(line + b"\n")
            stream.flush()
            os.fsync(stream.fileno())
        following.replace(path)
        sync_folder(self.folder)


def is_number(version: str) -> bool:
    """Return whether a text can be a version: plain digits."""
    return version.isascii() and version.isdecimal()


def sync_folder(folder: Path) -> None:
    """Make what was made, renamed or removed in a folder outlast a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _locked(path: Path, how: int) -> Iterator[None]:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, READABLE)
    except OSError:
        if how == fcntl.LOCK_EX:
            raise
        yield  # a reader that cannot write here: there is nothing it could change by what it saw
        return
    try:
        fcntl.flock(descriptor, how)
        yield
    finally:
        os.close(descriptor)


def _in_utc(at: datetime) -> str:
    if at.tzinfo is None:
        raise UsageError(
            "an instant without a time zone", where="at", expected="datetime.now(UTC)", do="say in which zone it was"
        )
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _end_of_lines(path: Path) -> int:
    content = path.read_bytes()
    return content.rfind(b"\n") + 1


def _line(promotion: Promotion) -> bytes:
    return json.dumps(asdict(promotion), separators=(",", ":")).encode() + b"\n"


def _of(promotion: Promotion) -> Standing:
    return Standing(promotion.version, promotion.generation)


def _words(standing: Standing) -> str:
    what = "no version" if standing.version is None else f"version {standing.version}"
    return f"{what} (change {standing.generation})"
