"""Every sentence that a borrower or a reviewer may read, in English and in Chinese."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True)
class Text:
    """One sentence in both languages; `{value}` marks where the borrower's own figure goes."""

    en: str
    zh: str

    def __post_init__(self) -> None:
        if not self.en.strip() or not self.zh.strip():
            raise ValueError("a text needs both languages")

    def filled(self, **figures: Text | str | int) -> Text:
        """Return the sentence with its figures written in, each in the language of the sentence.

        >>> Text(en="{value} overdue", zh="逾期{value}").filled(value=Text(en="2 months", zh="2个月")).zh
        '逾期2个月'
        """
        english = {name: figure.en if isinstance(figure, Text) else figure for name, figure in figures.items()}
        chinese = {name: figure.zh if isinstance(figure, Text) else figure for name, figure in figures.items()}
        return Text(en=self.en.format(**english), zh=self.zh.format(**chinese))

    def with_value(self, figure: Text) -> Text:
        """Return the sentence with the borrower's own figure, its only one, written in: `filled` in half the time."""
        return Text(self.en.replace("{value}", figure.en), self.zh.replace("{value}", figure.zh))

    def as_dict(self) -> dict[str, str]:
        """Return the two sentences keyed by language code."""
        return {"en": self.en, "zh": self.zh}


class Unit(StrEnum):
    """What a number counts, and so how it is written and which values are possible."""

    SHARE = "share"
    RATIO = "ratio"
    MONEY = "money"
    MONTHS = "months"
    COUNT = "count"
    YES_NO = "yes_no"
    CHANGE = "change"
    STATEMENTS_AGO = "statements_ago"
    POINTS = "points"
    DAYS = "days"
    NUMBER = "number"
    CATEGORY = "category"

    @property
    def bounds(self) -> tuple[float, float]:
        """Return the smallest and largest possible value."""
        return {
            Unit.SHARE: (0.0, 1.0),
            Unit.YES_NO: (0.0, 1.0),
            Unit.MONTHS: (0.0, math.inf),
            Unit.COUNT: (0.0, math.inf),
            Unit.STATEMENTS_AGO: (0.0, math.inf),
            Unit.POINTS: (0.0, math.inf),
            Unit.CATEGORY: (0.0, math.inf),
        }.get(self, (-math.inf, math.inf))


def listed(texts: Sequence[Text]) -> Text:
    """Return several parts of a sentence, one after another; there is at least one.

    >>> listed([Text(en="2 open", zh="2笔尚无结果"), Text(en="1 erased", zh="1笔已删除")]).zh
    '2笔尚无结果，1笔已删除'
    """
    return Text(en=", ".join(text.en for text in texts), zh="，".join(text.zh for text in texts))


def counted(number: int, noun: str) -> str:
    """Return a number of things in English words; Chinese nouns have no plural.

    >>> counted(1, "record"), counted(1200, "record")
    ('1 record', '1,200 records')
    """
    return f"{number:,} {noun}{'s' if number != 1 else ''}"


def month_count(months: int) -> Text:
    """Return a number of months in words."""
    return Text(en=f"{months} month" if months == 1 else f"{months} months", zh=f"{months}个月")


def day_count(days: int) -> Text:
    """Return a number of days in words; below 0 it is that many days early."""
    return Text(en=f"{days} day" if abs(days) == 1 else f"{days} days", zh=f"{days}天")


def window(months: int) -> Text:
    """Return a look-back window in words, to stand after "the last".

    >>> window(1).en, window(6).en
    ('month', '6 months')
    """
    return Text(en="month" if months == 1 else f"{months} months", zh=f"{months}个月")


def statements_ago(count: int) -> Text:
    """Return which statement is meant, counted back from the latest.

    >>> statements_ago(0).en, statements_ago(2).en
    ('on the latest statement', '2 statements before the latest')
    """
    if count == 0:
        return Text(en="on the latest statement", zh="最近一期账单")
    return Text(en=f"{count} statement{'s' if count > 1 else ''} before the latest", zh=f"最近一期之前第{count}期账单")


def written(  # noqa: PLR0911 - one line per unit
    value: float, unit: Unit, currency: str = ""
) -> Text:
    """Return a value as a reader expects to see it; money is given in minor units.

    >>> written(0.667, Unit.SHARE).en
    '67%'
    >>> written(1234500, Unit.MONEY, "TWD").en
    'TWD 12,345'
    >>> written(1, Unit.MONTHS).en
    '1 month'
    """
    if unit is Unit.SHARE:
        return _same(f"{value:.0%}")
    if unit is Unit.RATIO:
        return _same(f"{value:.0%}" if abs(value) < 10 else f"{value:,.0f}x")  # noqa: PLR2004 - 1000 % reads badly
    if unit is Unit.MONEY:
        return _same(written_money(_rounded(value, currency), currency))
    if unit is Unit.MONTHS:
        return month_count(round(value))
    if unit is Unit.DAYS:
        return day_count(round(value))
    if unit is Unit.NUMBER:
        return _same(f"{value:,.0f}" if abs(value) >= 100 or value == round(value) else f"{value:,.4g}")  # noqa: PLR2004
    if unit is Unit.YES_NO:
        return Text(en="yes", zh="是") if value else Text(en="no", zh="否")
    if unit is Unit.STATEMENTS_AGO:
        return statements_ago(round(value))
    if unit is Unit.CHANGE:
        return _same(f"{value:+,.0f}")
    return _same(f"{value:,.0f}")


NO_MINOR_UNIT = frozenset(
    [
        "BIF",
        "CLP",
        "DJF",
        "GNF",
        "ISK",
        "JPY",
        "KMF",
        "KRW",
        "PYG",
        "RWF",
        "UGX",
        "UYI",
        "VND",
        "VUV",
        "XAF",
        "XOF",
        "XPF",
    ]
)
THREE_DIGITS = frozenset(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"])


def minor_digits(currency: str) -> int:
    """Return how many digits a currency's minor unit has: 2 for most (ISO 4217, list one, edition of 2024).

    >>> minor_digits("JPY"), minor_digits("CNY"), minor_digits("KWD")
    (0, 2, 3)
    """
    if currency in NO_MINOR_UNIT:
        return 0
    return 3 if currency in THREE_DIGITS else 2


def written_money(minor: int, currency: str) -> str:
    """Return an amount of money in whole currency units where that is exact, else with its minor units.

    >>> written_money(-120050, "TWD"), written_money(1234567, "JPY")
    ('TWD -1,200.50', 'JPY 1,234,567')
    """
    digits = minor_digits(currency)
    whole, rest = divmod(abs(minor), 10**digits)
    cents = f".{rest:0{digits}d}" if rest else ""
    return f"{currency} {'-' if minor < 0 else ''}{whole:,}{cents}".strip()


def _rounded(minor: float, currency: str) -> int:
    """Return a mean or a difference to the whole currency unit: its cents tell a reader nothing."""
    unit = 10 ** minor_digits(currency)
    return round(minor) if float(minor).is_integer() and abs(minor) < unit else round(minor / unit) * unit


def _same(figure: str) -> Text:
    return Text(en=figure, zh=figure)
