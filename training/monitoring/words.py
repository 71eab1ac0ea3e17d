"""Every sentence of the monitoring page, in English and in Chinese."""

from __future__ import annotations

from features.words import Text

OVERLINE = Text(en="repayrank monitoring", zh="还款风险监测")
TITLE = Text(en="Does the card still hold?", zh="评分卡是否仍然有效？")
NONE = Text(en="–", zh="–")

# Header
CARD = Text(en="Card", zh="评分卡")
VERSION = Text(en="Version watched", zh="监测版本")
MONTH = Text(en="Month watched", zh="监测月份")
AS_OF = Text(en="Known by", zh="信息截止日")
REFERENCE = Text(en="Reference", zh="基准")
BAD_MEANS = Text(en="Bad outcome", zh="坏结果定义")
REFERENCE_IS = Text(en="{cases} cases, observed {days}", zh="{cases}笔样本，观察日{days}")
NO_REFERENCE = Text(en="none kept with the version", zh="该版本未保存基准")

# Summary
CASES = Text(en="Loans scored", zh="已评分借据")
ALARMS = Text(en="Alarms", zh="警报")
OF_TESTS = Text(en="of {tests} tests, taken together", zh="共{tests}项检验，合并控制误报")
SCORE_PSI = Text(en="PSI of the scores", zh="评分PSI")
CHANCE_MAKES = Text(en="chance makes up to {critical}", zh="仅由随机波动可达{critical}")
NOT_JUDGED = Text(en="not judged", zh="未评定")
LATEST_VINTAGE = Text(en="Bad share, latest mature vintage", zh="最近成熟批次坏账率")
FORETOLD = Text(en="{vintage}: {expected} foretold", zh="{vintage}：预测{expected}")
NO_VINTAGE = Text(en="no vintage has matured", zh="尚无成熟批次")
LATEST_AUC = Text(en="AUC, latest mature vintage", zh="最近成熟批次AUC")
OF_REFERENCE = Text(en="reference {auc}", zh="基准{auc}")
LISTS = Text(en="Work list changed", zh="工作清单变动")
OF_LISTS = Text(
    en="median, of the first {share}, from list to list; {lists} lists", zh="前{share}逐单变动的中位数；共{lists}份清单"
)
ONE_LIST = Text(en="all decisions are of one day", zh="全部决策同属一日")
OTHER_VERSION = Text(en="{count} decisions were made by other versions", zh="另有{count}笔决策由其他版本作出")
ERASED = Text(
    en="{count} decisions are of borrowers who were erased since: their features are not known any more.",
    zh="{count}笔决策所涉借款人此后已被删除：其特征不再可知。",
)
EXPIRED = Text(
    en="{count} requests were dropped at the end of their terms and are not in these figures.",
    zh="{count}个请求已因保存期满被清除，不计入本页数字。",
)
VERSIONS = Text(
    en="{count} decisions of other versions ({named}) are on record; only rolls, work lists and overrides count them.",
    zh="另有其他版本（{named}）的{count}笔决策在案；仅滚动率、工作清单和人工调整计入。",
)
QUIET = Text(
    en="No alarm. In quiet months, no more than {share} of the months raise one.",
    zh="无警报。在没有变化的月份中，误报月份不超过{share}。",
)
STANDS_IN = Text(
    en="The version keeps no population of its own: {month} stands in for it and is not judged.",
    zh="该版本未保存自身总体：以{month}代替，该月不作评定。",
)
AFTER_BREAK = Text(
    en="Since the declared break, months are held against {month}, the first after it with enough "
    "loans, which is not judged itself.",
    zh="自申报的断点起，各月与断点后首个样本足够的月份{month}比较，该月本身不作评定。",
)
FEW = Text(
    en="Fewer than {least} loans were scored in the month: its features and scores are not judged.",
    zh="本月评分借据少于{least}笔：不评定其特征与评分。",
)

