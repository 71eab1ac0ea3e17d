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
from collections import Counter, deque
from collections.abc import Callable, Collection, Mapping
from http import HTTPStatus
from itertools import islice

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
half as many a second made no difference then, nor did looking at all connections only 100 or 200 times a second.
"""
MOST_AT_ONCE = 40
"""Refusals that are told without a wait after a time with fewer."""
LONGEST_WAIT_SECONDS = 5.0
"""For the word: where so many wait that the pace would take longer, more are told in each round."""


class Shedding:
    """The word that sends callers away, and the count of those who were.

    Parameters
    ----------
    is_full : whether as much is in work as may be
    paths : what is refused then
    saw : counts a refusal: its path, its status and its seconds
    log : takes one line for all that were refused within a second
    now, later : the clock, and what calls a function some seconds later; by default those of the loop that serves
    """

    def __init__(
        self,
        is_full: Callable[[], bool],
        paths: Collection[str],
        saw: Callable[[str, int, float], None],
        log: Log,
        now: Callable[[], float] = time.monotonic,
        later: Callable[[float, Callable[[], None]], object] | None = None,
    ) -> None:
        self._is_full, self._saw, self._log, self._now = is_full, saw, log, now
        self._later = later or (lambda seconds, call: asyncio.get_running_loop().call_later(seconds, call))
        self._paths = {path.encode(): path for path in paths}
        self._waiting: deque[tuple[float, Callable[[], bool]]] = deque()
        self._expects_a_round = False
        self._may_tell, self._counted_at = float(MOST_AT_ONCE), now()
        self._untold: Counter[str] = Counter()
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

    def send_away(self, tell: Callable[[], bool]) -> None:
        """Have a caller told, at once or in a round.

        Parameters
        ----------
        tell : gives the word, and returns whether the caller was still there to hear it
        """
        self._count_up()
        if not self._waiting and self._may_tell >= 1:
            self._told(tell)
            return
        self._waiting.append((self._now() + LONGEST_WAIT_SECONDS, tell))
        self._wait_for_a_round()

    def _wait_for_a_round(self) -> None:
        if self._waiting and not self._expects_a_round:
            self._expects_a_round = True
            self._later(SECONDS_BETWEEN_TURNS, self._round)

    def _round(self) -> None:
        self._expects_a_round = False
        self._count_up()
        most, told = max(int(self._may_tell), self._in_time()), 0
        while self._waiting and told < most:
            told += self._told(self._waiting.popleft()[1])
        self._may_tell = max(0.0, self._may_tell)
        self._wait_for_a_round()

    def _in_time(self) -> int:
        """Return how many must be told in this round, that with as many in each further one nobody waits too long."""
        now = self._now()
        return max(
            (
                math.ceil((place + MOST_AT_ONCE) * SECONDS_BETWEEN_TURNS / max(until - now, SECONDS_BETWEEN_TURNS))
                for place, (until, _) in islice(enumerate(self._waiting), 0, None, MOST_AT_ONCE)
                if place + MOST_AT_ONCE <= len(self._waiting)
            ),
            default=0,
        )

    def _told(self, tell: Callable[[], bool]) -> bool:
        """Give one the word; a fault in that is not that of those who still wait."""
        try:
            heard = tell()
        except Exception as error:  # whatever it is
            self._log({"untold": type(error).__name__})
            return False
        self._may_tell -= heard
        return heard

    def _count_up(self) -> None:
        now = self._now()
        # While somebody waits, a round that comes late loses nothing of the pace.
        most = 2 * MOST_AT_ONCE if self._waiting else MOST_AT_ONCE
        self._may_tell = min(most, self._may_tell + (now - self._counted_at) / SECONDS_EACH)
        self._counted_at = now

    def word(self, path: str) -> bytes:
        """Return a refusal as it goes over the line, and count it; called from the loop that serves."""
        if not self._untold:
            self._later(SECONDS_TOLD_TOGETHER, self.tell)
        self._saw(path, int(BUSY.status), 0.0)
        self._untold[path] += 1
        return self._before + score_ids(1)[0].encode() + self._after

    def tell(self) -> None:
        """Log how many were sent away since it was told last."""
        for path, count in self._untold.items():
            self._log({"route": path, "status": int(BUSY.status), "times": count})
        self._untold.clear()
