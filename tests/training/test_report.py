"""The report: exact, bilingual, self-contained, the same twice, and unharmed by what lenders write into their data."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from html.parser import HTMLParser

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.declaration import Group
from features.words import Text
from models.assessment import Assessment
from models.pairwise import Comparison, Line, compare
from training import report_words
from training.cohort import Cohort
from training.markup import element, name_of
from training.printed_ledger import printed_ledger
from training.report import html_report, write_report

CJK = re.compile("[\u4e00-\u9fff]")
PAYLOADS = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</style><script>alert(1)</script>",
    "&lt;b&gt;",
    "{first}{0}%s$x^2$",
    "\u202ekcab",
)


class Page(HTMLParser):
    """Collects the elements of a page: name, attributes and text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.attributes.extend(attrs)

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.fixture(scope="module")
def html(assessed: Assessment, overdue: Cohort) -> str:
    return html_report(assessed, overdue.bad, source="a source, CC BY 4.0", metrics=None)


def test_the_same_book_gives_the_same_bytes(assessed: Assessment, overdue: Cohort, html: str) -> None:
    assert html_report(assessed, overdue.bad, source="a source, CC BY 4.0", metrics=None) == html


def test_the_page_refers_to_nothing_outside_itself(html: str) -> None:
    page = Page(html)
    assert not {"script", "link", "iframe", "object", "embed", "base", "form"} & set(page.names)
    for name, value in page.attributes:
        if name in ("src", "href", "xlink:href", "action", "srcset"):
            assert value is not None
            assert value.startswith(("#", "data:"))
    assert not re.search(r"https?://", html)
    assert not re.search(r"@import|url\((?!#)", html)
    assert "default-src 'none'" in html


def test_the_page_is_small_enough_to_mail(html: str) -> None:
    assert len(html.encode()) < 1_500_000


def test_each_caption_and_heading_exists_in_both_languages(html: str) -> None:
    found = re.findall(r"<(figcaption|h1|h2|h4|th|dt)\b[^>]*>(.*?)</\1>", html, flags=re.DOTALL)
    assert sum(name == "figcaption" for name, _ in found) >= 8
    for _, content in found:
        # What stands in a picture stands under it in Chinese: in English it stands in the picture.
        said, *in_picture = content.split('<span lang="zh-Hans" class="in-picture">')
        assert all(CJK.search(one) and not re.search("[a-z]{4,}", one.partition("</span>")[0]) for one in in_picture)
        english = re.search(r'<span lang="en">(.+?)</span>', said)
        chinese = re.search(r'<span lang="zh-Hans">(.+?)</span>', said)
        if in_picture and not said:
            continue
        assert english
        assert chinese
        assert not CJK.search(english[1])


def sentences() -> Iterator[Text]:
    for told in vars(report_words).values():
        if isinstance(told, Text):
            yield told
        elif isinstance(told, tuple):
            yield from told
        elif isinstance(told, dict):
            yield from (text for text in told.values() if isinstance(text, Text))


def test_every_sentence_of_the_report_has_the_same_figures_in_both_languages() -> None:
    fields = re.compile(r"\{(\w+)\}")
    told = list(sentences())
    assert len(told) > 60
    for text in told:
        only_figures = not re.search("[a-z]", fields.sub("", text.en))
        assert CJK.search(text.zh) or only_figures, text.zh
        assert not CJK.search(text.en), text.en
        assert set(fields.findall(text.en)) == set(fields.findall(text.zh)), text.en


def test_the_printed_lines_of_the_ledger_add_up_to_the_printed_total(html: str) -> None:
    table = re.search(r'<table class="ledger">.*?</table>', html, flags=re.DOTALL)
    assert table
    rows = re.findall(r'<tr class="([^"]+)">.*?class="number">([^<]+)</td>', table[0], flags=re.DOTALL)
    total = [Decimal(figure) for kind, figure in rows if kind == "total"]
    parts = [Decimal(figure) for kind, figure in rows if kind.startswith("part")]
    lines = [Decimal(figure) for kind, figure in rows if kind == "line"]
    rounding = [Decimal(figure) for kind, figure in rows if kind == "part"]
    assert [sum(parts)] == total
    assert [sum(lines) + sum(rounding)] == total


