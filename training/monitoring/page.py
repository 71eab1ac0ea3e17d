"""One page that says whether a card still holds: what raised an alarm, month by month, and what became of the loans."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from statistics import median
from typing import Any

from features.words import Text
from training.markup import Markup, both, element
from training.monitoring import words
from training.monitoring.drift import SCORE
from training.monitoring.monitor import Monitoring
from training.monitoring.page_features import features, forms, month_list, percent
from training.monitoring.page_results import money, rolls, vintages
from training.monitoring.page_work import overrides, work
from training.report_layout import page as whole_page
from training.report_layout import section


def html_page(monitoring: Monitoring) -> str:
    """Return the page as one self-contained HTML document; the same bytes for the same monitoring."""
    told = monitoring.told
    title = f"{words.TITLE.en} · {words.TITLE.zh} · {told['card']} {told['version']} · {told['month']}"
    parts = (header, summary, month_list, features, forms, vintages, money, rolls, work, overrides, grounds)
    return whole_page(title, [part(told) for part in parts])


def header(told: Mapping[str, Any]) -> Markup:
    """Return title and identity of the page."""
    reference = told["reference"]
    days = " – ".join(dict.fromkeys((reference["first_on"], reference["last_on"])))
    known = words.REFERENCE_IS.filled(cases=f"{reference['cases']:,}", days=days)
    facts = (
        (words.CARD, both(Text(**told["title"]))),
        (words.VERSION, told["version"]),
        (words.MONTH, told["month"]),
        (words.AS_OF, told["as_of"]),
        (words.REFERENCE, both(known if reference["has_population"] else words.NO_REFERENCE)),
        (words.BAD_MEANS, both(Text(**told["bad_means"]))),
    )
    return element(
        "header",
        element("p", both(words.OVERLINE), class_="overline"),
        element("h1", both(words.TITLE)),
        element("dl", [element("div", element("dt", both(name)), element("dd", said)) for name, said in facts]),
    )


def summary(told: Mapping[str, Any]) -> Markup:
    """Return the figures of the month watched, and its alarms in words."""
    return element(
        "section",
        element("div", [*_tiles(told), _lists(told)], class_="tiles"),
        element("div", [element("p", both(finding)) for finding in _findings(told)], class_="findings"),
        class_="summary",
    )


def _tiles(told: Mapping[str, Any]) -> Iterator[Markup]:
    months = [month for month in told["months"] if month["month"] == told["month"]]
    others = sum(told["decisions"]["other_versions"].values())
    note = words.OTHER_VERSION.filled(count=f"{others:,}") if others else words.NONE
    yield _tile(words.CASES, f"{sum(month['cases'] for month in months):,}", note)
    tests = told["judged"][told["month"]]["tests"]
    yield _tile(words.ALARMS, str(len(told["alarms"])), words.OF_TESTS.filled(tests=tests))
    score = next((month["drifts"][SCORE] for month in months[::-1] if SCORE in month["drifts"]), None)
    if score is None:
        yield _tile(words.SCORE_PSI, "–", words.NOT_JUDGED)
    else:
        yield _tile(
            words.SCORE_PSI, f"{score['psi']:.3f}", words.CHANCE_MAKES.filled(critical=f"{score['critical']:.3f}")
        )
    mature = [one for one in told["vintages"] if one["bad_share"] is not None]
    if not mature:
        yield _tile(words.LATEST_VINTAGE, "–", words.NO_VINTAGE)
        yield _tile(words.LATEST_AUC, "–", words.NO_VINTAGE)
        return
    last = mature[-1]
    foretold = words.FORETOLD.filled(vintage=last["name"], expected=f"{last['expected']:.1%}")
    yield _tile(words.LATEST_VINTAGE, f"{last['bad_share']:.1%}", foretold)
    quality = told["reference"]["quality"]
    order = words.NONE if quality is None else words.OF_REFERENCE.filled(auc=f"{quality['auc'][0]:.3f}")
    yield _tile(words.LATEST_AUC, "–" if last["auc"] is None else f"{last['auc']:.3f}", order)


def _lists(told: Mapping[str, Any]) -> Markup:
    """Return how much of what is worked first changes from list to list, in the middle of those shown."""
    changed = [one["changed"] for one in told["churn"]]
    if not changed:
        return _tile(words.LISTS, "–", words.ONE_LIST)
    said = words.OF_LISTS.filled(lists=len(changed) + 1, share=f"{told['policy']['first_share']:.0%}")
    return _tile(words.LISTS, f"{median(changed):.0%}", said)


def _tile(name: Text, figure: str, note: Text) -> Markup:
    return element(
        "div",
        element("p", both(name), class_="name"),
        element("p", figure, class_="figure"),
        element("p", both(note), class_="note"),
        class_="tile",
    )


def _findings(told: Mapping[str, Any]) -> Iterator[Text]:
    for alarm in told["alarms"]:
        yield Text(**alarm["words"])
    if not told["alarms"]:
        yield words.QUIET.filled(share=percent(told["policy"]["false_alarm"]))
    watched = [month for month in told["months"] if month["month"] == told["month"]]
    for month in watched:
        if month["held_against"] is not None:
            said = words.AFTER_BREAK if told["reference"]["has_population"] else words.STANDS_IN
            yield said.filled(month=month["held_against"])
        if not month["judged"] and not month["stands_in"]:
            yield words.FEW.filled(least=told["policy"]["least_cases"])


def grounds(told: Mapping[str, Any]) -> Markup:
    """Return what the page rests on, and what it cannot see."""
    policy, decisions = told["policy"], told["decisions"]
    counted = [words.COUNTED.filled(read=f"{decisions['read']:,}", own=f"{decisions['of_the_version']:,}")]
    if decisions["other_versions"]:
        named = ", ".join(decisions["other_versions"])
        others = sum(decisions["other_versions"].values())
        counted.append(words.VERSIONS.filled(count=f"{others:,}", named=named))
    if decisions["erased"]:
        counted.append(words.ERASED.filled(count=f"{decisions['erased']:,}"))
    if decisions["expired_requests"]:
        counted.append(words.EXPIRED.filled(count=f"{decisions['expired_requests']:,}"))
    breaks = [element("p", f"{one['on']}: {one['why']}") for one in told["breaks"]]
    rows = (
        (words.MADE_OF, [element("p", both(said)) for said in counted]),
        (words.BREAKS, breaks or [element("p", both(words.NO_BREAKS))]),
        (words.POLICY, [element("p", policy["version"]), element("p", element("code", policy["sha256"]))]),
        (words.LIMITS, [element("p", both(words.LIMITS_SAID))]),
    )
    listed = element("dl", [element("div", element("dt", both(name)), element("dd", said)) for name, said in rows])
    return element("footer", section(words.GROUNDS), listed)
