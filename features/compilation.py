"""Loops over single events, written in Python and compiled to machine code when they are first needed.

numba keeps what it has compiled as pickles: whoever can write to that folder can run code in the process that reads it.
So what others can write to is never read, and a service reads nothing at all: it compiles at its start, which takes
some five seconds (`keep_nothing`).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy.typing as npt


class _Kept:
    """Whether compiled loops are kept on disk and read from there, in this process."""

    on_disk = True


def keep_nothing() -> None:
    """Compile every loop in this process from now on, and neither read nor write what was compiled elsewhere."""
    _Kept.on_disk = False
    compiled.cache_clear()


@cache
def compiled(loop: Callable[..., Any]) -> Callable[..., Any]:
    """Return the compiled loop; kept on disk where only this user can write, so that a later start need not compile.

    Parameters
    ----------
    loop : a function of arrays and numbers. It lets other threads run meanwhile, so it must not touch shared state.
    """
    # Imported here: numba takes longer to load than many a command takes in all.
    import numba

    if _Kept.on_disk:
        # No folder to keep it in is no error: a read-only installation without a home.
        with suppress(RuntimeError):
            kept = numba.njit(cache=True, nogil=True)(loop)
            # Where it lies, numba decides: NUMBA_CACHE_DIR, beside the source, or in the user's home.
            if is_ours(Path(str(kept.stats.cache_path))):
                return kept
    plain: Callable[..., Any] = numba.njit(nogil=True)(loop)
    return plain


def is_ours(folder: Path) -> bool:
    """Return whether nobody but this user, its own group and root can write to a folder, or put another in its place.

    A folder above may be open to all where each can remove only what is his own, as /tmp is.
    """
    whole = folder.resolve()
    return _closed(whole.stat()) and all(_closed(above.stat(), shared=True) for above in whole.parents)


def _closed(told: os.stat_result, *, shared: bool = False) -> bool:
    if told.st_uid not in (0, os.geteuid()):
        return False
    if shared and told.st_mode & stat.S_ISVTX:
        return True
    foreign = told.st_mode & stat.S_IWGRP and told.st_gid != os.getegid()
    return not foreign and not told.st_mode & stat.S_IWOTH


def only_read(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the same numbers, not to be written to: a loop is compiled anew for what it may write to and may not."""
    seen = array.view()
    seen.flags.writeable = False
    return seen
