"""Connections that take too long to say what they want are closed, so that a thousand of them hold up nobody.

uvicorn limits how long a connection may rest between requests, not how long the first line and the headers of one may
take; bodies have their own limit (`serving.http`).
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

SECONDS_FOR_HEADERS = 5.0


class Impatient(HttpToolsProtocol):
    """HTTP/1.1 whose headers arrive within `SECONDS_FOR_HEADERS` or not at all."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first request."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._heard()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """Wait for the headers of this request."""
        super().on_message_begin()
        self._wait()

    def on_headers_complete(self) -> None:
        """Go on without hurry: whoever reads the body has a limit of its own."""
        self._heard()
        super().on_headers_complete()

    def _wait(self) -> None:
        self._heard()
        self._patience = self.loop.call_later(SECONDS_FOR_HEADERS, self._give_up)

    def _heard(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _give_up(self) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.abort()
