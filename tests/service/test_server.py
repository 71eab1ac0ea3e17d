"""`repayrank serve` as a process: it starts, answers, and stops when told."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from features.errors import ConfigurationRefused
from serving.child import Child, served, stop

pytestmark = pytest.mark.slow

ROLES = ("engine", "admin")


def apart(folder: Path) -> list[str]:
    """Return what lets a second service run on a store: a log has one writer."""
    return ["--records", str(folder / "decisions"), "--checkpoints", str(folder / "checkpoints.txt")]


def test_it_answers_over_http(server: Child, asking: Callable[..., Any], good: dict[str, Any]) -> None:
    body = json.dumps(good).encode()
    assert asking(server, "GET", "/readyz").plain["ready"] is True
    assert len(asking(server, "POST", "/v1/score", body).plain["scores"]) == 3
    assert len(asking(server, "POST", "/v1/rank", body).plain["ranking"]) == 3
    assert asking(server, "GET", "/v1/features").plain["features"]


def test_none_of_bentomls_own_pages_is_reachable(server: Child, asking: Callable[..., Any]) -> None:
    for path in ("/docs.json", "/schema.json", "/healthz", "/static_content/index.css", "/assets/x"):
        assert asking(server, "GET", path).status == 403
        assert asking(server, "GET", path, headers={}).status == 401
    page = asking(server, "GET", "/").body
    assert b"googletagmanager" not in page
    assert b"http" not in page
    assert b"repayrank_requests_total" in asking(server, "GET", "/metrics", role="admin").body


def test_it_listens_on_this_machine_alone_unless_told_otherwise(server: Child) -> None:
    assert server.address.startswith("http://127.0.0.1:")


def test_told_to_stop_it_answers_what_has_begun_and_ends_well(
    home: Path, tmp_path: Path, asking: Callable[..., Any], request_for: Callable[..., Any], overdue_ids: list[str]
) -> None:
    body = json.dumps(request_for(*overdue_ids[:2_000])).encode()
    with served(home, tmp_path / "log", roles=ROLES, more=apart(tmp_path)) as child:
        answers: list[Any] = []
        caller = threading.Thread(target=lambda: answers.append(asking(child, "POST", "/v1/rank", body)))
        caller.start()
        until = time.monotonic() + 20
        while b"repayrank_in_flight 1" not in asking(child, "GET", "/metrics", role="admin").body:
            assert time.monotonic() < until
        child.process.send_signal(signal.SIGTERM)
        caller.join()
        assert child.process.wait(30) == 0
        assert answers[0].status == 200
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_a_damaged_model_is_not_served(home: Path, tmp_path: Path) -> None:
    copy = tmp_path / "store"
    shutil.copytree(home, copy)
    model = copy / "models" / "collection" / "1" / "model.txt"
    model.write_bytes(model.read_bytes().replace(b"leaf_value", b"leaf_velue", 1))
    with pytest.raises(ConfigurationRefused), served(copy, tmp_path / "log", more=apart(tmp_path)):
        pass
    assert "not what was signed" in (tmp_path / "log").read_text()


def test_an_address_that_is_taken_is_refused(home: Path, tmp_path: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(ConfigurationRefused),
        served(home, tmp_path / "log", port=taken.getsockname()[1], more=apart(tmp_path)),
    ):
        pass
    assert "cannot be listened on" in (tmp_path / "log").read_text()


def test_a_child_that_was_stopped_already_is_not_an_error(home: Path, tmp_path: Path) -> None:
    with served(home, tmp_path / "log", roles=ROLES, more=apart(tmp_path)) as child:
        assert stop(child.process) == 0
        assert stop(child.process) == 0


def test_a_body_announced_too_large_is_refused_without_waiting_for_it(server: Child) -> None:
    host, _, port = server.address.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as line:
        line.sendall(
            b"POST /v1/score HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nidempotency-key: 1\r\n"
            b"authorization: Bearer " + server.tokens["engine"].encode() + b"\r\ncontent-length: 9000000\r\n\r\n{"
        )
        told = b"".join(iter(lambda: line.recv(65_536), b""))
    assert told.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in told
