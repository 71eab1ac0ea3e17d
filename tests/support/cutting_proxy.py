"""A way to a PostgreSQL server on which connections are cut around their COMMIT, at each point where that differs."""

from __future__ import annotations

import random
import socket
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

COMMIT = b"COMMIT\0"
CHUNK = 2**16
LATE_SECONDS = 0.03
MODES = ("not sent", "no answer", "answer lost", "both at once", "sent late")
"""Where a connection is cut.

not sent        the server never sees the COMMIT
no answer       the server gets it, and its answer meets no client
answer lost     the server has answered, and the answer is thrown away
both at once    the server gets it and loses its client at once
sent late       the client is cut, and the COMMIT reaches the server when the client may be back already
"""


class Proxy:
    """Passes a Unix socket on to a server's, and cuts a share of the commits while it is `cutting`."""

    def __init__(self, folder: Path, server: Path, seed: int, share: float) -> None:
        self.cuts: Counter[str] = Counter()
        self.cutting = False
        self._server, self._chosen, self._share = server, random.Random(seed), share
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / server.name))
        self._listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            try:
                server.connect(str(self._server))
            except OSError:
                client.close()
                continue
            dropped = threading.Event()
            threading.Thread(target=self._forth, args=(client, server, dropped), daemon=True).start()
            threading.Thread(target=self._back, args=(client, server, dropped), daemon=True).start()

    def _forth(self, client: socket.socket, server: socket.socket, dropped: threading.Event) -> None:
        with suppress(OSError):
            while chunk := client.recv(CHUNK):
                if self.cutting and COMMIT in chunk and self._chosen.random() < self._share:
                    mode = self._chosen.choice(MODES)
                    self.cuts[mode] += 1
                    self._cut(mode, chunk, client, server, dropped)
                    return
                server.sendall(chunk)
        ended(server)
        ended(client)

    def _back(self, client: socket.socket, server: socket.socket, dropped: threading.Event) -> None:
        with suppress(OSError):
            while chunk := server.recv(CHUNK):
                if dropped.is_set():
                    break
                client.sendall(chunk)
        ended(client)
        ended(server)

    def _cut(
        self, mode: str, chunk: bytes, client: socket.socket, server: socket.socket, dropped: threading.Event
    ) -> None:
        with suppress(OSError):
            if mode == "answer lost":
                dropped.set()
                server.sendall(chunk)
                return
            if mode == "not sent":
                ended(server)
                ended(client)
                return
            if mode == "sent late":
                ended(client)
                time.sleep(LATE_SECONDS * self._chosen.random())
            dropped.set()
            server.sendall(chunk)
            ended(client)
            if mode == "both at once":
                ended(server)


def ended(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
