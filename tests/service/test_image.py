"""What the image and the bento install is what the service imports, in the versions that are pinned."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

import repayrank
from features.errors import ConfigurationRefused
from serving.child import Child, asked_of, ready, stop

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
BENTOFILE = (ROOT / "bentofile.yaml").read_text()

PROJECT = {"features", "models", "serving", "training", "repayrank"}

ABSENT = """
import sys
from pathlib import Path

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in absent:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

absent = set(sys.argv.pop(1).split(","))
sys.meta_path.insert(0, Absent())
"""

SCORE = """
from serving import score
from serving.service import service
from serving.settings import Settings
from serving.state import load
import httptools, uvicorn, uvloop
import serving.records.postgresql, serving.records.migrations
service.to_asgi()
settings = Settings(home=Path(sys.argv[1]))
sys.stdout.buffer.write(score.score(Path(sys.argv[2]).read_bytes(), load(settings), settings))
"""


def in_image() -> set[str]:
    listed = re.search(r"-c constraints\.txt \\\n(.*?)\n\n", DOCKERFILE, re.DOTALL)
    assert listed is not None
    return set(listed[1].replace("\\", " ").split())


def in_bento() -> dict[str, str]:
    return dict(re.findall(r"^    - ([a-z0-9-]+)==(\S+)$", BENTOFILE, re.MULTILINE))


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def closure(names: set[str]) -> set[str]:
    found: set[str] = set()
    waiting = {canonical(name) for name in names}
    while waiting:
        name = waiting.pop()
        found.add(name)
        try:
            needed = [Requirement(line) for line in requires(name) or ()]
        except PackageNotFoundError:
            continue
        waiting |= {canonical(r.name) for r in needed if r.marker is None or r.marker.evaluate({"extra": ""})} - found
    return found


def absent_without(listed: set[str]) -> set[str]:
    """Return the modules that this environment has and one with only the listed packages would not have."""
    there = closure(listed)
    return {
        module
        for module, owners in packages_distributions().items()
        if not there & {canonical(owner) for owner in owners}
    } - PROJECT | PROJECT - copied()


def copied() -> set[str]:
    """Return what the image has of the project: its packages, and the command line."""
    lines = re.findall(r"^COPY (.+) \./\S*$", DOCKERFILE, re.MULTILINE)
    return {name.removesuffix(".py") for line in lines for name in line.split()} & PROJECT


@pytest.mark.slow
@pytest.mark.parametrize("listed", ["image", "bento"])
def test_what_is_installed_is_enough_to_score(listed: str, home: Path, good: dict[str, Any], tmp_path: Path) -> None:
    absent = absent_without(in_image() if listed == "image" else set(in_bento()))
    assert {"mlflow", "shap", "pandas", "matplotlib"} <= absent
    (tmp_path / "request").write_text(json.dumps(good))
    done = subprocess.run(
        [sys.executable, "-c", ABSENT + SCORE, ",".join(sorted(absent)), str(home), str(tmp_path / "request")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["scores"]) == 3


COMMAND = """
import repayrank
repayrank.main()
"""


def in_the_image(*said: str) -> list[str]:
    return [sys.executable, "-c", ABSENT + COMMAND, ",".join(sorted(absent_without(in_image()))), *said]


@pytest.mark.slow
def test_the_image_s_own_command_serves_with_what_the_image_has(
    home: Path, good: dict[str, Any], tmp_path: Path
) -> None:
    found = re.search(r"^CMD (\[.+\])$", DOCKERFILE, re.MULTILINE)
    assert found is not None
    assert re.search(r'^ENTRYPOINT \["repayrank"\]$', DOCKERFILE, re.MULTILINE)
    said = json.loads(found[1])
    for option, here in (("--host", "127.0.0.1"), ("--port", "0"), ("--leave-seconds", "0")):
        said[said.index(option) + 1] = here
    state = ["--home", str(home), "--state", str(tmp_path / "state")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    token = subprocess.run(
        in_the_image("token", "create", "--role", "engine", "--name", "risk", *state),
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    ).stdout.strip()
    with _running(in_the_image(*said, *state), tmp_path / "log", environment) as (address, process):
        child = Child(address, process, tmp_path / "log", {"engine": token})
        assert len(asked_of(child, "/v1/score", json.dumps(good).encode())["scores"]) == 3
    verified = subprocess.run(
        in_the_image("audit", "verify", *state), capture_output=True, text=True, check=False, env=environment
    )
    assert verified.returncode == 0, verified.stderr
    assert re.search(r"\b1 record\b", verified.stdout)


@pytest.mark.slow
def test_the_image_lists_no_verb_that_it_has_no_code_for_and_refuses_a_part_that_it_has_none_for() -> None:
    plain = {**os.environ, "NO_COLOR": "1", "COLUMNS": "120", "TERM": "dumb"}
    told = subprocess.run(
        in_the_image("--help"), cwd=ROOT, env=plain, capture_output=True, text=True, check=True
    ).stdout
    listed = set(re.findall(r"^\W*(\w+)  ", told, re.MULTILINE))
    assert {"serve", "score", "rank", "features", "shadow", "audit", "token"} <= listed
    assert not listed & {"train", "validate", "promote", "monitor", "demo", "portfolio", "outcomes"}
    for said in (
        ("shadow", "--card", "collection", "--compare"),
        ("train", "--portfolio", "taiwan", "--card", "collection"),
        ("outcomes", "load", "--help"),
    ):
        refused = subprocess.run(in_the_image(*said), cwd=ROOT, capture_output=True, text=True, check=False)
        assert refused.returncode == ConfigurationRefused.exit_code
        assert "where models are trained" in refused.stderr


def test_every_verb_that_needs_training_is_known_by_its_name_where_there_is_none() -> None:
    assert sorted(repayrank.NEED_TRAINING) == sorted(name for verbs in repayrank._of_training() for name in verbs)


@contextmanager
def _running(
    command: list[str], log: Path, environment: Mapping[str, str]
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    with log.open("wb") as stream:
        process = subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT, env=environment)
    try:
        yield ready(process, log), process
    finally:
        assert stop(process) == 0, log.read_text()


def test_the_bento_pins_the_versions_of_the_constraints() -> None:
    pinned = dict(
        line.split("==")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if re.match(r"[A-Za-z0-9]", line)
    )
    assert in_bento()
    assert in_bento() == {name: pinned[name] for name in in_bento()}
    assert set(in_bento()) <= in_image()


def test_the_image_runs_as_nobody_in_particular_and_names_no_registry() -> None:
    assert re.search(r"^USER 10001$", DOCKERFILE, re.MULTILINE)
    assert not re.search(r"--index|--extra-index|https?://(?!127\.0\.0\.1)", DOCKERFILE + BENTOFILE)
    assert "curl" not in DOCKERFILE
    # What it writes lies where it may write, and not in the container.
    assert re.search(r"REPAYRANK_STATE=/state\b", DOCKERFILE)
    assert "install -d -o 10001 -m 0700 /state" in DOCKERFILE
    assert re.search(r"^VOLUME /state$", DOCKERFILE, re.MULTILINE)
    assert re.search(r"^FROM python:3\.11-slim$", DOCKERFILE, re.MULTILINE)


def test_the_image_is_sent_only_what_it_needs() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in ignored
    copied = set(re.findall(r"^COPY (.+) \./\S*$", DOCKERFILE, re.MULTILINE))
    names = {name for line in copied for name in line.split()}
    assert {line.removeprefix("!").removesuffix("/**") for line in ignored if line.startswith("!")} == names


@pytest.mark.slow
def test_the_health_check_tells_a_ready_service_from_none(server: Child) -> None:
    found = re.search(r'CMD \["python", "-c", "(.+)"\]', DOCKERFILE)
    assert found is not None
    for address, code in ((server.address, 0), ("http://127.0.0.1:9", 1)):
        check = found[1].replace("http://127.0.0.1:3000", address)
        assert subprocess.run([sys.executable, "-c", check], check=False, capture_output=True).returncode == code
