"""Every notebook runs from top to bottom, says nothing on stderr, and is committed with what it shows.

To run the notebooks again and keep what they show, and the pictures that the pages under docs/ take from them:

    .venv/bin/python tests/notebooks/test_notebooks.py              # all of them
    .venv/bin/python tests/notebooks/test_notebooks.py FILE...      # those that are named
"""

from __future__ import annotations

import ast
import base64
import io
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PICTURES = {"waterfall": ROOT / "docs" / "waterfall.png", "quadrants": ROOT / "docs" / "quadrants.png"}
"""Pictures that pages show, by the notebook cell that draws them."""
COLOURS = 64
"""Enough for our pictures, and a third of the bytes."""
LONGEST_CELL_SECONDS = 180
"""On a machine that has other work to do."""
MOST_BYTES = 1_000_000
LONGEST_FUNCTION = 2
ABSOLUTE_PATH = re.compile(r"/(work|root|home|tmp|Users|private|var)/")
KEPT_OF_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def executed(path: Path, folder: Path) -> nbformat.NotebookNode:
    """Run a notebook in a folder, with this interpreter and without any kernel installed on the machine."""
    kernel, work = folder / "kernels" / "python3", folder / "work"
    for one in (kernel, work):
        one.mkdir(parents=True)
    launch = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (kernel / "kernel.json").write_text(json.dumps({"argv": launch, "display_name": "here", "language": "python"}))
    notebook = nbformat.read(path, as_version=4)
    manager = AsyncKernelManager(
        kernel_name=kernel.name,
        kernel_spec_manager=KernelSpecManager(kernel_dirs=[str(kernel.parent)]),
        connection_file=str(folder / "connection.json"),
        transport="ipc",
    )
    client = NotebookClient(
        notebook,
        km=manager,
        timeout=LONGEST_CELL_SECONDS,
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(work)}},
    )
    client.execute(cleanup_kc=True, env={**_environment(), "IPYTHONDIR": str(folder / "ipython")})
    return notebook


def _environment() -> dict[str, str]:
    return {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "PYDEVD_DISABLE_FILE_VALIDATION": "1"}


def outputs(notebook: nbformat.NotebookNode) -> Iterator[Any]:
    for cell in notebook.cells:
        yield from cell.get("outputs", [])


def words_of(notebook: nbformat.NotebookNode) -> str:
    """Return all that can be read in a notebook: its cells and its outputs but for pictures."""
    shown = [
        json.dumps({kind: data for kind, data in one.get("data", {}).items() if kind != "image/png"})
        for one in outputs(notebook)
    ]
    return "\n".join(
        [*(cell.source for cell in notebook.cells), *shown, *(one.get("text", "") for one in outputs(notebook))]
    )


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def committed(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


def test_there_is_a_notebook():
    assert NOTEBOOKS


@pytest.mark.slow
def test_a_notebook_runs_from_top_to_bottom_and_says_nothing_on_stderr(committed, tmp_path):
    notebook = executed(committed, tmp_path)
    assert not [one for one in outputs(notebook) if one.output_type == "error" or one.get("name") == "stderr"]
    assert not list((tmp_path / "work").iterdir()), "a notebook leaves nothing behind"


def test_a_committed_notebook_shows_what_each_of_its_cells_gave(committed):
    notebook = nbformat.read(committed, as_version=4)
    nbformat.validate(notebook)
    silent = [cell.id for cell in notebook.cells if cell.cell_type == "code" and not cell.outputs]
    assert not silent
    assert not [one for one in outputs(notebook) if one.output_type == "error" or one.get("name") == "stderr"]
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1)), "run from top to bottom, once"


def test_a_committed_notebook_names_no_place_on_a_machine_and_keeps_no_traces_of_the_run(committed):
    notebook = nbformat.read(committed, as_version=4)
    assert not ABSOLUTE_PATH.findall(words_of(notebook))
    assert notebook.metadata == KEPT_OF_METADATA
    assert not [cell.id for cell in notebook.cells if cell.metadata]
    assert committed.stat().st_size < MOST_BYTES


def test_a_notebook_ends_with_words_and_has_no_logic_of_its_own(committed):
    notebook = nbformat.read(committed, as_version=4)
    assert notebook.cells[-1].cell_type == "markdown"
    for cell in notebook.cells:
        if cell.cell_type == "code":
            lines = [line for line in cell.source.splitlines() if not line.startswith("%")]
            for node in ast.walk(ast.parse("\n".join(lines))):
                assert not isinstance(node, ast.ClassDef), cell.id
                if isinstance(node, ast.FunctionDef):
                    assert (node.end_lineno or 0) - node.lineno < LONGEST_FUNCTION, cell.id


def rewrite(path: Path) -> None:
    """Run a notebook and keep its outputs, without what differs from run to run."""
    with tempfile.TemporaryDirectory() as folder:
        notebook = executed(path, Path(folder))
    for cell in notebook.cells:
        if cell.id in PICTURES:
            _keep(cell.outputs[0].data["image/png"], PICTURES[cell.id])
    notebook.metadata = nbformat.from_dict(KEPT_OF_METADATA)
    for cell in notebook.cells:
        cell.metadata = nbformat.from_dict({})
    path.write_text(nbformat.writes(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _keep(picture: str, path: Path) -> None:
    from PIL import Image

    Image.open(io.BytesIO(base64.b64decode(picture))).convert("RGB").quantize(COLOURS).save(path, optimize=True)


if __name__ == "__main__":
    for each in [Path(name).resolve() for name in sys.argv[1:]] or NOTEBOOKS:
        rewrite(each)
