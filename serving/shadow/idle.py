"""A process that works with what others leave of the processors: it waits whenever the service has something to do.

The lowest priority alone is not enough. Two processors of a machine are often the two halves of one core: whoever
works on the one slows the other, however low his priority (docs/challengers.md has what was measured). So the work also
stands still while the service that writes to the log runs or waits to run; where that is not a process of this machine
that can be seen, while any other processes take half of the processors or more. It looks every few milliseconds of its
own work, and holds no lock of the log or the vault while it waits. Where others never rest it works one part in twelve
hundred of the time: of the requests that a full service answers meanwhile, less than one in a hundred meets it.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from features.words import Text

SECONDS_BETWEEN_LOOKS = 30.0
LAST = 19
"""The system's lowest priority, where there is no class for idle processes."""
WORK_SECONDS = 0.002
"""Of its own work between two looks at the others; the system counts in ticks, of 1 to 4 ms."""
SAMPLE_SECONDS, QUIET_SAMPLES = 0.02, 5
"""How often it looks again once it found nobody, and how many looks in a row have to find nobody."""
BUSY_SAMPLE_SECONDS = 0.1
"""How often it looks after it found somebody: each look takes a third of a millisecond of those it waits for."""
PATIENCE_SECONDS, TURN_SECONDS = 60.0, 0.05
"""How long it waits at most, and how long it then works without looking.

All that are in work at that moment wait for its turn: of a full service 128, which of 250 requests a second are more
than one in a hundred in 30 s, and less in 60 s.
"""
RUNNING = "/proc/loadavg"
"""Linux: the fourth figure tells how many run or wait to run, this process among them."""

BUSY = Text(
    en="other processes leave no processor free: it scores for one part in twelve hundred of the time; "
    "with --beside it would not wait",
    zh="其他进程持续占用处理器：仅以约一千二百分之一的时间评分；加上 --beside 则不等待",
)

LOCKS = "/proc/locks"
HOLDER_SECONDS = 2.0
"""How often it looks which process the service is."""
MANY = 2**20
"""More than half of anybody's processors."""


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


class Courtesy:
    """Lets others go first.

    Parameters
    ----------
    ended : whether the work is to end, so that it waits no longer
    others : returns how many other processes run or wait to run; None where the system does not say
    processors : of this machine
    say : told once, when others do not rest
    """

    def __init__(
        self,
        ended: Callable[[], bool],
        others: Callable[[], int | None] | None = None,
        processors: int | None = None,
        say: Callable[[Text], object] = lambda _: None,
    ) -> None:
        self._ended, self._others = ended, others or others_running
        self._processors = processors or os.cpu_count() or 1
        self._turn_until = 0.0
        self._say, self._said = say, False
        self._waits = False

    def wait(self) -> None:
        """Return at once while others do not need the processors; else when they have not for some time.

        It returns as well when the work is to end, and when it has waited long enough to have a turn. Waiting takes
        some of the processor as well, by which `shown` looks again: what waits does not begin to wait within.
        """
        if self._waits:
            return
        self._waits = True
        try:
            self._rest()
        finally:
            self._waits = False

    def _rest(self) -> None:
        began, quiet = time.monotonic(), 0
        if began < self._turn_until or not self._are_many():
            return
        while quiet < QUIET_SAMPLES and not self._ended():
            if time.monotonic() - began > PATIENCE_SECONDS:
                self._turn_until = time.monotonic() + TURN_SECONDS
                self._tell()
                return
            time.sleep(SAMPLE_SECONDS if quiet else BUSY_SAMPLE_SECONDS)
            quiet = 0 if self._are_many() else quiet + 1

    def _tell(self) -> None:
        if not self._said:
            self._said = True
            self._say(BUSY)

    def _are_many(self) -> bool:
        return 2 * (self._others() or 0) >= self._processors

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Wait before what is done within, and again whenever others begin to run meanwhile; hold no lock within."""

        def look(_: int, __: FrameType | None) -> None:
            self.wait()

        self.wait()
        before = signal.signal(signal.SIGPROF, look)
        signal.setitimer(signal.ITIMER_PROF, WORK_SECONDS, WORK_SECONDS)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.signal(signal.SIGPROF, before)


def others_running() -> int | None:
    """Return how many other processes of this machine run or wait to run; None where the system does not say."""
    try:
        with open(RUNNING, "rb", buffering=0) as stream:  # noqa: PTH123 - read some hundred times a second
            return int(stream.read(64).split()[3].partition(b"/")[0]) - 1
    except (OSError, ValueError, IndexError):
        return None


class ServiceRunning:
    """Tells how many threads of the service run or wait to run; of everybody else where the service cannot be seen.

    Parameters
    ----------
    lock : the file that the one writer of the log holds locked
    """

    def __init__(self, lock: Path) -> None:
        self._lock, self._look_again = lock, 0.0
        self._service: int | None = None

    def __call__(self) -> int | None:
        """Return the number, enough of them to be waited for where the service is one that does."""
        if time.monotonic() >= self._look_again:
            self._service, self._look_again = holder_of(self._lock), time.monotonic() + HOLDER_SECONDS
        if self._service is None:
            return others_running()
        try:
            with os.scandir(f"/proc/{self._service}/task") as tasks:
                running = any(map(_runs, tasks))
        except OSError:  # it has ended
            self._look_again = 0.0
            return 0
        return MANY if running else 0


def holder_of(lock: Path) -> int | None:
    """Return the process that holds a lock on a file; None where there is none, or the system does not say."""
    try:
        told = lock.stat()
        lines = Path(LOCKS).read_text().splitlines()
    except OSError:
        return None
    file = f"{os.major(told.st_dev):02x}:{os.minor(told.st_dev):02x}:{told.st_ino}"
    held = (line.split() for line in lines if f" {file} " in line and " FLOCK " in f" {line} ")
    return next((int(words[4]) for words in held if words[4].isdecimal() and int(words[4])), None)


def _runs(task: os.DirEntry[str]) -> bool:
    with suppress(OSError), open(f"{task.path}/stat", "rb", buffering=0) as stream:  # noqa: PTH123 - as above
        # The name before the state may hold anything, a bracket too.
        return stream.read(256).rpartition(b")")[2].split()[0] == b"R"
    return False
