"""What the name of a column, or a text in it, speaks of: the words that a first portfolio file is guessed from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from features.portfolios import draft_languages as beyond
from features.portfolios.protected_names import plain

CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
APART = re.compile(r"[\s_\-./\\:;,()\[\]{}<>|#（）、，]+")

DAY = (
    r"date|\b(d|dt|on|at|day|time|dob)\b|issued|birth|日期|时间|日$"
    f"|{beyond.DAY}"
)
BARE_DAY = r"^(date|day|fecha|fec|data|datum|jour|riqi|日期)$"
MONTH = r"month|\bym\b|period|date|年月|月份"
YEAR = (
    r"\byears?\b|\byr\b|年份|年度|^年$"
    f"|{beyond.YEAR}"
)

ID = (
    r"\bids?\b|\b(loan|cust|customer|client|member|user|account|acct|borrower|contract|order|trans|payment)id\b"
    r"|\b(uuid|guid|key|ref)\b|编号|单号|借据号|合同号|客户号|账号|卡号|身份证|证件号|流水号|主键"
    r"|\b(account|acct|loan|contract|customer|client|member|card|application|payment)"
    r" ?(no|nr|num|nbr|number|code|ref)\b"
)
LOAN_ID = (
    r"^id$|借据号|借据编号|贷款编号|贷款号|合同号|合同编号|申请编号|申请号|进件"
    r"|\b(loan|contract|facility|agreement|credit|application|app|deal) ?(id|no|nr|num|nbr|number|key|code|ref)\b"
    f"|{beyond.LOAN_ID}"
)
BORROWER_ID = (
    r"客户号|客户编号|客户id|用户|借款人|身份证|证件号"
    r"|\b(borrower|customer|cust|client|member|user|person|party|applicant|obligor)"
    r" ?(id|no|nr|num|nbr|number|key|ref)\b"
    f"|{beyond.BORROWER_ID}"
)
ACCOUNT_ID = r"\b(account|acct) ?(id|no|nr|num|nbr|number|key)\b|账户|账号"
PERSONAL = (
    r"\bnames?\b|\b(phone|mobile|tel|telephone|e ?mail|address|street|zip|zip code|postcode|passport|ssn|employer)\b"
    r"|emp title|姓名|手机|电话|地址|邮箱|身份证|证件|住址|单位名称"
    f"|{beyond.PERSONAL}"
)

OUTCOME_SURELY = (
    r"^((is )?(bad|default|defaulted)( flag)?|target|label|outcome|good bad|bad good|gb|(gb|good bad) flag"
    r"|creditability|class|y|serious ?dlq.*)$|违约|好坏|坏客户|坏账户|是否逾期|逾期标志|标签|目标变量|^结果$"
    f"|{beyond.OUTCOME}"
)
OUTCOME = (
    r"\b(bad|default|defaulted|target|label|outcome|creditability|charged? ?off|dlq|credit risk)\b|^(loan )?status$"
    r"|loan status|还款结果|贷款状态"
)
OUTCOME_PERHAPS = r"\bstatus\b|状态"
GOOD_NAME = r"\bgood\b|creditab|\b(re)?paid\b|repay|履约|^好"
BAD_NAME = r"\bbad\b|default|坏|违约"
EARLIER = (
    r"prev|\bpast\b|histor|\bever\b|prior|before|within|\blast\b|\b\d+ ?(m|mo|mths?|months?|y|yrs?|years?|days?)\b"
    r"|历史|曾|近|过去|以往"
    f"|{beyond.EARLIER}"
)
LONG_AGO = r"历史|曾|近|过去|以往|\bever\b|\bprev|histor|\bprior\b"
"""A name that speaks of a time before the decision, and one that does so whatever else it says."""

NOT_GOOD = (
    r"\bun(re)?paid\b|\bnot (yet |been |fully )*(re)?paid\b|未还|未结清|不正常|\bnon ?performing\b|\bnot good\b|不好"
)
NOT_BAD = (
    r"\b(no|non|not|never|without) (in |a )?(bad|default|defaulted|late|overdue|delinquent|charged off|loss)\b"
    r"|\bnondefault\b|未违约|未逾期|无逾期|非违约|不违约|不逾期|非坏|不坏|无违约"
    f"|{beyond.NOT_BAD}"
)
BAD_TEXT = (
    r"\bbad\b|default|\bcharge[ds]? ?off\b|\bwritten ?off\b|\bloss\b|\blate\b|overdue|past due|delinquen|arrear"
    r"|\bdebt\b|\bnpl\b|坏|违约|逾期|核销|不良|损失|失信"
    f"|{beyond.BAD_TEXT}"
)
UNDECIDED_TEXT = (
    r"current|running|grace|issued|pending|ongoing|\bactive\b|存续|未到期|在贷|还款中|indeterminate|不确定|unknown"
)
GOOD_TEXT = (
    r"\bgood\b|\bpaid\b|\brepaid\b|performing|closed|settled|\bok\b|normal|\bdone\b|好|正常|结清|已还|履约"
    f"|{beyond.GOOD_TEXT}"
)
YES = frozenset(["1", "1.0", "yes", "y", "true", "t", "是", "有", *beyond.YES])
NO = frozenset(["0", "0.0", "no", "n", "false", "f", "否", "无", *beyond.NO])

PROTECTED_COLUMNS: Mapping[str, str] = {
    "sex": rf"\b(sex|gender)\b|性别|{beyond.SEX}",
    "age_years": rf"\bages?\b|年龄|{beyond.AGE}",
    "marital_status": rf"\b(marital|married|marriage)\b|婚姻|婚否|{beyond.MARITAL}",
}
AFTERWARDS = (
    r"\b(paid|repaid|recover\w*|settle\w*|charge[ds]? ?off|write ?off|written ?off|collections?|writeoff)\b"
    r"|\b(last|next|total|tot|sum|received|made) (pymnt|payment|pay|rec)\b|\bout prncp\b|outstanding principal"
    r"|\brec (prncp|int|late)\b|还款|已还|实还|核销|回收|追回|催收|结清|剩余本金"
    f"|{beyond.AFTERWARDS}"
)
"""A name that speaks of what comes after the decision."""
BEFOREHAND = r"还款方式|还款来源|还款能力|还款期|还款日$|月还款|还款计划"
PRICE = (
    r"\b(int|interest) rate\b|\bapr\b|\b(sub )?grade\b|\brating\b|\bscore\b|利率|评级|评分|定价"
    f"|{beyond.PRICE}"
)
"""A name that speaks of what the lender itself has decided."""

WILLINGNESS = (
    r"delinq|\blate\b|overdue|\brec(ord)?s?\b|histor|\binq\w*\b|enquir|past ?due|default|arrear|\bdpd\b|missed|bankrupt"
    r"|\bdlq\w*|derog|collections|charge ?off|逾期|违约|查询|征信|历史|失信|记录|黑名单"
    f"|{beyond.WILLINGNESS}"
)
ABILITY = (
    r"incom|\binc\b|balanc|\bbal\b|salar|wage|saving|\bdti\b|\butil\w*\b|\bdebts?\b|\basset|expens|deposit|checking|revenue"
    r"|收入|工资|薪|余额|存款|负债|资产|支出|使用率|流水"
    f"|{beyond.ABILITY}"
)

SHARE = r"\b(rate|ratio|share|pct|percent(age)?|util\w*|dti|apr)\b|率|占比|比例|百分"
MONTHS = (
    r"(?<!\d )\b(months?|mths?|mob|tenure|duration|term)\b|月数|期限|期数|账龄"
    f"|{beyond.MONTHS}"
)
DAYS = (
    r"(?<!\d )\bdays?\b|天数"
    f"|{beyond.DAYS}"
)
COUNTED = (
    r"\b(number|num|count|cnt|nbr|times)\b|次数|数量|笔数|个数|人数|户数"
    f"|{beyond.COUNTED}"
)
MONEY = (
    r"\b(amount|amnt|amt\d*|limit|price|value|installment|instalment|payments?|fee|turnover|money)\b|incom|\binc\b|salar|wage"
    r"|balanc|\bbal\b|\bdebts?\b|saving|asset|expens|\bcost|revenue|金额|收入|余额|额度|工资|薪|月供|价|支出|存款|资产|负债|欠款"
    f"|{beyond.MONEY}"
)
COUNTED_PERHAPS = r"\b(inq\w*|delinq\w*|accs?|accts?|accounts?|recs?|dependents?)\b"
MINOR_UNITS = r"\b(cents?|fen|minor)\b| 分$"

MONEY_OUT = r"debit|withdraw|outflow|\bout\b|\bdr\b|expense|\bpaid\b|vydaj|支出|转出|支取|取款|消费"
MONEY_IN = r"credit|deposit|inflow|\bin\b|\bcr\b|income|received|prijem|收入|转入|存入|存款"

LONE_FILE = (
    r"loan|credit|application|contract|customer|借据|贷款|合同|申请|进件|客户"
    f"|{beyond.LONE_FILE}"
)
"""A file's name that speaks of loans."""

