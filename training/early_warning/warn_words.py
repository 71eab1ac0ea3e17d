"""Every sentence of the page of alerts, in English and in Chinese."""

from __future__ import annotations

from features.words import Text

TITLE = Text(en="Whose risk rose, and why", zh="哪些贷款风险上升，为什么")
OVERLINE = Text(en="repayrank early warning", zh="早期预警")
DATES = Text(en="From – to", zh="起止日期")
POLICY = Text(en="Alert policy", zh="预警规则")
SCORED_BOTH = Text(en="Loans scored at both dates", zh="两日均评分的借据")
ROSE = Text(en="Risk rose for", zh="风险上升")
ALERTED = Text(en="Alerts", zh="预警")
NEW = Text(en="New to the card", zh="新进入评分卡")
OVERDUE = Text(en="Fell overdue", zh="转为逾期")
GONE = Text(en="Left otherwise", zh="其他退出")
OF_THESE = Text(en="{share} of these", zh="占其中{share}")
MEAN = Text(en="mean probability {before}, now {now}", zh="平均概率由{before}变为{now}")
CAPACITY = Text(en="at most {most} on this list; {waiting} more wait", zh="本清单上限{most}笔；另有{waiting}笔待处理")
NEW_NOTE = Text(en="{new} not known before, {entered} known", zh="{new}笔首日尚未入账，{entered}笔已知")
OVERDUE_NOTE = Text(en="cases of collection now, not of this list", zh="已转催收，不在本清单")
GONE_OR_CURED_NOTE = Text(
    en="{cured} no longer overdue, {left} ended, {unknown} not known any more",
    zh="{cured}笔不再逾期，{left}笔终止，{unknown}笔状态未知",
)
GONE_NOTE = Text(en="{left} ended, {unknown} not known any more", zh="{left}笔终止，{unknown}笔状态未知")

LEAD = Text(
    en="Alerts stand in order of amount at risk × rise of the probability. A score says how often such loans go bad; "
    "it does not say that this borrower will, nor what he intends. A person looks at each and decides.",
    zh="预警按“风险敞口 × 概率上升幅度”排序。评分表示此类贷款变坏的频率，不表示该借款人必然违约，"
    "也不表示其意图；须由人工逐笔判断。",
)
LIST = Text(en="The first {count} alerts", zh="前{count}笔预警")
NO_ALERTS = Text(en="No loan's rise meets a rule of the policy.", zh="没有贷款的上升达到规则标准。")
LOAN = Text(en="Loan", zh="借据")
AMOUNT = Text(en="At risk, {currency}", zh="风险敞口，{currency}")
BEFORE = Text(en="Before", zh="此前")
NOW = Text(en="Now", zh="现在")
BANDS = Text(en="Band", zh="等级")
WHAT_MOVED = Text(en="What moved the score most", zh="变动的主要原因")
BY_RULE = Text(en="Rule: {rule}", zh="规则：{rule}")
NO_REASON = Text(en="many small changes, none of them a reason by itself", zh="多项小幅变化，均不足以单独构成原因")

PARTS = Text(en="How the first alerts came about", zh="前几笔预警的由来")
PARTS_LEAD = Text(
    en="The change of a score is the sum of the changes of its parts, exactly; above 0 the part raised the risk. In "
    "log-odds, as the model adds them before calibration; rounded here, with all digits in the table of changes.",
    zh="评分变动等于各部分变动之和，精确无差；大于0表示该部分提高了风险。单位为对数几率，即校准前模型相加的单位；此处经四舍五入，完整数字见变动表。",
)
PART = Text(en="Part", zh="部分")
CHANGE = Text(en="Change", zh="变动")
TOTAL = Text(en="change of the score", zh="评分变动")
RAISES = Text(en="What raised the risk", zh="提高风险的变化")
LOWERS = Text(en="What lowered it", zh="降低风险的变化")

