"""Loops over single events, written in Python and compiled to machine code when they are first needed."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any


@cache
def compiled(loop: Callable[..., Any]) -> Callable[..., Any]:
    """Return the compiled loop; kept on disk where there is a place for it, so that a later start need not compile.

    Parameters
    ----------
    loop : a function of arrays and numbers. It lets other threads run meanwhile, so it must not touch shared state.
    """
    # Imported here: numba takes longer to load than many a command takes in all.
    import numba

    try:
        kept: Callable[..., Any] = numba.njit(cache=True, nogil=True)(loop)
        return kept
    except RuntimeError:  # no folder to keep it in: a read-only installation without a home
        plain: Callable[..., Any] = numba.njit(nogil=True)(loop)
        return plain
