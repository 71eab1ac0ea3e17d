"""The service's door: every path is answered here, bounded in size, time and number, and nothing sent is logged."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from http import HTTPStatus
from typing import Any

from features.errors import RepayrankError
from models.fitted_card import FittedCard
from serving import metrics, openapi, page
from serving.access.door import Door
from serving.access.roles import NOBODY, Caller, Role
from serving.decisions.recorder import Asked, Given, Recorder
from serving.early_refusals import BUSY, NO_LOG, NOT_FOUND, NOT_READY, RUNNING, STOPPED, wrong_method
from serving.found import written
from serving.http import (
    HTML,
    TEXT,
    Answer,
    Gone,
    Headers,
    Receive,
    Refused,
    Room,
    Scope,
    Send,
    idempotency_key,
    json_body,
    refused,
    send_answer,
)
from serving.ids import milliseconds, score_ids
from serving.records.callers import Recorded
from serving.records.errors import in_doubt
from serving.refusals import refusal_of, unforeseen
from serving.settings import Settings
from serving.shedding import Shedding
from serving.state import Loaded
from serving.together import MOST_TOGETHER, Outcome, Queue, rank_each, score_ready_together, score_together
from serving.watch import Watch

Log = Callable[[Mapping[str, object]], None]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

Work = Callable[[Sequence[bytes], Loaded, Settings], list[Outcome]]
SCORED: Mapping[str, tuple[Work, int]] = {
    "/v1/score": (score_together, MOST_TOGETHER),
    "/v1/score/features": (score_ready_together, MOST_TOGETHER),
    "/v1/rank": (rank_each, 1),
}
"""What computes the answers of a path, and how many requests it takes together."""

DECISIONS = "/v1/decisions/"
DECISION = f"{DECISIONS}{{score_id}}"
CHECKPOINT = "/v1/audit/checkpoint"
OF_THE_LOG = frozenset({DECISION, CHECKPOINT})

REFUSED = "repayrank_model_refused"
"""For each card: 1 while what its champion file says was refused, and the version from before goes on."""

OTHER = "other"
"""The route under which unknown paths are counted and logged: a path as sent may hold anything."""


class Lines:
    """Log lines on their way to standard error, as JSON.

    A disk that is full or a reader that is gone takes away lines, and nothing else: answers are given all the same.

    Attributes
    ----------
    lost : how many lines could not be written
    """

    def __init__(self) -> None:
        self.lost = 0

    def __call__(self, line: Mapping[str, object]) -> None:
        """Write one line."""
        try:
            sys.stderr.write(json.dumps(line, separators=(",", ":")) + "\n")
            sys.stderr.flush()
        except (OSError, ValueError):  # ValueError: it was closed
            self.lost += 1


to_stderr = Lines()


class Front:
    """An ASGI application; closed, and so not ready, until `open` gives it what to score with.

    Parameters
    ----------
    log : takes one line per request: route, status, milliseconds and id, never anything that was sent
    """

    def __init__(self, log: Log = to_stderr) -> None:
        self._log = log
        self._metrics = metrics.Metrics()
        self._settings = Settings()
        self._loaded: Loaded | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._reviews: ThreadPoolExecutor | None = None
        """Where a reviewer's reading searches the log, which may take long: scores do not wait for it."""
        self._in_use: Loaded | None = None
        """What is scored with, also for what has begun when the service stops; `_loaded` is None from then on."""
        self._queues: Mapping[str, Queue[Asked, Given]] = {}
        self._recorder: Recorder | None = None
        self._door: Door | None = None
        self._room = Room(self._settings.most_bytes_held)
        self._running: set[str] = set()
        """Requests that are being computed or written, by the key under which the log will hold them."""
        self._watch: Watch | None = None
        self._documents: dict[str, Answer] = {}

    @property
    def is_open(self) -> bool:
        """Whether there is something to score with."""
        return self._loaded is not None

    @property
    def cards(self) -> Mapping[str, FittedCard]:
        """The cards that are answered, by name."""
        return {} if self._loaded is None else self._loaded.cards

    def open(
        self, loaded: Loaded, settings: Settings, recorder: Recorder | None = None, door: Door | None = None
    ) -> None:
        """Begin to answer.

        Parameters
        ----------
        recorder : writes every decision down before it is answered; closed with the front
        door : says who may ask what; without one everybody may, as in a test
        """
        self._settings, self._recorder, self._door = settings, recorder, door
        self._room = Room(settings.most_bytes_held)
        self._pool = ThreadPoolExecutor(settings.threads, thread_name_prefix="score")
        self._reviews = ThreadPoolExecutor(1, thread_name_prefix="review")
        self._queues = {
            route: Queue(self._pool, partial(self._computed, route), _size, settings.threads, most)
            for route, (_, most) in SCORED.items()
        }
        self.swap(loaded)
        self._watch = Watch(
            loaded, settings, self.swap, self._log, None if recorder is None else recorder.refused_version
        )

    def swap(self, loaded: Loaded) -> None:
        """Answer with other cards from now on; a computation that has begun ends with the cards it began with."""
        self._documents = {
            "/": Answer(
                page.page(loaded.cards.values(), loaded.policy.version), content_type=HTML, policy=page.CONTENT_POLICY
            ),
            "/v1/features": Answer(written({"features": loaded.dictionary()})),
            "/v1/openapi.json": Answer(written(openapi.document(loaded, self._settings))),
            "/v1/models": Answer(written({"models": [card.summary() for card in loaded.cards.values()]})),
        }
        self._in_use = self._loaded = loaded

    def close(self) -> None:
        """Stop answering; what has begun is finished."""
        if self._watch is not None:
            self._watch.stop()
        self._loaded = None
        for pool in (self._pool, self._reviews):
            if pool is not None:
                pool.shutdown(wait=True)
        if self._recorder is not None:
            self._recorder.close()

    def shedding(self) -> Shedding:
        """Return what sends callers away before their requests are read, while as many are in work as may be."""
        return Shedding(self._is_full, SCORED, self._metrics.saw, self._log)

    def before(self, behind: App) -> App:
        """Return the application with another one behind it, which is told when its life begins and ends, and no more.

        BentoML's own page loads a tracker, and its documents describe none of our paths.
        """

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http":
                await self(scope, receive, send)
            elif scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1003})
            else:
                await behind(scope, receive, send)

        return app

    def _computed(self, route: str, asked: list[Asked]) -> list[Given | Exception]:
        loaded, settings = self._in_use, self._settings
        assert loaded is not None, "a queue is made when there is something to score with"

        def compute(bodies: Sequence[bytes]) -> list[Outcome]:
            return SCORED[route][0](bodies, loaded, settings)

        if self._recorder is not None:
            return self._recorder.answers(route, asked, compute)
        outcomes = compute([one.body for one in asked])
        return [
            outcome if isinstance(outcome, Exception) else Given(one.form(outcome).answer())
            for one, outcome in zip(asked, outcomes, strict=True)
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        began, request_id = time.perf_counter(), score_ids(1)[0]
        route = _route(scope["path"])
        try:
            answer = await self._answer(route, scope, receive)
        except Gone:
            return
        except Refused as error:
            answer = refused(error.refusal)
        except RepayrankError as error:
            answer = refused(refusal_of(error))
        except Exception as error:
            self._log({"incident": request_id, "error": type(error).__name__, "at": _place(error)})
            answer = refused(unforeseen(request_id))
        seconds = time.perf_counter() - began
        self._metrics.saw(route, int(answer.status), seconds)
        if route not in UNLOGGED or answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            self._log({"route": route, "status": int(answer.status), "ms": round(1000 * seconds, 2), "id": request_id})
        await send_answer(send, answer, request_id, with_body=scope["method"] != "HEAD")

    async def _answer(self, route: str, scope: Scope, receive: Receive) -> Answer:
        caller = NOBODY if self._door is None else self._door.admitted(route, scope["method"], scope["headers"])
        if route == OTHER:
            raise Refused(NOT_FOUND)
        if scope["method"] not in ROUTES[route]:
            raise Refused(wrong_method(ROUTES[route]))
        if route in SCORED:
            return await self._scored(route, scope, receive, caller)
        if route == "/livez":
            return Answer(b'{"alive":true}')
        if route == "/metrics":
            gauges = {"repayrank_log_lines_lost": to_stderr.lost, **_gauges(self._recorder)}
            refused = {} if self._watch is None else {REFUSED: self._watch.refused()}
            return Answer(self._metrics.text(gauges, refused), content_type=metrics.CONTENT_TYPE)
        if self._loaded is None:
            raise Refused(NOT_READY)
        if route == "/readyz":
            if self._recorder is not None and self._recorder.is_stopped:
                raise Refused(STOPPED)
            told = {name: card.identity() for name, card in self._loaded.cards.items()}
            return Answer(written({"ready": True, "cards": told}))
        if route in OF_THE_LOG:
            return await self._from_the_log(route, scope, caller)
        return self._documents[route]

    async def _scored(self, route: str, scope: Scope, receive: Receive, caller: Caller) -> Answer:
        settings = self._settings
        if self._loaded is None:
            raise Refused(NOT_READY)
        key = "" if self._recorder is None else idempotency_key(scope)
        # A place among those in work is taken only by a request that is whole: slow senders hold up nobody.
        with self._room.taken() as room:
            body = await json_body(
                scope, receive, room=room, most_bytes=settings.most_bytes, seconds=settings.read_seconds
            )
            if self._is_full():
                raise Refused(BUSY)
            self._metrics.in_flight += 1
            try:
                asked = Asked(body, key, caller.actor, caller.role, full=caller.role is not Role.ENGINE)
                # Off the event loop: while one request is computed, others are still accepted or told to wait.
                if self._recorder is None:
                    return Answer((await self._queues[route].answer(asked)).answer)
                return await self._recorded(route, asked, self._recorder)
            finally:
                self._metrics.in_flight -= 1

    def _is_full(self) -> bool:
        return self._metrics.in_flight >= self._settings.most_in_flight

    async def _recorded(self, route: str, asked: Asked, recorder: Recorder) -> Answer:
        name = recorder.name(asked)
        if name in self._running:
            raise Refused(RUNNING)
        self._running.add(name)
        try:
            given = await self._queues[route].answer(asked)
            if given.written is None:
                return Answer(given.answer, headers=_receipt(given.sequence, recorder))
            recorded = await _written(given.written, recorder.store.patience)
            return Answer(recorder.told(given, recorded, asked), headers=_receipt(recorded.sequence, recorder))
        finally:
            self._running.discard(name)

    async def _from_the_log(self, route: str, scope: Scope, caller: Caller) -> Answer:
        recorder = self._recorder
        if recorder is None or self._reviews is None:
            raise Refused(NO_LOG)
        if route == CHECKPOINT:
            return Answer(recorder.store.anchored[1], content_type=TEXT)
        read = partial(
            recorder.explained,
            scope["path"].removeprefix(DECISIONS),
            reader=caller.actor,
            role=caller.role,
            reason=caller.reason or "",
        )
        return Answer(written(await asyncio.get_running_loop().run_in_executor(self._reviews, read)))


def _route(path: str) -> str:
    """Return the route of a path; whatever is not served is one and the same."""
    if path.startswith(DECISIONS) and milliseconds(path.removeprefix(DECISIONS)) is not None:
        return DECISION
    return path if path in ROUTES and path != DECISION else OTHER


def _gauges(recorder: Recorder | None) -> dict[str, float]:
    """Return what is counted of the log."""
    if recorder is None:
        return {}
    store = recorder.store
    return {
        "repayrank_records": store.size,
        "repayrank_records_waiting": store.waiting,
        # Of several services on one log, one signs, and may have signed more than this one has seen written.
        "repayrank_records_unsigned": max(0, store.size - store.anchored[0].size),
        "repayrank_record_commits": store.commits,
        "repayrank_log_stopped": recorder.is_stopped,
        "repayrank_disk_free": recorder.disks.free,
    }


async def _written(future: Future[Recorded], seconds: float) -> Recorded:
    """Return what became of a record; a disk that hangs tells it to nobody, so that there is an end to the waiting."""
    try:
        async with asyncio.timeout(seconds):
            # Given up here alone: the record itself cannot be cancelled, and others may wait for it.
            return await asyncio.wrap_future(future)
    except TimeoutError:
        raise in_doubt("a disk or a database that does not answer") from None


def _size(asked: Asked) -> int:
    return len(asked.body)


def _receipt(sequence: int | None, recorder: Recorder) -> Headers:
    """Return what leads from an answer to its record, and the newest signed checkpoint as evidence."""
    note = base64.b64encode(recorder.store.anchored[1])
    return ((b"repayrank-record", str(sequence).encode()), (b"repayrank-checkpoint", note))


READ = ("GET", "HEAD")
ROUTES: Mapping[str, tuple[str, ...]] = {
    "/": READ,
    "/v1/features": READ,
    "/v1/openapi.json": READ,
    "/livez": READ,
    "/readyz": READ,
    "/metrics": READ,
    "/v1/models": READ,
    CHECKPOINT: READ,
    DECISION: ("GET",),
    **dict.fromkeys(SCORED, ("POST",)),
}
UNLOGGED = frozenset({"/livez", "/readyz", "/metrics"})
"""Asked every few seconds by machines: in the log they would hide the rest."""


def _place(error: BaseException) -> str:
    """Return file and line of an error, which tell where to look and nothing of what was sent."""
    last: Any = traceback.extract_tb(error.__traceback__)[-1]
    return f"{last.filename.rpartition('/')[2]}:{last.lineno}"