@pytest.mark.parametrize("pair", [(0, 1), (3, 900), (10, 11), (100, 5000)])
def test_every_printed_line_is_the_true_figure_rounded(assessed: Assessment, pair: tuple[int, int]) -> None:
    first, second = (int(assessed.order[place]) for place in pair)
    told = compare(assessed, first, second)
    ledger = printed_ledger(told, assessed.catalog)
    assert sum((section.sum for section in ledger.sections), ledger.rounding) == ledger.total
    unit = Decimal(1).scaleb(int(ledger.total.as_tuple().exponent))
    figures = {line.text: line.figure for section in ledger.sections for line in section.lines}
    assert len(figures) == len(told.lines)
    for line in told.lines:
        assert abs(figures[line.text] - Decimal(line.difference)) <= unit / 2
    assert abs(ledger.total - Decimal(told.gap)) <= unit / 2
    for section in ledger.sections:
        assert sum(line.figure for line in section.short()) == section.sum


@given(st.lists(st.floats(-9, 9), min_size=1, max_size=80))
def test_a_ledger_of_any_lines_adds_up_to_its_total(assessed: Assessment, differences: list[float]) -> None:
    names = [*assessed.catalog.names, "exposure", "loss_share"]
    lines = tuple(
        Line(name, difference, partial(Text, en=name, zh=name))
        for name, difference in zip(names, differences, strict=False)
    )
    gap = sum(line.difference for line in lines)
    comparison = Comparison("A", "B", gap, 1.0, lines, dict.fromkeys(Group, 0.0), 0.0, 0)
    ledger = printed_ledger(comparison, assessed.catalog)
    assert sum((section.sum for section in ledger.sections), ledger.rounding) == ledger.total


def test_two_loans_that_stand_close_still_show_their_distance(assessed: Assessment) -> None:
    lines = (Line("exposure", 3e-9, lambda: Text(en="amount", zh="金额")),)
    comparison = Comparison("A", "B", 3e-9, 1.0, lines, dict.fromkeys(Group, 0.0), 0.0, 0)
    assert printed_ledger(comparison, assessed.catalog).total == Decimal("3.0E-9")


def few(assessed: Assessment, rows: int, loan_ids: list[str] | None = None) -> Assessment:
    """Return the report's input for the first loans of a book, under other names."""
    cases = assessed.cases.head(rows)
    if loan_ids is not None:
        cases = cases.with_columns(loan_id=pl.Series(loan_ids, dtype=pl.String))
    attribution, ledger = assessed.attribution, assessed.ledger
    return dataclasses.replace(
        assessed,
        cases=cases,
        values=assessed.values[:rows],
        attribution=dataclasses.replace(
            attribution,
            contributions=attribution.contributions[:rows],
            parts={group: part[:rows] for group, part in attribution.parts.items()},
            log_odds=attribution.log_odds[:rows],
        ),
        probability=assessed.probability[:rows],
        points=assessed.points[:rows],
        bands=assessed.bands[:rows],
        quadrants=assessed.quadrants[:rows],
        ledger=dataclasses.replace(
            ledger,
            chance=ledger.chance[:rows],
            exposure=ledger.exposure[:rows],
            loss_share=ledger.loss_share[:rows],
            exposure_minor=ledger.exposure_minor[:rows],
        ),
        owed_minor=assessed.owed_minor[:rows],
        currencies=assessed.currencies[:rows],
    )


