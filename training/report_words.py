"""Every sentence of the report, in English and in Chinese."""

from __future__ import annotations

from collections.abc import Mapping

from features.words import Text

TITLE = Text(en="Who to work first, and why", zh="先处理谁，为什么")
TITLES: Mapping[str, Text] = {
    "application": Text(en="Which applications to look at first, and why", zh="先审哪些申请，为什么"),
    "behaviour": Text(en="Which loans to watch first, and why", zh="先关注哪些贷款，为什么"),
}
"""The title of a card whose loans are not in collection."""


def title_of(card: str) -> Text:
    """Return the title of a card's report."""
    return TITLES.get(card, TITLE)


OVERLINE = Text(en="repayrank report", zh="还款风险排序报告")

LANGUAGES: Mapping[str, str] = {"both": "English + 中文", "only-en": "English", "only-zh": "中文"}

WORK_LIST = Text(en="The first {count} of the work list", zh="工作清单的前{count}笔")
WORK_LIST_LEAD = Text(
    en="Loans stand in order of expected loss: chance of a bad outcome × amount at risk × share that is lost.",
    zh="借据按预期损失排序：坏结果的概率 × 风险敞口 × 损失率。",
)
COMPARISON = Text(en="Why the first is above the second", zh="为什么第一笔排在第二笔之前")
CASES = Text(en="How the first {count} scores come about", zh="前{count}笔的评分由来")
EVIDENCE = Text(en="How good the scores are", zh="评分有多可靠")
DRIVERS = Text(en="What drives the scores", zh="评分由什么驱动")
GROUNDS = Text(en="What this report rests on", zh="本报告的依据")

NO_LOANS = Text(en="There are no loans in this book on this day.", zh="该日没有借据。")
ONE_LOAN = Text(en="There is only one loan, so nothing to compare it with.", zh="只有一笔借据，没有可比较的对象。")
NO_OUTCOMES = Text(
    en="What became of these loans is not known yet. Separation, calibration, lift and captured money need the "
    "outcomes and are therefore not shown.",
    zh="这些借据的结果尚不可知。区分能力、校准、提升度和捕获金额都需要结果，因此不显示。",
)
ALIKE_OUTCOMES = Text(
    en="All outcomes of these loans are alike. Separation, calibration, lift and captured money need loans that went "
    "bad and loans that did not, and are therefore not shown.",
    zh="这些借据的结果全部相同。区分能力、校准、提升度和捕获金额既需要坏结果也需要好结果，因此不显示。",
)

# Summary
CARD = Text(en="Card", zh="评分卡")
OBSERVED_ON = Text(en="Observed on", zh="观察日")
MODEL_VERSION = Text(en="Model version", zh="模型版本")
FINGERPRINT = Text(en="Feature fingerprint", zh="特征指纹")
BAD_MEANS = Text(en="Bad outcome", zh="坏结果定义")
LOANS = Text(en="Loans", zh="借据数")
AT_RISK = Text(en="Money at risk", zh="风险敞口合计")
EXPECTED_LOSS = Text(en="Expected loss", zh="预期损失合计")
AUC = Text(en="AUC", zh="AUC（区分能力）")
KS = Text(en="KS", zh="KS（最大区分距离）")
BRIER = Text(en="Brier score", zh="Brier分数（越小越好）")
WENT_BAD = Text(en="{count} went bad ({share})", zh="其中{count}笔变坏（{share}）")
NOT_KNOWN_YET = Text(en="outcomes not known yet", zh="结果尚不可知")
OF_MONEY = Text(en="{share} of the money at risk", zh="占风险敞口的{share}")
IN_ALL = Text(en="{mean} for each loan on average", zh="平均每笔{mean}")
RESTS_ON = Text(en="judged on {count} loans", zh="以{count}笔借据检验")
RESTS_ON_EARLIER = Text(en="judged on {count} loans when the model was made", zh="建模时以{count}笔借据检验")
RESTS_ON_TRAINING = Text(en="as recorded when the model was made", zh="建模时的记录")

FINDING_MONEY = Text(
    en="The first {tenth} of the work list holds {held} of the money that later went bad; as many loans taken "
    "at random would hold {tenth}, those with the largest amounts {by_amount}.",
    zh="工作清单前{tenth}的借据持有后来变坏金额的{held}；随机抽取同样多的借据约为{tenth}，只按金额大小排序为{by_amount}。",
)
FINDING_CALIBRATION = Text(
    en="The model expected {predicted} of these loans to go bad; {observed} did.",
    zh="模型预计这些借据中有{predicted}变坏，实际为{observed}。",
)
FINDING_ORDER_ONLY = Text(
    en="The first {tenth} of the work list carries {held} of the expected loss of the book.",
    zh="工作清单前{tenth}的借据承担了全部预期损失的{held}。",
)

