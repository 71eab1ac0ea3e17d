"""A way to a service on which connections are cut around a request, at each point where that differs."""

from __future__ import annotations

import random
import socket
import threading
import time
from collections import Counter
from contextlib import suppress

CHUNK = 2**16
LATE_SECONDS = 0.3
MODES = ("not whole", "head alone", "no answer", "sent late", "answer cut", "answer lost", "answer held")
"""Where a connection is cut.

not whole       the service sees a part of the request
head alone      it sees the head, and no body
no answer       it gets the request and loses its caller at once
sent late       the caller is cut, and the request reaches the service when the caller may be back already
answer cut      the caller gets a part of the answer
answer lost     the service has answered, and the caller gets nothing
answer held     the caller gets the answer after it has given up waiting, so to nobody
"""


class HttpProxy:
    """Passes requests on one by one, and cuts a share of them while it is `cutting`.

    Parameters
    ----------
    held : seconds for which an answer is held: longer than callers wait
    """

    def __init__(self, service: tuple[str, int], seed: int, share: float, held: float) -> None:
        self.cuts: Counter[str] = Counter()
        self.cutting = True
        self._service, self._chosen, self._share, self._held = service, random.Random(seed), share, held
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.address: tuple[str, int] = self._listener.getsockname()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take nobody any more."""
        ended(self._listener)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                caller, _ = self._listener.accept()
                threading.Thread(target=self._pass_on, args=(caller,), daemon=True).start()

    def _pass_on(self, caller: socket.socket) -> None:
        with suppress(OSError), caller, socket.create_connection(self._service, 60.0) as service:
            while request := message(caller):
                mode, at = self._mode()
                if mode is not None:
                    self._cut(mode, at, request, caller, service)
                    return
                service.sendall(request)
                caller.sendall(message(service))

    def _mode(self) -> tuple[str | None, float]:
        with self._lock:
            if not self.cutting or self._chosen.random() >= self._share:
                return None, 0.0
            mode = self._chosen.choice(MODES)
            self.cuts[mode] += 1
            return mode, self._chosen.random()

    def _cut(self, mode: str, at: float, request: bytes, caller: socket.socket, service: socket.socket) -> None:
        if mode == "not whole":
            service.sendall(request[: 1 + int(at * (len(request) - 2))])
            return
        if mode == "head alone":
            service.sendall(request[: request.index(b"\r\n\r\n") + 4])
            return
        if mode == "sent late":
            ended(caller)
            time.sleep(at * LATE_SECONDS)
        service.sendall(request)
        if mode == "no answer":
            return
        answer = message(service)
        if mode == "answer cut":
            caller.sendall(answer[: 1 + int(at * (len(answer) - 2))])
        if mode == "answer held":
            time.sleep(self._held)
            with suppress(OSError):
                caller.sendall(answer)


def message(line: socket.socket) -> bytes:
    """Return the next request or answer on a connection, or nothing where it ends before."""
    received = b""
    while b"\r\n\r\n" not in received:
        chunk = line.recv(CHUNK)
        if not chunk:
            return b""
        received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    lengths = [int(field[15:]) for field in head.lower().split(b"\r\n") if field.startswith(b"content-length:")]
    parts, left = [received], (lengths[0] if lengths else 0) - len(body)
    while left > 0:
        chunk = line.recv(CHUNK)
        if not chunk:
            return b""
        parts.append(chunk)
        left -= len(chunk)
    return b"".join(parts)


def ended(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
