"""Months and days of the world as whole numbers: months from its first one, days from 1 January 1970."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np

from features.portfolios.simulated.chance import Floats, Ints
from features.portfolios.simulated.world import Calendar, World

MONTHS_A_YEAR = 12
SPARE_YEARS = 6
"""Years of months after the end: due days of the longest and most extended schedules lie there."""


def day_number(day: date) -> int:
    """Return a day as a whole number."""
    return int(np.datetime64(day, "D").astype(np.int64))


@dataclass(frozen=True)
class Months:
    """The months that the world runs through."""

    calendar: Calendar

    @cached_property
    def first(self) -> np.datetime64:
        """The month in which the first loans are opened."""
        return np.datetime64(self.calendar.first_opened_on, "M")

    def number(self, day: date) -> int:
        """Return the number of a day's month."""
        return int((np.datetime64(day, "M") - self.first).astype(np.int64))

    @cached_property
    def count(self) -> int:
        """How many months the world runs."""
        return self.number(self.calendar.ends_on) + 1

    @cached_property
    def starts(self) -> Ints:
        """The first day of each month, those after the end included."""
        months = self.first + np.arange(self.count + SPARE_YEARS * MONTHS_A_YEAR)
        return months.astype("datetime64[D]").astype(np.int64)

    def numbers(self, days: Ints) -> Ints:
        """Return the number of each day's month."""
        return np.searchsorted(self.starts, days, side="right").astype(np.int64) - 1

    def days(self, months: Ints, due_days: Ints) -> Ints:
        """Return the due days of months."""
        found: Ints = self.starts[months] + due_days - 1
        return found

    @cached_property
    def stress(self) -> Floats:
        """How hard the times are in each month: 0 at first, then a slow rise and a wave."""
        told, months = self.calendar, np.arange(self.count, dtype=np.float64)
        wave = np.sin(2 * np.pi * (months - told.stress_wave_starts_after_months) / told.stress_wave_months)
        found: Floats = told.stress_trend_a_year * months / MONTHS_A_YEAR + told.stress_wave * wave
        return found


def months_of(world: World) -> Months:
    """Return the months of a world."""
    return Months(world.calendar)
