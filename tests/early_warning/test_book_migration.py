"""Moves of money between categories are counted whole, and forecasts hold what comes as often as they say."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from both_languages import without_chinese
from scipy.special import expit
from simulations import SIMULATIONS, random_for, require_share

import repayrank
from features.errors import DataRefused, UsageError
from features.portfolios import Portfolio
from features.tables import Tables
from models.policy import default_policy
from training import early_warning_verbs
from training.early_warning import migration_words as words
from training.early_warning.book_state import STATES, book_state, joined
from training.early_warning.by_scores import by_scores, score_moves
from training.early_warning.categories import read_category_policy
from training.early_warning.forecasting import BookMigration, book_migration, dates_between, months_from
from training.early_warning.migrating import IN_BOOK, by_markov, moves, npl_ratio, places, rolled_down, row_shares
from training.early_warning.migration_page import migration_page, summary
from training.early_warning.migration_table import migration_table, plain
from training.statistics.inputs import TooFew

FIRST, LAST, NEXT = date(2005, 4, 30), date(2005, 7, 31), date(2005, 8, 31)
TRUTH = np.array(
    [
        [0.940, 0.034, 0.000, 0.000, 0.000, 0.001, 0.025],
        [0.300, 0.500, 0.160, 0.000, 0.000, 0.010, 0.030],
        [0.050, 0.100, 0.550, 0.250, 0.000, 0.030, 0.020],
        [0.010, 0.020, 0.070, 0.550, 0.300, 0.040, 0.010],
        [0.000, 0.000, 0.000, 0.000, 0.900, 0.080, 0.020],
    ]
)
LOANS = (6_000, 800, 300, 200, 200)


@pytest.fixture(scope="module")
def told(taiwan: Portfolio) -> BookMigration:
    return book_migration(taiwan, read_category_policy(None), FIRST, LAST)


def drawn(random: np.random.Generator, truth: np.ndarray = TRUTH) -> pl.DataFrame:
    """Return loans with unequal amounts and their moves, drawn from the truth."""
    before = np.repeat(np.arange(IN_BOOK), LOANS)
    after = (random.random(len(before))[:, None] > np.cumsum(truth[before], axis=1)[:, :-1]).sum(axis=1)
    return pl.DataFrame(
        {
            "loan_id": [f"L{number}" for number in range(len(before))],
            "before": np.array(STATES)[before],
            "state": np.array(STATES)[before],
            "after": np.array(STATES)[after],
            "owed_minor": np.rint(random.lognormal(13, 0.8, len(before))).astype(np.int64),
        }
    )


def money_after(rows: pl.DataFrame) -> np.ndarray:
    return np.bincount(places(rows.get_column("after")), weights=rows.get_column("owed_minor"), minlength=len(STATES))


def test_every_loan_of_the_real_book_is_in_one_cell_and_each_row_sums_to_one(taiwan, told):
    policy = read_category_policy(None)
    (one,) = told.products
    assert told.dates == dates_between(FIRST, LAST, 1)
    pairs = [
        joined(book_state(taiwan, policy, day), book_state(taiwan, policy, next_day))
        for day, next_day in zip(told.dates[:-1], told.dates[1:], strict=True)
    ]
    rows = pl.concat(pairs)
    assert one.moves.cases.sum() == rows.height
    assert one.moves.amount.sum() == rows.get_column("owed_minor").sum()
    held = one.moves.amount.sum(axis=1) > 0
    assert row_shares(one.moves).sum(axis=1) == pytest.approx(np.ones(len(STATES)))
    assert (one.moves.amount[held] / one.moves.amount[held].sum(axis=1)[:, None]).sum(axis=1) == pytest.approx(1)


def test_the_real_books_categories_are_its_statements_months_by_the_policys_days(taiwan, told):
    policy = read_category_policy(None)
    state = book_state(taiwan, policy, LAST).rows
    stated = taiwan.tables.statements.filter(pl.col("statement_on") == LAST).select("loan_id", "months_overdue")
    rows = state.join(stated, on="loan_id")
    assert rows.height == 30_000
    by_month = dict(rows.group_by("months_overdue").agg(pl.col("state").unique().sort()).iter_rows())
    assert by_month[0] == ["normal"]
    assert by_month[2] == by_month[3] == ["special_mention"]
    assert by_month[4] == ["substandard"]
    assert by_month[5] == by_month[6] == ["doubtful"]
    assert by_month[7] == by_month[8] == ["loss"]
    (one,) = told.products
    assert not one.rule_in_force, "the statements are of 2005, and of another country"
    book, bad = (
        rows.filter(keep).get_column("owed_minor").sum() for keep in (pl.lit(value=True), pl.col("months_overdue") > 3)
    )
    assert one.ratio == pytest.approx(bad / book)


def test_a_forecast_keeps_the_money_and_is_held_against_what_came(told):
    (one,) = told.products
    assert one.markov is not None
    assert one.came is not None
    assert one.came.day == NEXT == told.next_on
    assert one.markov.expected.sum() == pytest.approx(one.held.sum())
    assert one.came.held.sum() == pytest.approx(one.held.sum())
    assert (one.markov.low <= one.markov.high).all()
    assert one.came.markov.ratio_error == pytest.approx(one.markov.ratio - one.came.ratio)
    assert one.markov.ratio_bounds.low < one.markov.ratio < one.markov.ratio_bounds.high


def test_a_forecast_sees_nothing_of_the_period_that_it_is_of(taiwan, told):
    tables = dict(taiwan.tables.items())
    for name, day in (("payments", "paid_on"), ("statements", "statement_on")):
        tables[name] = tables[name].filter(pl.col(day) <= LAST)
    blind = book_migration(replace(taiwan, tables=Tables(**tables)), read_category_policy(None), FIRST, LAST)
    (one,), (other,) = told.products, blind.products
    assert other.came is None
    assert (one.moves.amount == other.moves.amount).all()
    assert (one.markov.expected == other.markov.expected).all()
    assert one.markov.ratio_bounds == other.markov.ratio_bounds


def test_the_npl_ratio_is_the_last_three_categories_over_all_five():
    assert npl_ratio(np.array([50.0, 20, 10, 10, 10, 1000, 1000])) == 0.3
    assert npl_ratio(np.zeros(7)) == 0
    assert npl_ratio(np.array([[1.0, 0, 1, 0, 0, 5, 5], [1, 0, 0, 0, 0, 5, 5]])).tolist() == [0.5, 0]


def test_bounds_of_the_npl_ratio_hold_what_comes_as_often_as_they_say():
    random = random_for("npl ratio by the matrix")
    hits, held = [], []
    for _ in range(SIMULATIONS):
        told, now = moves(drawn(random)), drawn(random)
        forecast = by_markov(told, now, draws=400)
        actual = money_after(now)
        hits.append(forecast.ratio_bounds.holds(float(npl_ratio(actual))))
        held.append((forecast.low <= actual) & (actual <= forecast.high))
    require_share("npl ratio by the matrix: covered", hits, 0.93, 0.975)
    for place in range(IN_BOOK):
        require_share(f"money in {STATES[place]}: covered", (one[place] for one in held), 0.92, 0.98)


def test_scores_that_tell_who_moves_forecast_better_than_the_matrix_when_the_mix_has_changed():
    random = np.random.default_rng(0)
    slope = np.array([0.0, 1.0])

    def loans(level: float) -> tuple[pl.DataFrame, np.ndarray]:
        score = random.normal(level, 1.0, 6_000)
        worse = random.random(6_000) < expit(slope[0] - 2.5 + slope[1] * score)
        state = np.where(worse, "substandard", "special_mention")
        rows = pl.DataFrame(
            {
                "loan_id": [f"L{n}" for n in range(6_000)],
                "before": "special_mention",
                "state": "special_mention",
                "after": state,
                "owed_minor": 100,
            }
        )
        return rows, score

    (earlier, score), (now, score_now) = loans(0.0), loans(0.7)
    forecast, moved = by_scores(earlier, score, now, score_now, draws=60)
    actual = float(npl_ratio(money_after(now)))
    matrix = by_markov(moves(earlier), now)
    assert abs(forecast.ratio - actual) < abs(matrix.ratio - actual) / 4
    assert forecast.ratio_bounds.holds(actual)
    assert not matrix.ratio_bounds.holds(actual)
    assert moved.line[1][1] == pytest.approx(1.0, abs=0.15)
    given = moved.of(places(now.get_column("state")), score_now)
    assert given.sum(axis=1) == pytest.approx(np.ones(6_000))


def test_the_scores_of_a_card_make_a_second_forecast_of_the_real_book(part, model):
    told = book_migration(
        part, read_category_policy(None), date(2005, 6, 30), LAST, cards=[model], scale=default_policy()
    )
    (one,) = told.products
    assert one.scores is not None
    assert one.markov is not None
    assert one.scores.expected.sum() == pytest.approx(one.held.sum())
    assert one.scores.ratio_bounds.low <= one.scores.ratio <= one.scores.ratio_bounds.high
    # The card is for loans that are not overdue: others go by the shares of their category, in money.
    assert one.scores.ratio == pytest.approx(one.markov.ratio, rel=0.25)
    assert one.came is not None
    assert one.came.scores is not None
    assert one.came.surprise is not None
    assert one.came.scores.loss.shape == one.came.markov.loss.shape
    gain = one.came.markov.loss - one.came.scores.loss
    assert one.came.surprise[0] == pytest.approx(gain.mean())
    page, data = migration_page(told), plain(told)
    assert model.card.title.zh in page
    assert data["cards"] == {"behaviour": {"version": "1", "fitted_up_to": "2005-09-30"}}
    json.dumps(data, allow_nan=False)


def test_without_a_score_a_loan_goes_by_its_categorys_shares():
    rows = drawn(np.random.default_rng(1))
    before, after = (places(rows.get_column(name)) for name in ("before", "after"))
    moved = score_moves(before, after, np.full(len(before), np.nan))
    given = moved.of(before, np.full(len(before), np.nan))
    assert given == pytest.approx(row_shares(moves(rows))[before])


def test_a_category_that_holds_money_now_and_held_none_before_has_no_forecast():
    rows = drawn(np.random.default_rng(1))
    with pytest.raises(TooFew, match="no loans at the first date in loss"):
        by_markov(moves(rows.filter(pl.col("before") != "loss")), rows)


def test_a_loan_that_left_has_not_rolled_down():
    rows = pl.DataFrame(
        {
            "before": ["normal"] * 10,
            "after": ["normal"] * 6 + ["special_mention"] + ["written_off"] + ["left"] * 2,
            "owed_minor": [100] * 10,
        }
    )
    told = rolled_down(moves(rows))["normal"]
    assert told.share == pytest.approx(0.2)


def test_dates_are_month_ends_where_the_last_one_is():
    assert dates_between(date(2024, 1, 1), date(2024, 3, 31), 1) == (
        date(2024, 1, 31),
        date(2024, 2, 29),
        date(2024, 3, 31),
    )
    assert dates_between(date(2024, 1, 15), date(2024, 3, 15), 2) == (date(2024, 1, 15), date(2024, 3, 15))
    assert months_from(date(2024, 2, 29), 1) == date(2024, 3, 31)
    assert months_from(date(2024, 3, 30), -1) == date(2024, 2, 29)


def test_dates_that_are_too_near_or_beyond_the_book_are_refused(taiwan):
    policy = read_category_policy(None)
    with pytest.raises(UsageError, match="no two dates 1 months apart"):
        book_migration(taiwan, policy, date(2005, 7, 15), LAST)
    with pytest.raises(DataRefused, match="a book that ends on 2005-09-30"):
        book_migration(taiwan, policy, FIRST, date(2005, 10, 31))


def test_amounts_of_two_currencies_are_not_added_up(part):
    loans = part.tables.loans.with_columns(
        currency=pl.when(pl.int_range(pl.len()) % 2 == 0).then(pl.lit("USD")).otherwise("currency")
    )
    mixed = replace(part, tables=replace(part.tables, loans=loans))
    with pytest.raises(DataRefused, match="2 currencies"):
        book_migration(mixed, read_category_policy(None), date(2005, 6, 30), LAST)


def test_a_product_that_has_run_off_is_told_without_what_came(part):
    gone = part.tables.loans.get_column("loan_id").unique().sort().head(20)
    theirs = pl.col("loan_id").is_in(gone.implode())
    kind = part.tables.loans.schema["product"]
    loans = part.tables.loans.with_columns(
        product=pl.when(theirs).then(pl.lit("instalment").cast(kind)).otherwise("product")
    )
    statements = part.tables.statements.filter(~theirs | (pl.col("statement_on") <= FIRST))
    book = replace(part, tables=replace(part.tables, loans=loans, statements=statements))
    found = book_migration(book, read_category_policy(None), FIRST, LAST)
    by_name = {one.product: one for one in found.products}
    assert by_name["instalment"].held[:IN_BOOK].sum() == 0
    assert by_name["instalment"].came is None
    assert by_name["revolving"].came is not None
    json.dumps(plain(found), allow_nan=False)
    html = migration_page(found)
    run_off = words.RUN_OFF.filled(product=words.PRODUCTS["instalment"], day=str(LAST))
    for language in (run_off.en, run_off.zh):
        assert html.count(language) == 1
    assert run_off in summary(found)
    assert words.NOT_YET.filled(day=str(found.next_on)).en not in html


def test_page_table_and_data_say_the_same_in_both_languages_and_what_they_are_not(told):
    html, table, data = migration_page(told).split("<main>")[1], migration_table(told), plain(told)
    json.dumps(data, allow_nan=False)
    assert "not the bank's own risk classification" in html.replace("&#x27;", "'")
    assert "并非银行自身的资产风险分类" in html
    assert "is_not" in data
    assert html.count('lang="en"') == html.count('lang="zh-Hans"') > 50
    assert "{" not in html
    (one,), (written,) = told.products, data["products"]
    assert table.get_column("loans").sum() == one.moves.cases.sum() == np.sum(written["moves"]["loans"])
    for sentence in summary(told):
        assert f"{one.ratio:.2%}" in sentence.en
        assert f"{one.ratio:.2%}" in sentence.zh


def test_the_verb_writes_table_data_and_page(tmp_path: Path, capsys):
    out = tmp_path / "out"
    words = (
        "migration",
        "--portfolio",
        "taiwan",
        "--from",
        "2005-06-30",
        "--to",
        "2005-07-31",
        "--home",
        str(tmp_path / "none"),
        "--out",
        str(out),
    )
    repayrank.app([*words], standalone_mode=False)
    assert sorted(path.name for path in out.iterdir()) == [
        "migration.csv",
        "migration.html",
        "migration.json",
        "migration.parquet",
    ]
    printed, said = capsys.readouterr()
    assert without_chinese(printed) == without_chinese(said) == []
    assert printed.startswith("migration of 1 product: ")
    told = json.loads((out / "migration.json").read_text())
    assert told["products"][0]["by_scores"] is None


def test_every_line_is_printed_in_both_languages_with_a_forecast_by_scores_too(
    part: Portfolio, home: Path, tmp_path: Path, capsys, monkeypatch
):
    monkeypatch.setattr(early_warning_verbs, "open_book", lambda *_, **__: part)
    asked = ("migration", "--portfolio", "taiwan", "--from", "2005-06-30", "--to", "2005-07-31")
    repayrank.app([*asked, "--home", str(home), "--out", str(tmp_path)], standalone_mode=False)
    printed, said = capsys.readouterr()
    assert without_chinese(printed) == without_chinese(said) == []
    assert "the behaviour card scores the " in said
    *_, english, chinese = said.splitlines()
    assert "by scores; it came to " in english
    assert "按评分" in chinese
