"""The OpenAPI document and the service agree, as Schemathesis finds them: it knows neither of them.

REPAYRANK_SCHEMATHESIS_EXAMPLES sets how many requests are made up for each path besides those for every line of the
document, REPAYRANK_FUZZ_SEED which; a release asks for 300.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from serving.child import Child

pytestmark = pytest.mark.slow

EXAMPLES = int(os.environ.get("REPAYRANK_SCHEMATHESIS_EXAMPLES", "10"))
SEED = int(os.environ.get("REPAYRANK_FUZZ_SEED", "0"))
SUPPORT = Path(__file__).parents[1] / "support"

CONFIGURATION = """
hooks = "schemathesis_hooks"

[generation]
no-shrink = true

# What is described may still be refused for what it says: a payment to nobody, a reason in no encoding.
[[operations]]
include-operation-id = ["score", "scoreFeatures"]
[operations.checks]
positive_data_acceptance = {{ expected-statuses = ["200", "413", "422"] }}

# The body is that of /v1/score.
[[operations]]
include-operation-id = "rank"
phases.coverage.enabled = false
[operations.checks]
positive_data_acceptance = {{ expected-statuses = ["200", "413", "422"] }}

[[operations]]
include-operation-id = "decision"
parameters = {{ "path.score_id" = "{score_id}" }}
[operations.checks]
positive_data_acceptance = {{ expected-statuses = ["200", "400", "429"] }}
"""
LEFT_OUT = "unsupported_method"
"""It wants 405. What a token may not use is answered 403, there or not (docs/access.md); `tests/access` holds that."""


def test_the_service_does_what_the_document_says(
    server: Child, asking: Callable[..., Any], good: dict[str, Any], tmp_path: Path
) -> None:
    scored = asking(server, "POST", "/v1/score", json.dumps(good).encode()).plain["scores"]
    document = tmp_path / "openapi.json"
    document.write_bytes(asking(server, "GET", "/v1/openapi.json").body)
    configuration = tmp_path / "schemathesis.toml"
    configuration.write_text(CONFIGURATION.format(score_id=scored[0]["score_id"]))
    printed_before = server.log.stat().st_size
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(configuration), "run", str(document)),
        *("--url", server.address, "--checks", "all", "--exclude-checks", LEFT_OUT, "--continue-on-failure"),
        *("--phases", "examples,coverage,fuzzing", "--max-examples", str(EXAMPLES), "--seed", str(SEED)),
        *("--generation-database", "none"),
    ]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(SUPPORT), *sys.path]),
        "REPAYRANK_TEST_TOKENS": json.dumps(dict(server.tokens)),
    }
    told = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout[-20_000:] + told.stderr[-2_000:]
    cases = re.search(r"([0-9,]+) generated, ([0-9,]+) passed", told.stdout)
    assert cases, told.stdout[-2_000:]
    assert cases[1] == cases[2]
    print(cases[0], f"seed {SEED}")  # noqa: T201
    assert "Tested: 12" in told.stdout
    printed = server.log.read_bytes()[printed_before:]
    assert b"Traceback" not in printed
    assert b"incident" not in printed
