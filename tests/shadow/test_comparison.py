"""What is told of two scores of the same decisions is what a slow count finds, on the loans of a real book."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from both_languages import figures as figures_of
from both_languages import headings, in_both, without_chinese

import repayrank
from features.errors import DataRefused
from features.words import Text
from models.assessment import Assessment, assess_matrix
from models.fitted_card import FittedCard
from models.policy import default_policy
from models.score_pairs import PASSED_OVER_FOR, SCHEMA, Outcome, ScorePairs
from models.store import ModelStore
from serving.shadow import following
from serving.shadow.following import shadowed
from training.cohort import Cohort
from training.shadow_comparison import Judged, compared
from training.shadow_outcomes import read_outcomes
from training.shadow_table import counted, sentences, tables
from training.shadow_words import difference, why_not
from training.statistics.inputs import TooFew, both_outcomes
from training.statistics.paired import Difference, auc_difference
from training.statistics.recalibration import recalibration
from training.statistics.segments import NotJudged
from training.statistics.worked import worked

CARD = "collection"
BANDS = [band.name for band in default_policy().bands]
FIRST = datetime(2026, 5, 20, tzinfo=UTC)
SEEN = date(2026, 5, 31)


def figures(assessment: Assessment, who: str) -> dict[str, Any]:
    return {
        f"{who}_log_odds": assessment.attribution.log_odds,
        f"{who}_calibrated_log_odds": assessment.calibrated_log_odds,
        f"{who}_default_probability": assessment.probability,
        f"{who}_points": assessment.points,
        f"{who}_band": assessment.bands,
        f"{who}_place": [None] * len(assessment),
    }


@pytest.fixture(scope="session")
def pairs(overdue: Cohort, collection: FittedCard, models: Path) -> pl.DataFrame:
    """Return pairs of every loan of the book, decided one after another over three months."""
    store, policy = ModelStore(models), default_policy()
    challenger = store.load(CARD, "2")
    matrix = overdue.matrix.of(collection.catalog.names)
    both = [assess_matrix(matrix, overdue.money, card, policy) for card in (collection, challenger)]
    size = len(overdue)
    days = [FIRST + timedelta(days=60 * at / size) for at in range(size)]
    return pl.DataFrame(
        {
            "score_id": [f"S{at}" for at in range(size)],
            "record": range(size),
            "scored_at": days,
            "subject": [f"{at:x}" for at in range(size)],
            "observation_date": [day.date() for day in days],
            "policy": policy.digest,
            "outcome": Outcome.SCORED.value,
            "champion": "1",
            **figures(both[0], "champion"),
            **figures(both[1], "challenger"),
        },
        schema=SCHEMA,
    )


@pytest.fixture(scope="session")
def outcomes(pairs: pl.DataFrame, overdue: Cohort) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "score_id": pairs.get_column("score_id"),
            "bad": overdue.bad,
            "amount_minor": overdue.money.get_column("owed_minor").clip(lower_bound=0),
        }
    )


def told(pairs: pl.DataFrame, **more: Any) -> Any:
    (against,) = compared(pairs, card=CARD, challenger="2", bands=BANDS, **more).against
    return against


def test_distances_by_month_are_what_a_slow_count_finds(pairs: pl.DataFrame) -> None:
    found = told(pairs)
    rows = list(pairs.iter_rows(named=True))
    assert list(found.months) == ["2026-05", "2026-06", "2026-07"]
    edges = np.unique(np.quantile(pairs["champion_calibrated_log_odds"], np.arange(1, 10) / 10, method="inverted_cdf"))
    for month, distance in [*found.months.items(), (None, found.all)]:
        here = [row for row in rows if month is None or f"{row['scored_at']:%Y-%m}" == month]
        assert distance.pairs == len(here)
        safer = sum(BANDS.index(row["challenger_band"]) < BANDS.index(row["champion_band"]) for row in here)
        riskier = sum(BANDS.index(row["challenger_band"]) > BANDS.index(row["champion_band"]) for row in here)
        assert distance.safer == pytest.approx(safer / len(here))
        assert distance.riskier == pytest.approx(riskier / len(here))
        assert distance.moved > 0.05
        index = 0.0
        for low, high in zip([-np.inf, *edges], [*edges, np.inf], strict=True):
            p, q = (
                sum(low < row[f"{who}_calibrated_log_odds"] <= high for row in here) / len(here)
                for who in ("champion", "challenger")
            )
            assert p > 0
            assert q > 0
            index += (q - p) * np.log(q / p)
        assert distance.psi == pytest.approx(index)


def test_swap_sets_add_up_and_are_what_a_slow_count_finds(pairs: pl.DataFrame) -> None:
    found = told(pairs)
    assert [swap.band for swap in found.swaps] == BANDS[1:]
    for place, swap in enumerate(found.swaps, start=1):
        counted = Counter(
            tuple(BANDS.index(row[f"{who}_band"]) >= place for who in ("champion", "challenger"))
            for row in pairs.iter_rows(named=True)
        )
        assert (swap.both, swap.swapped_in, swap.swapped_out, swap.neither) == (
            counted[True, True],
            counted[False, True],
            counted[True, False],
            counted[False, False],
        )
        assert swap.both + swap.swapped_in + swap.swapped_out + swap.neither == pairs.height


def test_two_versions_that_answered_are_judged_apart_and_who_was_passed_over_is_counted(pairs: pl.DataFrame) -> None:
    both = pairs.with_columns(
        champion=pl.when(pl.col("record") % 3 == 0).then(pl.lit("4")).otherwise("champion"),
        outcome=pl.when(pl.col("record") % 10 == 1).then(pl.lit(Outcome.ERASED.value)).otherwise("outcome"),
    )
    found = compared(both, card=CARD, challenger="2", bands=BANDS)
    assert {one.champion for one in found.against} == {"1", "4"}
    assert sum(one.all.pairs for one in found.against) == found.outcomes["scored"]
    assert found.outcomes["scored"] + found.outcomes["erased"] == pairs.height


def test_matured_outcomes_tell_which_was_better_with_the_paired_interval(
    pairs: pl.DataFrame, outcomes: pl.DataFrame, overdue: Cohort
) -> None:
    judged = told(pairs, outcomes=outcomes.sample(fraction=1.0, shuffle=True, seed=1)).matured.judged
    assert isinstance(judged, Judged)
    by_delong = auc_difference(
        [
            (
                overdue.bad,
                pairs["challenger_calibrated_log_odds"].to_numpy(),
                pairs["champion_calibrated_log_odds"].to_numpy(),
            )
        ]
    )
    assert judged.difference.auc == pytest.approx(by_delong.auc)
    assert judged.difference.low == pytest.approx(by_delong.low, abs=1e-4)
    assert judged.difference.auc == pytest.approx(judged.challenger_auc - judged.champion_auc)
    assert judged.held_by == "money"
    for captured in (judged.champion_captured, judged.challenger_captured):
        assert all(
            low <= held <= high for low, held, high in zip(captured.low, captured.captured, captured.high, strict=True)
        )
    order = np.argsort(-pairs["champion_calibrated_log_odds"].to_numpy(), kind="stable")
    lost = np.where(overdue.bad, outcomes["amount_minor"].to_numpy(), 0)[order]
    tenth = len(order) // 10
    assert judged.champion_captured.captured[1] == pytest.approx(lost[:tenth].sum() / lost.sum(), abs=2e-3)
    # The champion was fitted on these very loans, and its probabilities with them.
    assert judged.champion_calibration.expected == pytest.approx(overdue.bad.mean(), abs=0.01)


def test_a_borrower_who_is_decided_every_day_makes_no_difference_surer(
    pairs: pl.DataFrame, outcomes: pl.DataFrame
) -> None:
    few, times = pairs.head(400), 10
    again = pl.concat(few.with_columns(score_id=pl.col("score_id") + f"-{turn}") for turn in range(times))
    known = pl.concat(outcomes.with_columns(score_id=pl.col("score_id") + f"-{turn}") for turn in range(times))
    once, often = (
        told(one, outcomes=other).matured.judged.difference for one, other in ((few, outcomes), (again, known))
    )
    assert often.auc == pytest.approx(once.auc)
    assert often.high - often.low == pytest.approx(once.high - once.low, rel=0.02)


def test_decisions_on_days_that_a_version_was_fitted_on_take_no_part(
    pairs: pl.DataFrame, outcomes: pl.DataFrame
) -> None:
    open_ = outcomes.filter(pl.int_range(pl.len()) % 4 != 0)
    known = open_.with_columns(bad=pl.when(pl.int_range(pl.len()) % 9 == 0).then(None).otherwise("bad"))
    found = told(pairs, outcomes=known, seen_until={"1": None, "2": SEEN}).matured
    fresh = pairs.join(known, on="score_id").filter(pl.col("bad").is_not_null(), pl.col("observation_date") > SEEN)
    assert found.judged.cases == fresh.height
    assert found.judged.cases + found.seen + found.undecided + found.open == pairs.height
    assert found.undecided == known["bad"].null_count()
    nothing = told(pairs, outcomes=known, seen_until={"1": date(2027, 1, 1)}).matured.judged
    assert nothing == NotJudged(0, "0 bad and 0 good cases; expected at least 2 of each")


def test_a_decision_with_two_outcomes_is_refused_and_so_is_a_file_without_a_column(
    outcomes: pl.DataFrame, pairs: pl.DataFrame, tmp_path: Path
) -> None:
    twice = pl.concat([outcomes, outcomes.head(3).with_columns(~pl.col("bad"))])
    with pytest.raises(DataRefused, match="3 decisions with two outcomes"):
        told(pairs, outcomes=twice)
    assert told(pairs, outcomes=pl.concat([outcomes, outcomes.head(3)])) == told(pairs, outcomes=outcomes)
    outcomes.drop("bad").write_csv(tmp_path / "a.csv")
    with pytest.raises(DataRefused, match="no column bad"):
        read_outcomes(tmp_path / "a.csv")
    (tmp_path / "b.parquet").write_bytes(b"nothing")
    with pytest.raises(DataRefused, match="damaged, or is not Parquet"):
        read_outcomes(tmp_path / "b.parquet")
    (tmp_path / "c.csv").write_text("score_id,bad\nS1,perhaps\n")
    with pytest.raises(DataRefused, match="another kind"):
        read_outcomes(tmp_path / "c.csv")


def test_outcomes_are_the_same_from_either_kind_of_file(outcomes: pl.DataFrame, tmp_path: Path) -> None:
    some = outcomes.with_columns(bad=pl.when(pl.int_range(pl.len()) % 5 == 0).then(None).otherwise("bad"))
    some.write_csv(tmp_path / "told.csv")
    some.with_columns(pl.col("bad").cast(pl.Int8)).write_parquet(tmp_path / "told.parquet")
    first, second = (read_outcomes(tmp_path / f"told.{kind}") for kind in ("csv", "parquet"))
    assert first.equals(second)
    assert first["bad"].null_count() == some["bad"].null_count()


def test_every_heading_and_sentence_of_a_comparison_stands_in_both_languages_with_the_same_figures(
    pairs: pl.DataFrame, outcomes: pl.DataFrame
) -> None:
    passed_over = list(map(str, PASSED_OVER_FOR))
    mixed = pairs.with_columns(
        outcome=pl.when(pl.col("record") < len(passed_over))
        .then((pl.col("record") % len(passed_over)).replace_strict(dict(enumerate(passed_over))))
        .otherwise("outcome"),
        policy=pl.when(pl.col("record") < 50).then(pl.lit("an older one")).otherwise("policy"),
    )
    open_ = outcomes.filter(pl.int_range(pl.len()) % 4 != 0)
    known = open_.with_columns(bad=pl.when(pl.int_range(pl.len()) % 9 == 0).then(None).otherwise("bad"))
    for seen in (SEEN, date(2027, 1, 1)):
        found = compared(
            mixed, card=CARD, challenger="2", bands=BANDS, outcomes=known, seen_until={"1": None, "2": seen}
        )
        (one,) = found.against
        shown = [heading for table in tables(found, one) for heading in headings(table)]
        assert [heading for heading in shown if not in_both(heading)] == []
        said = [*sentences(one), counted(found)]
        assert len(said) == (8 if seen == SEEN else 3)
        for text in said:
            english, chinese = figures_of(text)
            assert english == chinese, text
            assert without_chinese(f"{text.en}\n{text.zh}") == []
        if seen == SEEN:
            assert said[2].en == one.matured.judged.difference.words("the champion, version 1")
    assert set(PASSED_OVER_FOR) == set(Outcome) - {Outcome.SCORED}


def test_what_cannot_be_judged_says_why_in_both_languages() -> None:
    bad = np.array([True, False, True, False])
    for measure, chinese in (
        (lambda: both_outcomes(bad, where="here", least=3), "坏样本2笔、好样本2笔；各需至少3笔"),
        (lambda: recalibration(bad, np.full(4, 0.2)), "概率全部相同，无从评定斜率"),
        (lambda: recalibration(bad, np.where(bad, 0.9, 0.1)), "对数几率将好坏样本完全分开，斜率为无穷大"),
        (lambda: worked(bad, np.arange(4.0), [0.5], np.zeros(4)), "坏样本的金额均为零"),
    ):
        with pytest.raises(TooFew) as few:
            measure()
        why = f"{few.value.found}; expected {few.value.expected}"
        assert why_not(why) == Text(en=why, zh=chinese)
    assert why_not("something new").zh == "原因见英文说明"


@pytest.mark.parametrize(
    ("low", "high", "chinese"), [(0.01, 0.03, "更好"), (-0.03, -0.01, "更差"), (-0.01, 0.02, "无法区分优劣")]
)
def test_which_of_two_is_better_is_said_alike_in_both_languages(low: float, high: float, chinese: str) -> None:
    of = Difference((low + high) / 2, low, high)
    said = difference(of, Text(en="the champion", zh="冠军模型"))
    assert said.en == of.words("the champion")
    assert said.zh == f"{chinese}：AUC较冠军模型相差{of.auc:+.4f}（95%区间{low:+.4f}至{high:+.4f}）"


def test_the_comparison_is_printed_and_told_as_json(
    asked: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    list(shadowed(asked.archive(), CARD, "2", wait=None, say=print))
    pl.DataFrame({"score_id": asked.ids, "bad": [at % 3 == 0 for at in range(len(asked.ids))]}).write_csv(
        tmp_path / "o.csv"
    )
    words = ["shadow", "--card", CARD, "--version", "2", "--compare", "--home", str(asked.home)]
    for more in ([], ["--outcomes", str(tmp_path / "o.csv")], ["--json"]):
        with pytest.raises(SystemExit) as done:
            repayrank.main([*words, *more])
        assert not done.value.code
    printed = capsys.readouterr().out
    assert "version 2 against version 1 of the collection card" in printed
    # All decisions are of the day that both versions were fitted on.
    assert "matured outcomes: not judged" in printed
    assert f"{len(asked.ids)} observed no later than what a version was fitted on" in printed
    assert without_chinese("\n".join(printed.splitlines()[:-1])) == []
    plain = json.loads(printed.splitlines()[-1])
    assert plain["outcomes"]["scored"] == len(asked.ids)
    assert plain["against"][0]["all"]["pairs"] == len(asked.ids)


def test_the_command_line_scores_in_a_process_of_one_thread_that_steps_back(asked: Any) -> None:
    command = [sys.executable, "-m", "repayrank", "shadow", "--card", CARD, "--once", "--beside", "--json"]
    named = [sys.executable, "-m", "repayrank", "challenge", "--card", CARD, "--version", "2"]
    root = Path(repayrank.__file__).parent
    said = subprocess.run([*named, "--home", str(asked.home)], cwd=root, capture_output=True, text=True, check=True)
    assert said.stdout.splitlines() == [
        "version 2 challenges version 1 of the collection card",
        "collection评分卡：挑战者模型版本2，冠军模型版本1",
    ]
    done = subprocess.run([*command, "--home", str(asked.home)], cwd=root, capture_output=True, text=True, check=True)
    plain = json.loads(done.stdout)
    assert plain["decisions"] == {**dict.fromkeys(map(str, Outcome), 0), "scored": len(asked.ids)}
    assert ScorePairs.of(asked.home, CARD, "2").read().height == len(asked.ids)
    # Again there is nothing to do, and it is told of whom.
    again = subprocess.run(
        [*command[:-1], "--home", str(asked.home)], cwd=root, capture_output=True, text=True, check=True
    )
    assert without_chinese(again.stdout) == without_chinese(again.stderr) == []
    assert again.stdout.startswith("version 2 of the collection card in shadow: 0 decisions scored; ")
    assert f"0笔决策已评分；已处理{plain['records']:,}条记录：{plain['folder']}" in again.stdout


def test_every_line_of_a_challenge_and_of_the_scoring_is_printed_in_both_languages(
    asked: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.shadow.idle.step_back", lambda: None)
    monkeypatch.setattr(following, "MOST_RECORDS", 20)

    def told(*words: str) -> list[str]:
        with pytest.raises(SystemExit) as done:
            repayrank.main([*words, "--card", CARD, "--home", str(asked.home)])
        assert not done.value.code
        out, err = capsys.readouterr()
        assert without_chinese(out) == without_chinese(err) == []
        return [*err.splitlines(), *out.splitlines()]

    assert told("challenge", "--stop")[0] == "no version challenges the collection card"
    told("challenge", "--version", "2")
    lines = told("shadow", "--once", "--beside")
    assert lines[0].startswith("scoring the decisions of the collection card in shadow")
    steps = [line for line in lines if "worked through, " in line]
    assert len(steps) > 1
    assert steps[-1].startswith("version 2: ")
    assert f"0 left; {len(asked.ids):,} decisions scored" in steps[-1]
    assert told("challenge", "--version", "3")[0].endswith("of the collection card, in place of version 2")
    assert "passed over" in " ".join(told("shadow", "--version", "1", "--once", "--beside"))
    assert told("challenge", "--stop") == [
        "no version challenges the collection card any more; until now version 3 did",
        "collection评分卡不再有挑战者模型；此前为版本3",
    ]
