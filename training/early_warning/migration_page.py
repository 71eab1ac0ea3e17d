"""The page of migrations: where each category's money went, where it will be, and what came of the forecast."""

from __future__ import annotations

from features.words import Text
from training.early_warning import migration_words as words
from training.early_warning.alert_policy import POINTS_A_UNIT
from training.early_warning.book_state import STATE_NAMES, STATES
from training.early_warning.categories import STATUS
from training.early_warning.forecasting import BookMigration, Came, ProductMigration, last_observed
from training.early_warning.migrating import IN_BOOK, Missed, NplForecast, rolled_down
from training.early_warning.warn_page import sourced, tile
from training.markup import Markup, both, element, joined
from training.report_grounds import SHORT_HASH
from training.report_layout import caption, page, rounded, section, table
from training.statistics.migration import Roll

RATIO = ".2%"


def migration_page(told: BookMigration) -> str:
    """Return the page as one self-contained HTML file; the same bytes for the same input."""
    body = [_header(told), *[part for one in told.products for part in _product(told, one)], _grounds(told)]
    return page(f"{words.TITLE.en} · {words.TITLE.zh}", body)


def summary(told: BookMigration) -> list[Text]:
    """Return one sentence for each product: the ratio now, the forecasts and what came."""
    said = []
    for one in told.products:
        if _has_run_off(one):
            said.append(_run_off(told, one))
            continue
        if one.markov is None:
            said.append(words.NO_FORECAST.filled(product=words.PRODUCTS[one.product]))
            continue
        text = words.SUMMARY.filled(
            product=words.PRODUCTS[one.product],
            now=format(one.ratio, RATIO),
            day=str(told.dates[-1]),
            markov=format(one.markov.ratio, RATIO),
            next=str(told.next_on),
            low=format(one.markov.ratio_bounds.low, RATIO),
            high=format(one.markov.ratio_bounds.high, RATIO),
        )
        for more, ratio in (
            (words.SUMMARY_SCORES, None if one.scores is None else one.scores.ratio),
            (words.SUMMARY_CAME, None if one.came is None else one.came.ratio),
        ):
            if ratio is not None:
                added = more.filled(ratio=format(ratio, RATIO))
                text = Text(en=text.en + added.en, zh=text.zh + added.zh)
        said.append(text)
    return said


def _header(told: BookMigration) -> Markup:
    facts = (
        (words.BOOK, told.portfolio),
        (words.DATES, f"{told.dates[0]} – {told.dates[-1]}"),
        (words.NEXT, str(told.next_on)),
        (words.POLICY, f"{told.policy.version} ({told.policy.digest[:SHORT_HASH]})"),
    )
    return element(
        "header",
        element("p", both(words.OVERLINE), class_="overline"),
        element("h1", both(words.TITLE)),
        element("dl", [element("div", element("dt", both(name)), element("dd", said)) for name, said in facts]),
        element("div", both(words.NOT_THE_BANKS, "p"), class_="findings"),
    )


def _product(told: BookMigration, one: ProductMigration) -> list[Markup]:
    title = words.PRODUCT.filled(product=words.PRODUCTS[one.product], day=str(told.dates[-1]))
    if _has_run_off(one):
        return [section(title, both(_run_off(told, one), "p")), _matrix(told, one)]
    tiles = element("div", _tiles(told, one), class_="tiles")
    parts = [section(title, tiles), _matrix(told, one)]
    if one.markov is None:
        parts.append(
            section(
                words.HELD.filled(day=str(told.next_on)),
                both(words.NO_FORECAST.filled(product=words.PRODUCTS[one.product]), "p"),
            )
        )
    else:
        parts += [_held(told, one, one.markov), _backtest(told, one)]
    return parts


def _has_run_off(one: ProductMigration) -> bool:
    return not one.held[:IN_BOOK].sum()


def _run_off(told: BookMigration, one: ProductMigration) -> Text:
    return words.RUN_OFF.filled(product=words.PRODUCTS[one.product], day=str(told.dates[-1]))


def _tiles(told: BookMigration, one: ProductMigration) -> list[Markup]:
    book = float(one.held[:IN_BOOK].sum())
    bad = one.ratio * book
    money = words.MONEY.filled(money=rounded(bad, one.currency), all=rounded(book, one.currency))
    found = [tile(words.RATIO.filled(day=str(told.dates[-1])), format(one.ratio, RATIO), money)]
    for name, forecast in ((words.RATIO_MARKOV, one.markov), (words.RATIO_SCORES, one.scores)):
        if forecast is not None:
            found.append(tile(name, format(forecast.ratio, RATIO), _bounds(forecast, one.ratio)))
        elif name is words.RATIO_SCORES:
            found.append(tile(name, "–", words.NO_SCORES))
    if one.came is not None:
        whole = words.WHOLE_BOOK.filled(ratio=format(one.came.whole_book, RATIO))
        found.append(tile(words.RATIO_CAME, format(one.came.ratio, RATIO), whole))
    return found


def _bounds(forecast: NplForecast, now: float) -> Text:
    return words.BOUNDS.filled(
        low=format(forecast.ratio_bounds.low, RATIO),
        high=format(forecast.ratio_bounds.high, RATIO),
        change=f"{POINTS_A_UNIT * (forecast.ratio - now):+.2f}",
    )


