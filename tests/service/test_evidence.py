"""Whoever holds an answer and its receipt finds all in it that was changed, or is told that it cannot be compared."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from features.declaration import Group
from serving.decisions.opening import opened_archive, opened_recorder
from serving.decisions.record import FIGURES
from serving.decisions.recorder import Asked
from serving.decisions.replay import WORK
from serving.records import alone
from serving.records.audit import receipt
from serving.records.export import public_pem, receipt_bytes
from serving.settings import Settings, records_in
from serving.state import Loaded

CASES = [(route, full) for route in WORK for full in (True, False)]
LOAN = 1
"""Which loan of an answer is touched: not the first, which a check that looks at one alone would see."""

Way = tuple[str | int, ...]


@dataclass(frozen=True)
class Evidence:
    """A receipt and the answer that it is about; `check` runs the check that stands alone on another answer."""

    folder: Path
    answer: bytes
    record: dict[str, Any]

    @property
    def plain(self) -> dict[str, Any]:
        """Return the answer, to be touched."""
        return dict(json.loads(self.answer))

    @property
    def name(self) -> str:
        """Return under which name the answer has its entries."""
        return str(self.record["answer"])

    def check(self, capsys: pytest.CaptureFixture[str], answer: Any) -> tuple[int, str]:
        given = self.folder / "answer.json"
        given.write_bytes(answer if isinstance(answer, bytes) else json.dumps(answer).encode())
        capsys.readouterr()
        words = [self.folder / "receipt.json", "--key", self.folder / "public.pem", "--answer", given]
        return alone.main([str(word) for word in words]), capsys.readouterr().out


@pytest.fixture(scope="module")
def kept(
    home: Path, loaded: Loaded, questions: list[tuple[str, bytes]], tmp_path_factory: pytest.TempPathFactory
) -> dict[tuple[str, bool], Evidence]:
    """Return a real answer of each route, to a reviewer and to an engine, with its receipt."""
    folder = tmp_path_factory.mktemp("evidence")
    (folder / "keys").mkdir(mode=0o700)
    (folder / "keys" / "trusted").symlink_to(home / "keys" / "trusted")
    settings = Settings(home=folder, records=records_in(folder))
    recorder = opened_recorder(settings, loaded, lambda _: None)
    assert recorder is not None
    answers = []
    for route, full in CASES:
        work = WORK[route]
        kind = "/v1/score/features" if route == "/v1/score/features" else "/v1/rank"  # what is ranked can be scored
        body = next(raw for path, raw in questions if path == kind and len(loans_of(json.loads(raw))) > LOAN)
        asked = Asked(body, f"{route} {full}", "caller", "role", full)
        (given,) = recorder.answers(
            route, [asked], lambda bodies, work=work: [work(json.loads(raw), loaded, settings) for raw in bodies]
        )
        assert not isinstance(given, Exception)
        assert given.written is not None
        answers.append(recorder.told(given, given.written.result(), asked))
    recorder.close()
    place, made = opened_archive(folder).place, {}
    for number, (case, answer) in enumerate(zip(CASES, answers, strict=True)):
        proof, into = receipt(place, number), folder / str(number)
        into.mkdir()
        (into / "receipt.json").write_bytes(receipt_bytes(proof))
        (into / "public.pem").write_bytes(public_pem(place))
        made[case] = Evidence(into, answer, json.loads(proof.record))
    return made


@pytest.fixture(params=CASES, ids=lambda case: f"{case[0]} {'full' if case[1] else 'for engines'}")
def evidence(request: pytest.FixtureRequest, kept: dict[tuple[str, bool], Evidence]) -> Evidence:
    return kept[request.param]


def loans_of(asked: dict[str, Any]) -> list[Any]:
    return list(asked["tables"]["loans"] if "tables" in asked else asked["rows"])


def leaves(plain: Any, above: Way = ()) -> Iterator[Way]:
    """Yield the way to each value of JSON that holds no others."""
    inner = plain.items() if isinstance(plain, dict) else enumerate(plain) if isinstance(plain, list) else ()
    for name, value in inner:
        yield from leaves(value, (*above, name)) if isinstance(value, dict | list) and value else [(*above, name)]


def is_in_clear(way: Way) -> bool:
    """Return whether the log keeps a value of an answer in clear."""
    return (
        way[0] in {*FIGURES, "priority", "model", "policy"}
        or way in {(group.value, "contribution") for group in Group}
        or way == ("treatment", "rung")
        or (way[0] == "reasons" and way[-1] in {"feature", "effect"})
    )


def others(value: Any) -> list[Any]:
    """Return values that are not one, down to what compares as equal to it in Python."""
    if isinstance(value, str):
        told = [f"{value}x", value.swapcase(), None]
    elif isinstance(value, bool) or value is None or value in ([], {}):
        told = [not value, 7]
    elif isinstance(value, int):
        told = [value + 1, -value - 1, float(value), str(value), *([bool(value)] if value in {0, 1} else [])]
    else:
        told = [math.nextafter(value, math.inf), -value, str(value), None]
    return [other for other in told if repr(other) != repr(value)]


def touched(plain: Any, way: Way, value: Any) -> Any:
    told = copy.deepcopy(plain)
    inner = told
    for name in way[:-1]:
        inner = inner[name]
    inner[way[-1]] = value
    return told


def without(plain: Any, way: Way) -> Any:
    told = copy.deepcopy(plain)
    inner = told
    for name in way[:-1]:
        inner = inner[name]
    del inner[way[-1]]
    return told


def words_after(text: str, begin: str) -> set[str]:
    """Return the names that a line of the check lists at its end."""
    (line,) = [line for line in text.splitlines() if line.startswith(begin)]
    return set(line.removeprefix(begin).split(", "))


EQUAL = "the answer is about the decisions of this record; equal to it are "
SEALED = "NOT compared, for the record has it sealed or not at all: "


def test_an_untouched_answer_holds_and_all_that_the_record_has_in_clear_was_compared(
    evidence: Evidence, capsys: pytest.CaptureFixture[str]
) -> None:
    code, text = evidence.check(capsys, evidence.answer)
    assert (code, text.endswith("everything holds\n")) == (0, True)
    record = evidence.record
    in_clear = {name for figures in record["decisions"] for name in figures} - {"subject"}
    in_clear |= {f"model.{name}" for name in record["model"]} - {"model.manifest_sha256"}
    in_clear |= {f"policy.{name}" for name in record["policy"]}
    assert words_after(text, EQUAL) == in_clear
    sealed = words_after(text, SEALED)
    assert {"loan_id", "exposure", "ledger", "quadrant_name", "treatment.text", "reasons.text"} <= sealed
    assert ("reasons.contribution" in sealed) == record["full"]


def test_every_value_of_an_answer_that_is_changed_is_refused_by_its_name_or_was_said_to_be_sealed(
    evidence: Evidence, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = evidence.plain
    entry = plain[evidence.name][LOAN]
    refused = set()
    for way in leaves(entry):
        for value in others(_at(entry, way)):
            code, text = evidence.check(capsys, touched(plain, (evidence.name, LOAN, *way), value))
            if is_in_clear(way):
                assert (code, text.startswith(f"DOES NOT HOLD: {way[0]}")) == (13, True), (way, value, text)
                refused.add(way[0])
            else:
                named = [name for name in way if isinstance(name, str)]
                names = {named[0], ".".join(named[:2])}
                assert (code, bool(names & words_after(text, SEALED))) == (0, True), (way, value, text)
        if is_in_clear(way):
            code, text = evidence.check(capsys, without(plain, (evidence.name, LOAN, *way)))
            assert (code, text.startswith(f"DOES NOT HOLD: {way[0]}")) == (13, True), (way, text)
    assert refused == {
        *FIGURES, *(group.value for group in Group), "treatment", "reasons", "model", "policy",
        *(["priority"] if evidence.name == "ranking" else []),
    }  # fmt: skip


def _at(plain: Any, way: Way) -> Any:
    for name in way:
        plain = plain[name]
    return plain


def test_reasons_that_are_dropped_added_or_put_in_another_order_are_refused(
    evidence: Evidence, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = evidence.plain
    reasons = plain[evidence.name][LOAN]["reasons"]
    assert len(reasons) > 1
    for other in (
        reasons[1:],
        reasons[:-1],
        reasons[::-1],
        [*reasons, reasons[0]],
        [*reasons, {"text": "x"}],
        [],
        None,
    ):
        code, text = evidence.check(capsys, touched(plain, (evidence.name, LOAN, "reasons"), other))
        assert (code, text.startswith("DOES NOT HOLD: reasons")) == (13, True), text


def test_what_an_engine_was_not_answered_cannot_be_put_in_nor_what_others_were_be_taken_out(
    evidence: Evidence, capsys: pytest.CaptureFixture[str]
) -> None:
    plain, way = evidence.plain, (evidence.name, LOAN, "reasons", 0, "contribution")
    told = without(plain, way) if evidence.record["full"] else touched(plain, way, 0.5)
    code, text = evidence.check(capsys, told)
    assert (code, text.startswith("DOES NOT HOLD: reasons")) == (13, True), text


def test_decisions_that_are_dropped_doubled_or_put_in_another_order_are_refused(
    evidence: Evidence, capsys: pytest.CaptureFixture[str]
) -> None:
    entries = evidence.plain[evidence.name]
    worse = {**entries[LOAN], "points": 1}
    for other in (entries[1:], entries[::-1], [worse, *entries], [*entries, worse], [], [{}], [None]):
        assert evidence.check(capsys, {evidence.name: other})[0] == 13
    assert evidence.check(capsys, {"scores" if evidence.name == "ranking" else "ranking": entries})[0] == 13
    assert evidence.check(capsys, {evidence.name: entries, "note": "no debt is left"})[0] == 13
    assert evidence.check(capsys, entries)[0] == 13


def test_a_priority_in_an_answer_that_had_none_is_refused(
    kept: dict[tuple[str, bool], Evidence], capsys: pytest.CaptureFixture[str]
) -> None:
    one = kept["/v1/score", True]
    code, text = one.check(capsys, touched(one.plain, (one.name, LOAN, "priority"), 1))
    assert (code, text.startswith("DOES NOT HOLD: priority")) == (13, True), text


def test_a_name_that_stands_twice_is_refused_whichever_of_its_values_is_the_right_one(
    evidence: Evidence, capsys: pytest.CaptureFixture[str]
) -> None:
    right = evidence.answer
    for name, false in (
        (b'"points":', b'"points":999,'),
        (b'"rung":', b'"rung":"x",'),
        (b'"loan_id":', b'"loan_id":"L",'),
    ):
        assert name in right
        code, text = evidence.check(capsys, right.replace(name, false + name))
        assert (code, "stands twice" in text) == (13, True), text
    twice = right.replace(f'{{"{evidence.name}":'.encode(), f'{{"{evidence.name}":[],"{evidence.name}":'.encode())
    assert evidence.check(capsys, twice)[0] == 13


def test_a_name_that_was_put_in_is_told_and_can_neither_hide_a_line_nor_make_one(
    evidence: Evidence, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "x\x1b[2K\neverything holds\nDOES NOT"
    code, text = evidence.check(capsys, touched(evidence.plain, (evidence.name, LOAN, name), 1))
    assert (code, ascii(name) in words_after(text, SEALED)) == (0, True)
    assert "\x1b" not in text


def test_the_answer_to_another_request_is_refused(
    kept: dict[tuple[str, bool], Evidence], capsys: pytest.CaptureFixture[str]
) -> None:
    for case, one in kept.items():
        for other_case, other in kept.items():
            assert (one.check(capsys, other.answer)[0] == 0) == (case == other_case)