# Months
MONTHS = Text(en="Month by month", zh="逐月情况")
MONTHS_LEAD = Text(
    en="Each month's borrowers against the population that the version was fitted on, one case of each loan and month. "
    "An index is judged only as far as it lies beyond what chance makes of so few.",
    zh="各月借款人与版本拟合时的总体比较，每笔借据每月计一例。指数只就超出随机波动的部分作评定。",
)
PSI_CAPTION = Text(
    en="Population stability index of the scores by month. The line is what chance exceeds with a probability of "
    "{share}.",
    zh="各月评分的群体稳定性指数。折线为随机波动以{share}概率超过的水平。",
)
MONTH_HEAD = Text(en="month", zh="月份")
LOANS = Text(en="loans", zh="借据数")
PSI = Text(en="PSI of scores", zh="评分PSI")
MOST = Text(en="feature that moved most", zh="变化最大的特征")
TESTS = Text(en="tests", zh="检验数")
SAID = Text(en="what was found", zh="发现")
NOTHING = Text(en="nothing", zh="无")
BASELINE = Text(en="is the reference from here on", zh="自此作为基准")
NOT_ENOUGH = Text(en="too few loans", zh="借据过少")

# Features
FEATURES = Text(en="The features", zh="各项特征")
HEAT_CAPTION = Text(
    en="Stability index of the features that moved most, by month; {shown} of {all} are shown. White is what chance "
    "makes.",
    zh="变化最大的特征逐月稳定性指数；共{all}项，显示{shown}项。白色为随机波动水平。",
)
FEATURE = Text(en="feature", zh="特征")
CSI = Text(en="index", zh="指数")
BEYOND = Text(en="beyond chance", zh="超出随机")
MISSING_NOW = Text(en="missing now", zh="当前缺失")
MISSING_BEFORE = Text(en="missing in the reference", zh="基准缺失")
NO_FEATURES = Text(en="No feature could be held against a reference.", zh="尚无特征可与基准比较。")
FORM = Text(en="Code and tables", zh="代码与数据表")
FINGERPRINTS = Text(en="fingerprint of the features", zh="特征指纹")
TABLES = Text(en="tables sent, by share of the loans", zh="所提供数据表及占比")

# Vintages
VINTAGES = Text(en="What became of them", zh="实际结果")
VINTAGES_LEAD = Text(
    en="A vintage is judged once its performance window of {days} days has ended and {share} of its outcomes are "
    "known; before that, those that are known are mostly bad. Intervals are of 95 %.",
    zh="批次在{days}天表现期结束且已知{share}的结果后方作评定；此前已知的多为坏结果。区间为95%。",
)
LEVEL_CAPTION = Text(
    en="Share that went bad, with its interval, and the share foretold (line).",
    zh="实际坏账率及其区间；折线为预测坏账率。",
)
AUC_CAPTION = Text(
    en="AUC with DeLong's interval; the line is the reference's, out of sample.",
    zh="AUC及其DeLong区间；横线为基准的样本外AUC。",
)
VINTAGE = Text(en="vintage", zh="批次")
STATE = Text(en="state", zh="状态")
KNOWN = Text(en="outcomes known", zh="已知结果")
FORETOLD_HEAD = Text(en="foretold", zh="预测")
WENT_BAD = Text(en="went bad", zh="实际坏账率")
AUC = Text(en="AUC", zh="AUC")
KS = Text(en="KS", zh="KS")
IN_THE_LARGE = Text(en="calibration, log-odds", zh="校准偏差（对数几率）")
SLOPE = Text(en="slope", zh="斜率")
NO_OUTCOMES = Text(
    en="No outcome is known yet: load them with `repayrank outcomes load`.",
    zh="尚无已知结果：请用 repayrank outcomes load 载入。",
)

