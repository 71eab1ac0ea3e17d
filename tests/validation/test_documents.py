"""What is written of a validation, the report and the model card, holds what was signed, and nothing that was not."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from planted_faults import CARD, part_of

import repayrank
from features.catalog import Catalog
from features.errors import ConfigurationRefused, ModelRefused
from features.portfolios import Portfolio
from features.words import Text
from models.cards import card_of
from models.risk_model import Size
from models.store import ModelStore
from training import fitting
from training.model_card.about import about_from, default_bytes, read_about
from training.model_card.blocks import Grid, Sentence
from training.model_card.card import SECTIONS, ModelCard, model_card
from training.model_card.markdown import markdown
from training.model_card.source import Source, source
from training.model_card.write import write_model_card
from training.train import train
from training.validation import plots
from training.validation import policy as validation_policy
from training.validation.findings import Figure, Finding, Table, Verdict
from training.validation.kept import Kept, kept
from training.validation.remade import AGAIN, DIGITS, remade, same
from training.validation.report import write_report
from training.validation.result import EVIDENCE, POLICY, PROTECTED, REPORT, RESULT, SIGNATURE, Result, written
from training.validation.standing import folder_of
from training.validation.validate import Validated, validate

SMALL = Size(learning_rate=0.1, max_depth=4, num_leaves=7, min_data_in_leaf=20, lambda_l2=10.0, most_trees=60)
FEWER = {"draws": 20_000, "trees": 40, "replacements": 4, "whole_orders": 50, "fitted_on": 400, "features": 6}
"""Less work than the shipped policy asks for; its thresholds stay as they are."""
NUMBER = re.compile(r"\d[\d,.]*")
WITHOUT_SOURCE = {
    "model": "monotonicity.score",
    "performance": "discrimination.ks",
    "fairness": "fairness.proxy",
    "explanation": "parts.correlation",
    "monitoring": "stability.scores",
}
"""Sections, and a check without whose finding each has a gap."""


@pytest.fixture(scope="module")
def book(taiwan: Portfolio, overdue) -> Portfolio:
    return part_of(taiwan, overdue.matrix.cases.get_column("loan_id").cast(pl.String).gather_every(5))


@pytest.fixture(scope="module")
def done(tmp_path_factory, book) -> Validated:
    """A trained version of a real book, judged by every check."""
    home = tmp_path_factory.mktemp("bank") / "home"
    text = validation_policy.default_bytes().decode()
    for name, number in FEWER.items():
        text = re.sub(rf"^{name} = [0-9]+$", f"{name} = {number}", text, flags=re.MULTILINE)
    own = home.parent / "policy.toml"
    own.write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fitting, "sizes_for", lambda _: (SMALL,))
        train(book, card_of(book, CARD), home)
        return validate(book, CARD, home, by="model validation", policy=own)


@pytest.fixture(scope="module")
def home(done) -> Path:
    return done.folder.parents[2]


@pytest.fixture
def store(home, tmp_path) -> ModelStore:
    """A copy of the lender's store, to be spoilt."""
    for part in ("models", "keys", "tried", "validations"):
        shutil.copytree(home / part, tmp_path / "home" / part)
    return ModelStore(tmp_path / "home")


@pytest.fixture(scope="module")
def whole(home) -> Kept:
    return kept(ModelStore(home), CARD, "1")


@pytest.fixture(scope="module")
def told(home) -> Source:
    return source(ModelStore(home), CARD, "1", read_about(None))


@pytest.fixture(scope="module")
def card(told) -> ModelCard:
    return model_card(told)


