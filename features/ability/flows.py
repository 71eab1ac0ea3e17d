"""Can they pay: how near the bank account comes to running dry, and what comes in against what goes out."""

from __future__ import annotations

from itertools import pairwise

import polars as pl

from features.account_flows import days_with, is_spending, money_in, money_out, months_seen, months_with
from features.declaration import Group, Risk, feature
from features.views import Flows, ratio
from features.words import Text, Unit

SCANT_PART = 4
"""Below a quarter of a month's money in, about a week's, an account hardly lasts until the next pay."""
LEAST_TO_COMPARE = 2
"""One month is its own best and leanest: it takes two to be steady or not."""
MOST_SPENT = 3.0
"""Who spends three times what comes in lives on savings; spending still more of them says no more."""
MOST_OF_BALANCE = 5.0
"""Beside a mean balance near zero any payment is huge: five times the balance says no less than fifty."""

NO_MONEY_IN = Text(
    en="no money besides interest came in, or account movements are not known, in the last {months}",
    zh="近{months}除利息外没有入账或账户流水未知",
)
NO_MOVEMENT = Text(en="account movements of the last {months} are not known", zh="近{months}账户流水未知")
NO_BALANCE_OR_INSTALMENT = Text(
    en="the account balance of the last {months}, or the instalment, is not known",
    zh="近{months}账户余额或期款金额未知",
)


@feature(
    group=Group.ABILITY,
    unit=Unit.RATIO,
    risk=Risk.FALLS,
    label=Text(en="lowest account balance to instalment, last {months}", zh="近{months}账户最低余额与期款之比"),
    reason=Text(
        en="the lowest account balance of the last {months} was {value} of one instalment",
        zh="近{months}账户最低余额为一期期款的{value}",
    ),
    missing=NO_BALANCE_OR_INSTALMENT,
    family="lowest account balance",
    months=(1, 3, 12),
)
def lowest_balance_to_instalment(flows: Flows, months: int) -> pl.Expr:
    """Lowest known balance after a movement booked in the window, the observation date included, over the monthly
    instalment of the loan; below 0 when the account was overdrawn.

    The instalment is the next to come of the schedule in force, else its last; without a schedule amount over term,
    rounded down. Missing when no balance is known in the window, or the instalment is not known or not above 0.
    """
    return ratio(flows.known(flows.balance, months).min(), flows.instalment)


@feature(
    group=Group.ABILITY,
    unit=Unit.SHARE,
    risk=Risk.RISES,
    label=Text(en="days with less than an instalment, last {months}", zh="近{months}余额不足一期期款天数占比"),
    reason=Text(
        en="{value} of the days with movements in the last {months} left less than an instalment",
        zh="近{months}有流水的日子中有{value}余额不足一期期款",
    ),
    missing=NO_BALANCE_OR_INSTALMENT,
    family="low balance days",
    months=(12,),
)
def low_balance_days_share(flows: Flows, months: int) -> pl.Expr:
    """Different booking days in the window, the observation date included, on which some known balance was below the
    monthly instalment of the loan, over the different booking days on which some balance is known.

    The instalment is the next to come of the schedule in force, else its last; without a schedule amount over term,
    rounded down. Missing when no balance is known in the window, or the instalment is not known or not above 0.
    """
    low = days_with(flows, flows.below_an_instalment, months)
    share = ratio(low, days_with(flows, flows.balance.is_not_null(), months))
    return pl.when(flows.instalment > 0).then(share)


@feature(
    group=Group.ABILITY,
    unit=Unit.SHARE,
    risk=Risk.RISES,
    label=Text(
        en="days with under a quarter month's money in, last {months}", zh="近{months}余额不足月均入账四分之一天数占比"
    ),
    reason=Text(
        en="{value} of the days with movements, last {months}, left under a quarter month's money in",
        zh="近{months}有流水的日子中有{value}余额不足月均入账的四分之一",
    ),
    missing=Text(
        en="no money besides interest came in, or balances are not known, in the last {months}",
        zh="近{months}除利息外没有入账或账户余额未知",
    ),
    family="low balance days",
    months=(12,),
)
def thin_balance_days_share(flows: Flows, months: int) -> pl.Expr:
    """Different booking days in the window, the observation date included, on which some known balance was below a
    quarter of a mean month's money in, over the different booking days on which some balance is known.

    Money in is the sum of the window's amounts above 0 whose kind is not interest; a mean month's is that over the
    months seen. Months are counted back from the observation date; seen are those of the window, but none before the
    one of the oldest movement known. Missing when money in is 0, or no balance is known in the window.
    """
    income = money_in(flows, months)
    thin = days_with(flows, flows.balance * (months_seen(flows, months) * SCANT_PART) < income, months)
    share = ratio(thin, days_with(flows, flows.balance.is_not_null(), months))
    return pl.when(income > 0).then(share)