TABLE_FILES: Mapping[str, str] = {
    "instalments": r"instal|schedule|repayment plan|还款计划|期款|应还",
    "statements": r"statement|\bbills?\b|账单",
    "contacts": r"contact|\bcalls?\b|催收|通话|联系",
    "promises": r"promise|\bptp\b|承诺",
    "debits": r"direct ?debit|\bdebits?\b|扣款|代扣",
    "enquiries": r"enquir|inquir|查询",
    "events": r"\bevents?\b|事件",
    "security": r"securit|collateral|guarant|抵押|担保|押品",
    "payments": r"\bpay|payment|repay|receipt|还款|回款",
    "transactions": r"\btrans|txn|\bflows?\b|movement|流水|交易",
    "borrowers": r"borrower|\bincomes?\b|\bmeans\b|收入",
    "outcomes": r"outcome|performance|表现|结果",
}
"""What the name of a table's file speaks of; the first that fits counts."""

COLUMNS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "loans": {
        "loan_id": (LOAN_ID,),
        "borrower_id": (BORROWER_ID, ACCOUNT_ID),
        "product": (r"\bproduct( type)?\b|产品",),
        "currency": (rf"currency|\bccy\b|币种|{beyond.CURRENCY}",),
        "applied_on": (rf"appl(ied|ication|y)\b|\brequest(ed)?\b|申请|{beyond.APPLIED}",),
        "opened_on": (
            r"\bissue\w*\b|\bopen\w*\b|origin|disburs|fund(ed|ing)?\b|grant|contract|start|放款|起息|开户|发放|签约|借款日",
            beyond.OPENED,
            r"^(loan )?(date|day)$|^日期$",
        ),
        "amount": (
            r"^(loan )?(amount|amnt|amt)$|\b(loan|credit) (amount|amnt|amt)\b|\b(amount|amt) (of|requested|financed)\b"
            r"|贷款金额|借款金额|放款金额|申请金额|贷款额|本金",
            beyond.AMOUNT,
        ),
        "term_months": (r"^term\b|^tenor\b|^duration\b|\bloan (term|duration)\b|\bterm$|期限|期数", beyond.TERM),
        "credit_limit": (r"credit limit|^limit( bal)?$|授信额度|信用额度|额度",),
    },
    "instalments": {
        "schedule": (r"\bschedule|revision|版本",),
        "number": (r"\b(no|nr|num|number|seq|period|term)\b|期数|期次|期号|第几期",),
        "due_on": (r"\bdue\b|应还|到期", r"date|日期"),
        "principal": (r"principal|prncp|本金", r"amount|\bamt\b|金额"),
        "interest": (r"\binterest\b|\bint\b|利息",),
        "costs": (r"\bfees?\b|\bcosts?\b|penalt|charges?\b|费|罚息",),
    },
    "statements": {
        "statement_on": (r"statement|\bbill\b|账单日", r"date|日期|\bmonth\b|账期"),
        "balance": (r"balanc|\bbal\b|\bbill\b|余额|欠款|账单金额",),
        "months_overdue": (r"months (overdue|past due)|\bdelinq|overdue|逾期期数|逾期月",),
    },
    "payments": {
        "payment_id": (ID,),
        "paid_on": (r"\b(paid|pay|payment|value|receipt)\b|还款日|还款时间|入账", r"date|日期|时间"),
        "amount": (r"amount|\bamt\b|\bpaid\b|\bpayment\b|金额|还款额",),
        "payer": (r"payer|paid by|付款人|还款人|付款方|还款主体", r"channel|source|method|渠道|方式|来源"),
    },
    "borrowers": {
        "stated_on": (r"stated|evidence|updated|申报|核实|采集|更新", r"^(date|日期)$"),
        "monthly_income": (r"monthly income|income|salary|月收入|收入",),
        "monthly_expenses": (r"expens|支出",),
        "other_instalments": (r"instal|月供",),
        "employment": (r"employ|\bjob\b|职业|就业",),
    },
    "contacts": {
        "contact_id": (ID,),
        "contacted_on": (r"contact|\bcall", r"date|日期|时间"),
        "channel": (r"channel|medium|方式|渠道",),
        "direction": (r"direction|方向",),
        "result": (r"result|outcome|disposition|结果",),
    },
    "promises": {
        "promise_id": (ID,),
        "promised_on": (r"promised|given|登记|承诺日", r"^date$|^日期$"),
        "due_on": (r"\bdue\b|\buntil\b|到期|承诺还款日",),
        "amount": (r"amount|\bamt\b|金额",),
    },
    "debits": {
        "debit_id": (ID,),
        "tried_on": (r"tried|date|日期|时间",),
        "amount": (r"amount|\bamt\b|金额",),
        "result": (r"result|status|结果|状态",),
    },
    "transactions": {
        "transaction_id": (ID,),
        "booked_on": (r"book|value date|记账", r"date|日期|时间"),
        "amount": (r"amount|\bamt\b|金额|发生额",),
        "balance": (r"balanc|\bbal\b|余额",),
        "kind": (r"kind|symbol|purpose|categor|摘要|用途", r"\btype\b|operation|类型|类别"),
    },
    "enquiries": {
        "enquiry_id": (ID,),
        "enquired_on": (r"enquir|inquir|查询日|查询时间", r"date|日期|时间"),
        "purpose": (r"purpose|reason|原因|目的",),
    },
    "events": {
        "event_id": (ID,),
        "kind": (r"kind|\btype\b|event|类型|事件",),
        "happened_on": (r"happened|date|日期|时间",),
    },
    "security": {
        "security_id": (ID,),
        "valued_on": (r"valu|date|日期|时间",),
        "kind": (r"kind|\btype\b|类型",),
        "value": (r"\bvalue\b|amount|价值|估值|金额",),
    },
    "outcomes": {
        "happened_on": (r"happened|date|日期",),
        "bad": (OUTCOME_SURELY, OUTCOME),
        "recovered": (r"recover|回收",),
    },
}
"""What the names of the columns speak of that a table can be read from; earlier words come first."""

