"""What a promotion's tables are called, in both languages."""

from __future__ import annotations

from enum import StrEnum

from features.declaration import Group
from features.words import Text


class View(StrEnum):
    """What is looked at: the risk band, the place in the work list, its first part, or a cut below a band."""

    BAND = "band"
    PLACE = "place"
    FIRST = "first"
    CUT = "cut"


class Move(StrEnum):
    """What becomes of a case when the second version takes the first one's place."""

    RISKIER = "riskier"
    SAFER = "safer"
    SAME = "same"
    EARLIER = "earlier"
    LATER = "later"
    COMES_IN = "comes_in"
    GOES_OUT = "goes_out"
    STAYS_IN = "stays_in"
    STAYS_OUT = "stays_out"

    @property
    def text(self) -> Text:
        """Return the move in words."""
        return MOVES[self]


MOVES = {
    Move.RISKIER: Text(en="to a riskier band", zh="升至更高风险等级"),
    Move.SAFER: Text(en="to a safer band", zh="降至更低风险等级"),
    Move.SAME: Text(en="stays", zh="不变"),
    Move.EARLIER: Text(en="worked earlier", zh="提前处理"),
    Move.LATER: Text(en="worked later", zh="推后处理"),
    Move.COMES_IN: Text(en="comes in", zh="换入"),
    Move.GOES_OUT: Text(en="goes out", zh="换出"),
    Move.STAYS_IN: Text(en="stays in", zh="保持在内"),
    Move.STAYS_OUT: Text(en="stays out", zh="保持在外"),
}

TITLES = {
    View.BAND: Text(en="by risk band", zh="按风险等级"),
    View.PLACE: Text(en="by tenth of each day's work list", zh="按每日工作清单的十分位"),
    View.FIRST: Text(en="the part of the work list that is worked first", zh="工作清单中优先处理的部分"),
    View.CUT: Text(en="at each band: those in it or in a riskier one", zh="按等级切点：该等级及更高风险等级"),
}

GROUPS = {
    Group.ABILITY: Text(en="ability", zh="还款能力"),
    Group.WILLINGNESS: Text(en="willingness", zh="还款意愿"),
    Group.CIRCUMSTANCES: Text(en="circumstances", zh="客观情况"),
}
BASE = Text(en="another reference population", zh="参照总体不同")
CALIBRATION = Text(en="another calibration", zh="校准不同")
TOTAL = Text(en="calibrated log-odds", zh="校准后的对数几率")