def _matrix(told: BookMigration, one: ProductMigration) -> Markup:
    steps = len(told.dates) - 1
    rolls = rolled_down(one.moves)
    heads = (words.FROM, words.LOANS, *(STATE_NAMES[name] for name in STATES), words.ROLLED)
    rows = []
    for row, name in enumerate(STATES[:IN_BOOK]):
        loans, amount = int(one.moves.cases[row].sum()), one.moves.amount[row]
        if not amount.sum():
            shares = ["–"] * len(STATES)
        else:
            shares = [f"{share:.2%}" if share else "–" for share in amount / amount.sum()]
        roll = rolls[name]
        rolled = f"{roll.share:.2%} ({roll.low:.2%}–{roll.high:.2%})" if isinstance(roll, Roll) else "–"
        rows.append(_row(STATE_NAMES[name], f"{loans:,}", *shares, "–" if row == IN_BOOK - 1 else rolled))
    figures = table(heads, rows, class_="figures", plain=("",) + ("number",) * (len(heads) - 1))
    lead = words.MATRIX_LEAD.filled(steps=steps)
    title = words.MATRIX.filled(first=str(told.dates[0]), last=str(told.dates[-1]))
    return section(title, element("p", both(lead), class_="lead"), figures)


def _held(told: BookMigration, one: ProductMigration, markov: NplForecast) -> Markup:
    heads = [words.CATEGORY, words.LOANS, words.NOW.filled(currency=one.currency), words.MARKOV]
    if one.scores is not None:
        heads.append(words.SCORES)
    if one.came is not None:
        heads.append(words.CAME)
    rows = []
    for place, name in enumerate(STATES):
        figures = [f"{int(one.loans[place]):,}", rounded(one.held[place], ""), _range(markov, place)]
        if one.scores is not None:
            figures.append(_range(one.scores, place))
        if one.came is not None:
            figures.append(rounded(one.came.held[place], ""))
        rows.append(_row(STATE_NAMES[name], *figures))
    figures_table = table(tuple(heads), rows, class_="figures", plain=("",) + ("number",) * (len(heads) - 1))
    return section(
        words.HELD.filled(day=str(told.next_on)), element("figure", figures_table, caption(words.HELD_CAPTION))
    )


def _range(told: NplForecast, place: int) -> str:
    expected, low, high = (rounded(one[place], "") for one in (told.expected, told.low, told.high))
    return expected if low == high == expected else f"{expected} ({low}–{high})"


def _backtest(told: BookMigration, one: ProductMigration) -> Markup:
    if one.came is None:
        day = str(told.next_on)
        return section(words.BACKTEST.filled(day=day), both(words.NOT_YET.filled(day=day), "p"))
    came = one.came
    heads = (words.METHOD, words.ERROR, words.INSIDE, words.MISPLACED)
    rows = [_missed(words.MARKOV, came.markov)]
    if came.scores is not None:
        rows.append(_missed(words.SCORES, came.scores))
    said = [both(text, "p") for text in (*_better(came), *_seen(told))]
    figures = table(heads, rows, class_="figures", plain=("", "number", "number", "number"))
    return section(words.BACKTEST.filled(day=str(came.day)), figures, *said)


def _missed(name: Text, told: Missed) -> Markup:
    inside = both(words.YES if told.inside else words.NO)
    return element(
        "tr",
        element("td", both(name)),
        element("td", f"{POINTS_A_UNIT * told.ratio_error:+.3f}", class_="number"),
        element("td", inside, class_="number"),
        element("td", f"{told.misplaced:.2%}", class_="number"),
    )


def _better(came: Came) -> list[Text]:
    if came.surprise is None:
        return []
    gain, bounds = came.surprise
    verdict = words.NOT_TOLD
    if bounds.low > 0:
        verdict = words.SURELY_BETTER
    elif bounds.high < 0:
        verdict = words.SURELY_WORSE
    return [
        words.BETTER.filled(verdict=verdict, gain=f"{gain:+.4f}", low=f"{bounds.low:+.4f}", high=f"{bounds.high:+.4f}")
    ]


def _seen(told: BookMigration) -> list[Text]:
    return [
        words.ALL_SEEN.filled(card=card.card.title, version=card.version, day=last_observed(card))
        for card in told.cards
    ]


def _row(name: Text, *figures: str) -> Markup:
    return element("tr", element("td", both(name)), [element("td", figure, class_="number") for figure in figures])


def _grounds(told: BookMigration) -> Markup:
    policy = told.policy
    facts: list[tuple[Text, Markup]] = []
    for one in told.products:
        rule = one.rule
        said = words.RULE_TOLD.filled(
            **dict(zip(("special", "substandard", "doubtful", "loss"), map(str, rule.starts), strict=True)),
            status=STATUS[rule.status],
            day=str(rule.valid_from),
        )
        standing = words.IN_PLACE if one.rule_in_force else words.NOT_IN_FORCE
        told_of = [both(text, "p") for text in (said, rule.caveat, standing)]
        facts.append(
            (
                words.RULE.filled(product=words.PRODUCTS[one.product]),
                joined([*told_of, element("p", rule.source, class_="quiet")]),
            )
        )
    revised = policy.restructured
    facts += [
        (words.MONTHS_RULE, sourced(words.MONTHS_TOLD.filled(days=policy.months.days), policy.months.source)),
        (words.QUIET, sourced(words.QUIET_TOLD.filled(days=policy.records.quiet_days), policy.records.source)),
        (
            words.RESTRUCTURED,
            sourced(
                words.RESTRUCTURED_TOLD.filled(
                    category=revised.floor.text, days=revised.days, status=STATUS[revised.status]
                ),
                revised.source,
            ),
        ),
        (words.UNKNOWN, both(words.UNKNOWN_TOLD.filled(count=f"{told.unknown:,}"), "p")),
        (words.SOURCE, element("p", told.source)),
        (words.LIMITS, joined(both(limit, "p") for limit in words.LIMITS_TOLD)),
    ]
    return element(
        "footer",
        element("h2", both(words.GROUNDS)),
        element("dl", [element("div", element("dt", both(name)), element("dd", said)) for name, said in facts]),
    )