@feature(
    group=Group.ABILITY,
    unit=Unit.RATIO,
    risk=Risk.FALLS,
    label=Text(en="lowest account balance to money in, last {months}", zh="近{months}账户最低余额与月均入账之比"),
    reason=Text(
        en="the lowest account balance of the last {months} was {value} of a month's money in",
        zh="近{months}账户最低余额为月均入账的{value}",
    ),
    missing=Text(
        en="no money besides interest came in, or no account balance is known, in the last {months}",
        zh="近{months}除利息外没有入账或余额未知",
    ),
    family="lowest account balance",
    months=(6,),
)
def lowest_balance_to_income(flows: Flows, months: int) -> pl.Expr:
    """Lowest known balance after a movement booked in the window, the observation date included, over a mean month's
    money in; below 0 when the account was overdrawn.

    Money in is the sum of the window's amounts above 0 whose kind is not interest; a mean month's is that over the
    months seen. Months are counted back from the observation date; seen are those of the window, but none before the
    one of the oldest movement known. Missing when money in is 0, or no balance is known in the window.
    """
    lowest = flows.known(flows.balance, months).min()
    return ratio(lowest * months_seen(flows, months), money_in(flows, months))


@feature(
    group=Group.ABILITY,
    unit=Unit.RATIO,
    risk=Risk.RISES,
    label=Text(en="instalment to monthly money in, last {months}", zh="近{months}期款与月均入账之比"),
    reason=Text(
        en="one instalment is {value} of a month's money in, by the account's last {months}",
        zh="一期期款为近{months}账户月均入账的{value}",
    ),
    missing=Text(
        en="no money besides interest in the last {months}, or it or the instalment is not known",
        zh="近{months}除利息外没有入账，或账户流水、期款金额未知",
    ),
    family="instalment to money in",
    months=(6,),
)
def instalment_to_flow_income(flows: Flows, months: int) -> pl.Expr:
    """Monthly instalment of the loan over a mean month's money in, by the movements booked in the window, the
    observation date included.

    The instalment is the next to come of the schedule in force, else its last; without a schedule amount over term,
    rounded down. Money in is the sum of the window's amounts above 0 whose kind is not interest; a mean month's is that
    over the months seen. Months are counted back from the observation date; seen are those of the window, but none
    before the one of the oldest movement known. Missing when money in is 0, or the instalment is not known.
    """
    return ratio(flows.instalment * months_seen(flows, months), money_in(flows, months))


@feature(
    group=Group.ABILITY,
    unit=Unit.RATIO,
    risk=Risk.RISES,
    label=Text(en="money out to money in, last {months}", zh="近{months}账户支出与入账之比"),
    reason=Text(
        en="money out of the account was {value} of the money in, last {months}",
        zh="近{months}账户支出为入账的{value}",
    ),
    missing=NO_MONEY_IN,
    family="money out to in",
    months=(12,),
    capped_at=MOST_SPENT,
)
def money_out_to_in(flows: Flows, months: int) -> pl.Expr:
    """Money out over money in, of the movements booked in the window, the observation date included; at most 3.

    Money out is the sum of the amounts below 0, sign dropped, of any kind but loan_payment. Money in is the sum of the
    amounts above 0 whose kind is not interest. Missing when money in is 0.
    """
    return ratio(money_out(flows, months), money_in(flows, months), most=MOST_SPENT)


@feature(
    group=Group.ABILITY,
    unit=Unit.SHARE,
    risk=Risk.FALLS,
    label=Text(en="steadiness of money in, last {months}", zh="近{months}入账平稳度"),
    reason=Text(
        en="the leanest month of the last {months} brought {value} of the best month's money in",
        zh="近{months}入账最少的月份为最多月份的{value}",
    ),
    missing=Text(
        en="fewer than two months of movements known, or no money besides interest came in, last {months}",
        zh="近{months}已知流水不足两个月或除利息外没有入账",
    ),
    family="steadiness of money in",
    months=(6,),
)
def income_steadiness(flows: Flows, months: int) -> pl.Expr:
    """Least over most money in of one month, among the months seen; 0 when a month brought none.

    Money in is the sum of the amounts above 0 whose kind is not interest, by booking day. Months are counted back from
    the observation date, which the first ends with; seen are those of the window, but none before the one of the oldest
    movement known. Missing when fewer than two months are seen, or none of them brought money in.
    """
    seen = months_seen(flows, months)
    up_to = [money_in(flows, month) for month in range(1, months + 1)]
    of_month = [up_to[0], *(longer - shorter for shorter, longer in pairwise(up_to))]
    by_month = [pl.when(seen >= month).then(money) for month, money in enumerate(of_month, start=1)]
    # The best month is above 0 when the window's sum is, which is quicker to ask.
    tells = (seen >= LEAST_TO_COMPARE) & (money_in(flows, months) > 0)
    return pl.when(tells).then(pl.min_horizontal(by_month) / pl.max_horizontal(by_month))


