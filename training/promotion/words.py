"""What a promotion's tables are called, with all that stands in them, in both languages."""

from __future__ import annotations

from enum import StrEnum

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
    View.BAND: Text(en="{cases} cases by risk band", zh="{cases}笔样本，按风险等级"),
    View.PLACE: Text(en="{cases} cases by tenth of each day's work list", zh="{cases}笔样本，按每日工作清单的十分位"),
    View.FIRST: Text(
        en="first {share}: the part of the work list that is worked first", zh="前{share}：工作清单中优先处理的部分"
    ),
    View.CUT: Text(en="at each band: those in it or in a riskier one", zh="按等级切点：该等级及更高风险等级"),
}
HEADS = {
    View.BAND: Text(en="band now", zh="当前等级"),
    View.PLACE: Text(en="tenth now", zh="当前十分位"),
    View.CUT: Text(en="cut", zh="切点"),
}
"""What the first column of a table is called."""
BAD = Text(en="bad", zh="坏账率")
AT_RISK = Text(en="at risk", zh="风险敞口")
ALL = Text(en="all", zh="合计")

AS_IT_WILL_SERVE = Text(
    en="swap sets at each cut, by the new version as it will serve", zh="各切点的换入与换出，按新版本实际使用的评分"
)
OUT_OF_SAMPLE = Text(
    en="out of sample: the same by models of the new version that had not seen the case",
    zh="样本外：同上，评分来自新版本中未见过该样本的模型",
)
FIRST = Text(en="first {share}", zh="前{share}")
OR_RISKIER = Text(en="{band} or riskier", zh="{band}级及更高风险")

WHY = Text(
    en="why: mean difference of the log-odds of a bad outcome, new version less old",
    zh="原因：坏结果对数几率的平均差，新版本减旧版本",
)
ADDS_UP = Text(
    en="base, calibration and groups add up to the total; positive: the new version sees more risk",
    zh="参照总体、校准与各部分相加等于合计；正值表示新版本认为风险更高",
)
WHAT_MOVED = Text(en="what moved them", zh="变动来源")
MOVE_IN_FIRST = Text(en="{move}: first {share}", zh="{move}：前{share}")
BASE = Text(en="another reference population", zh="参照总体不同")
CALIBRATION = Text(en="another calibration", zh="校准不同")
TOTAL = Text(en="calibrated log-odds", zh="校准后的对数几率")

CHANGES = Text(en="every change, oldest first", zh="历次变更，由早到晚")
CHANGE = Text(en="change", zh="变更序号")
VERSION = Text(en="version", zh="版本")
BEFORE = Text(en="before", zh="此前版本")
BY = Text(en="by", zh="操作人")
AT = Text(en="at (UTC)", zh="时间（UTC）")
REASON = Text(en="reason", zh="原因")
FOUND_BY_HAND = Text(en="found", zh="事后发现")
NO_VERSION_BEFORE = Text(en="no version of the card served before", zh="此前该评分卡没有版本在用")
VALIDATED = Text(en="validated by {by} on {day}: {verdict}", zh="由{by}于{day}验证：{verdict}")
