"""Swapping: a pair of requests, and a scheduler that swaps out whom it is told to.

Iterations take 10 ms, and a block 1 ms over PCIe, in each direction.
"""

from typing import Any

from simcore.contract import Preempt
from tests.simulator.given import EVERY, Row
from tests.simulator.harness import at, scheduler

SYNC: dict[str, Any] = {"preemption": "swap", "swap": "sync", "host_blocks": 100}
ASYNC = SYNC | {"swap": "async"}
PAIR = [Row(0, 16, 40), Row(0, 16, 40)]
"""Two requests of 1 block, then 2, then 3 from their 18th iteration on."""


def swapping(*which: int, date_s: float = 0.045, **more: Any) -> dict[str, Any]:
    """These requests are swapped out at the first boundary after a date, and told of."""

    def on_woke(self, view, fact):
        return [Preempt(request, kv="swap") for request in which if request in view.running]

    return {"make_scheduler": scheduler(on_start=at(date_s), on_woke=on_woke, **more)}


def resumed(first_ms: float, tokens_before: int, tokens: int = 40) -> list[float]:
    """Return when tokens come that a pause held up: the first of them at `first_ms`."""
    return [*EVERY[:tokens_before], *(first_ms + 10 * i for i in range(tokens - tokens_before))]
