"""Callers over HTTP who remember what they sent and what they were answered, and hold the decision log to it.

What one caller can see: all answers to one key are the same bytes with the same number of a record; a 409 comes only
while another request with that key is at work; a 422 only where another body was answered under that key. What the log
then shows: one record for each answered key, with the ids that were answered, and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import socket
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from serving.decisions.archive import Archive
from serving.decisions.lookup import sampled
from serving.decisions.record import EVENT, decision_record
from serving.decisions.replay import Verdict, replayed_all
from serving.records.audit import Report, checked_rows, verify
from serving.records.opening import database_of
from serving.records.tables import reading

CHUNK = 2**16
NOTHING = 0
"""Stands for a status where no whole answer came back."""

CUT_IS_AT_WORK_SECONDS = 10.0
"""How long a request whose caller is gone may still be at work."""

PAUSE_SECONDS = 0.05
"""Between two sendings of one request; a caller who waited as long as `Retry-After` says would test less."""

REPLAYED, NOTES_COMPARED = 25, 1_000
ANSWERED_FOR_GOOD = frozenset({200, 422})


@dataclass(frozen=True)
class Request:
    """What is asked under a key."""

    key: str
    path: str
    body: bytes


@dataclass(frozen=True)
class Answer:
    """What came back, whole."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """The word for what is refused."""
        return str(json.loads(self.body)["error"]["code"])


@dataclass(frozen=True)
class Told:
    """What a key was answered first: the digest of its bytes, the ids of its scores and the number of its record."""

    request: Request
    sha256: bytes
    ids: tuple[str, ...]
    record: int


@dataclass(frozen=True, slots=True)
class Sending:
    """One sending of a request."""

    request: Request
    began: float
    ended: float
    status: int


class Line:
    """One connection to a service, opened again when it is gone; to the next of several services on one log.

    Attributes
    ----------
    halfway : called when half of a request is sent, before the rest is
    """

    def __init__(self, *addresses: tuple[str, int], token: str = "", seconds: float = 60.0) -> None:
        self._addresses, self._token, self._seconds = itertools.cycle(addresses), token, seconds
        self._socket: socket.socket | None = None
        self.halfway: Callable[[], object] | None = None

    def post(self, request: Request) -> Answer | None:
        """Return the answer to a request, or None where it did not come back whole."""
        head = f"POST {request.path} HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\n"
        head += f"authorization: Bearer {self._token}\r\nidempotency-key: {request.key}\r\n"
        return self._exchanged(f"{head}content-length: {len(request.body)}\r\n\r\n".encode() + request.body)

    def get(self, path: str) -> Answer | None:
        """Return the answer to a question."""
        token = f"authorization: Bearer {self._token}\r\n" if self._token else ""
        return self._exchanged(f"GET {path} HTTP/1.1\r\nhost: test\r\n{token}\r\n".encode())

    def close(self) -> None:
        """Hang up."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _exchanged(self, sent: bytes) -> Answer | None:
        try:
            if self._socket is None:
                self._socket = socket.create_connection(next(self._addresses), self._seconds)
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            middle = len(sent) // 2 if self.halfway is not None else 0
            if self.halfway is not None:
                self._socket.sendall(sent[:middle])
                self.halfway()
            self._socket.sendall(sent[middle:])
            answer = read_answer(self._socket)
        except OSError:
            answer = None
        if answer is None or answer.headers.get("connection") == "close":
            self.close()
        return answer


def read_answer(line: socket.socket) -> Answer | None:
    """Return the next answer on a connection, or None where the connection ends before the answer does."""
    received = b""
    while b"\r\n\r\n" not in received:
        chunk = line.recv(CHUNK)
        if not chunk:
            return None
        received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    first, *fields = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}
    length, parts = int(headers["content-length"]), [body]
    left = length - len(body)
    while left > 0:
        chunk = line.recv(CHUNK)
        if not chunk:
            return None
        parts.append(chunk)
        left -= len(chunk)
    return Answer(int(first.split(" ")[1]), headers, b"".join(parts))


