"""A process that creates tokens until it is killed, or that watches one until it is no longer let in.

python token_worker.py create HOME NAME COUNT   tells the id of each token once it was created; 0: without end
python token_worker.py watch HOME               reads a token from its input, tells when it is let in and when no more
"""

from __future__ import annotations

import os
import sys
import time
from itertools import count
from pathlib import Path

from access_kit import bearing

from serving.access.door import Door
from serving.access.tokens import create, tokens_file
from serving.http import Refused


def create_tokens(home: str, name: str, many: str) -> None:
    """Create tokens and tell, by one system call, the id of each."""
    for number in count(1):
        created = create(tokens_file(Path(home)), name=name, role="engine")
        os.write(1, f"{created.entry.id}\n".encode())
        if number == int(many):
            return


def watch(home: str) -> None:
    """Tell when the token is refused, as seconds of the machine's monotonic clock, which all its processes share."""
    token, door = sys.stdin.readline().strip().encode(), Door.of(Path(home), {})
    door.caller(bearing(token))
    os.write(1, b"in\n")
    while True:
        try:
            door.caller(bearing(token))
        except Refused as error:
            os.write(1, f"{int(error.refusal.status)} {time.monotonic()}\n".encode())
            return
        time.sleep(0.01)


if __name__ == "__main__":
    {"create": create_tokens, "watch": watch}[sys.argv[1]](*sys.argv[2:])
