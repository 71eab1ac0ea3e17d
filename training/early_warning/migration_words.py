"""Every sentence of the page of migrations, in English and in Chinese."""

from __future__ import annotations

from features.words import Text

TITLE = Text(en="How much of the book is on its way down", zh="有多少资产正在向下迁徙")
OVERLINE = Text(en="repayrank five-category migration", zh="五级分类迁徙")
BOOK = Text(en="Book", zh="账本")
DATES = Text(en="Dates", zh="日期")
NEXT = Text(en="Forecast for", zh="预测日期")
POLICY = Text(en="Category policy", zh="分类规则")

NOT_THE_BANKS = Text(
    en="A category here is the floor that days past due alone set, by the thresholds below. It is not the bank's own "
    "risk classification and no accounting statement: that also weighs means, guarantees, other debts and judgement, "
    "may be worse, and is for the bank to make. Nor is it an impairment stage or a regulator's default under another "
    "regime.",
    zh="此处分类仅为按下列阈值由逾期天数得出的最低分类，并非银行自身的资产风险分类，也不是会计结论：银行分类还须考虑还款能力、担保、其他债务及判断，可能更差，应由银行作出；也不等同于减值阶段或其他监管口径下的违约。",
)
PRODUCT = Text(en="{product}: loans in the book on {day}", zh="{product}：{day}在账贷款")
PRODUCTS = {
    "revolving": Text(en="Cards and credit lines", zh="信用卡及循环额度"),
    "instalment": Text(en="Instalment loans", zh="分期贷款"),
}

RATIO = Text(en="NPL ratio now, {day}", zh="当前不良率，{day}")
RATIO_MARKOV = Text(en="Forecast by the matrix", zh="按迁徙矩阵预测")
RATIO_SCORES = Text(en="Forecast by scores", zh="按评分预测")
RATIO_CAME = Text(en="What came", zh="实际结果")
BOUNDS = Text(
    en="{low} to {high} (95 %), {change} points against now", zh="{low}至{high}（95%），较当前{change}个百分点"
)
WHOLE_BOOK = Text(
    en="of these loans; {ratio} of the whole book, with new loans", zh="同一批贷款；含新增贷款的全账本为{ratio}"
)
MONEY = Text(en="{money} of {all}", zh="{money}，共{all}")
NO_SCORES = Text(
    en="no champion scores these loans, or --no-by-scores was given",
    zh="没有可对这些借据评分的冠军模型，或已指定 --no-by-scores",
)

MATRIX = Text(en="Where the money went, {first} to {last}", zh="{first}至{last}余额迁徙")
MATRIX_LEAD = Text(
    en="Of the money in each category at the beginning of a period, the share in each at its end, over {steps} periods "
    "together. Rolled down: the share in a worse category or written off, with its 95 % interval.",
    zh="期初各类余额在期末的分布占比，合计{steps}期。“向下迁徙”为进入更差类别或核销的占比及95%区间。",
)
FROM = Text(en="From", zh="起始类别")
LOANS = Text(en="Loans", zh="借据数")
ROLLED = Text(en="Rolled down", zh="向下迁徙")

HELD = Text(en="What each category holds, and will hold on {day}", zh="各类别现有及{day}预计金额")
CATEGORY = Text(en="Category", zh="类别")
NOW = Text(en="Now, {currency}", zh="现有，{currency}")
MARKOV = Text(en="By the matrix", zh="按矩阵")
SCORES = Text(en="By scores", zh="按评分")
CAME = Text(en="Came", zh="实际")
HELD_CAPTION = Text(
    en="Of the money now in the book; new loans are in no forecast, and an amount stays what it is now. Bounds are of "
    "what will be counted (95 %). The matrix takes a loan's next category to depend on its category alone; scores let "
    "riskier loans of a category go down more often.",
    zh="仅含当前在账余额，预测不含新增贷款，金额按当前值计。区间为将被统计到的数值（95%）。矩阵法假定下期类别只取决于当前类别；评分法使同类中风险较高者更常下迁。",
)
NO_FORECAST = Text(
    en="{product}: no forecast by the matrix, for a category holds money now and held none at the first dates.",
    zh="{product}：无法按矩阵预测，因某类别目前有余额，而此前各期期初均无余额。",
)
RUN_OFF = Text(
    en="{product}: nothing is owed in the book any more on {day}, so nothing is forecast.",
    zh="{product}：截至{day}账本中已无余额，故不作预测。",
)

