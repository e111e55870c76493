"""Garbage collection for a process that works through many records.

Records, their fields and rows are freed by reference counting; the cyclic collector walks them in vain. Seen:
at Python's default thresholds it took a fifth of the time of a first load.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

THRESHOLDS = (50_000, 20, 50)


@contextmanager
def rare_collections() -> Iterator[None]:
    """Collect rarely meanwhile, and leave out what is loaded already. For a process of weft's own only."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
