"""`make bench`: run comparisons and print their table; `--write` puts table and picture into docs/performance.md."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import re
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.result import HEAD, Result

PARTS = ("explanation", "training", "validation", "features", "http", "records", "shadow", "swaps", "overload", "book")
HERE = Path(__file__).parent
PAGE, PICTURE, SEEN = (
    HERE.parent / "docs" / "performance.md",
    HERE.parent / "docs" / "performance.png",
    HERE / "seen.json",
)
BLOCK = re.compile(r"(?<=<!-- bench -->\n).*?(?=<!-- end -->)", re.DOTALL)
PACKAGES = ("lightgbm", "shap", "numba", "polars", "pandas", "mlflow", "bentoml")


def main() -> None:
    """Run the parts that were named, or all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "parts", nargs="*", metavar="PART", choices=[*PARTS, []], help=f"some of {', '.join(PARTS)}; all by default"
    )
    parser.add_argument("--write", action="store_true", help=f"write what was seen into {PAGE.name}")
    given = parser.parse_args()
    print(f"{_machine()}\n\n{HEAD}", flush=True)
    for part in given.parts or PARTS:
        found: list[Result] = []
        for result in importlib.import_module(f"benchmarks.{part}").results():
            found.append(result)
            print(result.line, flush=True)
        if given.write:
            _write(part, found)


def _write(part: str, found: list[Result]) -> None:
    """Keep what was seen of a part, and make table and picture of what was seen of all."""
    from benchmarks.picture import draw

    seen: dict[str, Any] = json.loads(SEEN.read_text()) if SEEN.exists() else {}
    seen[part] = {"machine": _machine(), "results": [result.as_dict() for result in found]}
    SEEN.write_text(json.dumps({name: seen[name] for name in PARTS if name in seen}, indent=1) + "\n")
    results = [Result.from_dict(plain) for name in PARTS if name in seen for plain in seen[name]["results"]]
    machines = list(dict.fromkeys(seen[name]["machine"] for name in PARTS if name in seen))
    lines = [*machines, "", *HEAD.splitlines(), *(result.line for result in results)]
    PAGE.write_text(BLOCK.sub(lambda _: "\n".join(lines) + "\n", PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    draw(results, PICTURE)


def _machine() -> str:
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return f"{os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}, {packages}"


if __name__ == "__main__":
    sys.exit(main())