BACKTEST = Text(en="What came of the forecasts on {day}", zh="{day}预测检验")
METHOD = Text(en="Forecast", zh="预测方法")
ERROR = Text(en="Ratio forecast less actual, points", zh="预测减实际，百分点")
INSIDE = Text(en="Inside the bounds", zh="落在区间内")
MISPLACED = Text(en="Money forecast in a wrong state", zh="错置余额占比")
YES = Text(en="yes", zh="是")
NO = Text(en="no", zh="否")
BETTER = Text(
    en="Loan by loan the forecast by scores was {verdict}: the matrix's surprise less theirs is {gain} on average "
    "({low} "
    "to {high}, 95 %; surprise: the logarithm of one over the probability that was given to what came).",
    zh="逐笔比较，评分法预测{verdict}：矩阵法平均意外度减评分法为{gain}（{low}至{high}，95%；意外度为所给概率倒数的对数）。",
)
SURELY_BETTER = Text(en="better", zh="更好")
SURELY_WORSE = Text(en="worse", zh="更差")
NOT_TOLD = Text(en="not told apart from the matrix", zh="与矩阵法无法区分")
NOT_YET = Text(en="The book ends before {day}: what comes is not known yet.", zh="账本在{day}之前结束，结果尚不可知。")
ALL_SEEN = Text(
    en="{card}, version {version}, was fitted on loans observed up to {day}. Where its outcomes lie after the dates "
    "above, "
    "or are of these very loans, the comparison flatters the scores.",
    zh="{card}（第{version}版）以截至{day}观察的借据拟合。如其结果晚于上述日期，或正是这些借据的结果，则比较对评分法偏有利。",
)

GROUNDS = Text(en="What this page rests on", zh="本页的依据")
RULE = Text(en="Thresholds, {product}", zh="阈值：{product}")
RULE_TOLD = Text(
    en="days past due: special mention from {special}, substandard from {substandard}, doubtful from {doubtful}, loss "
    "from {loss} ({status}; in force from {day})",
    zh="逾期天数：{special}天起关注，{substandard}天起次级，{doubtful}天起可疑，{loss}天起损失（{status}；自{day}施行）",
)
NOT_IN_FORCE = Text(
    en="On the dates above this rule was not in force, or the book is of another country: it serves as a yardstick "
    "here.",
    zh="上述日期该规则尚未施行，或账本属于其他国家或地区：此处仅作衡量尺度。",
)
IN_PLACE = Text(
    en="A book of another country has other rules; whose rules these are, the source says.",
    zh="其他国家或地区的账本适用其自身规则，规则归属见来源。",
)
MONTHS_RULE = Text(en="Months on a statement", zh="账单逾期月数")
MONTHS_TOLD = Text(en="count as {days} days past due each", zh="每月计{days}天逾期")
QUIET = Text(en="Days without a record", zh="允许无记录的天数")
QUIET_TOLD = Text(
    en="a book is taken to be known up to {days} days after its newest record",
    zh="最近一条记录之后{days}天内，视为账本记录完整",
)
RESTRUCTURED = Text(en="Restructured loans", zh="重组贷款")
RESTRUCTURED_TOLD = Text(
    en="at least {category} for {days} days after the event ({status})",
    zh="事件后{days}天内至少为{category}（{status}）",
)
UNKNOWN = Text(en="Left out", zh="未纳入")
UNKNOWN_TOLD = Text(en="{count} loans of which nobody knows whether they are overdue", zh="{count}笔逾期状况未知的借据")
SOURCE = Text(en="Data", zh="数据")
LIMITS = Text(en="Limits", zh="局限")
LIMITS_TOLD = (
    Text(
        en="Moves of one loan in several months are taken as separate in the matrix's bounds, which are too narrow by "
        "that.",
        zh="矩阵区间将同一借据多期迁徙视为相互独立，因此偏窄。",
    ),
    Text(
        en="A shock that moves many loans together lies outside all bounds.",
        zh="使大量贷款同时变动的冲击不在任何区间之内。",
    ),
    Text(
        en="The NPL ratio is the money in substandard, doubtful and loss over the money in all five; money written "
        "off or left is in neither.",
        zh="不良率为次级、可疑、损失三类金额占五类合计之比；已核销或退出的金额均不计入。",
    ),
)
SUMMARY = Text(
    en="{product}: NPL ratio {now} on {day}; forecast for {next}: {markov} by the matrix ({low} to {high}, 95 %)",
    zh="{product}：{day}不良率{now}；{next}预测：按矩阵{markov}（{low}至{high}，95%）",
)
SUMMARY_SCORES = Text(en=", {ratio} by scores", zh="，按评分{ratio}")
SUMMARY_CAME = Text(en="; it came to {ratio}", zh="；实际{ratio}")

# On the terminal
BOOK_ON = Text(en="reading the book as it stood on {day}", zh="读取{day}的账本")
SCORES_ON = Text(
    en="the {card} card scores the {loans} loans that it is for on {day}",
    zh="{card}评分卡对{day}属其评分范围的{loans}笔借据评分",
)
DONE = Text(en="migration of {products}: {page}", zh="{products}的迁徙：{page}")
