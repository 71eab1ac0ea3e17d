"""What was sent about a borrower stands in no file in clear: not in the log, a journal, a line or a temporary file.

A real service is asked in every way that it answers, killed in the middle, started again and told to stop. Ids of all
kinds, amounts, keys, headers and paths are looked for afterwards, as they are and as hex, percent code and base64.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sent_canaries import traces

from serving.child import Child, served

pytestmark = pytest.mark.slow

SENT = "CANARY"
IDS = frozenset({"loan_id", "borrower_id", "payment_id"})
AMOUNTS = frozenset({"credit_limit", "balance", "amount"})
LARGE = 918_273_645
"""Added to each amount: nine digits that stand nowhere else."""


class Planted:
    """Makes values that stand nowhere else, and remembers them; the same one for the same value."""

    def __init__(self) -> None:
        self._of: dict[object, str] = {}
        self._numbers = count(1)

    @property
    def all(self) -> list[str]:
        return [*self._of.values(), str(LARGE)[:6]]

    def of(self, value: object) -> str:
        return self._of.setdefault(value, f"{SENT}{next(self._numbers)}X")

    def row(self, row: dict[str, Any]) -> dict[str, Any]:
        ids = {name: self.of((name, row[name])) for name in IDS & row.keys()}
        amounts = {name: row[name] + LARGE * 10**3 for name in AMOUNTS & row.keys() if row[name]}
        return {**row, **ids, **amounts}

    def request(self, plain: dict[str, Any]) -> dict[str, Any]:
        return {
            **plain,
            "tables": {table: [self.row(row) for row in rows] for table, rows in plain["tables"].items()},
        }


@pytest.fixture
def kept(home: Path, tmp_path: Path) -> Path:
    for name in ("models", "keys"):
        shutil.copytree(home / name, tmp_path / "home" / name)
    return tmp_path / "home"


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


def asked(child: Child, asking: Callable[..., Any], planted: Planted, plain: dict[str, Any]) -> list[str]:
    """Ask in every way, and return the ids of what was decided."""

    def headers(role: str, **more: str) -> dict[str, str]:
        with_token = {"authorization": f"Bearer {child.tokens[role]}", "content-type": "application/json"}
        return {**with_token, **more}

    body, decided = json.dumps(planted.request(plain)).encode(), []
    for path in ("/v1/score", "/v1/rank"):
        key = planted.of(("key", path, len(plain["tables"]["loans"])))
        told = asking(child, "POST", path, body, headers("engine", **{"idempotency-key": key, "cookie": planted.of(1)}))
        assert told.status == 200, told.plain
        assert planted.of(("loan_id", plain["tables"]["loans"][0]["loan_id"])).encode() in told.body, (
            "the caller gets its own ids"
        )
        decided += [entry["score_id"] for entry in next(iter(told.plain.values()))]
        again = asking(child, "POST", path, body, headers("engine", **{"idempotency-key": key}))
        assert again.body == told.body
        other = json.dumps(planted.request({**plain, "time_zone": "UTC"})).encode()
        assert asking(child, "POST", path, other, headers("engine", **{"idempotency-key": key})).status == 422
    wrong = planted.request(plain)
    wrong["tables"]["payments"][0]["amount"] = planted.of("no amount")
    wrong["tables"]["loans"][0][planted.of("no column")] = planted.of("no value")
    wrong["card"] = planted.of("no card")
    refused = [
        asking(child, "POST", "/v1/score", json.dumps(wrong).encode(), headers("engine", **{"idempotency-key": "a"})),
        asking(child, "POST", "/v1/score", b'{"' + planted.of("json").encode(), headers("engine")),
        asking(child, "GET", f"/{planted.of('path')}?{planted.of('query')}", None, headers("reviewer")),
        asking(child, "GET", "/v1/models", None, {"authorization": f"Bearer {planted.of('token')}"}),
        asking(child, "GET", "/v1/models", None, headers("engine", **{"user-agent": planted.of("agent")})),
    ]
    assert {told.status // 100 for told in refused} == {4}
    # A column that nobody knows is named to whoever sent it, as every fault's is.
    named = planted.of("no column").encode()
    assert not [told.body for told in refused if SENT.encode() in told.body.replace(named, b"")]
    for score_id in decided:
        why = headers("reviewer", **{"x-repayrank-reason": "complaint 2026-118"})
        assert asking(child, "GET", f"/v1/decisions/{score_id}", None, why).status == 200
    return decided


def test_nothing_that_was_sent_stands_in_any_file_of_a_service_that_was_killed_and_started_again(
    kept: Path,
    temporary: Path,
    tmp_path: Path,
    asking: Callable[..., Any],
    request_for: Callable[..., Any],
    overdue_ids: list[str],
) -> None:
    planted, logs, told = Planted(), [tmp_path / "log-1", tmp_path / "log-2"], b""
    roles = ("engine", "reviewer", "admin")
    with served(kept, logs[0], roles=roles) as child:
        asked(child, asking, planted, request_for(*overdue_ids[:4]))
        told += asking(child, "GET", "/metrics", role="admin").body
        child.process.kill()
    with served(kept, logs[1], roles=roles) as child:
        asked(child, asking, planted, request_for(*overdue_ids[4:9]))
        told += asking(child, "GET", "/metrics", role="admin").body
    assert len(planted.all) > 40
    (temporary / "metrics").write_bytes(told)
    found = traces(tmp_path, planted.all)
    assert not found, f"{len(found)}, such as {found[:5]}"
    for value in planted.all[:3]:
        (temporary / "left").write_bytes(b"xx" + value.encode().hex().encode())
        assert traces(temporary, [value]), "what is left is found"
