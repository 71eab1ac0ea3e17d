"""The verb writes alerts, all changes and a page in both languages, and `--judge` tells what alerts were worth."""

from __future__ import annotations

import io
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
import pytest
from both_languages import without_chinese

import repayrank
from features.errors import DataRefused, ModelRefused, UsageError
from features.portfolios import Portfolio
from models.cards import card_of
from models.policy import default_policy
from models.risk_model import GROUP_ORDER
from models.terminal import under
from training import early_warning_verbs
from training.early_warning import warn_words
from training.early_warning.alert_policy import read_alert_policy
from training.early_warning.two_dates import Standing
from training.early_warning.worth import FOLDS, listed, worth

FIRST, LAST = date(2005, 8, 31), date(2005, 9, 30)


@pytest.fixture(scope="module")
def policy_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a policy by which more loans rise than the team can handle."""
    path = tmp_path_factory.mktemp("policy") / "alerts.toml"
    path.write_text(
        'format = 1\nversion = "test"\n[capacity]\nalerts_a_month = 30\nsource = "here"\n'
        '[exposure]\nleast = 0\nsource = "here"\n[[rules]]\nname = "rose"\npoints = 2.0\n'
        'en = "rose by {points} points"\nzh = "上升{points}个百分点"\nsource = "here"\n'
    )
    return path


class Ran(NamedTuple):
    """What the verb wrote into its folder and onto the terminal."""

    folder: Path
    out: str
    err: str


@pytest.fixture(scope="module")
def ran(part: Portfolio, home: Path, policy_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    out = tmp_path_factory.mktemp("out") / "early_warning"
    printed, said = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(printed), redirect_stderr(said):
        patch.setattr(early_warning_verbs, "open_book", lambda *_, **__: part)
        repayrank.app(
            [
                *("warn", "--portfolio", "taiwan", "--from", str(FIRST), "--to", str(LAST), "--home", str(home)),
                *("--out", str(out), "--policy", str(policy_file), "--judge"),
            ],
            standalone_mode=False,
        )
    return Ran(out, printed.getvalue(), said.getvalue())


@pytest.fixture(scope="module")
def written(ran: Ran) -> Path:
    return ran.folder


def test_every_line_is_printed_in_both_languages(ran):
    assert without_chinese(ran.out) == without_chinese(ran.err) == []
    waiting = int(pl.read_parquet(ran.folder / "changes.parquet").get_column("waiting").sum())
    english, chinese = ran.out.splitlines()
    assert english.startswith("29 alerts among ")
    assert f"; {waiting:,} more meet a rule and wait: {ran.folder / 'alerts.html'}" in english
    assert f"笔借据中有29笔预警；另有{waiting:,}笔达到规则、待处理：" in chinese
    parts = [line for line in ran.err.splitlines() if line.startswith("judging, part ")]
    assert len(parts) == FOLDS
    assert ran.err.splitlines()[-2].startswith("went bad: ")
    assert "变坏占比：" in ran.err.splitlines()[-1]


def test_alerts_that_cannot_be_judged_are_told_as_such(part, policy_file):
    told = worth(
        part, card_of(part, "behaviour"), default_policy(), read_alert_policy(policy_file), FIRST, LAST, folds=2
    )
    assert without_chinese(under(early_warning_verbs._judged(told))) == []
    none = early_warning_verbs._judged(replace(told, alerted=None))
    assert none is warn_words.NOTHING_JUDGED


def test_alerts_are_in_order_of_money_and_no_more_than_the_team_can_handle(written):
    alerts = pl.read_parquet(written / "alerts.parquet")
    assert alerts.height == 29, "30 a month, in 30 of a month's 30.4 days"
    assert alerts.get_column("rank").to_list() == list(range(1, 30))
    assert alerts.get_column("value_minor").is_sorted(descending=True)
    assert (alerts.get_column("rise") >= 0.02).all()
    told = alerts.select(
        short=(pl.col("value_minor") - pl.col("owed_minor") * pl.col("rise")).abs().max() / pl.col("value_minor").max()
    ).item()
    assert told < 1e-12
    assert alerts.get_column("reason_1_en").null_count() == 0
    assert alerts.get_column("reason_1_zh").null_count() == 0


def test_the_table_of_all_loans_adds_up_to_the_bit_and_tells_who_is_new_and_who_left(written):
    rows = pl.read_parquet(written / "changes.parquet")
    both = rows.filter(pl.col("standing") == Standing.BOTH.value)
    parts = [both.get_column(f"change_{group.value}").to_numpy() for group in GROUP_ORDER]
    assert (parts[0] + parts[1] + parts[2] == both.get_column("change").to_numpy()).all()
    fell = rows.filter(pl.col("standing") == Standing.OVERDUE.value)
    assert fell.height > 100
    assert fell.get_column("default_probability").null_count() == fell.height
    assert fell.get_column("default_probability_before").null_count() == 0
    assert not fell.get_column("alert").any()
    assert rows.get_column("loan_id").n_unique() == rows.height
    assert int(rows.get_column("alert").sum()) == 29
    assert int(rows.get_column("waiting").sum()) > 0
    text = (written / "changes.csv").read_text(encoding="utf-8-sig")
    assert len(text.splitlines()) == rows.height + 1


def test_the_page_speaks_both_languages_and_accuses_nobody(written):
    html = (written / "alerts.html").read_text().split("<main>")[1]
    assert html.count('lang="en"') == html.count('lang="zh-Hans"') > 100
    assert "{" not in html
    assert "A person looks at each and decides" in html
    assert "rose by 2 points" in html
    assert "上升2个百分点" in html
    for word in ("fraud", "dishonest", "intends to", "恶意", "欺诈"):
        assert word not in html


def test_what_alerts_were_worth_is_counted_on_loans_that_the_card_had_not_seen(part, policy_file):
    told = worth(
        part,
        card_of(part, "behaviour"),
        default_policy(),
        read_alert_policy(policy_file),
        FIRST,
        LAST,
        folds=2,
    )
    assert told.all_fired is not None
    assert told.alerted is not None
    assert told.by_level is not None
    assert told.alerted.listed.cases == told.by_level.listed.cases == 2 * (29 // 2)
    assert told.all_fired.listed.cases > told.alerted.listed.cases
    for one in (told.all_fired, told.alerted, told.by_level):
        assert one.listed.cases + one.rest.cases == told.loans
        assert one.listed.found + one.rest.found == told.bad
        assert one.lift_interval is not None
        assert one.lift_interval.low < one.lift < one.lift_interval.high
    # The score orders loans it has not seen; on loans that it had learnt by heart it would be near to 1.
    assert 0.6 < told.auc_level.value < 0.85


def test_a_list_is_counted_by_hand():
    bad = np.array([True, False, True, False, True])
    told = listed(np.array([True, True, False, False, False]), bad, np.array([10.0, 1, 20, 1, 10]))
    assert told is not None
    assert (told.listed.found, told.listed.cases, told.rest.found, told.rest.cases) == (1, 2, 2, 3)
    assert told.lift == pytest.approx(0.75)
    assert told.money_found == 0.25
    assert listed(np.zeros(5, dtype=np.bool_), bad, np.ones(5)) is None


def test_what_became_of_loans_must_be_known_to_judge_and_a_card_must_be_there_to_warn(part, home, tmp_path):
    with pytest.raises(DataRefused, match="no outcome within the performance window"):
        worth(
            part,
            card_of(part, "behaviour"),
            default_policy(),
            read_alert_policy(None),
            date(2005, 6, 30),
            date(2005, 7, 31),
        )
    asked = ["warn", "--portfolio", "taiwan", "--from", str(FIRST), "--to", str(LAST)]
    with pytest.raises(ModelRefused, match="no behaviour card has been trained here"):
        repayrank.app([*asked, "--home", str(tmp_path)], standalone_mode=False)
    with pytest.raises(UsageError, match="add --to"):
        repayrank.app(["warn", "--portfolio", "taiwan", "--from", str(FIRST)], standalone_mode=False)


def test_the_shipped_policies_are_printed_to_copy(capsys):
    for verb, words in (("warn", "alerts_a_month"), ("migration", "substandard_from_days")):
        repayrank.app([verb, "--show-policy"], standalone_mode=False)
        assert words in capsys.readouterr().out
