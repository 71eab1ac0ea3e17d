"""The service as `python -m serving.server` runs it, but with what numba compiled kept from one start to the next.

A service reads no compiled code and so takes some seconds longer to start; a test that starts it two hundred times
takes this one most of the times. Its one argument holds the settings as JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from serving import server
from serving.settings import Settings

PATHS = ("home", "state", "records")


def main() -> None:
    server.keep_nothing = lambda: None
    given = json.loads(sys.argv[1])
    server.run(Settings(**{name: Path(value) if name in PATHS else value for name, value in given.items()}))


if __name__ == "__main__":
    main()