# Money
MONEY = Text(en="Money expected and money that came", zh="预期回款与实际回款")
MONEY_CAPTION = Text(
    en="Mature vintages together, in tenths of the loans, the most money expected first ({currency}).",
    zh="全部成熟批次合并，按预期回款由高到低十等分（{currency}）。",
)
NO_MONEY = Text(
    en="Not known: it takes a card that expects recoveries, loans of one currency, and mature outcomes that say what "
    "came back.",
    zh="未知：需要评分卡给出预期回款、借据币种单一，且成熟结果载明实际回款。",
)
TENTH = Text(en="tenth", zh="十分位")
EXPECTED = Text(en="expected", zh="预期")
COLLECTED = Text(en="collected", zh="实收")
RATIO = Text(en="collected over expected", zh="实收/预期")

# Rolls
ROLLS = Text(en="Rolls from stage to stage", zh="逾期阶段滚动")
ROLLS_CAPTION = Text(
    en="Into {month}: where the loans were, where the moves of the months before foretold them, with the bounds of "
    "95 %, and where they are.",
    zh="滚动至{month}：原所在阶段、按此前月份滚动率预测的笔数（95%区间）及实际笔数。",
)
MATRIX_CAPTION = Text(
    en="Shares of each stage (row) that are in each stage (column) a month later.",
    zh="各阶段（行）借据一个月后所处阶段（列）的占比。",
)
STAGE = Text(en="stage", zh="阶段")
BEFORE = Text(en="before", zh="此前")
FORECAST = Text(en="forecast", zh="预测")
ACTUAL = Text(en="actual", zh="实际")
NO_FORECAST = Text(en="no month before to foretell from", zh="此前无月份可供预测")
NO_ROLLS = Text(
    en="Not known: it takes a card that reads how far a loan is past due, and loans that are scored in two months that "
    "follow each other.",
    zh="未知：需要评分卡读取逾期天数，且借据在相邻两个月均被评分。",
)
GONE = Text(en="not scored", zh="未再评分")

# Work
WORK = Text(en="The work list from day to day", zh="工作清单的逐日变化")
CHURN_CAPTION = Text(
    en="Of the {share} that are worked first, the share that is not among the first on the next list; and the rank "
    "correlation of all loans that are on both.",
    zh="优先处理的前{share}中，下一清单不再位列其中的占比；以及两份清单共有借据的秩相关。",
)
NO_CHURN = Text(en="Not known: all decisions are of one observation date.", zh="未知：全部决策同属一个观察日。")
FROM = Text(en="from", zh="自")
TO = Text(en="to", zh="至")
CHANGED = Text(en="changed among the first", zh="优先部分变动占比")
BOTH = Text(en="on both lists", zh="两表共有")
CORRELATION = Text(en="rank correlation", zh="秩相关")
OVERRIDES = Text(en="Decided otherwise by people", zh="人工调整")
NO_OVERRIDES = Text(
    en="Not known: outcomes may say it in a column `overridden`, or name the `treatment` that was given.",
    zh="未知：结果文件可用 overridden 列载明，或以 treatment 列写明实际采用的措施。",
)
SUGGESTED = Text(en="suggested treatment", zh="建议措施")
RATE = Text(en="share overridden", zh="调整占比")
DECISIONS = Text(en="decisions", zh="决策数")

# Grounds
GROUNDS = Text(en="What this page rests on", zh="本页的依据")
POLICY = Text(en="Monitoring policy", zh="监测政策")
BREAKS = Text(en="Declared breaks", zh="申报的断点")
NO_BREAKS = Text(en="none", zh="无")
MADE_OF = Text(en="Decisions of record", zh="在案决策")
COUNTED = Text(en="{read} read, {own} of this version", zh="共读取{read}笔，其中本版本{own}笔")
LIMITS = Text(en="What it cannot see", zh="本页的局限")
LIMITS_SAID = Text(
    en="An alarm says that something is other than it was, not that it is worse, nor why. Borrowers who are not scored "
    "are not seen. Where people worked the list, outcomes are those of loans that were worked.",
    zh="警报表示情况有变，并不表示变差，也不说明原因。未被评分的借款人不在观察之内。凡经人工跟进的借据，其结果为跟进之后的结果。",
)