class Ledger:
    """What callers sent and were answered, by key; for any number of threads.

    Attributes
    ----------
    told : the first answer of each key
    notes : signed checkpoints that came with answers, the newest last: evidence against a log that is set back
    statuses : how often each status came back
    faults : what no caller should ever see
    last : the last sending that was answered with a 200
    """

    def __init__(self) -> None:
        self.told: dict[str, Told] = {}
        self.notes: dict[str, None] = {}
        self.statuses: Counter[int] = Counter()
        self.faults: list[str] = []
        self.last: Sending | None = None
        self._sent: defaultdict[str, list[Sending]] = defaultdict(list)
        self._lock = threading.Lock()

    def send(self, line: Line, request: Request) -> Answer | None:
        """Send a request once, and write down what came of it."""
        began = time.monotonic()
        answer = line.post(request)
        ended = time.monotonic()
        with self._lock:
            status = NOTHING if answer is None else answer.status
            self.statuses[status] += 1
            sending = Sending(request, began, ended, status)
            self._sent[request.key].append(sending)
            if answer is not None and answer.status == 200:
                self.last = sending
                self._compare(request, answer)
        return answer

    def settle(self, line: Line, request: Request, seconds: float = 180.0) -> Answer:
        """Send a request until it is answered for good: with its decision, or because its key was another's."""
        until = time.monotonic() + seconds
        while True:
            answer = self.send(line, request)
            if answer is not None and answer.status in ANSWERED_FOR_GOOD:
                return answer
            assert time.monotonic() < until, f"no answer to {request.key}: {answer}"
            time.sleep(PAUSE_SECONDS)

    def is_answered_since(self, moment: float) -> bool:
        """Return whether something was answered that was sent after a moment."""
        return self.last is not None and self.last.began > moment

    def require_lawful(self) -> None:
        """Check that each refusal had its reason, and that no key got two answers."""
        assert not self.faults, self.faults[:5]
        for key, sent in self._sent.items():
            for one in sent:
                if one.status == 409:
                    assert any(_was_at_work(other, one) for other in sent if other is not one), f"409 for {key}, alone"
                if one.status == 422:
                    assert key in self.told, f"422 for {key}, which was not answered"
                    assert self.told[key].request != one.request, f"422 for the body that {key} was answered for"

    def _compare(self, request: Request, answer: Answer) -> None:
        digest, record = hashlib.sha256(answer.body).digest(), int(answer.headers["repayrank-record"])
        first = self.told.get(request.key)
        if first is None:
            self.told[request.key] = Told(request, digest, _ids(answer.body), record)
        elif (request, digest, record) != (first.request, first.sha256, first.record):
            self.faults.append(f"two answers to {request.key}: {first.record} {first.sha256.hex()}, then {record}")
        self.notes[answer.headers["repayrank-checkpoint"]] = None


def _was_at_work(other: Sending, meanwhile: Sending) -> bool:
    until = other.ended + (CUT_IS_AT_WORK_SECONDS if other.status == NOTHING else 0.0)
    return other.status != 409 and other.began <= meanwhile.ended and until >= meanwhile.began


class Traffic:
    """Callers who work side by side, each with a connection of its own, until there is nothing more to do.

    Parameters
    ----------
    work : what each of them does with its connection, for each request that it takes
    lines : a connection for each
    """

    def __init__(
        self,
        requests: Iterable[Request],
        work: Callable[[Line, Request], Any],
        lines: list[Line],
    ) -> None:
        self.taken = 0
        self._requests, self._work = iter(requests), work
        self._lock, self._ended = threading.Lock(), threading.Event()
        self._failed: list[BaseException] = []
        self._threads = [threading.Thread(target=self._run, args=(line,)) for line in lines]
        for thread in self._threads:
            thread.start()

    @property
    def is_over(self) -> bool:
        """Whether nobody works any more."""
        return not any(thread.is_alive() for thread in self._threads)

    def end(self) -> None:
        """Take nothing new, and wait for what has begun."""
        self._ended.set()
        self.join()

    def join(self) -> None:
        """Wait until all is done."""
        for thread in self._threads:
            thread.join()
        if self._failed:
            raise self._failed[0]

    def _run(self, line: Line) -> None:
        try:
            for request in iter(self._next, None):
                self._work(line, request)
        except BaseException as error:
            self._failed.append(error)
            self._ended.set()
        finally:
            line.close()

    def _next(self) -> Request | None:
        with self._lock:
            request = None if self._ended.is_set() else next(self._requests, None)
            self.taken += request is not None
        return request


def require_reconciled(ledger: Ledger, archive: Archive, *, seed: int, replayed: int = REPLAYED) -> Report:
    """Return the proof of the log after checking that it holds what was answered, once, and nothing else."""
    ledger.require_lawful()
    remembered = list(ledger.notes)[-NOTES_COMPARED:]
    report = verify(archive.place, [base64.b64decode(note) for note in remembered])
    found = dict(decisions(archive))
    lost = [key for key, told in ledger.told.items() if found.get(told.record) != told.ids]
    assert not lost, f"{len(lost)} answered and not on record as answered, such as {lost[0]} (seed {seed})"
    assert len(found) == len(ledger.told), f"{len(found)} records of {len(ledger.told)} requests (seed {seed})"
    assert len({told.record for told in ledger.told.values()}) == len(ledger.told)
    outcomes = list(replayed_all(archive, sampled(archive.place, replayed, seed)))
    assert [one for one in outcomes if one.verdict is not Verdict.EQUAL] == []
    assert len(outcomes) == min(replayed, len(found))
    return report


def decisions(archive: Archive) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yield the number of each record of decisions with the ids of its scores."""
    with reading(database_of(archive.place)) as tables:
        for row in checked_rows(tables, archive.place):
            if row.entry.asked.event == EVENT:
                kept = decision_record(row.entry.asked.record)["decisions"]
                yield row.entry.sequence, tuple(decision["score_id"] for decision in kept)


def _ids(body: bytes) -> tuple[str, ...]:
    (entries,) = json.loads(body).values()
    return tuple(entry["score_id"] for entry in entries)
