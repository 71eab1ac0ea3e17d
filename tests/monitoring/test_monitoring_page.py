"""The page loads nothing, says everything in both languages, and shows what the JSON says."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import polars as pl
import pytest
from watched_books import FEATURE, Watched, in_month

from features.words import Text
from models.fitted_card import FittedCard
from training.monitoring import words
from training.monitoring.alarms import Kind
from training.monitoring.monitor import Monitoring, monitor
from training.monitoring.output import write
from training.monitoring.page import html_page
from training.monitoring.policy import MonitoringPolicy

CHINESE = re.compile(r"[\u4e00-\u9fff]")
LATIN_ALONE = {"AUC", "KS", "–"}


@pytest.fixture(scope="module")
def told(card: FittedCard, watched: Watched, policy: MonitoringPolicy) -> Monitoring:
    book = in_month(watched, 4, (pl.col(FEATURE + "credit_limit") * 1.5).alias(FEATURE + "credit_limit"))
    overridden = watched.lines.with_columns(overridden=pl.col("score_id").str.slice(-1) == "1")
    return monitor(card, book.decisions, overridden, policy, month="2026-05")


class Shape(HTMLParser):
    """Reads a page, and keeps the tags that are open and what could load anything."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []

    def handle_starttag(self, tag, attrs):
        if tag not in {"meta", "br", "input"}:
            self.open.append(tag)
        self.loads += [
            f"{tag} {name}={value}"
            for name, value in attrs
            if name in {"src", "href"} and not f"{value}".startswith("#")
        ]
        if tag in {"script", "link", "iframe"}:
            self.loads.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_whole_and_loads_nothing(told: Monitoring):
    shape = Shape()
    shape.feed(html_page(told))
    assert shape.open == []
    assert [one for one in shape.loads if "data:image/png" not in one and "xlink" not in one] == []


def test_the_same_months_give_the_same_bytes_and_json_reads_back(told: Monitoring, tmp_path):
    first, again = (write(tmp_path / name, told) for name in ("a", "b"))
    assert first.page.read_bytes() == again.page.read_bytes()
    assert json.loads(first.data.read_text()) == json.loads(again.data.read_text())
    plain = json.loads(first.data.read_text())
    assert html_page(Monitoring(plain)) == first.page.read_text(), "the page shows the JSON and computes nothing anew"


def test_the_alarms_stand_on_the_page_in_both_languages(told: Monitoring):
    page = html_page(told)
    assert told.alarms == [one["words"]["en"] for one in told.told["alarms"]]
    for alarm in told.told["alarms"]:
        assert alarm["words"]["en"] in page
        assert alarm["words"]["zh"] in page


def test_no_borrower_and_no_score_id_stands_on_the_page_or_in_the_data(told: Monitoring, watched: Watched):
    page, data = html_page(told), json.dumps(told.told)
    for name in (*watched.decisions.get_column("score_id").head(50), "L000001", "L1499"):
        assert name not in page
        assert name not in data


def test_every_sentence_has_both_languages():
    sentences = {name: one for name, one in vars(words).items() if isinstance(one, Text)}
    sentences |= {kind.name: kind.text for kind in Kind}
    assert len(sentences) > 80
    for name, one in sentences.items():
        assert not CHINESE.search(one.en), name
        assert CHINESE.search(one.zh) or one.zh in LATIN_ALONE, name
        assert set(re.findall(r"{\w+}", one.en)) == set(re.findall(r"{\w+}", one.zh)), name


def test_a_page_of_almost_nothing_says_what_is_not_known(card: FittedCard, watched: Watched, policy: MonitoringPolicy):
    few = watched.decisions.head(3).with_columns(
        expected_recovery_minor=pl.lit(None, pl.Float64), loan=pl.lit(None, pl.String), readable=pl.lit(value=False)
    )
    told = monitor(card, few, watched.lines.head(0), policy)
    page = html_page(told)
    for said in (
        words.NO_FEATURES,
        words.NO_OUTCOMES,
        words.NO_MONEY,
        words.NO_ROLLS,
        words.NO_CHURN,
        words.NO_OVERRIDES,
    ):
        assert said.zh in page, said.en
    assert not told.alarms


def test_a_page_on_which_only_the_scores_could_be_judged_is_made(
    card: FittedCard, watched: Watched, policy: MonitoringPolicy
):
    least = policy.rules.population.least_cases
    month = watched.decisions.filter(pl.col("observed_on") == pl.col("observed_on").min()).head(least + 5)
    # Enough decisions, of which too few can still be read.
    few = month.with_columns(readable=pl.int_range(pl.len()) < least - 1)
    page = html_page(monitor(card, few, watched.lines.head(0), policy))
    assert words.NO_FEATURES.zh in page


@pytest.mark.parametrize(("currency", "digits"), [("JPY", 0), ("CNY", 2), ("KWD", 3)])
def test_money_is_told_in_the_units_of_its_currency(
    card: FittedCard, watched: Watched, policy: MonitoringPolicy, currency: str, digits: int
):
    told = monitor(card, watched.decisions.with_columns(currency=pl.lit(currency)), watched.lines, policy)
    first = told.told["money"][0]["expected_minor"]
    assert f">{first / 10**digits:,.0f}<" in html_page(told)


def test_money_of_several_currencies_has_no_sum(card: FittedCard, watched: Watched, policy: MonitoringPolicy):
    mixed = watched.decisions.with_columns(
        currency=pl.when(pl.int_range(pl.len()) % 2 == 0).then(pl.lit("CNY")).otherwise(pl.lit("JPY"))
    )
    assert words.NO_MONEY.zh in html_page(monitor(card, mixed, watched.lines, policy))


def test_a_share_of_half_a_per_cent_is_not_told_as_none(told: Monitoring):
    strict = {**told.told, "policy": {**told.told["policy"], "false_alarm": 0.005}, "alarms": []}
    assert re.search(r"(?<![\d.])0\.5%", html_page(replace(told, told=strict)))


def test_what_a_break_is_called_cannot_break_the_page(told: Monitoring):
    spoilt = {**told.told, "breaks": [{"on": "2026-01-01", "why": "<script>alert(1)</script>"}]}
    assert "<script" not in html_page(replace(told, told=spoilt))
