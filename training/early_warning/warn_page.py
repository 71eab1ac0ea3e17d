"""The page of alerts: whose risk rose between two dates, by what, and what such alerts were worth."""

from __future__ import annotations

import numpy as np

from features.words import Text, minor_digits, written_money
from models.change import Change, Moved
from models.risk_model import GROUP_ORDER
from training import report_words
from training.early_warning import warn_words as words
from training.early_warning.alerts import Alerts
from training.early_warning.two_dates import Standing, TwoDates
from training.early_warning.worth import Listed, Worth
from training.markup import Markup, both, element, joined, name_of
from training.report_grounds import SHORT_HASH
from training.report_layout import caption, page, section, table

SHOWN, TAKEN_APART, REASONS = 20, 3, 3


def warn_page(told: TwoDates, found: Alerts, *, source: str, worth: Worth | None) -> str:
    """Return the page as one self-contained HTML file; the same bytes for the same input."""
    title = f"{words.TITLE.en} · {words.TITLE.zh} · {told.model.card.name} {told.model.version}"
    body = [
        _header(told, found),
        _summary(told, found),
        _list(told, found),
        *([_parts(told.change, found)] if len(found.chosen) else []),
        section(words.WORTH, *(_worth(worth) if worth is not None else [both(words.NO_WORTH, "p")])),
        _grounds(told, found, source),
    ]
    return page(title, body)


def _header(told: TwoDates, found: Alerts) -> Markup:
    model = told.model
    facts = (
        (report_words.CARD, both(model.card.title)),
        (report_words.BAD_MEANS, both(model.card.outcome)),
        (words.DATES, f"{told.first.day} – {told.last.day}"),
        (report_words.MODEL_VERSION, model.version),
        (words.POLICY, f"{found.policy.version} ({found.policy.digest[:SHORT_HASH]})"),
    )
    return element(
        "header",
        element("p", both(words.OVERLINE), class_="overline"),
        element("h1", both(words.TITLE)),
        element("dl", [element("div", element("dt", both(name)), element("dd", said)) for name, said in facts]),
    )


def _summary(told: TwoDates, found: Alerts) -> Markup:
    moved, counts = told.change, told.counts
    rose = int((moved.rise > 0).sum())
    mean = words.MEAN.filled(
        before=f"{moved.before.probability.mean():.1%}", now=f"{moved.after.probability.mean():.1%}"
    )
    tiles = (
        (words.SCORED_BOTH, len(moved), mean),
        (words.ROSE, rose, words.OF_THESE.filled(share=f"{rose / len(moved):.0%}")),
        (
            words.ALERTED,
            len(found.chosen),
            words.CAPACITY.filled(most=f"{found.most:,}", waiting=f"{len(found.waiting):,}"),
        ),
        (
            words.NEW,
            counts[Standing.NEW] + counts[Standing.ENTERED],
            words.NEW_NOTE.filled(new=f"{counts[Standing.NEW]:,}", entered=f"{counts[Standing.ENTERED]:,}"),
        ),
        (words.OVERDUE, counts[Standing.OVERDUE], words.OVERDUE_NOTE),
        (
            words.GONE,
            counts[Standing.LEFT] + counts[Standing.UNKNOWN] + counts[Standing.CURED],
            (words.GONE_OR_CURED_NOTE if counts[Standing.CURED] else words.GONE_NOTE).filled(
                cured=f"{counts[Standing.CURED]:,}",
                left=f"{counts[Standing.LEFT]:,}",
                unknown=f"{counts[Standing.UNKNOWN]:,}",
            ),
        ),
    )
    return element(
        "section",
        element("div", [tile(name, f"{figure:,}", note) for name, figure, note in tiles], class_="tiles"),
        class_="summary",
    )


def tile(name: Text, figure: str, note: Text) -> Markup:
    """Return one figure with its name and what stands behind it."""
    return element(
        "div",
        element("p", both(name), class_="name"),
        element("p", figure, class_="figure"),
        element("p", both(note), class_="note"),
        class_="tile",
    )


def _list(told: TwoDates, found: Alerts) -> Markup:
    shown = found.chosen[:SHOWN]
    title = words.LIST.filled(count=len(shown))
    if not len(shown):
        return section(words.ALERTED, both(words.NO_ALERTS, "p"))
    currency = told.change.after.currency
    heads = (words.LOAN, words.AMOUNT.filled(currency=currency), words.BEFORE, words.NOW, words.BANDS, words.WHAT_MOVED)
    rows = [_row(told.change, found, int(case), place, heads) for place, case in enumerate(shown, start=1)]
    return section(
        title,
        element("p", both(words.LEAD), class_="lead"),
        table(heads, rows, class_="worklist", plain=("", "number", "number", "number", "number", "")),
    )


def _row(moved: Change, found: Alerts, case: int, place: int, heads: tuple[Text, ...]) -> Markup:
    raising = [reason for reason in moved.reasons(case) if reason.effect == "raises"][:REASONS]
    told = [both(reason.text) for reason in raising] or [both(words.NO_REASON)]
    first = found.rules(case)[0].text
    rule = both(words.BY_RULE.filled(rule=first))
    cells = (
        (joined([element("i", str(place), class_="place"), name_of(moved.after.loan_ids[case])]), "who"),
        (joined(written_money(int(moved.after.owed_minor[case]), "")), "number"),
        (joined(f"{moved.before.probability[case]:.1%}"), "number"),
        (joined(f"{moved.after.probability[case]:.1%}"), "number strong"),
        (joined(f"{moved.before.bands[case]} → {moved.after.bands[case]}"), "number"),
        (joined([element("div", one) for one in told] + [element("div", rule, class_="quiet")]), "words"),
    )
    # On a phone each row becomes a card, and each cell carries the head of its column.
    return element(
        "tr",
        [
            element("td", element("span", both(head), class_="head"), element("span", said, class_="cell"), class_=kind)
            for head, (said, kind) in zip(heads, cells, strict=True)
        ],
    )


