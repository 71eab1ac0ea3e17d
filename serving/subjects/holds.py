"""A legal hold: whose records must be kept whatever a policy or the person asks, why, and since what day."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple


class Hold(NamedTuple):
    """What must be kept, why, and since what day."""

    pseudonym: bytes
    reason: str
    day: date
