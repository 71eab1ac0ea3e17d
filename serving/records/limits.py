"""How much may wait to be written, and how long the newest decisions may be without a signature over them."""

from __future__ import annotations

from dataclasses import dataclass

from features.errors import ConfigurationRefused


@dataclass(frozen=True)
class Limits:
    """The limits of the writer of the decision log.

    Attributes
    ----------
    most_together : records in one transaction
    most_waiting : records that wait to be written; more are told to come again
    records_unsigned, seconds_unsigned : a checkpoint is signed when either is reached
    busy_seconds : how long a batch waits for a lock that another program holds on the database, and those who wait for
        space or for a database that is away, before they are told to come again
    hanging_seconds : for how long a batch or a signature may not end, before the log counts as stopped until it does
    """

    most_together: int = 256
    most_waiting: int = 1_024
    records_unsigned: int = 1_000
    seconds_unsigned: float = 1.0
    busy_seconds: float = 1.5
    hanging_seconds: float = 10.0

    def __post_init__(self) -> None:
        if (
            min(
                self.most_together,
                self.most_waiting,
                self.records_unsigned,
                self.seconds_unsigned,
                self.hanging_seconds,
            )
            <= 0
        ):
            raise ConfigurationRefused(
                "a limit that is not above 0",
                where="the limits of the decision log",
                expected="limits above 0",
                do="correct them",
            )
