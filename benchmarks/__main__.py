"""`make bench`: run the comparisons and print their table; `--write` puts it into docs/performance.md."""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import re
import sys
from importlib.metadata import version
from pathlib import Path

from benchmarks.result import HEAD

PARTS = ("explanation", "training", "features", "http", "book")
PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
BLOCK = re.compile(r"(?<=<!-- bench -->\n).*?(?=<!-- end -->)", re.DOTALL)
PACKAGES = ("lightgbm", "shap", "numba", "polars", "pandas")


def main() -> None:
    """Run the parts that were named, or all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "parts", nargs="*", metavar="PART", choices=[*PARTS, []], help=f"some of {', '.join(PARTS)}; all by default"
    )
    parser.add_argument("--write", action="store_true", help=f"write the table into {PAGE.name}")
    given = parser.parse_args()
    lines = [_machine(), "", *HEAD.splitlines()]
    print("\n".join(lines), flush=True)
    for part in given.parts or PARTS:
        for result in importlib.import_module(f"benchmarks.{part}").results():
            lines.append(result.line)
            print(result.line, flush=True)
    if given.write:
        PAGE.write_text(BLOCK.sub("\n".join(lines) + "\n", PAGE.read_text(encoding="utf-8")), encoding="utf-8")


def _machine() -> str:
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return f"{os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}, {packages}"


if __name__ == "__main__":
    sys.exit(main())
