"""A model is tried in a process that may die before it may score where it must not.

A damaged model file does not raise an error in LightGBM: it ends the process, or never comes back. Signature and hashes
hold off what was damaged on the way, within milliseconds and before any parser; a file that was signed damaged is found
here: a child loads the card, with all that loading checks, under limits of time and memory, and only when it comes back
well may the caller load it as well. Caller and child speak through arguments, an exit code and a line of JSON.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from features.compilation import keep_nothing
from features.errors import ModelRefused, RepayrankError
from models.fitted_card import FittedCard
from models.store import ModelStore

SECONDS = 60.0
"""Longest trial: imports take most of it on a slow machine, and a file that hangs is no model."""
MEMORY = 4 * 2**30
"""Most memory that a trial may reserve, bytes: libraries reserve several times what they use, 1.6 GB in all."""
NICER = 5
"""How far the trial steps back for the service that answers meanwhile, in the system's steps of priority."""
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}
"""The trial takes one processor at most."""
TRIED = "tried"
"""Folder of the store that holds one empty file for each model that has been tried, named after what it was."""


def load_tried(store: ModelStore, card: str, wanted: str | None = None) -> FittedCard:
    """Return a version of a card, or its champion, after a child process has loaded it and lived.

    A model is tried once in a store by each release of LightGBM: the note of it says nothing about whether the files
    are as they were signed, which every load checks.

    Raises
    ------
    ModelRefused : see `ModelStore.load`; or the trial died, took too long or too much
    """
    chosen = wanted or store.champion(card)
    store.verify(card, chosen)
    note = _note(store, card, chosen)
    if note is None or not note.exists():
        _try(store, card, chosen)
        has_lived(store, card, chosen)
    return store.load(card, chosen)


def has_lived(store: ModelStore, card: str, chosen: str) -> None:
    """Write down that a process has loaded a version and lived, as the one that trained it has: no trial is needed."""
    note = _note(store, card, chosen)
    if note is not None:
        _write_down(note)


def _try(store: ModelStore, card: str, chosen: str) -> None:
    folder = str(store.folder(card, chosen))
    # -P: whatever lies in the folder that the service was started in is not ours, and is not run.
    command = [sys.executable, "-P", "-m", "models.trial", str(store.root), card, chosen]
    ours = str(Path(__file__).parents[1])
    environment = {
        **os.environ,
        **ONE_THREAD,
        "PYTHONPATH": os.pathsep.join(filter(None, [ours, os.environ.get("PYTHONPATH")])),
    }
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and module
            command, env=environment, capture_output=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise _harmful(folder, f"a model that did not load within {SECONDS:.0f} seconds") from error
    if done.returncode == ModelRefused.exit_code:
        raise ModelRefused(**json.loads(done.stdout))
    if done.returncode != 0:
        how = f"signal {-done.returncode}" if done.returncode < 0 else f"code {done.returncode}"
        raise _harmful(folder, f"a model that ends the process that loads it ({how})")


def _limit() -> None:
    os.nice(NICER)
    # Also when the caller has died meanwhile, who would have ended it.
    resource.setrlimit(resource.RLIMIT_CPU, (int(SECONDS), int(SECONDS)))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # what a crash leaves behind would hold the model's rows


def _note(store: ModelStore, card: str, chosen: str) -> Path | None:
    """Return where it is written down that a model was tried; None where its files cannot even be read."""
    digest = store.digest(card, chosen)
    return None if digest is None else store.root / TRIED / f"{digest}-lightgbm-{version('lightgbm')}"


def _write_down(note: Path) -> None:
    try:
        note.parent.mkdir(exist_ok=True)
        note.touch()
    except OSError:  # a store that cannot be written to: the next start tries the model again
        return


def _harmful(folder: str, found: str) -> ModelRefused:
    return ModelRefused(
        found,
        where=folder,
        expected="a model that a trial process can load",
        do="fetch the model again from where it was made, or train it again",
    )


def main() -> int:
    """Load one card and say why not; the exit code is that of the error."""
    root, card, chosen = sys.argv[1:]
    _limit()
    keep_nothing()
    try:
        ModelStore(Path(root)).load(card, chosen)
    except RepayrankError as error:
        told = {"found": error.found, "where": error.where, "expected": error.expected, "do": error.do}
        sys.stdout.write(json.dumps(told))
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
