"""Stopwatch: how long work takes, on a GPU by its own events, on a CPU by the clock."""

import time
from collections.abc import Callable
from statistics import median

import torch

from realbackend.device import Stream


def median_ms(work: Callable[[], object], stream: Stream, repeats: int) -> float:
    """Return the median milliseconds of one piece of work on a stream, after two that do not count."""
    with stream.use():
        for _ in range(2):
            work()
        return median(_once(work, stream) for _ in range(repeats))


def _once(work: Callable[[], object], stream: Stream) -> float:
    if stream.cuda is None:
        begin = time.perf_counter()
        work()
        return (time.perf_counter() - begin) * 1e3
    first, last = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    first.record(stream.cuda)
    work()
    last.record(stream.cuda)
    last.synchronize()
    return float(first.elapsed_time(last))
