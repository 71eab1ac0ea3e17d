"""A borrower who was erased is shown by nothing after a start, although an older copy of the vault was put back."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from running_services import audit, home_with_models

from serving.decisions.errors import Erased
from serving.decisions.opening import opened_recorder, subjects_in
from serving.front import Front
from serving.settings import Settings, records_in
from serving.state import Loaded


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_an_older_copy_of_the_vault_brings_nobody_back_who_was_erased(
    kind: str,
    request: pytest.FixtureRequest,
    home: Path,
    tmp_path: Path,
    loaded: Loaded,
    request_for: Callable[..., Any],
    overdue_ids: list[str],
    in_process: Callable[..., Any],
) -> None:
    kept = home_with_models(home, tmp_path / "home")
    url = request.getfixturevalue("database").new() if kind == "postgresql" else None
    settings = Settings(home=kept, records=None if url else records_in(kept), database_url=url)
    there = ("--home", str(kept), *(["--database-url", url] if url else []))
    gone, stays = (request_for(loan) for loan in overdue_ids[:2])
    whom = gone["tables"]["loans"][0]["borrower_id"]
    lines: list[Any] = []

    def open_front() -> tuple[Front, Any]:
        recorder, front = opened_recorder(settings, loaded, lines.append), Front(log=lambda _: None)
        front.open(loaded, settings, recorder)
        return front, recorder

    def post(front: Front, plain: Any) -> Any:
        message = {"type": "http.request", "body": json.dumps(plain).encode(), "more_body": False}
        headers = {"content-type": "application/json", "idempotency-key": plain["tables"]["loans"][0]["loan_id"]}
        return in_process(front, "POST", "/v1/score", message, headers=headers)

    front, recorder = open_front()
    first, other = post(front, gone), post(front, stays)
    assert post(front, gone).body == first.body
    shown = {"reader": "a reviewer", "role": "reviewer", "reason": "a complaint of today"}
    score_id = first.plain["scores"][0]["score_id"]
    assert recorder.explained(score_id, **shown)["decision"]["score_id"] == score_id
    audit("backup", "--subjects", str(tmp_path / "keys"), "--home", str(kept))
    audit("erase", "--borrower", whom, "--reason", "request of the borrower, case 17", "--home", str(kept))
    assert post(front, gone).status == 410
    front.close()

    shutil.rmtree(subjects_in(kept))
    shutil.copytree(tmp_path / "keys", subjects_in(kept))
    assert lines == []
    front, recorder = open_front()
    assert [line["erased again"] for line in lines] == [1]
    assert whom not in str(lines)
    assert post(front, gone).status == 410
    with pytest.raises(Erased):
        recorder.explained(score_id, **shown)
    assert post(front, stays).body == other.body
    front.close()
    replayed = json.loads(audit("replay", *there, "--json"))
    assert (replayed["decisions"], replayed["erased"], replayed["differs"]) == (1, 1, 0)
    assert json.loads(audit("verify", *there, "--json"))["expired"] == 0