ELSEWHERE = r"employ|\bjob\b|work|residen|address|工作|居住"
"""A name that speaks of the borrower's work or home, not of the loan."""

REVERSED = r"revers|cancel|refund|chargeback|\bvoid|bounced|returned|冲正|冲销|冲回|撤销|退票|退回"
"""A text that marks a row as taking an earlier one back."""
FAILED = r"fail|declin|reject|unpaid|pending|失败|未成功|作废|无效|处理中|待"
"""A text that marks a row as nothing that happened."""
OF_WHICH = r"\borig|revers|refer|\bof\b|原|被冲|关联"
"""The name of a column that says which row is taken back."""

TEXTS: Mapping[str, str] = {
    "revolving": r"revolv|\bcard\b|credit line|overdraft|循环|信用卡",
    "instalment": r"instal|\bloan\b|mortgage|term|分期|贷款",
    "sanction_interest": r"sanction|penalty interest|overdraft interest|罚息",
    "salary": r"salar|wage|payroll|工资|薪",
    "pension": r"pension|养老",
    "loan_payment": r"loan|uver|还贷|贷款还款|还款",
    "insurance": r"insur|pojistne|保险",
    "household": r"household|rent\b|sipo|utilit|房租|水电|物业",
    "interest": r"interest|urok|利息",
    "fee": r"\bfee|charge|payment for statement|sluzby|手续费",
    "cash": r"cash|\batm\b|vklad|vyber|现金|取现",
    "card": r"\bcard\b|\bpos\b|刷卡|消费",
    "transfer": r"transfer|remittance|collection from|prevod|转账|汇款",
    "unemployed": r"unemploy|jobless|无业|失业|待业",
    "self_employed": r"self|business|freelanc|farmer|个体|自雇|自由职业|经营|私营|农民|务农",
    "retired": r"retire|pension|退休",
    "student": r"student|学生",
    "employed": r"employ|worker|clerk|staff|在职|受雇|职员|员工|公务员|工人|司机|教师|医生|上班",
    "new_credit": r"new|applic|credit|审批",
    "guarantee": r"guarant|担保",
    "review": r"review|manage|贷后",
    "property": r"propert|real estate|house|房",
    "vehicle": r"vehicle|\bcar\b|auto|车",
    "deposit": r"deposit|存单|存款",
    "insufficient_funds": r"insufficient|\bnsf\b|余额不足",
    "mandate_revoked": r"revok|cancel|解约",
    "account_closed": r"closed|销户",
    "technical": r"technic|error|系统|异常",
    "paid": r"\bpaid\b|success|\bok\b|成功",
    "call": r"call|phone|\btel\b|电话|外呼|语音|机器人",
    "message": r"sms|message|chat|whatsapp|wechat|短信|微信|彩信|钉钉|企微",
    "mail": r"\be ?mail|邮件|邮箱",
    "letter": r"letter|\bpost|\bmail\b|信函|函件|律师函|挂号",
    "visit": r"visit|field|door|上门|外访|走访|实地",
    "app": r"\bapp\b|push|推送|站内信",
    "outbound": r"\bout|外呼|呼出|主叫",
    "inbound": r"\bin|呼入|来电|被叫",
    "refused": r"refus|hung|abus|disput|拒|挂断|辱骂|投诉",
    "other_person": r"other|third|relative|spouse|family|colleague|第三|他人|家人|亲属|配偶|同事|非本人|朋友|代接",
    "unreachable": r"unreach|dead|invalid|wrong|disconnect|switched ?off|not in service|fail|undeliver|bounced"
    r"|空号|停机|关机|失败|错号|号码错误|注销|失联|不在服务区|无法接通",
    "no_answer": r"no answer|no reply|no contact|not answer|busy|voice ?mail|unanswered"
    r"|无人|未接|无应答|占线|忙|未应答|留言",
    "borrower_reached": r"reached|spoke|answered|contacted|promise|\bptp\b|\brpc\b|agreed"
    r"|本人|接通|承诺|同意还款|已联系|客户|接听",
    "delivered": r"deliver|\bsent\b|\bread\b|送达|已发送|发送成功|已发|已读|成功",
    "guarantor": r"guarant|担保|保证人|共借",
    "insurer": r"insur|保险|理赔|保司",
    "third_party": r"third|agent|other|第三方|代偿|代付|他人|亲友|家属",
    "offset": r"offset|set ?off|抵销|抵扣|抵消|扣划",
    "write_off": r"write ?off|written ?off|waive|核销|减免|豁免",
    "borrower": r"borrower|\bown|self|customer|client|debit|transfer|cash|card|counter|online|app\b|bank"
    r"|主动|本人|借款人|代扣|柜|自助|转账|银行|支付宝|微信|线上|线下|扣款|现金",
}
"""What a text speaks of that stands for a value of a table's column; the first that fits counts."""


