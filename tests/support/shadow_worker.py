"""`repayrank shadow --once` in small steps and small files, so that it can be killed between any two of them.

Arguments: the home, the version, the most records of a step, the most decisions of a file.
"""

from __future__ import annotations

import sys
from pathlib import Path

from models import score_pairs
from serving.decisions.opening import opened_archive
from serving.shadow import following
from serving.shadow.work import work


def main() -> None:
    home, version, records, rows = sys.argv[1:]
    following.MOST_RECORDS, score_pairs.MOST_ROWS = int(records), int(rows)
    work(opened_archive(Path(home)), "collection", version, every=None, beside=True)


if __name__ == "__main__":
    main()
