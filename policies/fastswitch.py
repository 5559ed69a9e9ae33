"""FastSwitch: who runs is the longest prefix of the priority order that fits; whoever falls out of it is swapped out.

Source: Shen, Li and Gao, arXiv:2411.18424, as others report it; there is no public code. Its three contributions (block
groups, asynchronous swap, host copies that stay) decide nothing: they are `mechanism` keys. What is left to decide is
below, and the priorities are the workload's (`workload.priorities`), new ones every few iterations.

Decides:  the order of the queue; who is switched out when priorities change or somebody more urgent comes; victims.
Leaves:   how KV is copied, batching and chunking to the mechanism and the default scheduler.
Differs:  between epochs the desired set is formed again when a request arrives, not in every iteration: nothing else
          can put a waiting request before a running one.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Literal

from simcore.contract import (
    Actions,
    Arrived,
    Done,
    LaneView,
    Preempt,
    PriorityChanged,
    RequestId,
    RequestView,
    Scheduler,
    Touch,
)


class FastSwitch(Scheduler):
    """Reads `request.priority`: lower is more urgent.

    Args:
        kv: what becomes of the KV of who is switched out; "swap" where the host has room.
        recompute_below_tokens: a context shorter than this is computed again instead: below some 4k tokens that can be
            cheaper (arXiv:2411.07447); 0: never, as in the paper.
    """

    def __init__(self, *, kv: Literal["swap", "drop"] = "swap", recompute_below_tokens: int = 0, **limits: Any) -> None:
        super().__init__(**limits)
        if kv not in ("swap", "drop"):
            raise ValueError(f"kv must be swap or drop, got {kv!r}")
        if recompute_below_tokens < 0:
            raise ValueError(f"recompute_below_tokens must be >= 0, got {recompute_below_tokens}")
        self.kv = kv
        self.recompute_below_tokens = recompute_below_tokens
        self.leaving: set[RequestId] = set()
        """Who was asked to go, and has not gone yet."""

    # -- questions ------------------------------------------------------------------------------------------------

    def order(self, request: RequestView) -> Any:
        return request.priority, request.arrival_s, request.id

    def victim(self, view: LaneView) -> RequestId:
        requests = view.requests
        return max(view.running, key=lambda r: self.order(requests[r]))

    def spill(self, view: LaneView, request: RequestView) -> Literal["drop", "swap"]:
        return "drop" if request.computed_tokens < self.recompute_below_tokens else self.kv

    # -- reactions ------------------------------------------------------------------------------------------------

    def on_priority_changed(self, view: LaneView, fact: PriorityChanged) -> Actions:
        yield from self.switch(view)

    def on_arrived(self, view: LaneView, fact: Arrived) -> Actions:
        requests = view.requests
        rank = self.order(requests[fact.request])
        if any(self.order(requests[running]) > rank for running in view.running):
            yield from self.switch(view)

    def on_done(self, view: LaneView, fact: Done) -> Actions:
        if isinstance(fact.action, Preempt):
            self.leaving.discard(fact.action.request)
        return ()

    # -- the desired set ----------------------------------------------------------------------------------------------

    def switch(self, view: LaneView) -> Iterator[Preempt]:
        """Ask those to go who run outside the desired set, the least urgent first."""
        requests = view.requests
        order = sorted((requests[r] for r in (*view.running, *view.waiting)), key=self.order)
        desired = set(self.longest_prefix(view, order))
        running = set(view.running)
        for request in reversed(order):
            if request.id in running and request.id not in desired and request.id not in self.leaving:
                self.leaving.add(request.id)
                swaps = self.spill(view, request) == "swap" and view.host_free_blocks >= request.kv_blocks
                yield Preempt(request.id, "swap" if swaps else "drop")

    def longest_prefix(self, view: LaneView, order: Iterable[RequestView]) -> Iterator[RequestId]:
        """Yield the first of `order` that fit together; who is smaller, further back, does not jump in."""
        room, seats = view.kv_blocks, self.max_num_seqs
        for request in order:
            room -= blocks_next(view, request)
            seats -= 1
            if room < 0 or seats < 0:
                return
            yield request.id

    def read_again(self, view: LaneView) -> Iterator[Touch]:
        """Put everybody who waits in its new place."""
        return map(Touch, view.waiting)


def blocks_next(view: LaneView, request: RequestView) -> int:
    """Return the KV blocks a request has once it has computed its next token."""
    tokens = request.prompt_tokens + request.output_tokens
    return max(request.kv_blocks, -(-tokens // view.block_tokens))
