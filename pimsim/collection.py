"""No search for garbage while a great many rows are made."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Let Python's collector rest, for a block or, as a decorator, a function.

    Plans and rows are hundreds of thousands of objects that stay; each time some more are made, the collector would
    look through them for circles that are not there.
    """
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
