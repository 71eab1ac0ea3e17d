"""A process that writes decisions under load until it is killed or its log stops, and tells which were acknowledged.

python decision_writer.py FOLDER FIRST THREADS [URL]
"""

from __future__ import annotations

import os
import sys
import threading
from itertools import count
from pathlib import Path

from decision_logs import opened, place_in, write

from serving.records.errors import LogStopped
from serving.records.limits import Limits

TRIES_AFTER = 20
STOPPED = 5
"""The exit code after the log has stopped."""


def main(folder: str, first: str, threads: str, url: str | None = None) -> None:
    """Write numbers from `first` on; a number is told, by one system call, once its record was acknowledged.

    A number that is acknowledged to a thread that was told before that the log had stopped is told as `late`.
    """
    numbers = count(int(first))
    store = opened(place_in(Path(folder), url), Limits(records_unsigned=50, seconds_unsigned=0.02))

    def work() -> None:
        refused = 0
        while refused < TRIES_AFTER:
            number = next(numbers)
            try:
                recorded = write(store, number)
            except LogStopped:
                refused += 1
            else:
                os.write(1, f"{number} {recorded.sequence}{' late' if refused else ''}\n".encode())

    working = [threading.Thread(target=work) for _ in range(int(threads))]
    for thread in working:
        thread.start()
    for thread in working:
        thread.join()
    # No orderly end: what the disk has is what the next start finds.
    os._exit(STOPPED)


if __name__ == "__main__":
    main(*sys.argv[1:])