# Table heads
LOAN = Text(en="Loan", zh="借据")
AMOUNT = Text(en="At risk, {currency}", zh="风险敞口（{currency}）")
CHANCE = Text(en="Chance of bad", zh="变坏概率")
LOSS = Text(en="Expected loss, {currency}", zh="预期损失（{currency}）")
POINTS = Text(en="Points, band", zh="分数与等级")
WHERE = Text(en="Quadrant: suggested step", zh="象限：建议措施")
WHERE_TOLD = Text(en="{quadrant}: {step}", zh="{quadrant}：{step}")
FIRST_REASON = Text(en="Strongest reason", zh="首要原因")
LINE = Text(en="Line", zh="项目")
DIFFERENCE = Text(en="Log difference", zh="对数差")
FACTOR = Text(en="Factor", zh="倍数")
TENTH = Text(en="Tenth, riskiest first", zh="十分位（风险由高到低）")
PREDICTED = Text(en="Predicted", zh="预测")
OBSERVED = Text(en="Observed", zh="实际")
LIFT = Text(en="Lift", zh="提升度")
FOUND = Text(en="Bad loans found so far", zh="累计捕获坏账户")
MONEY_BAD = Text(en="Went bad, {currency}", zh="变坏金额（{currency}）")
WENT_BAD_SHARE = Text(en="Went bad", zh="变坏比例")
SHARE_OF_LOANS = Text(en="Share of loans", zh="占借据数")

NO_REASON = Text(en="no fact stands out", zh="没有突出的原因")

# Comparison
ABOVE = Text(
    en="{first} is worked before {second} because its expected loss is higher: {more} against {less}, "
    "{factor} times as much. In logarithms that is {gap}, and the lines below add up to it.",
    zh="{first}先于{second}处理，因为预期损失更高：{more}对{less}，为其{factor}倍。取对数后相差{gap}，下列各项之和即为该数。",
)
LEVEL = Text(
    en="{first} and {second} stand level; the order of their identifiers decides.",
    zh="{first}与{second}的优先级相同，按借据编号的先后排列。",
)
SWAP = Text(
    en="All else equal, both would stand level if {amount} instead of {now} were at risk on {first}.",
    zh="其他不变时，若{first}的风险敞口为{amount}（现为{now}），两笔优先级相同。",
)
NO_SWAP = Text(
    en="All else equal, {first} would stand higher even if {least}, the smallest amount that counts, instead of {now} "
    "were at risk on it.",
    zh="其他不变时，即使{first}的风险敞口只按最小敞口{least}计（现为{now}），其优先级仍然更高。",
)
TOTAL = Text(en="Difference in log priority", zh="优先级之差（对数）")
ROUNDING = Text(en="Rounding of the lines above", zh="尾差（以上各项四舍五入）")
ALL_LINES = Text(en="All {count} lines", zh="全部{count}项")
LEDGER_CAPTION = Text(
    en="A positive line puts the first loan above the second; a factor of 1.10 makes its expected loss a tenth higher. "
    "Equal values can count differently, because facts of one group are weighed together.",
    zh="正数使第一笔排得更前；倍数1.10表示该项使预期损失高出十分之一。数值相同也可能影响不同，因为同一组的事实是一起衡量的。",
)

