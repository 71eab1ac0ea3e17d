"""In which of the five categories a loan is at least, by its days past due: a floor, and not the bank's classification.

Which days, by product and by date, stands in a policy file with its sources.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import IntEnum
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from features.errors import ConfigurationRefused
from features.schemas import EVENT_KINDS, PRODUCTS
from features.words import Text
from training.early_warning.policy_file import read, refused, sections_of

FILE = "categories.toml"
STATUS: Mapping[str, Text] = {
    "verified": Text(en="text read", zh="已核对原文"),
    "reported": Text(en="reported by secondary sources", zh="据二手资料"),
    "unverified": Text(en="from memory, not verified", zh="凭记忆，未核实"),
}


class Category(IntEnum):
    """The five categories, best first."""

    NORMAL = 0
    SPECIAL_MENTION = 1
    SUBSTANDARD = 2
    DOUBTFUL = 3
    LOSS = 4

    @property
    def key(self) -> str:
        """Return its name in files and tables."""
        return self.name.lower()

    @property
    def text(self) -> Text:
        """Return it in words."""
        return NAMES[self]


NAMES: Mapping[Category, Text] = {
    Category.NORMAL: Text(en="normal", zh="正常"),
    Category.SPECIAL_MENTION: Text(en="special mention", zh="关注"),
    Category.SUBSTANDARD: Text(en="substandard", zh="次级"),
    Category.DOUBTFUL: Text(en="doubtful", zh="可疑"),
    Category.LOSS: Text(en="loss", zh="损失"),
}
NON_PERFORMING = (Category.SUBSTANDARD, Category.DOUBTFUL, Category.LOSS)
"""The numerator of the NPL ratio; its denominator is all five."""


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"valid_from": "from"}):
    """From how many days past due on a product's loans are at least in each category, from a date on."""

    product: str
    valid_from: date
    special_mention_from_days: int
    substandard_from_days: int
    doubtful_from_days: int
    loss_from_days: int
    status: str
    source: str
    caveat_en: str
    caveat_zh: str

    @property
    def starts(self) -> tuple[int, int, int, int]:
        """The first day past due of each category but normal."""
        return (
            self.special_mention_from_days,
            self.substandard_from_days,
            self.doubtful_from_days,
            self.loss_from_days,
        )

    @property
    def caveat(self) -> Text:
        """Return what the rule leaves open, in words."""
        return Text(en=self.caveat_en, zh=self.caveat_zh)


class Months(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many days past due a month on a statement stands for at most."""

    days: int
    source: str


class Records(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For how many days a book may have nothing to record and is still taken to be known."""

    quiet_days: int
    source: str

    @property
    def quiet(self) -> timedelta:
        """The days as a time."""
        return timedelta(days=self.quiet_days)


class Restructured(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How bad a loan is at least, for so many days after an event that revised its schedule."""

    events: tuple[str, ...]
    days: int
    at_least: str
    status: str
    source: str

    @property
    def floor(self) -> Category:
        """The category that it is at least in."""
        return Category[self.at_least.upper()]


@dataclass(frozen=True)
class CategoryPolicy:
    """A policy of categories, checked; `digest` is the SHA-256 of its bytes."""

    version: str
    rules: tuple[Rule, ...]
    months: Months
    records: Records
    restructured: Restructured
    digest: str

    def rule(self, product: str, day: date) -> Rule:
        """Return the rule for a product on a day: the latest in force, or the earliest there is before all of them.

        Before its date a rule is a yardstick, which `in_force` tells.

        Raises
        ------
        ConfigurationRefused : the product has no rule
        """
        of_product = [rule for rule in self.rules if rule.product == product]
        if not of_product:
            raise ConfigurationRefused(
                f"no rule for product '{product}'",
                where="category policy, [[rules]]",
                expected="a rule for each product of the book",
                do="add the rule with its date and source",
            )
        begun = [rule for rule in of_product if rule.valid_from <= day]
        if begun:
            return max(begun, key=lambda rule: rule.valid_from)
        return min(of_product, key=lambda rule: rule.valid_from)

    def of(
        self, product: npt.NDArray[np.str_], days_past_due: npt.NDArray[np.int64], day: date
    ) -> npt.NDArray[np.int64]:
        """Return the category that days past due set at least, as its number, for each loan."""
        told = np.zeros(len(days_past_due), dtype=np.int64)
        for name in np.unique(product):
            chosen = product == name
            told[chosen] = np.searchsorted(self.rule(str(name), day).starts, days_past_due[chosen], side="right")
        return told


def in_force(rule: Rule, days: Iterable[date]) -> bool:
    """Return whether a rule counted on all of some days; on days before it is a yardstick."""
    return all(rule.valid_from <= day for day in days)


KINDS: dict[str, Any] = {
    "rules": tuple[Rule, ...],
    "months": Months,
    "records": Records,
    "restructured": Restructured,
}


def read_category_policy(path: Path | None) -> CategoryPolicy:
    """Return the policy in a file, or the one that ships with the release; ConfigurationRefused with all faults."""
    raw, where = read(path, FILE)
    written = sections_of(raw, KINDS, where=where)
    policy = CategoryPolicy(written.version, **written.sections, digest=written.digest)
    faults = list(_faults(policy))
    if faults:
        raise refused(faults, where)
    return policy


def _faults(policy: CategoryPolicy) -> Iterator[str]:
    for rule in policy.rules:
        if rule.product not in PRODUCTS:
            yield f"section 'rules': product '{rule.product}' is none of {', '.join(PRODUCTS)}"
        if rule.starts[0] < 1 or list(rule.starts) != sorted(set(rule.starts)):
            yield f"section 'rules': the days of product '{rule.product}' begin with 1 or more and rise"
        if rule.status not in STATUS:
            yield f"section 'rules': status '{rule.status}' is none of {', '.join(STATUS)}"
    keys = [(rule.product, rule.valid_from) for rule in policy.rules]
    for product, day in {key for key in keys if keys.count(key) > 1}:
        yield f"section 'rules': product '{product}' has two rules from {day}"
    if policy.months.days < 1:
        yield "section 'months': days must be at least 1"
    if policy.records.quiet_days < 0:
        yield "section 'records': quiet_days must be at least 0"
    told = policy.restructured
    if told.at_least not in {one.key for one in Category}:
        yield f"section 'restructured': at_least '{told.at_least}' is no category"
    if told.status not in STATUS:
        yield f"section 'restructured': status '{told.status}' is none of {', '.join(STATUS)}"
    yield from (
        f"section 'restructured': event '{kind}' is not known" for kind in told.events if kind not in EVENT_KINDS
    )
    if told.days < 0:
        yield "section 'restructured': days must be at least 0"