@lru_cache(maxsize=65536)
def words(name: str) -> str:
    """Return a name as words in small letters, with blanks between them.

    >>> words("SeriousDlqin2yrs"), words("loan_amnt"), words("月收入(元)")
    ('serious dlqin2yrs', 'loan amnt', '月收入 元')
    """
    return APART.sub(" ", CAMEL.sub(" ", name)).strip().lower()


def speaks(name: str, of: str) -> bool:
    """Return whether a name speaks of something; the edges of words are those of Latin letters."""
    return re.search(of, words(plain(name)), re.ASCII) is not None


def meaning(text: str) -> str | None:
    """Return whether a text says bad, good or indeterminate; None when it says nothing.

    >>> meaning("Charged Off"), meaning("no default"), meaning("已结清"), meaning("A")
    ('bad', 'good', 'good', None)
    """
    for pattern, told in (
        (NOT_GOOD, "bad"),
        (NOT_BAD, "good"),
        (BAD_TEXT, "bad"),
        (UNDECIDED_TEXT, "indeterminate"),
        (GOOD_TEXT, "good"),
    ):
        if speaks(text, pattern):
            return told
    return None


def value_of(text: str, among: tuple[str, ...]) -> str | None:
    """Return the value that a text stands for, among those of a table's column; None when it names none."""
    plain = words(text).replace(" ", "_")
    if plain in among:
        return plain
    return next((value for value, said in TEXTS.items() if value in among and speaks(text, said)), None)
