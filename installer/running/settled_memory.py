"""Settled memory: what is there when a run begins is not looked through for garbage meanwhile.

A full collection walks every object of every library that is loaded: with SSH and the solutions
that takes longer than the event loop may stand still while machines write.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator


def settle_memory() -> None:
    """Have the garbage collector pass over all that is there already from now on.

    What comes after this moment is little, and is collected as always.
    """
    gc.collect()
    gc.freeze()


@contextlib.contextmanager
def settled_memory() -> Iterator[None]:
    """The same for the time of a block; for longer where it was so before."""
    before = gc.get_freeze_count()
    settle_memory()
    try:
        yield
    finally:
        if not before:
            gc.unfreeze()