WORTH = Text(en="What such alerts were worth", zh="此类预警的实际效果")
NO_WORTH = Text(
    en="What became of these loans is not looked at here. Add --judge, with a second date whose outcomes are known, "
    "to see what alerts by this policy were worth on the book.",
    zh="本页未检验这些贷款的结果。如第二个日期的结果已知，加上--judge即可查看该规则在本账本上的效果。",
)
WORTH_LEAD = Text(
    en="Measured on {loans} loans of which {bad} went bad ({share}), each scored by a card that was fitted on other "
    "borrowers ({folds} parts), not by the version above.",
    zh="以{loans}笔借据检验，其中{bad}笔变坏（{share}）；每笔均由未见过该借款人的评分卡评分（分{folds}份），并非上述版本。",
)
LISTS = Text(en="List", zh="清单")
LOANS = Text(en="Loans", zh="借据数")
WENT_BAD = Text(en="Went bad", zh="变坏占比")
REST = Text(en="Of the rest", zh="其余变坏占比")
LIFT = Text(en="Times the rest", zh="倍数")
MONEY = Text(en="Of the bad money", zh="占变坏金额")
FIRED = Text(en="a rule holds", zh="达到规则的全部贷款")
CUT = Text(en="of these, as many as the team can handle", zh="其中按处理能力截取")
BY_LEVEL = Text(en="as many with the highest probability now", zh="同样笔数：现有概率最高")
BY_EXPECTED = Text(en="as many with the most amount × probability now", zh="同样笔数：敞口×现有概率最高")
NOT_JUDGED = Text(
    en="the list is empty, or holds every loan: nothing to compare", zh="清单为空或包含全部贷款，无从比较"
)
NEW_OR_LEVEL = Text(
    en="Of the loans of which a rule holds the first date's score expected {before} to go bad and the second's "
    "{expected}; {low} to {high} did (95 %). A rise says what is new; how risky a loan is, the present score says.",
    zh="对达到规则的贷款，首个日期的评分预计{before}变坏，第二个日期预计{expected}，实际为{low}至{high}（95%）。"
    "上升幅度说明“新变化”，风险高低仍以现有评分为准。",
)
ORDER = Text(
    en="By itself the rise orders loans with an AUC of {rise}, the present score with {level}. The second date's score "
    "orders them better than the first date's by {gain} AUC ({low} to {high}).",
    zh="仅按上升幅度排序AUC为{rise}，按现有评分排序为{level}。第二个日期的评分比首个日期AUC高{gain}（{low}至{high}）。",
)
CAPTION = Text(
    en="Shares with 95 % intervals: Wilson for a share, score test for a ratio of two.",
    zh="占比及95%区间：占比用Wilson法，比值用得分检验。",
)

GROUNDS = Text(en="What this page rests on", zh="本页的依据")
RULES = Text(en="Rules", zh="规则")
TEAM = Text(en="Capacity", zh="处理能力")
TEAM_TOLD = Text(en="{count} alerts a month", zh="每月{count}笔")
LEAST = Text(en="Least amount", zh="最低敞口")
LEAST_TOLD = Text(en="{amount} at risk; below it there is no alert", zh="敞口{amount}；低于此不预警")
EXACT = Text(en="Exactness", zh="精确性")
EXACT_TOLD = Text(
    en="The parts of a change add up to it to the last bit. They differ from the difference of the two scores by "
    "{most} at most, over {count} loans; rounding alone may come to {bound}.",
    zh="变动各部分之和与变动逐位相等；与两次评分之差最多相差{most}（{count}笔借据），仅舍入误差即可达{bound}。",
)
SOURCE = Text(en="Data", zh="数据")
LIMITS = Text(en="Limits", zh="局限")
LIMITS_TOLD = (
    Text(
        en="A risk that is high and stays high is no alert: it stands in the work list by expected loss.",
        zh="风险一直较高而未上升的贷款不会预警，应查看按预期损失排序的清单。",
    ),
    Text(
        en="A loan that was very safe or very risky drifts to the middle by chance alone: some rises are nothing else.",
        zh="原本极安全或极高风险的贷款仅因随机波动也会向中间靠拢，部分上升仅是如此。",
    ),
    Text(
        en="New loans have no earlier score and loans that fell overdue have left this card; both are in the table of "
        "all loans and in no list of alerts.",
        zh="新贷款没有此前评分，已逾期贷款不再属于本评分卡；两者均列入全部借据表，不列入预警。",
    ),
)

# On the terminal
PART_FITTED = Text(
    en="judging, part {number} of {folds}: fitting a card on {loans} loans of other borrowers",
    zh="检验第{number}份，共{folds}份：以其他借款人的{loans}笔借据拟合评分卡",
)
JUDGED = Text(
    en="went bad: {alerted} of the {count} alerts judged, {rest} of the other loans; {level} of as many loans with the "
    "highest probability",
    zh="变坏占比：受检验的{count}笔预警为{alerted}，其余借据为{rest}；同样笔数中现有概率最高者为{level}",
)
NOTHING_JUDGED = Text(
    en="not judged: no loan's rise meets a rule of the policy, or all loans' do",
    zh="未检验：没有借据的概率上升达到规则标准，或全部借据均达到",
)
DONE = Text(
    en="{alerts} among {loans} scored at both dates by the {card} card, version {version}; {waiting} more meet a rule "
    "and wait: {page}",
    zh="{card}评分卡版本{version}：两日均评分的{loans}中有{alerts}；另有{waiting}笔达到规则、待处理：{page}",
)
