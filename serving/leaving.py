"""A service that is told to stop says for a while that it is not ready, so that nobody sends it work when it is gone.

Whoever spreads requests over several services asks each every few seconds whether it is ready. One that stops to listen
at once is found out by callers instead, whose connections are refused.
"""

from __future__ import annotations

import signal
import time
from http import HTTPStatus
from types import FrameType
from typing import Any

import uvicorn

from serving.http import Receive, Scope, Send, refused, send_answer
from serving.ids import score_ids
from serving.refusals import AGAIN, Refusal

LEAVING = Refusal(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "leaving",
    "a process that has been told to stop",
    "this process",
    "a process that stays",
    "send what is new to another service, or to this one after its next start",
    headers=AGAIN,
)


class LeavingServer(uvicorn.Server):
    """A server that goes on for some seconds after SIGTERM, but for readiness; a second, or Ctrl-C, cuts that short.

    Parameters
    ----------
    config : of uvicorn
    seconds : longer than those who ask for readiness take to ask again; 0 to stop at once
    """

    def __init__(self, config: uvicorn.Config, seconds: float) -> None:
        super().__init__(config)
        self._seconds = seconds
        self._leaves_at: float | None = None
        app: Any = config.app

        async def ready_no_more(scope: Scope, receive: Receive, send: Send) -> None:
            if self._leaves_at is not None and scope["type"] == "http" and scope["path"] == "/readyz":
                await send_answer(send, refused(LEAVING), score_ids(1)[0], with_body=scope["method"] != "HEAD")
            else:
                await app(scope, receive, send)

        config.app = ready_no_more

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to leave, or stop."""
        if sig == signal.SIGTERM and self._seconds and self._leaves_at is None:
            self._leaves_at = time.monotonic() + self._seconds
        else:
            super().handle_exit(sig, frame)

    async def on_tick(self, counter: int) -> bool:
        """Return whether it is time to stop."""
        if self._leaves_at is not None and time.monotonic() >= self._leaves_at:
            self.should_exit = True
        return await super().on_tick(counter)