@feature(
    group=Group.ABILITY,
    unit=Unit.RATIO,
    risk=Risk.RISES,
    label=Text(en="largest payment out to mean balance, last {months}", zh="近{months}单笔最大支出与账户平均余额之比"),
    reason=Text(
        en="the largest payment out of the last {months} was {value} of the mean account balance",
        zh="近{months}单笔最大支出为账户平均余额的{value}",
    ),
    missing=Text(
        en="the mean account balance of the last {months} was not above zero, or is not known",
        zh="近{months}账户平均余额不大于零或余额未知",
    ),
    family="largest payment out",
    months=(6,),
    capped_at=MOST_OF_BALANCE,
)
def largest_out_to_balance(flows: Flows, months: int) -> pl.Expr:
    """Largest amount that went out in one movement booked in the window, the observation date included, over the mean
    of the known balances after each movement of the window; at most 5.

    An amount out is one below 0, sign dropped, of any kind but loan_payment, whether or not its balance is known; 0
    when there is none. The mean gives each movement of a known balance the same weight. Missing when no balance is
    known in the window, or
    their sum is not above 0.
    """
    largest = -flows.amount.filter(flows.within(months) & is_spending(flows)).min().fill_null(0)
    balances = flows.known(flows.balance, months)
    return ratio(largest * balances.len().cast(pl.Int64), balances.sum(), most=MOST_OF_BALANCE)


@feature(
    group=Group.ABILITY,
    unit=Unit.SHARE,
    risk=Risk.FALLS,
    label=Text(en="months with salary or pension, last {months}", zh="近{months}有工资或养老金入账月份占比"),
    reason=Text(
        en="a salary or pension came in during {value} of the months seen, last {months}",
        zh="近{months}已知流水中有{value}的月份有工资或养老金入账",
    ),
    missing=Text(en="no account movement is known in the last {months}", zh="近{months}账户流水情况未知"),
    family="regular income",
    months=(6,),
)
def regular_income_months_share(flows: Flows, months: int) -> pl.Expr:
    """Different months in which an amount above 0 of kind salary or pension was booked, over the months seen.

    Months are counted back from the observation date, which the first ends with; seen are those of the window, but none
    before the one of the oldest movement known. Missing when no movement was booked in the window.
    """
    regular = flows.incoming & flows.any_of("salary", "pension")
    return ratio(months_with(flows, regular, months), months_seen(flows, months))


@feature(
    group=Group.ABILITY,
    unit=Unit.COUNT,
    risk=Risk.RISES,
    label=Text(en="days with an overdrawn account, last {months}", zh="近{months}账户透支天数"),
    reason=Text(
        en="days with movements that left the account below zero, last {months}: {value}",
        zh="近{months}有流水且账户余额为负的日子共{value}天",
    ),
    missing=Text(en="account balances of the last {months} are not known", zh="近{months}账户余额未知"),
    family="overdrawn account",
    months=(12,),
)
def days_below_zero_count(flows: Flows, months: int) -> pl.Expr:
    """Different booking days in the window, the observation date included, on which some known balance was below 0.

    Days without a movement do not count, however the account stood. 0 when there was none; missing when no balance is
    known in the window.
    """
    known = flows.known(flows.balance, months)
    return pl.when(known.len() > 0).then(days_with(flows, flows.balance < 0, months))


@feature(
    group=Group.ABILITY,
    unit=Unit.COUNT,
    risk=Risk.RISES,
    label=Text(en="penalty interest on the account, last {months}", zh="近{months}账户透支罚息次数"),
    reason=Text(
        en="times the account was charged penalty interest in the last {months}: {value}",
        zh="近{months}账户被收取透支罚息{value}次",
    ),
    missing=NO_MOVEMENT,
    family="overdrawn account",
    months=(12,),
)
def sanction_interest_count(flows: Flows, months: int) -> pl.Expr:
    """Movements of kind sanction_interest with an amount below 0, booked in the window, the observation date included.

    What the bank gave back (an amount above 0) does not count and is not taken off. 0 when there was none; missing when
    no movement was booked in the window.
    """
    return flows.count(flows.outgoing & flows.any_of("sanction_interest"), months)
