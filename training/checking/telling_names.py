"""What the name of a column says about it: that it comes after the decision, that it is protected, or that it is a key.

A name proves nothing. It is a reason to look, where values cannot tell: a column that is empty today, or one that every
loan has.
"""

from __future__ import annotations

import re

from features.portfolios.protected_names import found, of_a_name, tokens

WHAT_BECAME = (
    "recover*", "charge off", "charged off", "chargeoff*", "write off", "writeoff*", "written off", "settle*",
    "default*", "outcome*",
    "核销", "回收", "结清", "违约", "坏账", "代偿",
)  # fmt: skip
"""Words for the end of a loan, of whatever card."""
AFTER_LENDING = (
    "late fee*", "paid", "repaid", "pymnt*", "pymt*", "payment*", "repay*", "collect*", "loan status", "account status",
    "total rec", "out prncp", "outstanding principal", "dpd", "days past due", "hardship*", "还款", "逾期天数", "催收",
)  # fmt: skip
"""Words for what happens once a loan runs: of an applicant they cannot be known."""
ABOUT_THE_PAST = (
    "since", "previous*", "prev", "prior", "histor*", "hist", "existing", "ever", "before application",
    "近_", "近一年", "近两年", "近半年", "近三", "近六", "近十二", "过去", "历史",
)  # fmt: skip
"""Words that turn a name to the time before: `mths_since_last_delinq`, 近6个月还款次数."""
OF_A_BUREAU = ("chargeoff*", "charge off", "collect*", "delinq*", "dpd", "late", "逾期天数", "催收")
"""What bureaus count over months that have passed: `collections_12_mths_ex_med`."""
AS_AGREED = (
    "down", "monthly", "planned", "scheduled", "method", "type", "frequency", "ratio", "income", "ability", "capacity",
    "rent", "mortgage", "due day", "方式", "能力", "来源", "周期", "期限", "月还款", "应还",
)  # fmt: skip
"""Words that make of a payment a term of the contract, or a means to pay: `down_payment`, `payment_to_income`."""
OF_A_PERSON = ("name", "job", "employ*", "salary", "address", "degree", "school", "income")
"""What may be called the last one without being later than the application: `last_employer`."""
PLANNED_DAYS = (
    "due", "maturity", "matures", "expir*", "planned", "scheduled", "next", "contract end", "到期", "应还", "计划",
)  # fmt: skip
"""Days to come that are agreed beforehand: no knowledge of what became of the loan."""
KEYS = ("id", "ids", "uuid", "guid", "key", "no", "nr", "number", "code")
KEYS_IN_CHINESE = ("编号", "序号", "单号", "证号", "账号", "卡号")

_MONTHS = r"(?:y|yr|yrs|year|years|m|mo|mon|mth|mths|month|months|d|day|days|w|week|weeks)"
_WINDOW = re.compile(rf"(?:^|_)[0-9]+_{_MONTHS}(?:_|$)")
_WINDOW_BEFORE = re.compile(rf"(?:^|_)(?:last|past|recent)_[0-9]+_{_MONTHS}(?:_|$)")


def of_what_comes_after(name: str, *, applicants: bool) -> str | None:
    """Return the word by which a name speaks of what comes after the observation date, or None.

    Parameters
    ----------
    applicants : the card is for applicants, who have paid nothing yet; of a running loan, payments may well be known
    """
    parts = tokens(name)
    if found(ABOUT_THE_PAST, parts) or _WINDOW_BEFORE.search("_".join(parts)):
        return None
    windowed = _WINDOW.search("_".join(parts)) is not None
    told = found(WHAT_BECAME, parts)
    if told is not None and not (windowed and found(OF_A_BUREAU, parts)):
        return told
    if not applicants or (windowed and found(OF_A_BUREAU, parts)):
        return None
    if parts[:1] == ("last",) and not found(OF_A_PERSON, parts):
        return found(AFTER_LENDING, parts) or "last"
    return None if found(AS_AGREED, parts) else found(AFTER_LENDING, parts)


def of_a_planned_day(name: str) -> bool:
    """Return whether a name speaks of a day that was agreed beforehand."""
    return found(PLANNED_DAYS, tokens(name)) is not None


def of_a_protected_attribute(name: str) -> str | None:
    """Return the word by which a name speaks of an attribute that no card may read, or None."""
    return of_a_name(name)


def of_a_key(name: str) -> bool:
    """Return whether a name is that of an identifier."""
    parts = tokens(name)
    return (bool(parts) and parts[-1] in KEYS) or any(word in name for word in KEYS_IN_CHINESE)