def _parts(moved: Change, found: Alerts) -> Markup:
    return section(
        words.PARTS,
        element("p", both(words.PARTS_LEAD), class_="lead"),
        *[_case(moved, int(case), place) for place, case in enumerate(found.chosen[:TAKEN_APART], start=1)],
    )


def _case(moved: Change, case: int, place: int) -> Markup:
    rows = [
        _ledger_row(group.text, float(moved.parts[group][case]), kind=f"part {group.value}") for group in GROUP_ORDER
    ]
    rows.append(_ledger_row(words.TOTAL, float(moved.log_odds[case]), kind="total"))
    ledger = table((words.PART, words.CHANGE), rows, class_="ledger", plain=("", "number"))
    reasons = moved.reasons(case)
    told = element(
        "div",
        element("h3", element("i", str(place), class_="place"), name_of(moved.after.loan_ids[case])),
        *[_reasons(reasons, effect, title) for effect, title in (("raises", words.RAISES), ("lowers", words.LOWERS))],
        class_="told",
    )
    return element("article", told, element("figure", ledger), class_="case")


def _reasons(reasons: list[Moved], effect: str, title: Text) -> Markup:
    chosen = [reason for reason in reasons if reason.effect == effect]
    if not chosen:
        return Markup("")
    items = [
        element(
            "li",
            element("span", f"{reason.contribution:+.2f}", class_="number"),
            element("span", both(reason.text), class_="words"),
        )
        for reason in chosen
    ]
    return joined([element("h4", both(title)), element("ol", items, class_="reasons")])


def _ledger_row(name: Text, figure: float, *, kind: str) -> Markup:
    return element("tr", element("td", both(name)), element("td", f"{figure:+.4f}", class_="number"), class_=kind)


def _worth(worth: Worth) -> list[Markup]:
    lead = words.WORTH_LEAD.filled(
        loans=f"{worth.loans:,}", bad=f"{worth.bad:,}", share=f"{worth.bad / worth.loans:.1%}", folds=worth.folds
    )
    lists = (
        (words.FIRED, worth.all_fired),
        (words.CUT, worth.alerted),
        (words.BY_LEVEL, worth.by_level),
        (words.BY_EXPECTED, worth.by_expected),
    )
    heads = (words.LISTS, words.LOANS, words.WENT_BAD, words.REST, words.LIFT, words.MONEY)
    rows = [_list_row(name, one) for name, one in lists]
    gain = worth.over_before
    findings = (
        words.NEW_OR_LEVEL.filled(
            before=f"{worth.expected_before:.1%}",
            expected=f"{worth.expected:.1%}",
            low=f"{worth.observed.low:.1%}",
            high=f"{worth.observed.high:.1%}",
        ),
        words.ORDER.filled(
            rise=f"{worth.auc_rise.value:.3f}",
            level=f"{worth.auc_level.value:.3f}",
            gain=f"{gain.auc:+.4f}",
            low=f"{gain.low:+.4f}",
            high=f"{gain.high:+.4f}",
        ),
    )
    figures = table(heads, rows, class_="figures", plain=("",) + ("number",) * (len(heads) - 1))
    return [
        element("p", both(lead), class_="lead"),
        element("figure", figures, caption(words.CAPTION)),
        *[element("p", both(finding)) for finding in findings],
    ]


def _list_row(name: Text, one: Listed | None) -> Markup:
    if one is None:
        return element("tr", element("td", both(name)), element("td", both(words.NOT_JUDGED), colspan="5"))
    lift = "–"
    if one.lift is not None and one.lift_interval is not None:
        lift = f"{one.lift:.2f} ({one.lift_interval.low:.2f}–{one.lift_interval.high:.2f})"
    figures = (
        f"{one.listed.cases:,}",
        f"{one.listed.share:.1%} ({one.interval.low:.1%}–{one.interval.high:.1%})",
        f"{one.rest.share:.1%}",
        lift,
        f"{one.money_found:.1%}",
    )
    return element("tr", element("td", both(name)), [element("td", figure, class_="number") for figure in figures])


def _grounds(told: TwoDates, found: Alerts, source: str) -> Markup:
    moved, policy = told.change, found.policy
    currency = moved.after.currency
    least = written_money(policy.exposure.least * 10 ** minor_digits(currency), currency)
    rules = [joined([both(rule.text, "p"), element("p", rule.source, class_="quiet")]) for rule in policy.rules]
    exact = words.EXACT_TOLD.filled(
        most=f"{float(np.max(moved.distance)):.1e}",
        count=f"{len(moved):,}",
        bound=f"{float(np.max(moved.bound)):.1e}",
    )
    facts = (
        (words.RULES, joined(rules)),
        (words.TEAM, sourced(words.TEAM_TOLD.filled(count=policy.capacity.alerts_a_month), policy.capacity.source)),
        (words.LEAST, sourced(words.LEAST_TOLD.filled(amount=least), policy.exposure.source)),
        (words.EXACT, both(exact, "p")),
        (words.SOURCE, element("p", source)),
        (words.LIMITS, joined(both(limit, "p") for limit in words.LIMITS_TOLD)),
    )
    return element(
        "footer",
        element("h2", both(words.GROUNDS)),
        element("dl", [element("div", element("dt", both(name)), element("dd", said)) for name, said in facts]),
    )


def sourced(told: Text, source: str) -> Markup:
    """Return a rule of a policy with where it comes from."""
    return joined([both(told, "p"), element("p", source, class_="quiet")])
