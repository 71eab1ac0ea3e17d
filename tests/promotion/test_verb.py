"""The command says what it shows, changes what it says, and leaves the change in the decision log."""

from __future__ import annotations

import json
import os
import pwd
import re
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from both_languages import headings, in_both, without_chinese
from planted_faults import CARD

import repayrank
from features.errors import UsageError
from features.words import Text
from models.store import ModelStore
from serving.arrivals import Fault, Naming, Refusal
from serving.decisions.opening import opened_recorder, place_of, secrets_in
from serving.decisions.outbox import outbox_of
from serving.decisions.promotions import changes_in, has_log, post_promotion
from serving.decisions.refused_versions import post_refusal
from serving.records.audit import verify
from serving.settings import DEFAULT_LOG_NAME, Settings, records_in
from serving.state import load
from serving.subjects.keys import created_keys
from training import promotion_verbs
from training.promotion import promote as promoting
from training.promotion import words as words_of
from training.promotion.policy import read_rules
from training.promotion.printed import BAND_MOVES, PLACE_MOVES, SIDE_MOVES, history, tables
from training.promotion.proposal import promotion
from training.promotion.record import folder_of, records

WORDS = ("--portfolio", "taiwan", "--card", CARD, "--by", "head of risk")
REASONS = (words_of.NO_VERSION_BEFORE, words_of.VALIDATED)
BACK = ("--rollback", "--card", CARD, "--by", "duty officer", "--reason", "alarm of March")


@pytest.fixture
def command(monkeypatch, capsys, store, book):
    """Run the verb on the part of the book that the versions were fitted on, without MLflow."""
    monkeypatch.setattr(promotion_verbs, "open_book", lambda *_: book)
    monkeypatch.setattr(promoting, "_mirror", lambda *_: None)

    def run(*words: str) -> tuple[int, str, str]:
        code = 0
        try:
            repayrank.main([*words, "--home", str(store.root)])
        except SystemExit as ended:
            code = int(ended.code or 0)
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


