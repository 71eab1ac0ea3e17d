"""Can they pay: whether new credit is being sought elsewhere, and what others or pledged things answer for."""

from __future__ import annotations

import polars as pl

from features.declaration import Group, Risk, feature
from features.views import Enquiries, Security, ratio
from features.words import Text, Unit

MOST_SECURITY = 2.0
"""Security worth twice what is owed, net of haircut, covers it through any fall of prices that a lender plans for."""


@feature(
    group=Group.ABILITY,
    unit=Unit.COUNT,
    risk=Risk.RISES,
    label=Text(en="enquiries for new credit, last {months}", zh="近{months}新信贷征信查询次数"),
    reason=Text(
        en="credit bureau enquiries for new credit in the last {months}: {value}",
        zh="近{months}因申请新信贷被查询征信{value}次",
    ),
    missing=Text(en="credit bureau enquiries of the last {months} are not known", zh="近{months}征信查询情况未知"),
    family="new credit sought",
    months=(1, 3, 6, 12),
)
def new_credit_enquiry_count(enquiries: Enquiries, months: int) -> pl.Expr:
    """Credit bureau enquiries about the borrower with purpose new_credit in the window.

    By `enquired_on`, the observation date included. 0 when there was none; missing when enquiries are not known.
    """
    return enquiries.counted(enquiries.new_credit, months)


@feature(
    group=Group.ABILITY,
    unit=Unit.DAYS,
    risk=Risk.FALLS,
    label=Text(en="days since an enquiry for new credit", zh="距最近新信贷征信查询天数"),
    reason=Text(
        en="the latest credit bureau enquiry for new credit was {value} ago",
        zh="最近一次因申请新信贷被查询征信距今{value}",
    ),
    missing=Text(en="no credit bureau enquiry for new credit is known", zh="没有已知的新信贷征信查询"),
    family="new credit sought",
)
def days_since_new_credit_enquiry(enquiries: Enquiries) -> pl.Expr:
    """Whole days from the latest `enquired_on` of an enquiry with purpose new_credit to the observation date.

    0 when it was on the observation date; missing when there never was one, or enquiries are not known.
    """
    return enquiries.days_since(enquiries.enquired_on, enquiries.new_credit)


@feature(
    group=Group.ABILITY,
    unit=Unit.RATIO,
    risk=Risk.FALLS,
    label=Text(en="security cover", zh="担保覆盖率"),
    reason=Text(
        en="collateral and guarantees are worth {value} of the amount outstanding",
        zh="抵质押物及保证的价值为剩余欠款的{value}",
    ),
    missing=Text(
        en="nothing is outstanding, or it or the security is not known", zh="没有剩余欠款，或欠款、担保情况未知"
    ),
    family="security behind the loan",
    capped_at=MOST_SECURITY,
)
def security_cover(security: Security) -> pl.Expr:
    """The latest value of each collateral and guarantee, summed, over the amount outstanding; at most 2.

    Latest: by `valued_on`, for each `security_id` of the loan. Outstanding: by the schedule in force what is unpaid of
    the instalments due by the observation date, that day included, and, of each one to come, the smaller of what is
    unpaid and its principal; where there is no schedule, the balance of the latest statement, at least 0; without
    one, the amount lent. 0 when the loan has no security; missing when nothing is outstanding or it is not known (a
    loan with a schedule, when payments are not), or security is not known.
    """
    return ratio(security.value.sum(), security.outstanding, most=MOST_SECURITY)


@feature(
    group=Group.ABILITY,
    unit=Unit.COUNT,
    risk=Risk.FALLS,
    label=Text(en="guarantees in force", zh="有效保证笔数"),
    reason=Text(en="guarantees in force for the loan: {value}", zh="本贷款有效保证{value}笔"),
    missing=Text(en="guarantees for the loan are not known", zh="本贷款保证情况未知"),
    family="security behind the loan",
)
def guarantee_count(security: Security) -> pl.Expr:
    """Securities of the loan of kind guarantee whose latest value, by `valued_on`, is above 0.

    Kind and value are those of the same, latest valuation of each `security_id`. 0 when there is none; missing when
    security is not known.
    """
    in_force = (security.kind == "guarantee") & (security.value > 0)
    return in_force.fill_null(value=False).sum()
