"""A process that drops what is due of a log, one record at a time, until it is done or killed.

python expiry_worker.py FOLDER [URL]
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from decision_logs import KEY, place_in
from expiring_logs import NOW, TERMS, TODAY, archive_in

from serving.decisions.expiry import expired
from serving.records import dropping


def main(folder: str, url: str | None = None) -> None:
    """Tell when it begins and when it is done."""
    dropping.ROWS_TOGETHER = 1
    archive = archive_in(Path(folder), place_in(Path(folder), url))
    os.write(1, b"begins\n")
    expired(archive, KEY, TERMS, TODAY, NOW)
    os.write(1, b"done\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
    os._exit(0)