def tree(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_a_dry_run_shows_everything_and_changes_nothing(command, store):
    before = tree(store.root)
    code, out, err = command("promote", *WORDS, "--version", "2", "--dry-run")
    assert code == 0, err
    assert tree(store.root) == before
    for words in ("by risk band", "by tenth of each day's work list", "swap sets at each cut", "out of sample", "why"):
        assert words in out, words
    assert out.splitlines()[-2:] == [
        "not done, for this was a dry run: collection card version 2 serves in the place of version 1; "
        "with --expected 1 no other change comes between",
        "仅为演练，并未执行：collection评分卡版本2晋升为冠军模型，取代版本1；加上 --expected 1 则其间不会有其他变更",
    ]
    code, again, _ = command("promote", *WORDS, "--version", "2", "--expected", "1")
    assert code == 0
    assert again.split("\n")[:-3] == out.split("\n")[:-3]
    assert store.champion(CARD) == "2"


def test_a_promotion_and_its_rollback_are_told_in_words_and_in_the_history(command, store):
    code, out, err = command("promote", *WORDS, "--version", "3")
    assert code == 0, err
    place = folder_of(store, CARD)
    assert out.splitlines()[-2:] == [
        f"collection card version 3 serves in the place of version 1, by change 2: {place / '2'}",
        f"collection评分卡版本3晋升为冠军模型，取代版本1（变更2）：{place / '2'}",
    ]
    assert "no decision log in" in err
    code, out, err = command("promote", *BACK)
    assert code == 0
    assert "it was never validated: it served before" in err
    assert out.splitlines()[-2:] == [
        "collection card version 1 serves again in the place of version 3; change 2 is undone, by change 3: "
        f"{place / '3'}",
        f"collection评分卡版本1恢复为冠军模型，取代版本3；变更2已撤销（变更3）：{place / '3'}",
    ]
    code, out, _ = command("promote", "--history", "--card", CARD)
    assert code == 0
    lines = [line for line in out.splitlines() if re.match(r"\s+\d", line)]
    assert [line.split()[:3] for line in lines] == [["1", "1", "-"], ["2", "3", "1"], ["3", "1", "3"]]
    assert "head of risk" in lines[1]
    assert "alarm of March" in lines[2]


def test_every_sentence_and_heading_of_a_promotion_is_printed_in_both_languages(command, store):
    for words in (
        (*WORDS, "--version", "2", "--dry-run"),
        (*WORDS, "--version", "2"),
        (*BACK, "--dry-run"),
        BACK,
        ("--mirror", "--card", CARD),
    ):
        code, out, err = command("promote", *words)
        assert code == 0, err
        assert without_chinese(out) == []
        assert without_chinese(err) == []
    code, out, _ = command("promote", "--history", "--card", CARD)
    assert code == 0
    # What the release itself gave as a reason is told in both, what a person wrote as it was written.
    (written,) = without_chinese(out)
    assert "alarm of March" in written
    assert "no version of the card served before" in out
    assert "此前该评分卡没有版本在用" in out
    assert "由model validation于" in out


def test_every_heading_of_the_tables_has_chinese_under_it_or_beside_it(store, book):
    proposal = promotion(store, CARD, "2", by="head of risk", rules=read_rules(None), book=lambda: book)
    labels = {feature.name: feature.label for feature in store.load(CARD, "2").catalog}
    shown = [*tables(proposal.sets, labels, features=8), history(store.history(CARD))]
    told = [heading for table in shown for heading in headings(table)]
    assert [heading for heading in told if not in_both(heading)] == []
    # No word is declared and shown nowhere, but for what no table has a column for.
    flat = "\n".join(told)
    for text in vars(words_of).values():
        if isinstance(text, Text):
            # Whole headings and names of rows: a short word stands within many others.
            pattern = r"(^|\n| / )" + ".+".join(map(re.escape, re.split(r"\{\w+\}", text.zh))) + r"($|\n)"
            assert re.search(pattern, flat) or text in (words_of.FOUND_BY_HAND, *REASONS), text
    for move in (*BAND_MOVES, *PLACE_MOVES, *SIDE_MOVES):
        assert move.text.zh in flat


def test_tables_of_a_real_book_are_as_wide_as_a_file_lets_them_be(command):
    _, out, _ = command("promote", *WORDS, "--version", "2", "--dry-run")
    assert "…" not in out, "nothing is cut off"
    heads = [line for line in out.splitlines() if re.match(r"\s+(band now|tenth now|cut|what moved them)\b", line)]
    assert len(heads) == 5, "each head stands in one line"
    assert all("at risk" in line for line in heads[:4])


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (WORDS, 2, "where     --version"),
        (("--portfolio", "taiwan", "--card", CARD, "--version", "2"), 2, "where     --by"),
        (("--card", CARD, "--version", "2", "--by", "x"), 2, "where     --portfolio"),
        ((*WORDS, "--version", "2", "--without-swap-sets"), 2, "where     --portfolio and --without-swap-sets"),
        (("--card", CARD, "--version", "2", "--by", "x", "--without-swap-sets"), 2, "where     --reason"),
        (("--rollback", "--card", CARD, "--by", "x"), 2, "where     --reason"),
        (("--rollback", "--history", "--card", CARD), 2, "several things at once"),
        (("--mirror", "--dry-run", "--card", CARD), 2, "where     --dry-run, --mirror"),
        (("--by", "x", "--version", "2"), 2, "where     --card"),
        ((*WORDS[:-1], "model TEAM", "--version", "2"), 12, "who promotes the version also trained it"),
        ((*WORDS, "--version", "2", "--expected", "7"), 12, "change 1 made version 1 the champion"),
        ((*WORDS, "--version", "1"), 12, "serves already"),
        ((*BACK, "--version", "3"), 12, "version 3 never was champion"),
        (("--rollback", "--card", "mortgage", "--by", "x", "--reason", "y"), 2, "mortgage"),
    ],
)
def test_what_may_not_be_is_refused_by_name_and_changes_nothing(command, store, words, code, said):
    before = tree(store.root)
    told, _, err = command("promote", *words)
    assert (told, said in err) == (code, True), err
    assert tree(store.root) == before


def test_a_reason_in_brackets_is_told_as_it_was_given(command):
    reason = "see [ticket 4711] [/monitoring] :100: now"
    assert command("promote", *WORDS, "--version", "2")[0] == 0
    assert command("promote", *BACK[:-1], reason)[0] == 0
    code, out, err = command("promote", "--history", "--card", CARD)
    assert code == 0, err
    assert reason in out


def test_the_account_of_a_change_is_not_what_the_environment_says(command, store, monkeypatch):
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "somebody else")
    assert command("promote", *WORDS, "--version", "2")[0] == 0
    ((_, kept),) = records(store, CARD)
    assert kept.account == pwd.getpwuid(os.getuid()).pw_name


def test_mlflow_is_told_once_by_a_mirror(command, monkeypatch):
    told = []
    monkeypatch.setattr(promoting, "_mirror", lambda *_: told.append(1))
    # A change that MLflow does not follow, which the next command mends before it does what it is asked for.
    assert command("promote", *WORDS, "--version", "2")[0] == 0
    told.clear()
    assert command("promote", "--mirror", "--card", CARD)[0] == 0
    assert told == [1]


