"""A process that works with what others leave of the processors: it waits whenever anybody else has something to do."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

SECONDS_BETWEEN_LOOKS = 30.0
LAST = 19
"""The system's lowest priority, where there is no class for idle processes."""


def step_back() -> None:
    """Give this process one thread and the lowest priority; it begins anew where its libraries have more threads.

    Linux gives an idle process a processor only while no other wants it (sched(7), SCHED_IDLE); elsewhere it is last.
    """
    from models.trial import ONE_THREAD

    if any(os.environ.get(name) != value for name, value in ONE_THREAD.items()):
        # Polars and OpenMP read these once, when they are loaded, and the command line has loaded them by now.
        sys.stdout.flush()
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, **ONE_THREAD})  # noqa: S606
    os.nice(LAST)
    with suppress(AttributeError, OSError):  # another system, or one that does not let us
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
