"""How many requests a holder may send and how many tokens may fail, counted so that one caller slows no other.

A bucket of `burst` requests refills with `per_second`. Kept of each is one number, the moment at which it will be full
again (the generic cell rate algorithm, ITU-T I.371): no timer, no drift, and a bucket that is full can be forgotten
without a trace, which bounds the memory and leaves the counting exact.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock

from features.errors import ConfigurationRefused

MOST_HOLDERS = 10_000
GRAIN = 1e-6
"""Seconds by which a request may come early: clocks and sums of floats are no finer."""


@dataclass(frozen=True)
class Rate:
    """How often: requests a second in the long run, and how many at once."""

    per_second: float
    burst: int

    def __post_init__(self) -> None:
        if not (0 < self.per_second < float("inf") and self.burst >= 1):
            raise ConfigurationRefused(
                "a limit that lets nothing through",
                where="the limits of access",
                expected="per_second above 0 and burst of 1 or more",
                do="correct them",
            )


@dataclass(frozen=True)
class Limits:
    """How often holders may ask, by role, and how many failed tokens are answered in all.

    An engine may ask for more than one process can compute: what is too much at a time is told so there. People and
    collectors of measures need little.
    """

    engine: Rate = Rate(1_000, 1_000)
    modeller: Rate = Rate(10, 50)
    reviewer: Rate = Rate(10, 50)
    admin: Rate = Rate(10, 50)
    failed: Rate = Rate(10, 100)

    def of(self, role: str) -> Rate:
        """Return a role's rate."""
        return self.by_role()[role]

    def by_role(self) -> Mapping[str, Rate]:
        """Return the rates of all roles that a token can carry."""
        return {"engine": self.engine, "modeller": self.modeller, "reviewer": self.reviewer, "admin": self.admin}


@dataclass
class Buckets:
    """The buckets of many holders, by name; `most` bounds their number."""

    most: int = MOST_HOLDERS
    _full_at: OrderedDict[str, float] = field(default_factory=OrderedDict)
    _lock: Lock = field(default_factory=Lock)

    def __len__(self) -> int:
        return len(self._full_at)

    def take(self, holder: str, rate: Rate, now: float) -> float:
        """Take one request out of a holder's bucket; return 0, or the seconds to wait when there is none in it.

        Parameters
        ----------
        now : monotonic seconds
        """
        with self._lock:
            full_at = max(self._full_at.pop(holder, now), now)
            if len(self._full_at) >= self.most:
                oldest, then = next(iter(self._full_at.items()))
                if then > now:
                    # A bucket that is not full must not be forgotten, or its holder would begin anew.
                    return then - now
                del self._full_at[oldest]
            wait = full_at - now - (rate.burst - 1) / rate.per_second
            self._full_at[holder] = full_at if wait > GRAIN else full_at + 1 / rate.per_second
        return wait if wait > GRAIN else 0.0
