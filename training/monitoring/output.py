"""The page and the data of a monitoring, in a folder of their own."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from models.artefact import canonical
from training.monitoring.monitor import Monitoring
from training.monitoring.page import html_page
from training.validation.result import written

PAGE, DATA = "monitoring.html", "monitoring.json"


class Files(NamedTuple):
    """What was written."""

    page: Path
    data: Path


def write(folder: Path, monitoring: Monitoring) -> Files:
    """Write the page and the JSON that it shows; the same bytes for the same decisions, outcomes and policy."""
    files = Files(folder / PAGE, folder / DATA)
    written(files.data, canonical(monitoring.told))
    written(files.page, html_page(monitoring).encode())
    return files
