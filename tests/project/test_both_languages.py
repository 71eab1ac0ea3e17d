"""The words of pages, pictures and terminals stand in both languages, and what looks for a missing one finds it."""

from __future__ import annotations

from types import ModuleType

import pytest
from both_languages import differing, without_chinese

from features.words import Text
from serving.shadow import idle
from serving.shadow import words as shadow_words
from training import challenger_verbs, plot_words
from training import shadow_words as comparison_words
from training.early_warning import migration_words, warn_words
from training.monitoring import words as monitoring_words
from training.promotion import notes
from training.promotion import words as promotion_words


@pytest.mark.parametrize(
    "module",
    [
        challenger_verbs,
        comparison_words,
        idle,
        migration_words,
        monitoring_words,
        notes,
        plot_words,
        promotion_words,
        shadow_words,
        warn_words,
    ],
    ids=lambda module: module.__name__,
)
def test_every_sentence_is_in_both_languages_and_asks_for_the_same_figures(module: ModuleType) -> None:
    assert differing(module) == []


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        ("{count} scored", "已评分"),
        ("{count} scored", "scored: {count}"),
        ("{count} 已评分", "已评分{count}"),
        ("{count} of {all}", "{count}笔，共{count}笔"),
    ],
)
def test_a_sentence_that_is_not_in_both_languages_is_found(english: str, chinese: str) -> None:
    module = ModuleType("one")
    module.ONE = Text(en=english, zh=chinese)  # type: ignore[attr-defined]
    assert differing(module) == ["ONE"]


@pytest.mark.parametrize(
    ("printed", "alone"),
    [
        ("2 scored\n已评分2笔", []),
        ("2 scored / 已评分2笔", []),
        ("version 9 is refused: 3 faults\n版本9未通过核验，原因见英文说明", []),
        ("last 6 months /   +0.03   -0.02\n近6个月", []),
        ("last 6 months /   +0.03   -0.02\n近3个月", ["last 6 months /   +0.03   -0.02"]),
        ("2 scored", ["2 scored"]),
        ("2 scored\nit ends\n评分结束", ["2 scored"]),
        ("2 scored\n\n已评分2笔", ["2 scored", "已评分2笔"]),
        ("2 scored\n已评分3笔", ["2 scored"]),
        ("评分结束", ["评分结束"]),
        ("it ends\n评分结束\n已评分2笔", ["已评分2笔"]),
        ("version 9 is refused\n版本8未通过核验，原因见英文说明", ["version 9 is refused"]),
    ],
)
def test_a_printed_line_without_its_counterpart_is_found(printed: str, alone: list[str]) -> None:
    assert without_chinese(printed) == alone