@pytest.fixture
def command(capsys):
    def run(*words: str) -> tuple[int, str, str]:
        code = 0
        try:
            repayrank.main(list(words))
        except SystemExit as ended:
            code = int(ended.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


class Reader(HTMLParser):
    """Reads a page: its elements, whether each is closed, and what it would fetch."""

    EMPTY = ("meta", "input", "br", "img", "use", "path", "image", "rect")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.fetched: list[str] = []
        self.pictures: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.ids += [str(given["id"])] if "id" in given else []
        self.fetched += [str(value) for name, value in attrs if name in ("src", "href", "xlink:href", "srcset", "data")]
        if tag == "img":
            self.pictures.append(given.get("alt") or "")
        if given.get("role") == "img":
            self.pictures.append(given.get("aria-label") or "")
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.EMPTY:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.EMPTY:
            assert self.open.pop() == tag


def signed(store: ModelStore, result: Result) -> None:
    """Keep a changed result as somebody with the store's own key would."""
    folder = folder_of(store, CARD, "1")
    raw = result.to_bytes()
    written(folder / RESULT, raw)
    written(folder / SIGNATURE, store.sign(raw))


def with_finding(result: Result, changed: Finding) -> Result:
    return replace(result, findings=tuple(changed if one.check == changed.check else one for one in result.findings))


def without(result: Result, check: str) -> Result:
    return replace(result, findings=tuple(one for one in result.findings if one.check != check))


def moved(figure: Figure) -> Figure:
    """Return a figure that is told with another last digit; its verdict is hardly another."""
    assert figure.value is not None
    unit = 10.0**-DIGITS if abs(figure.value) >= 1e-3 or not figure.value else abs(figure.value) / 10
    return replace(figure, value=figure.value + unit)


@pytest.mark.parametrize("name", [REPORT, "model_card.html"])
def test_a_page_is_whole_loads_nothing_and_says_what_every_picture_shows(done, name):
    page = (done.folder / name).read_text()
    read = Reader(page)
    assert read.open == []
    assert len(read.ids) == len(set(read.ids))
    assert all(one.startswith(("#", "data:")) for one in read.fetched)
    assert all(read.pictures)
    assert name != REPORT or len(read.pictures) >= 8
    assert "<script" not in page
    assert "default-src 'none'" in page


def test_the_report_tells_every_check_with_its_figure_its_threshold_and_its_source(done):
    page = (done.folder / REPORT).read_text()
    for finding in done.result.findings:
        assert f"<code>{finding.check}</code>" in page
        assert finding.words.zh in page
        for figure in finding.figures[:1]:
            assert figure.words.en.split(" ")[0] in page
    verdicts = [finding.check for finding in done.result.findings if finding.verdict is Verdict.WARN]
    summary = page[page.index('class="against"') : page.index("Can it be made again?")]
    assert verdicts
    assert all(check in summary for check in verdicts)


def test_documents_have_the_same_bytes_twice(done, home, store, command):
    code, out, _ = command("validate", "--render", "--card", CARD, "--home", str(store.root))
    assert code == 0
    assert f"SHA-256 {done.documents[REPORT]}" in out
    for out_name in ("again.html", "again.md"):
        code, _, err = command("card", "--card", CARD, "--out", str(store.root / out_name), "--home", str(store.root))
        assert code == 0, err
    for again, first in (("again.html", ".html"), ("again.md", ".md"), ("again.zh.md", ".zh.md")):
        assert (store.root / again).read_bytes() == (done.folder / f"model_card{first}").read_bytes()
    assert (store.root / "validations" / CARD / "1" / REPORT).read_bytes() == (done.folder / REPORT).read_bytes()


def test_the_report_is_made_from_the_result_and_the_evidence_alone(store, done):
    folder = folder_of(store, CARD, "1")
    for name in (PROTECTED, POLICY):
        (folder / name).unlink()
    shutil.rmtree(store.root / "models" / CARD / "1" / "model.txt", ignore_errors=True)
    assert write_report(store, CARD, "1", folder)[1] == done.documents[REPORT]
    (folder / EVIDENCE).write_bytes((folder / EVIDENCE).read_bytes()[:-1])
    with pytest.raises(ModelRefused, match="not what the validation was made from"):
        write_report(store, CARD, "1", folder)


def test_every_section_is_told_in_both_languages_with_the_same_numbers_in_the_same_order(card):
    assert [section.key for section in card.sections] == list(SECTIONS)
    chinese = re.compile("[\u4e00-\u9fff]")
    for section in card.sections:
        assert chinese.search(section.title.zh)
        assert not chinese.search(section.title.en)
        for block in section.blocks:
            for text, quoted in block.texts:
                assert not chinese.search(text.en), (section.key, text)
                assert quoted or NUMBER.findall(text.en) == NUMBER.findall(text.zh), (section.key, text)
    english, other = (markdown(card, language) for language in ("en", "zh"))
    assert english.count("\n| ") == other.count("\n| ")
    assert english.count("\n#") == other.count("\n#")


def test_the_numbers_of_the_card_are_those_of_the_evidence(card, whole):
    (performance,) = [section for section in card.sections if section.key == "performance"]
    facts = {row.name.en: row.told.en for row in performance.blocks[0].rows}
    order = np.argsort(whole.log_odds, kind="stable")
    ranks = np.empty(len(whole))
    ranks[order] = np.arange(1, len(whole) + 1)
    worse, good = int(whole.bad.sum()), int((~whole.bad).sum())
    slow = (ranks[whole.bad].sum() - worse * (worse + 1) / 2) / (worse * good)
    assert facts["AUC"].startswith(f"{slow:.4f} (")
    assert facts["Brier score"] == f"{np.mean((whole.probability - whole.bad) ** 2):.4f}"
    assert facts["Observed share of bad loans"] == f"{whole.bad.mean():.4f}"
    bands = next(block for block in performance.blocks if isinstance(block, Grid) and "band" in block.title.en)
    assert sum(int(row[1].en.replace(",", "")) for row in bands.rows) == len(whole)
    assert sum(int(row[2].en.replace(",", "")) for row in bands.rows) == worse


def test_one_changed_figure_is_refused_by_its_name_whichever_it_is(whole):
    changed = 0
    for finding in whole.result.findings:
        if finding.check not in AGAIN or not finding.figures:
            continue
        again = {(one.name, one.of) for one in remade_one(whole, finding).figures}
        for place, figure in enumerate(finding.figures):
            if (figure.name, figure.of) not in again or (place and changed % 3):
                changed += 1
                continue
            figures = (*finding.figures[:place], moved(figure), *finding.figures[place + 1 :])
            spoilt = with_finding(whole.result, replace(finding, figures=figures))
            with pytest.raises(ModelRefused) as refused:
                remade(replace(whole, result=spoilt))
            assert refused.value.found.startswith(f"{finding.check} "), refused.value.found
            assert figure.name in refused.value.found or "verdict" in refused.value.found
            changed += 1
    assert changed > 40


def remade_one(whole: Kept, finding: Finding) -> Finding:
    return AGAIN[finding.check](whole, whole.policy.rules[finding.check])


@pytest.mark.parametrize("name", ["cases", "bad", "first_on", "last_on"])
def test_a_changed_count_or_date_is_refused_by_its_name(whole, name):
    other = "2005-10-01" if name.endswith("_on") else getattr(whole.result, name) + 1
    with pytest.raises(ModelRefused, match=f"^.*: {name}: {other}"):
        remade(replace(whole, result=replace(whole.result, **{name: other})))


def test_a_changed_cell_of_a_table_is_refused_by_its_row_and_column(whole):
    finding = whole.result.finding("calibration.band_ratio")
    (table,) = finding.tables
    rows = [list(row) for row in table.rows]
    rows[2][table.columns.index("observed")] += 0.001
    spoilt = replace(finding, tables=(replace(table, rows=tuple(map(tuple, rows))),))
    with pytest.raises(ModelRefused, match="table 'bands', row 3, observed"):
        remade(replace(whole, result=with_finding(whole.result, spoilt)))


def test_a_verdict_that_its_own_figures_do_not_give_is_refused_and_so_is_a_whole_that_its_parts_do_not(whole):
    finding = whole.result.finding("leakage.alone")  # not to be made again from the evidence
    with pytest.raises(ModelRefused, match=r"leakage\.alone verdict: 'warn'"):
        remade(replace(whole, result=with_finding(whole.result, replace(finding, verdict=Verdict.WARN))))
    with pytest.raises(ModelRefused, match="verdict: 'pass' in the result"):
        remade(replace(whole, result=replace(whole.result, verdict=Verdict.PASS)))
    hidden = replace(whole.result.finding("discrimination.auc"), verdict=Verdict.NOT_JUDGED, figures=(), tables=())
    with pytest.raises(ModelRefused, match=r"discrimination\.auc: figures on one side alone"):
        remade(replace(whole, result=with_finding(whole.result, hidden)))


def test_the_command_refuses_a_result_that_was_changed_and_signed_again(store, command, done):
    finding = done.result.finding("discrimination.auc")
    changed = replace(finding, figures=(moved(finding.figures[0]), *finding.figures[1:]))
    signed(store, with_finding(done.result, changed))
    out = store.root / "card.html"
    code, _, err = command("card", "--card", CARD, "--home", str(store.root), "--out", str(out))
    assert code == 12
    assert "discrimination.auc auc" in err
    assert not out.exists()


@pytest.mark.parametrize(("section", "check"), WITHOUT_SOURCE.items())
def test_a_section_without_a_finding_that_it_tells_is_refused_by_its_name(store, done, section, check):
    signed(store, without(done.result, check))
    with pytest.raises(ModelRefused, match=f"the section '{section}' of the model card is empty") as refused:
        write_model_card(store, CARD, "1", read_about(None), store.root / "card.md")
    assert check in refused.value.found


def test_a_section_without_what_the_signed_version_says_of_itself_is_refused_by_its_name(told):
    def spoilt(**changes: object) -> Source:
        return replace(told, kept=replace(told.kept, card=replace(told.card, **changes)))

    kept_by = replace(told.kept, result=replace(told.result, by=""))
    no_scores = replace(told.kept, frame=told.kept.frame.drop("log_odds"))
    provenance = {key: value for key, value in told.card.provenance.items() if key != "packages"}
    for section, gap in (
        ("verdict", replace(told, kept=replace(told.kept, result=replace(told.result, findings=())))),
        ("data", spoilt(reference={key: told.card.reference[key] for key in ("loans", "bad_share")})),
        ("features", spoilt(catalog=Catalog(()))),
        ("model", spoilt(provenance={key: told.card.provenance[key] for key in ("portfolio", "source", "hold_out")})),
        ("performance", replace(told, kept=no_scores)),
        ("approvals", replace(told, kept=kept_by)),
        ("versions", spoilt(provenance=provenance)),
    ):
        with pytest.raises(ModelRefused, match=f"the section '{section}' of the model card is empty"):
            model_card(gap)


@pytest.mark.parametrize("name", [POLICY, EVIDENCE, PROTECTED])
def test_what_the_figures_come_from_is_what_was_signed_or_there_is_no_card(store, name):
    path = folder_of(store, CARD, "1") / name
    path.unlink()
    with pytest.raises(ModelRefused):
        source(store, CARD, "1", read_about(None))


def test_a_version_that_was_not_validated_has_no_card(store, command):
    shutil.rmtree(store.root / "validations")
    code, _, err = command("card", "--card", CARD, "--home", str(store.root), "--out", str(store.root / "card.md"))
    assert code == 12
    assert "a version that was not validated" in err


def test_no_borrower_and_no_group_of_few_stands_in_any_document(done, book, card):
    ids = {str(loan) for loan in book.tables.loans["loan_id"].head(300)}
    for name in done.documents:
        words = set(re.findall(r"[\w-]+", (done.folder / name).read_text()))
        found = {one for one in ids & words if not re.fullmatch(r"\d{1,5}", one)}
        assert not found, name
    (fairness,) = [section for section in card.sections if section.key == "fairness"]
    grids = [block for block in fairness.blocks if isinstance(block, Grid) and block.heads[0].en == "attribute"]
    few = [row for block in grids for row in block.rows if row[3].en == "(too few cases)"]
    assert grids
    assert few
    assert all(cell.en == "–" for row in few for cell in row[4:])
    assert all(int(row[3].en.replace(",", "")) >= 100 for block in grids for row in block.rows if row not in few)
    for finding in done.result.findings:
        if finding.check.startswith("fairness."):
            assert "needed" not in json.dumps(finding.as_dict())


def test_a_lender_says_purpose_and_limits_in_its_own_words_and_all_faults_are_told_at_once(told):
    own = default_bytes().decode() + '\n[owner]\nen = "Model risk *team*"\nzh = "模型风险部"\n'
    written_by = model_card(replace(told, about=about_from(own.encode(), where="own.toml")))
    assert "**Owner**: Model risk \\*team\\*" in markdown(written_by, "en")
    assert "**负责人**: 模型风险部" in markdown(written_by, "zh")
    assert "**Owner**: not stated" in markdown(model_card(told), "en")
    with pytest.raises(ConfigurationRefused) as refused:
        about_from(b'format = 2\npurpose = { en = "x" }\nowners = 1\n', where="own.toml")
    for fault in ("'format'", "'purpose' says it in en and in zh", "'out_of_scope' is missing", "unknown 'owners'"):
        assert fault in refused.value.found


@pytest.mark.parametrize(
    ("words", "where"),
    [(("--out", "x.html"), "--card"), (("--card", CARD), "--out"), (("--card", CARD, "--out", "x.pdf"), "--out")],
)
def test_what_is_not_said_is_asked_for(command, home, words, where):
    code, _, err = command("card", *words, "--home", str(home))
    assert code == 2
    assert f"where     {where}" in err


def test_numbers_are_the_same_as_far_as_they_are_told():
    assert same(0.78661, 0.78663)
    assert not same(0.7866, 0.7868)
    assert same(2.21e-5, 2.2e-5)
    assert not same(2.2e-5, 2.3e-5)
    assert same(None, None)
    assert not same(None, 0.5)


def test_pictures_of_months_show_what_the_tables_say_also_where_a_month_is_not_judged():
    months = Table(
        "months",
        Text(en="m", zh="月"),
        ("month", "psi", "beyond_chance"),
        tuple((f"2025-{month:02d}", 0.1 * month, 0.01) for month in range(1, 13)),
    )
    (axes,) = plots.index_by_month(months).axes
    assert [round(bar.get_height(), 6) for bar in axes.patches[:12]] == [
        round(0.1 * month, 6) for month in range(1, 13)
    ]
    gini = Table(
        "months",
        Text(en="m", zh="月"),
        ("month", "gini", "low", "high", "not_judged"),
        (("2025-01", 0.5, 0.4, 0.6, ""), ("2025-02", None, None, None, "too few"), ("2025-03", 0.4, 0.3, 0.5, "")),
    )
    (axes,) = plots.gini_by_month(gini).axes
    drawn = next(line for line in axes.lines if len(line.get_xdata()) == 3)
    assert np.allclose(drawn.get_ydata(), [0.5, np.nan, 0.4], equal_nan=True)


def test_the_band_of_a_curve_holds_the_curve_and_narrows_with_more_cases(whole):
    bad, score = whole.bad, whole.log_odds
    auc = whole.result.finding("discrimination.auc").figures[0]
    widths = []
    for part in (slice(0, 300), slice(None)):
        (axes,) = plots.roc_with_band(bad[part], score[part], auc).axes
        (band,) = axes.collections
        corners = band.get_paths()[0].vertices
        half = corners[np.isclose(corners[:, 0], 0.5)][:, 1]
        widths.append(half.max() - half.min())
        curve = axes.lines[1]
        at_half = np.interp(0.5, curve.get_xdata(), curve.get_ydata())
        assert half.min() < at_half < half.max()
    assert widths[1] < widths[0]


def test_a_sentence_tells_and_an_empty_table_does_not(card):
    section = card.sections[0]
    assert not replace(section, blocks=(Sentence(Text(en="x", zh="x")),)).empty
    assert replace(section, blocks=(Grid(Text(en="x", zh="x"), (), ()),)).empty
