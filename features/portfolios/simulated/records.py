"""What the lender's systems write down, collected as columns of whole numbers until a chunk is done."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import numpy.typing as npt

from features.portfolios.simulated.chance import Ints

Column = npt.NDArray[np.int64] | int


class Records:
    """Rows by table; a row is about the loan or the borrower at position `about` of the chunk."""

    def __init__(self) -> None:
        self._parts: dict[str, list[dict[str, Ints]]] = defaultdict(list)

    def add(self, table: str, about: Ints, **columns: Column) -> None:
        """Add rows to a table; a single number holds for all of them."""
        if len(about):
            given = {"about": about, **columns}
            self._parts[table].append({name: np.broadcast_to(value, about.shape) for name, value in given.items()})

    def of(self, table: str, names: tuple[str, ...]) -> dict[str, Ints]:
        """Return the columns of a table, in the order in which rows were added; none when there are no rows."""
        parts = self._parts[table]
        none = np.zeros(0, dtype=np.int64)
        return {
            name: np.concatenate([part[name] for part in parts]).astype(np.int64, copy=False) if parts else none
            for name in ("about", *names)
        }
