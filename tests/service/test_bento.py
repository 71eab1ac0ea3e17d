"""A bento serves from its own folder, and `bentoml serve` answers byte for byte what `repayrank serve` answers."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from serving.access.tokens import create, tokens_file
from serving.child import Child, answers, stop

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
CODE = ("features", "models", "serving", "docs", "bentofile.yaml")
CANARY = "4111111111111111"
SECONDS_TO_START = 90


@dataclass(frozen=True)
class Bento:
    folder: Path
    address: str
    process: subprocess.Popen[bytes]
    log: Path
    tokens: dict[str, str]


WITHOUT_THE_CHECKOUT = """
import sys
sys.meta_path[:] = [finder for finder in sys.meta_path if "Editable" not in getattr(finder, "__name__", "")]
"""
"""Takes away what leads to a checkout that is installed as such: a bento that lacks a module would find it there."""


def environment(folder: Path) -> dict[str, str]:
    """Return an environment without our paths, so that only the bento's own code can be found."""
    kept = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "REPAYRANK_HOME"}}
    (folder / "first").mkdir(exist_ok=True)
    (folder / "first" / "sitecustomize.py").write_text(WITHOUT_THE_CHECKOUT)
    return {
        **kept,
        "PYTHONPATH": str(folder / "first"),
        "BENTOML_HOME": str(folder / "bentoml"),
        "BENTOML_DO_NOT_TRACK": "true",
        "REPAYRANK_STATE": str(folder / "state"),
    }


@pytest.fixture(scope="module")
def bento(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bento]:
    """Build a bento in a copy of the checkout, take the checkout away, and serve the bento's folder."""
    work = tmp_path_factory.mktemp("bento")
    checkout = work / "checkout"
    checkout.mkdir()
    for name in CODE:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, checkout / name)
    shutil.copytree(home, checkout / ".repayrank")
    subprocess.run([sys.executable, "-m", "bentoml", "build"], cwd=checkout, env=environment(work), check=True)
    (built,) = (work / "bentoml" / "bentos" / "repayrank").glob("*/")
    folder = shutil.move(built, work / "moved")
    shutil.rmtree(checkout)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    tokens = {"engine": create(tokens_file(work / "state"), name="test", role="engine").text}
    command = [sys.executable, "-m", "bentoml", "serve", str(folder), "--host", "127.0.0.1", "--port", str(port)]
    log = work / "log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command, cwd=work, env=environment(work), stdout=stream, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        address, until = f"http://127.0.0.1:{port}", time.monotonic() + SECONDS_TO_START
        while not answers(f"{address}/readyz"):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.1)
        yield Bento(Path(folder), address, process, log, tokens)
    finally:
        stop(process)


def without_ids(body: bytes) -> bytes:
    return re.sub(rb'"score_id":"[^"]+"', b'"score_id":""', body)


def test_it_answers_byte_for_byte_what_repayrank_serve_answers(
    bento: Bento, server: Child, asking: Callable[..., Any], request_for: Callable[..., Any], overdue_ids: list[str]
) -> None:
    body = json.dumps(request_for(*overdue_ids[:50])).encode()
    for method, path, sent in (
        ("POST", "/v1/score", body),
        ("POST", "/v1/rank", body),
        ("POST", "/v1/rank", b'{"card":"collection"}'),
        ("GET", "/v1/features", None),
        ("GET", "/readyz", None),
        ("GET", "/", None),
        ("GET", "/docs.json", None),
        ("GET", "/schema.json", None),
        ("GET", "/healthz", None),
    ):
        theirs, ours = (asking(child, method, path, sent) for child in (bento, server))
        assert theirs.status == ours.status, path
        assert without_ids(theirs.body) == without_ids(ours.body), path


def test_it_is_served_from_its_own_code(bento: Bento) -> None:
    asked = "import serving, sys; sys.stdout.write(serving.__file__ or '')"
    for folder, found in ((bento.folder / "src", True), (bento.folder, False)):
        done = subprocess.run(
            [sys.executable, "-c", asked],
            cwd=folder,
            env=environment(bento.folder.parent),
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode == 0) == found, done.stderr


def test_it_carries_every_module_that_serves(bento: Bento) -> None:
    for package in ("features", "models", "serving"):
        here = {str(path.relative_to(ROOT)) for path in (ROOT / package).rglob("*") if path.suffix in {".py", ".toml"}}
        ours = {name for name in here if not name.startswith("features/portfolios/books")}
        there = {str(path.relative_to(bento.folder / "src")) for path in (bento.folder / "src" / package).rglob("*")}
        assert ours - there == set()


def test_it_prints_nothing_of_what_was_sent(bento: Bento, asking: Callable[..., Any], good: dict[str, Any]) -> None:
    good["tables"]["loans"][0]["borrower_id"] = int(CANARY)
    assert asking(bento, "POST", "/v1/score", json.dumps(good).encode()).status == 422
    assert asking(bento, "POST", f"/v1/score?name={CANARY}", CANARY.encode()).status == 400
    assert asking(bento, "GET", f"/{CANARY}").status == 403
    printed = bento.log.read_text()
    assert CANARY not in printed
    assert "TW0" not in printed


def test_it_carries_the_models_and_not_the_private_key_or_the_training_code(bento: Bento) -> None:
    carried = {str(path.relative_to(bento.folder / "src")) for path in (bento.folder / "src").rglob("*")}
    assert ".repayrank/models/collection/1/manifest.sig" in carried
    assert ".repayrank/keys/trusted/own.pem" in carried
    assert not [name for name in carried if "signing" in name or name.startswith("training")]


def test_told_to_stop_it_ends_well(bento: Bento) -> None:
    assert stop(bento.process) == 0
