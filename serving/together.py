"""Requests that wait at the same time, answered in one computation: fifty borrowers cost little more than one.

Each gets the answer that it would get alone, to the bit, but for the ids of the scores. Loans and borrowers of
different requests are kept apart by a mark before their ids; a request with any fault is answered alone, so that what
it is told is about itself.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from functools import cache
from itertools import islice
from typing import Any, Generic, TypeVar

from features.errors import RepayrankError
from features.tables import BORROWER, declaration
from models.assessment import Assessment, assess
from serving import answers, ready, requests
from serving.found import SCORES, Found
from serving.ready import Ready
from serving.score import ranked, scored
from serving.settings import Settings
from serving.state import Loaded
from serving.strict_json import read_object

Outcome = Found | Exception
"""What becomes of a request: what was found, or the error that refuses it."""

Asked = TypeVar("Asked")
Given = TypeVar("Given")

MOST_TOGETHER = 64
"""Requests that are computed together; the answer of the first waits for that of the last."""

MOST_BYTES_TOGETHER = 2**18
"""Bytes of bodies that are computed together: small requests do not wait for a large one."""

MARK = "|"


class Queue(Generic[Asked, Given]):
    """Requests in order of arrival: one that finds nothing to wait for starts at once, others start together.

    Parameters
    ----------
    pool : where the work is done, off the event loop
    work : takes requests and returns for each what it gets, or the error that refuses it
    size : bytes of a request's body
    workers : how many computations run at a time
    most : requests that are computed together
    """

    def __init__(
        self,
        pool: Executor,
        work: Callable[[list[Asked]], Sequence[Given | Exception]],
        size: Callable[[Asked], int],
        workers: int,
        most: int = MOST_TOGETHER,
    ) -> None:
        self._pool, self._work, self._size, self._free, self._most = pool, work, size, workers, most
        self._waiting: deque[tuple[Asked, asyncio.Future[Given]]] = deque()

    async def answer(self, asked: Asked) -> Given:
        """Return what a request gets, or raise the error that refuses it."""
        told: asyncio.Future[Given] = asyncio.get_running_loop().create_future()
        self._waiting.append((asked, told))
        self._start()
        return await told

    def _start(self) -> None:
        while self._waiting and self._free:
            self._free -= 1
            asked = self._next()
            running = asyncio.get_running_loop().run_in_executor(self._pool, self._work, [one for one, _ in asked])
            running.add_done_callback(lambda done, asked=asked: self._finish(done, asked))  # type: ignore[misc]

    def _next(self) -> list[tuple[Asked, asyncio.Future[Given]]]:
        taken = [self._waiting.popleft()]
        size = self._size(taken[0][0])
        while self._waiting and len(taken) < self._most:
            size += self._size(self._waiting[0][0])
            if size > MOST_BYTES_TOGETHER:
                break
            taken.append(self._waiting.popleft())
        return taken

    def _finish(
        self,
        done: asyncio.Future[Sequence[Given | Exception]],
        asked: list[tuple[Asked, asyncio.Future[Given]]],
    ) -> None:
        self._free += 1
        failed = done.exception()
        outcomes: Sequence[Given | BaseException] = done.result() if failed is None else [failed] * len(asked)
        for (_, told), outcome in zip(asked, outcomes, strict=True):
            if told.cancelled():  # the caller hung up
                continue
            if isinstance(outcome, BaseException):
                told.set_exception(outcome)
            else:
                told.set_result(outcome)
        self._start()


def score_together(bodies: Sequence[bytes], loaded: Loaded, settings: Settings) -> list[Outcome]:
    """Return the outcome of `/v1/score` for each body."""
    outcomes: dict[int, Outcome] = {}
    alike: dict[object, list[int]] = {}
    plains: dict[int, dict[str, Any]] = {}
    for place, body in enumerate(bodies):
        try:
            plains[place] = read_object(body)
        except RepayrankError as error:
            outcomes[place] = error
        else:
            alike.setdefault(kind(plains[place], place), []).append(place)
    for places in alike.values():
        outcomes |= zip(places, _answered([plains[place] for place in places], loaded, settings), strict=True)
    return [outcomes[place] for place in range(len(bodies))]


def score_ready_together(bodies: Sequence[bytes], loaded: Loaded, settings: Settings) -> list[Outcome]:
    """Return the outcome of `/v1/score/features` for each body."""
    outcomes: dict[int, Outcome] = {}
    alike: dict[object, list[tuple[int, Ready]]] = {}
    for place, body in enumerate(bodies):
        try:
            asked = ready.read(body, loaded, settings)
        except Exception as error:  # whatever it is, it is told to the one who sent it and to no other
            outcomes[place] = error
        else:
            alike.setdefault((asked.card, asked.observed_on), []).append((place, asked))
    for members in alike.values():
        answered = _rows_answered([asked for _, asked in members], loaded)
        outcomes |= zip([place for place, _ in members], answered, strict=True)
    return [outcomes[place] for place in range(len(bodies))]


def rank_each(bodies: Sequence[bytes], loaded: Loaded, settings: Settings) -> list[Outcome]:
    """Return the outcome of `/v1/rank` for each body, one after another: a ranking compares its own loans."""
    return [_outcome(lambda body=body: ranked(read_object(body), loaded, settings)) for body in bodies]  # type: ignore[misc]


def _outcome(found: Callable[[], Found]) -> Outcome:
    try:
        return found()
    except Exception as error:
        return error


def _rows_answered(asked: list[Ready], loaded: Loaded) -> list[Outcome]:
    try:
        assessment = ready.assessed(asked, loaded)
        entries = enumerate(answers.scores(assessment))
    except Exception as error:
        if len(asked) == 1:
            return [error]
        half = len(asked) // 2
        return [outcome for part in (asked[:half], asked[half:]) for outcome in _rows_answered(part, loaded)]
    outcomes: list[Outcome] = []
    for one in asked:
        taken = list(islice(entries, len(one.rows)))
        outcomes.append(
            Found(one.plain(), assessment, [case for case, _ in taken], [entry for _, entry in taken], SCORES)
        )
    return outcomes


def kind(plain: Mapping[str, Any], place: int) -> object:
    """Return what requests share that can be computed together; a strange one shares it with no other."""
    tables = plain.get("tables")
    asked = tuple(plain.get(key) for key in requests.KEYS if key != "tables")
    if not isinstance(tables, dict) or plain.keys() - set(requests.KEYS) or {*map(type, asked)} - {str, type(None)}:
        return place
    if not all(isinstance(rows, list) and all(isinstance(row, dict) for row in rows) for rows in tables.values()):
        return place
    return (*asked, tuple(sorted(tables)))  # a table that was not sent is not known; an empty one is known to be so


def _answered(plains: list[dict[str, Any]], loaded: Loaded, settings: Settings) -> list[Outcome]:
    if len(plains) > 1:
        try:
            return _as_one(plains, loaded, settings)
        except Exception:  # whose fault it was is found by halves: a faulty request costs the others a few computations
            half = len(plains) // 2
            return [outcome for part in (plains[:half], plains[half:]) for outcome in _answered(part, loaded, settings)]
    return [_outcome(lambda: scored(plains[0], loaded, settings))]


def _as_one(plains: list[dict[str, Any]], loaded: Loaded, settings: Settings) -> list[Outcome]:
    assessment = assessed(plains, loaded, settings)
    found = [Found(plain, assessment, [], [], SCORES) for plain in plains]
    for case, entry in enumerate(answers.scores(assessment)):
        place, _, loan = entry["loan_id"].partition(MARK)
        found[int(place)].cases.append(case)
        found[int(place)].entries.append({**entry, "loan_id": loan})
    return list(found)


def assessed(plains: Sequence[Mapping[str, Any]], loaded: Loaded, settings: Settings) -> Assessment:
    """Return the assessment of requests of one kind, one after another; each loan's id behind its request's mark."""
    tables = {
        name: [row for place, plain in enumerate(plains) for row in _marked(plain["tables"][name], name, place)]
        for name in plains[0]["tables"]
    }
    request = requests.request_of({**plains[0], "tables": tables}, loaded.cards, most_loans=settings.most_loans)
    return assess(request.history, loaded.cards[request.card], loaded.policy)


def _marked(rows: list[dict[str, Any]], table: str, place: int) -> list[dict[str, Any]]:
    """Return rows whose ids are told apart from those of other requests; what is no id stays a fault.

    Two requests may tell of the same loan, and so of the same payments: a key that came twice would be a fault.
    """
    ids = _ids(table)
    return [
        {**row, **{key: f"{place}{MARK}{row[key]}" for key in ids if isinstance(row.get(key), str) and row[key]}}
        for row in rows
    ]


@cache
def _ids(table: str) -> tuple[str, ...]:
    declared = declaration(table)
    named = ("loan_id", BORROWER) if table == "loans" else (declared.about, *declared.identity())
    return tuple(dict.fromkeys(name for name in named if name.endswith("_id")))
