"""Collecting: how often Python looks for reference cycles while a simulation runs.

A run makes no cycles per request, and with a large prefix cache some hundred thousand objects live long: looking
through them again and again took more than a third of the time of such a run.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_YOUNG, _OLDER, _NEVER = 20_000, 50, 1 << 30


@contextmanager
def rare_collections() -> Iterator[None]:
    """Look for cycles among young objects rarely, and among old ones not at all."""
    before = gc.get_threshold()
    gc.set_threshold(_YOUNG, _OLDER, _NEVER)
    try:
        yield
    finally:
        gc.set_threshold(*before)
