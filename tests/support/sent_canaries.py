"""Requests with ids that stand nowhere else, and where they are found afterwards, in any way of writing."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from subject_vaults import written_ways

CANARIES = {"loan_id": "CANARYLOAN7781", "borrower_id": "CANARYBORROWER4412"}


def with_canaries(plain: dict[str, Any], canaries: dict[str, str]) -> dict[str, Any]:
    """Return a request of one loan with ids, in every table, that are found wherever they are left."""
    tables = {
        table: [{**row, **{name: canary for name, canary in canaries.items() if name in row}} for row in rows]
        for table, rows in plain["tables"].items()
    }
    assert all(canary in json.dumps(tables) for canary in canaries.values())
    return {**plain, "tables": tables}


def traces(folder: Path, words: Iterable[str]) -> list[tuple[str, str]]:
    """Return the files under a folder in which a word is found, also as base64, hex or percent code."""
    forms = {word: set(written_ways(word.encode())) for word in words}
    return [
        (str(path), word)
        for path in folder.rglob("*")
        if path.is_file() and "models" not in path.parts
        for content in [path.read_bytes()]
        for word, found in forms.items()
        if any(form in content for form in found)
    ]
