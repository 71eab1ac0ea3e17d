"""The service's door: every path is answered here, bounded in size, time and number, and nothing sent is logged."""

from __future__ import annotations

import asyncio
import json
import sys
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http import HTTPStatus
from typing import Any

from features.errors import RepayrankError
from models.fitted_card import FittedCard
from serving import metrics, openapi, page
from serving import score as scoring
from serving.http import (
    HTML,
    Answer,
    Gone,
    Headers,
    Receive,
    Refused,
    Scope,
    Send,
    json_body,
    refused,
    send_answer,
)
from serving.ids import score_ids
from serving.refusals import Refusal, refusal_of, unforeseen
from serving.settings import Settings
from serving.state import Loaded
from serving.together import Outcome, Queue, score_ready_together, score_together
from serving.watch import Watch

Log = Callable[[Mapping[str, object]], None]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

TOGETHER: Mapping[str, Callable[[Sequence[bytes], Loaded, Settings], list[Outcome]]] = {
    "/v1/score": score_together,
    "/v1/score/features": score_ready_together,
}
"""What is computed together for requests that wait at the same time."""
RANK = "/v1/rank"
"""Computed request by request: a ranking compares its own loans."""

SCORED = (*TOGETHER, RANK)
HANDED_ON = frozenset({"/healthz"})
"""What BentoML's own application may answer. Its page loads a tracker, and its documents describe none of our paths."""

OTHER = "other"
"""The route under which unknown paths are counted and logged: a path as sent may hold anything."""

AGAIN: Headers = ((b"retry-after", b"1"),)


def to_stderr(line: Mapping[str, object]) -> None:
    """Write one log line as JSON."""
    sys.stderr.write(json.dumps(line, separators=(",", ":")) + "\n")
    sys.stderr.flush()


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
        self._in_use: Loaded | None = None
        """What is scored with, also for what has begun when the service stops; `_loaded` is None from then on."""
        self._queues: Mapping[str, Queue] = {}
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

    def open(self, loaded: Loaded, settings: Settings) -> None:
        """Begin to answer."""
        self._settings = settings
        self._pool = ThreadPoolExecutor(settings.threads, thread_name_prefix="score")
        self._queues = {
            route: Queue(self._pool, partial(self._computed, route), settings.threads) for route in TOGETHER
        }
        self.swap(loaded)
        self._watch = Watch(loaded, settings, self.swap, self._log)

    def swap(self, loaded: Loaded) -> None:
        """Answer with other cards from now on; a computation that has begun ends with the cards it began with."""
        self._documents = {
            "/": Answer(
                page.page(loaded.cards.values(), loaded.policy.version), content_type=HTML, policy=page.CONTENT_POLICY
            ),
            "/v1/features": Answer(scoring.written({"features": loaded.dictionary()})),
            "/v1/openapi.json": Answer(scoring.written(openapi.document(loaded, self._settings))),
        }
        self._in_use = self._loaded = loaded

    def close(self) -> None:
        """Stop answering; what has begun is finished."""
        if self._watch is not None:
            self._watch.stop()
        self._loaded = None
        if self._pool is not None:
            self._pool.shutdown(wait=True)

    def before(self, behind: App) -> App:
        """Return the application with another one behind it, which gets its own life and the paths handed on."""

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http" and scope["path"] not in HANDED_ON:
                await self(scope, receive, send)
            elif scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1003})
            else:
                await behind(scope, receive, send)

        return app

    def _computed(self, route: str, bodies: list[bytes]) -> list[Outcome]:
        assert self._in_use is not None, "a queue is made when there is something to score with"
        return TOGETHER[route](bodies, self._in_use, self._settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        began, request_id = time.perf_counter(), score_ids(1)[0]
        route = scope["path"] if scope["path"] in ROUTES else OTHER
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
        if route == OTHER:
            raise Refused(NOT_FOUND)
        if scope["method"] not in ROUTES[route]:
            raise Refused(_wrong_method(ROUTES[route]))
        if route in SCORED:
            return await self._scored(route, scope, receive)
        if route == "/livez":
            return Answer(b'{"alive":true}')
        if route == "/metrics":
            return Answer(self._metrics.text(), content_type=metrics.CONTENT_TYPE)
        if self._loaded is None:
            raise Refused(NOT_READY)
        if route == "/readyz":
            told = {name: card.identity() for name, card in self._loaded.cards.items()}
            return Answer(scoring.written({"ready": True, "cards": told}))
        return self._documents[route]

    async def _scored(self, route: str, scope: Scope, receive: Receive) -> Answer:
        loaded, pool, settings = self._loaded, self._pool, self._settings
        if loaded is None or pool is None:
            raise Refused(NOT_READY)
        if self._metrics.in_flight >= settings.most_in_flight:
            raise Refused(BUSY)
        self._metrics.in_flight += 1
        try:
            body = await json_body(scope, receive, most_bytes=settings.most_bytes, seconds=settings.read_seconds)
            # Off the event loop: while one request is computed, others are still accepted, refused or told to wait.
            if route in self._queues:
                return Answer(await self._queues[route].answer(body))
            ranked = asyncio.get_running_loop().run_in_executor(pool, scoring.rank, body, loaded, settings)
            return Answer(await ranked)
        finally:
            self._metrics.in_flight -= 1


READ = ("GET", "HEAD")
ROUTES: Mapping[str, tuple[str, ...]] = {
    "/": READ,
    "/v1/features": READ,
    "/v1/openapi.json": READ,
    "/livez": READ,
    "/readyz": READ,
    "/metrics": READ,
    **dict.fromkeys(SCORED, ("POST",)),
}
UNLOGGED = frozenset({"/livez", "/readyz", "/metrics"})
"""Asked every few seconds by machines: in the log they would hide the rest."""

NOT_FOUND = Refusal(
    HTTPStatus.NOT_FOUND,
    "not_found",
    "a path that is not served",
    "the path",
    f"one of {', '.join(ROUTES)}",
    "see GET /v1/openapi.json",
)
NOT_READY = Refusal(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "not_ready",
    "no model is loaded",
    "this process",
    "a process that has started and is not stopping",
    "wait until GET /readyz answers 200",
    headers=AGAIN,
)
BUSY = Refusal(
    HTTPStatus.TOO_MANY_REQUESTS,
    "busy",
    "as many requests as can be taken at a time",
    "this process",
    "fewer requests at a time",
    "send the request again after a second, or several loans in one request",
    headers=AGAIN,
)


def _wrong_method(allowed: tuple[str, ...]) -> Refusal:
    return Refusal(
        HTTPStatus.METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "another method",
        "the request line",
        " or ".join(allowed),
        "see GET /v1/openapi.json",
        headers=((b"allow", ", ".join(allowed).encode()),),
    )


def _place(error: BaseException) -> str:
    """Return file and line of an error, which tell where to look and nothing of what was sent."""
    last: Any = traceback.extract_tb(error.__traceback__)[-1]
    return f"{last.filename.rpartition('/')[2]}:{last.lineno}"
