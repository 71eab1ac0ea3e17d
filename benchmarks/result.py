"""One line of the table: what was compared, with what, the ratio that was asked for and the one that was seen."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.turns import Ratio


@dataclass(frozen=True)
class Result:
    """A comparison; `asked` is the least ratio that was to be reached."""

    what: str
    against: str
    asked: float
    ratio: Ratio
    note: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the comparison as plain data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> Result:
        """Return the comparison written by `as_dict`."""
        return cls(**{**plain, "ratio": Ratio(**plain["ratio"])})

    @property
    def line(self) -> str:
        """Return the line of a Markdown table."""
        seen = self.ratio
        met = "" if seen.median >= self.asked else " (short)"
        return (
            f"| {self.what} | {self.against} | {self.asked:.3g}x | **{seen.median:.3g}x**{met} "
            f"| {seen.least:.3g}-{seen.most:.3g}x | {_seconds(seen.a_seconds)} / {_seconds(seen.b_seconds)} "
            f"| {self.note} |"
        )


HEAD = (
    "| what | against | asked | seen (median) | least-most | ours / theirs | note |\n"
    "| --- | --- | --- | --- | --- | --- | --- |"
)


def _seconds(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e6:.3g} us"