def test_a_promotion_without_swap_sets_says_why(command, store):
    words = (
        "--card",
        CARD,
        "--version",
        "2",
        "--by",
        "head of risk",
        "--without-swap-sets",
        "--reason",
        "book is away",
    )
    code, out, err = command("promote", *words)
    assert code == 0, err
    assert "by risk band" not in out
    ((_, kept),) = records(store, CARD)
    assert (kept.reason, kept.swap_sets) == ("book is away", None)


def delivered(store: ModelStore) -> None:
    """Start what writes the log, wait until it has taken what was left for it, and end it."""
    settings = Settings(home=store.root, records=records_in(store.root))
    recorder = opened_recorder(settings, load(settings), lambda line: pytest.fail(str(line)))
    assert recorder is not None
    end = time.monotonic() + 30
    while outbox_of(store.root).exists() and list(outbox_of(store.root).glob("*.json")):
        assert time.monotonic() < end, "it was not delivered"
        time.sleep(0.02)
    recorder.close()


def test_the_log_tells_of_every_change_once_also_of_those_before_there_was_a_log(command, store, capsys):
    assert command("promote", *WORDS, "--version", "2")[0] == 0
    assert not has_log(store.root)
    delivered(store)  # a service's first start makes the log
    assert has_log(store.root)
    code, _, err = command("promote", *BACK)
    assert (code, "no decision log" in err) == (0, False)
    assert len(list(outbox_of(store.root).glob("*.json"))) == 2
    delivered(store)
    for place, told in records(store, CARD):
        (place / "posted").unlink()  # as if the process had died before it was noted
        post_promotion(store.root, told.event())
    delivered(store)
    keys = created_keys(secrets_in(store.root))
    log = place_of(store.root, keys.log_public, None, None, DEFAULT_LOG_NAME)
    changes = list(changes_in(log))
    assert verify(log).records == 2
    assert [one.event for one in changes] == ["model:version:promoted", "model:version:rolled_back"]
    for change, (_, kept) in zip(changes, records(store, CARD), strict=True):
        told = change.record
        assert {name: told[name] for name in ("card", "version", "before", "generation", "by", "reason")} == {
            name: getattr(kept, name) for name in ("card", "version", "before", "generation", "by", "reason")
        }
        assert (told["manifest"], told["validation"], told["swap_sets"], told["record"]) == (
            kept.manifest, kept.validation, kept.swap_sets, kept.digest
        )  # fmt: skip
    code, out, _ = command("audit", "verify")
    assert (code, out.startswith("whole: 2 records")) == (0, True)
    code, out, _ = command("audit", "champions")
    assert "record 0" in out
    assert "model:version:promoted  collection card: version 2 after version 1, change 2, by head of risk" in out
    assert out.splitlines()[-1] == "on record   2 changes of champions"
    code, out, _ = command("audit", "champions", "--json")
    assert [one["generation"] for one in json.loads(out)] == [2, 3]
    named = Naming(CARD, "3", 1_800_000_000_000_000_000)
    post_refusal(store.root, Refusal(named, "a" * 64, "1", Fault.FILES, "not signed"), datetime.now(UTC))
    delivered(store)
    _, out, _ = command("audit", "champions")
    line, last = out.splitlines()[-2:]
    assert line.endswith("model:version:refused  collection card: version 3 (files), version 1 went on")
    assert last == "on record   2 changes of champions, 1 version refused"
    _, out, _ = command("audit", "champions", "--json")
    assert [one.get("fault") for one in json.loads(out)] == [None, None, "files"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("kind", "given"), ("card", "Collection 1"), ("version", "latest"), ("before", "latest"), ("manifest", "x"),
        ("by", ""), ("by", "a\nb"), ("at", "2026-03-01T08:00:00"), ("at", "soon"), ("generation", "2"),
        ("validation", "x"), ("swap_sets", "x"), ("record", ""), ("reason", ""),
    ],
)  # fmt: skip
def test_an_event_of_another_form_is_left_for_no_log(tmp_path, name, value):
    good = {
        "kind": "promoted", "card": CARD, "version": "2", "before": None, "generation": 2, "manifest": "a" * 64,
        "record": "b" * 64, "by": "head of risk", "at": "2026-03-01T08:00:00+00:00", "reason": "asked for",
        "validation": "", "swap_sets": None,
    }  # fmt: skip
    assert post_promotion(tmp_path, good).exists()
    with pytest.raises(UsageError, match=name):
        post_promotion(tmp_path, {**good, name: value})
    assert len(list(outbox_of(tmp_path).iterdir())) == 1
