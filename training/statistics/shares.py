"""How many of each group are counted, and of how many."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.errors import UsageError
from training.statistics.inputs import levels, whole
from training.statistics.metrics import Bools


@dataclass(frozen=True)
class Counted:
    """So many found among so many cases, at least one."""

    found: int
    cases: int

    @property
    def share(self) -> float:
        """Found over cases."""
        return self.found / self.cases


def counted(found: Bools, group: npt.ArrayLike, *, where: str) -> dict[str, Counted]:
    """Return the counts of each group, by its name; those without a group are one of their own."""
    names, places = levels(group, len(found), where=f"{where}, group")
    cases = np.bincount(places, minlength=len(names))
    hits = np.bincount(places[found], minlength=len(names))
    return {name: Counted(int(hits[place]), int(cases[place])) for place, name in enumerate(names)}


def reference_of(found: dict[str, Counted], reference: str, least: int) -> tuple[Counted | None, str]:
    """Return the counts of the reference group, or the reason why nothing can be compared with it."""
    whole(least, 1, "least")
    if reference not in found:
        raise UsageError(
            f"no case of the reference group '{reference}'",
            where="reference",
            expected="a group that has cases",
            do="name another reference",
        )
    base = found[reference]
    if base.cases < least:
        return None, f"the reference group has {base.cases} cases of the {least} that are needed"
    return base, ""