def test_what_a_lender_writes_into_its_data_cannot_change_the_page(assessed: Assessment) -> None:
    rows = len(PAYLOADS)
    plain = html_report(few(assessed, rows, list("abcdefg")), None, source="s", metrics=None)
    hostile = few(assessed, rows, list(PAYLOADS))
    hostile = dataclasses.replace(
        hostile,
        currencies=["<i>"] * rows,
        model=dataclasses.replace(hostile.model, version="<script>v</script>", fingerprint="</code><script>"),
        policy=dataclasses.replace(hostile.policy, version='"><script>'),
    )
    told = html_report(hostile, None, source="<script src=x></script>", metrics=None)
    assert sorted(Page(told).names) == sorted(Page(plain).names)
    names = {name for name, _ in Page(told).attributes}
    assert not {name for name in names if name.startswith("on")}
    assert names == {name for name, _ in Page(plain).attributes}


@given(st.text())
def test_any_loan_id_is_read_back_as_it_was_written(loan_id: str) -> None:
    page = Page(name_of(loan_id))
    assert page.names == ["bdi"]
    # A parser may give a text in pieces.
    assert "".join(page.text) == loan_id


@given(st.text(), st.text())
def test_any_text_stays_inside_its_element_and_its_attribute(content: str, value: str) -> None:
    page = Page(element("td", content, title=value))
    assert page.names == ["td"]
    assert [name for name, _ in page.attributes] == ["title"]


def test_without_outcomes_the_page_says_so_and_draws_no_curve(assessed: Assessment) -> None:
    told = html_report(assessed, None, source="s", metrics=None)
    assert report_words.NO_OUTCOMES.en in told
    assert report_words.NO_OUTCOMES.zh in told
    assert 'id="roc-' not in told
    words = re.sub(r'data:[^"]*', "", told)  # a picture's base64 may hold any three letters
    assert "AUC" not in words
    assert 'id="waterfall1-' in told
    assert 'id="shap-' in told


def test_metrics_of_the_training_are_marked_as_such_where_outcomes_are_not_known(assessed: Assessment) -> None:
    metrics = {"auc": 0.7123, "ks": 0.3, "brier": 0.2, "rows_judged": 4321.0}
    told = html_report(assessed, None, source="s", metrics=metrics)
    assert "0.712" in told
    assert "judged on 4,321 loans when the model was made" in told


def test_outcomes_that_are_all_alike_are_named_as_the_cause(assessed: Assessment) -> None:
    for alike in (np.zeros(len(assessed), dtype=bool), np.ones(len(assessed), dtype=bool)):
        told = html_report(assessed, alike, source="s", metrics=None)
        assert report_words.ALIKE_OUTCOMES.zh in told
        assert "nan" not in Page(told).text


@pytest.mark.parametrize(("rows", "said"), [(0, report_words.NO_LOANS), (1, report_words.ONE_LOAN)])
def test_a_book_of_none_or_one_has_a_page_too(assessed: Assessment, rows: int, said: Text) -> None:
    told = html_report(few(assessed, rows), None, source="s", metrics=None)
    assert said.en in told
    assert said.zh in told


def test_a_handful_of_loans_has_a_page_with_curves(assessed: Assessment, overdue: Cohort) -> None:
    told = html_report(few(assessed, 12), overdue.bad[:12], source="s", metrics=None, first=3)
    assert told.count('class="cell"') == 3 * 7
    assert 'id="roc-' in told


def test_outcomes_of_another_book_are_refused(assessed: Assessment, overdue: Cohort) -> None:
    with pytest.raises(ValueError, match="one for each"):
        html_report(assessed, overdue.bad[:-1], source="s", metrics=None)


def test_the_first_row_of_the_work_list_is_the_largest_expected_loss(assessed: Assessment, html: str) -> None:
    largest = int(np.argmax(assessed.ledger.expected_loss_minor))
    first = re.search(r'<bdi class="loan">([^<]+)</bdi>', html)
    assert first
    assert first[1] == assessed.loan_ids[largest]


def test_the_report_is_written_where_it_is_told(assessed: Assessment, tmp_path) -> None:
    path = write_report(tmp_path / "report.html", few(assessed, 5), None, source="s", metrics=None)
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")
