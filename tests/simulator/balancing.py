"""Balancing: a small router that moves requests from the fullest instance to the emptiest, tick by tick."""

from policies.vllm_v1 import VllmV1
from simcore.contract import Actions, Arrived, ClusterView, Dispatch, Done, LaneView, Migrate, Router, WakeAt, Woke


class Balancing(Router):
    """Sends arrivals to the instance with the fewest requests; every `period_s` pairs full and empty instances.

    Args:
        period_s: seconds between two looks.
        pairs: migrations it asks for at a look, at most.
        least_blocks: free blocks more than these make a difference.
    """

    emits = Router.emits | {Migrate}

    def __init__(self, *, period_s: float = 0.1, pairs: int = 4, least_blocks: int = 1) -> None:
        self.period_s, self.pairs, self.least_blocks = period_s, pairs, least_blocks
        self.under_way: set[Migrate] = set()

    def on_start(self, view: ClusterView) -> Actions:
        return (WakeAt(self.period_s, "look"),)

    def on_arrived(self, view: ClusterView, fact: Arrived) -> Actions:
        return (Dispatch(fact.request, view.least("requests")),)

    def on_woke(self, view: ClusterView, fact: Woke) -> Actions:
        yield WakeAt(view.now_s + self.period_s, "look")
        by_room = sorted((instance.free_blocks, instance.id) for instance in view.up)
        for (little, src), (much, dst), _ in zip(by_room, reversed(by_room), range(self.pairs), strict=False):
            action = Migrate(src, dst)
            if much - little > self.least_blocks and action not in self.under_way:
                self.under_way.add(action)
                yield action

    def on_done(self, view: ClusterView, fact: Done) -> Actions:
        self.under_way.discard(fact.action)
        return ()


class NewestLeaves(VllmV1):
    """The last admitted that decodes goes."""

    def pick_migrant(self, view: LaneView) -> int | None:
        return next((r for r in reversed(view.running) if view.requests[r].output_tokens), None)
