"""Who asks for a score while as many are in work as can be is told so before anything else is done for it.

A service that spends a third of its time on saying "not now" answers a third fewer. So this is said from the headers
alone: the token is not looked at, the body is not kept, and the log tells how many were refused in each second instead
of each of them. Of those that are told in one second the number is bounded too: more wait for the word, which keeps
them from asking again meanwhile, and are told together, ten times a second.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from http import HTTPStatus

from serving.early_refusals import BUSY
from serving.http import JSON, LOCKED, SAFE, refused
from serving.ids import score_ids

Log = Callable[[Mapping[str, object]], None]
SECONDS_TOLD_TOGETHER = 1.0
SECONDS_EACH = 1 / 400
"""Between two refusals. One takes some 0.2 ms of the interpreter that also computes: so many cost it a twelfth."""
SECONDS_BETWEEN_TURNS = 0.1
"""Those who wait for the word are told together: one by one, each took the interpreter away from what was computed.

At three times what can be answered a sixth more was answered when they were told together (four turns each). To tell
half as many a second made no difference then.
"""
MOST_AT_ONCE = 40
"""Refusals that are told without a wait after a time with fewer."""


class Shedding:
    """The word that sends callers away, and the count of those who were.

    Parameters
    ----------
    is_full : whether as much is in work as may be
    paths : what is refused then
    saw : counts a refusal: its path, its status and its seconds
    log : takes one line for all that were refused within a second
    """

    def __init__(
        self,
        is_full: Callable[[], bool],
        paths: Collection[str],
        saw: Callable[[str, int, float], None],
        log: Log,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._is_full, self._saw, self._log, self._now = is_full, saw, log, now
        self._paths = {path.encode(): path for path in paths}
        self._untold: Counter[str] = Counter()
        self._next = now() - SECONDS_TOLD_TOGETHER
        answer = refused(BUSY)
        headers = [
            (b"content-type", JSON),
            (b"content-length", str(len(answer.body)).encode()),
            (b"content-security-policy", LOCKED),
            *SAFE,
            *answer.headers,
        ]
        lines = b"".join(b"%b: %b\r\n" % header for header in headers)
        self._before = b"HTTP/1.1 %d %b\r\n%bx-request-id: " % (
            answer.status,
            HTTPStatus(answer.status).phrase.encode(),
            lines,
        )
        self._after = b"\r\n\r\n" + answer.body

    def refuses(self, method: bytes, target: bytes) -> str | None:
        """Return the path of a request that finds no place; None for one that is taken."""
        return self._paths.get(target) if method == b"POST" and self._is_full() else None

    def wait(self) -> float:
        """Return the seconds until one more may be told, and count it as told; who has to wait is told in a round."""
        now = self._now()
        self._next = max(self._next + SECONDS_EACH, now - MOST_AT_ONCE * SECONDS_EACH)
        if self._next <= now:
            return 0.0
        return math.ceil(self._next / SECONDS_BETWEEN_TURNS) * SECONDS_BETWEEN_TURNS - now

    def word(self, path: str) -> bytes:
        """Return a refusal as it goes over the line, and count it; called from the loop that serves."""
        if not self._untold:
            asyncio.get_running_loop().call_later(SECONDS_TOLD_TOGETHER, self.tell)
        self._saw(path, int(BUSY.status), 0.0)
        self._untold[path] += 1
        return self._before + score_ids(1)[0].encode() + self._after

    def tell(self) -> None:
        """Log how many were sent away since it was told last."""
        for path, count in self._untold.items():
            self._log({"route": path, "status": int(BUSY.status), "times": count})
        self._untold.clear()