# Cases
EQUATION = Text(
    en="{chance} chance × {amount} at risk × {share} lost ({status}) ≈ {loss} expected loss",
    zh="变坏概率{chance} × 风险敞口{amount} × 损失率{share}（{status}）≈ 预期损失{loss}",
)
RAISES = Text(en="Raises the risk", zh="提高风险")
LOWERS = Text(en="Lowers the risk", zh="降低风险")
POINTS_BAND = Text(en="{points} points, band {band}", zh="{points}分，{band}级")
STATUS: Mapping[str, Text] = {
    "assumption": Text(en="assumption", zh="假设"),
    "model": Text(en="by the recovery model", zh="回收模型估计"),
}
# Captions
ROC_CAPTION = Text(
    en="The further the curve bends to the upper left, the better bad loans are told from good ones; KS is its largest "
    "height above the diagonal.",
    zh="曲线越靠近左上角，坏借据与好借据分得越开；KS是曲线高出对角线的最大距离。",
)
CALIBRATION_CAPTION = Text(
    en="Each dot is a tenth of the loans; on the diagonal, what was predicted is what happened, and the bars are "
    "{confidence} intervals.",
    zh="每个点代表十分之一的借据；落在对角线上表示预测与实际一致，竖线为{confidence}置信区间。",
)
LIFT_CAPTION = Text(
    en="The riskiest tenth went bad {most} times as often as all loans together, the safest tenth {least} times.",
    zh="风险最高的十分之一变坏的频率是全体的{most}倍，最低的十分之一是{least}倍。",
)
CAPTURED_CAPTION = Text(
    en="Of the money that went bad, the first tenth of the work list holds {held}; ordered by amount alone it would be "
    "{by_amount}, by probability alone {by_chance}, at random {tenth}.",
    zh="在变坏的金额中，工作清单前十分之一占{held}；只按金额排序为{by_amount}，只按概率为{by_chance}，随机为{tenth}。",
)
TENTHS_CAPTION = Text(
    en="The same tenths in figures, in order of probability.", zh="以上十分位的数字，按概率由高到低。"
)
SHAP_CAPTION = Text(
    en="Each row is a feature and each dot a loan: right of the line it raises the risk, and it is darker where the "
    "value is higher (white: not known).",
    zh="每行是一个特征，每个点是一笔借据：在竖线右侧表示提高风险，颜色越深表示数值越大（白色为未知）。",
)
QUADRANT_CAPTION = Text(
    en="Ability lies across and willingness upwards, both as parts of the score; the lines are the policy's cut-offs.",
    zh="横轴为还款能力，纵轴为还款意愿，均为评分的组成部分；两条线为策略的界限。",
)
QUADRANT_TABLE_CAPTION = Text(
    en="What the policy suggests for each quadrant, and what lies there.", zh="各象限的建议措施与规模。"
)
WATERFALL_CAPTION = Text(
    en="Each picture leads from the average loan to this one: the pale bars are the three parts of the score, which "
    "add up exactly, and the dark bars are what each is made of. The figures are those of the reasons, in log-odds.",
    zh="每幅图从平均借据走到本借据：浅色条是评分的三个部分，相加精确等于评分；深色条是各部分的构成。数字与文字原因一致，单位为对数几率。",
)
SHOWN_OF = Text(en="{shown} of {all} loans are drawn.", zh="图中绘出{all}笔中的{shown}笔。")
SHOWN_FEATURES = Text(
    en="The {shown} strongest of {all} features are shown.", zh="只显示{all}个特征中影响最大的{shown}个。"
)

WATERFALL_SAID = Text(en="How the score of {loan} comes about", zh="{loan}的评分由来")

# Grounds
POLICY = Text(en="Policy", zh="策略")
POLICY_TOLD = Text(en="version {version}, SHA-256 {digest}", zh="版本{version}，SHA-256 {digest}")
LOSS_SHARE = Text(en="Loss share", zh="损失率")
LOSS_SHARE_TOLD = Text(
    en="{share} for {product} loans from {day} on: {status}", zh="{product}类借据自{day}起为{share}：{status}"
)
LOSS_SHARE_EXPECTED = Text(
    en="by the recovery model, loan by loan, fitted on {count} loans: what it does not expect back within {days} days "
    "of a loan that goes bad; here {share} of the money at risk",
    zh="由回收模型逐笔估计（建模{count}笔）：贷款转坏后预计{days}天内收不回的部分；本报告合计占风险敞口的{share}",
)
PRODUCTS: Mapping[str, Text] = {
    "revolving": Text(en="revolving", zh="循环信用"),
    "instalment": Text(en="instalment", zh="分期"),
}
LEAST = Text(en="Smallest amount", zh="最小敞口")
LEAST_TOLD = Text(
    en="a loan on which less is owed counts as {amount}; here {count} loans",
    zh="欠款低于{amount}的按{amount}计；本报告有{count}笔",
)
ADDITIVITY = Text(en="Additivity", zh="可加性")
ADDITIVITY_TOLD = Text(
    en="base + ability + willingness + circumstances differs from the model's own score by at most {error} over "
    "{count} loans; beyond {bound} there would be no report",
    zh="基准 + 能力 + 意愿 + 客观情况与模型评分之差，在{count}笔借据中最大为{error}；若超过{bound}则不出报告",
)
REFERENCE = Text(en="Average loan", zh="平均借据")
REFERENCE_TOLD = Text(
    en="the mean score of the {count} loans that the model was fitted on, observed on {day}, {share} of them bad",
    zh="建模所用{count}笔借据的平均评分，观察日{day}，其中{share}变坏",
)
SOURCE = Text(en="Data", zh="数据来源")
LIMITS = Text(en="Limits", zh="局限")
LIMITS_TOLD: tuple[Text, ...] = (
    Text(
        en="Ability and willingness are parts of a model, not measurements of a person; neither has a label "
        "of its own.",
        zh="能力与意愿是模型的组成部分，不是对个人的测量；两者都没有各自的标签。",
    ),
    Text(
        en="The order is by expected loss. That working a loan earlier brings in more is not claimed; a randomised "
        "comparison would have to show it.",
        zh="排序依据是预期损失。本报告不主张更早处理就能收回更多；这需要随机对照来证明。",
    ),
    Text(en="Suggested steps come from the policy file; a person decides.", zh="建议措施来自策略文件，由人决定。"),
)
LIMIT_ONE_WINDOW = Text(
    en="The outcomes are those of one performance window of {days} days; other months may differ.",
    zh="结果仅来自一个{days}天的表现期，其他月份可能不同。",
)
