"""Llumnix: one number per instance, its freeness, says where requests go, who moves, and how many instances run.

Source: Sun et al., OSDI 2024 (arXiv:2406.03243, algorithm 1), and its artifact (AlibabaPAI/llumnix at commit 92f6f9d,
`vllm/instance_info.py`, `vllm/core/request_scheduler.py`, `vllm/engine/llm_engine_manager.py`).

Decides:  where a request goes; which instances move requests to which; how many instances run, and which one goes.
Leaves:   which request moves to the scheduler (`llumnix_scheduler`); how it moves to `mechanism.migration`.
Differs:  looks at instances every `period_s`, where the artifact counts steps; a session does not go back to its
          instance.
"""

from collections.abc import Iterable, Iterator, Sequence, Set
from itertools import pairwise
from math import inf
from typing import Literal, get_args

from simcore.contract import (
    Actions,
    CancelDrain,
    ClusterView,
    Dispatch,
    Done,
    Drain,
    InstanceId,
    InstanceUp,
    InstanceView,
    Migrate,
    PlacingRouter,
    RequestId,
    RequestView,
    Scale,
    WakeAt,
    Woke,
)

Variant = Literal["paper", "artifact"]
REBALANCE, SCALE = "rebalance", "scale"
WATERMARK = 0.01
"""Share of the blocks that the artifact leaves out: its instances admit nobody into it."""
TERMINATING: dict[Variant, float] = {"paper": -inf, "artifact": -1000.0}
"""Freeness of an instance that drains."""


class Llumnix(PlacingRouter):
    """Args:
    variant: "paper": of the queue, the head alone counts against freeness; a pair moves request after request as long
        as both ends qualify. "artifact": all who wait count, an instance with a preempted request gives some away,
        and a pair moves one request a round.
    migrate: False: dispatch and scaling alone, as INFaaS++ in the paper.
    defragment: False: who waits does not count when requests are moved.
    priorities: requests with a priority below 0 are urgent: next to one, an instance shows less freeness.
    gather_urgent: True: urgent requests go where others are, as in the artifact; False: they keep away from each other,
        too, as algorithm 1 says if taken at its word.
    target_tokens: tokens of KV with which an instance still decodes at full speed, for the sake of an urgent request.
    source_below, destination_above: freeness, blocks per request, at which an instance gives and takes requests.
    period_s: seconds from one pairing to the next.
    max_instances: scale between `min_instances` and so many, starting ones included; None: do not scale.
    scale_below, scale_above: freeness of the whole fleet at which an instance is added, and drained.
    first_scale_s, scale_period_s: seconds until its freeness is first looked at, and from then on.
    """

    emits = PlacingRouter.emits | {Migrate, Scale, Drain, CancelDrain}

    def __init__(
        self,
        *,
        variant: Variant = "paper",
        migrate: bool = True,
        defragment: bool = True,
        priorities: bool = True,
        gather_urgent: bool = True,
        target_tokens: int = 1600,
        source_below: float = 3.0,
        destination_above: float = 3.0,
        period_s: float = 0.1,
        min_instances: int = 1,
        max_instances: int | None = None,
        scale_below: float = 10.0,
        scale_above: float = 60.0,
        first_scale_s: float = 100.0,
        scale_period_s: float = 10.0,
    ) -> None:
        if variant not in get_args(Variant):
            raise ValueError(f"variant must be one of {', '.join(get_args(Variant))}, got {variant!r}")
        for name, value in (("period_s", period_s), ("scale_period_s", scale_period_s)):
            if not value > 0:
                raise ValueError(f"{name} must be > 0, got {value}")
        ordered(source_below=source_below, destination_above=destination_above)
        ordered(scale_below=scale_below, scale_above=scale_above)
        if max_instances is not None:
            ordered(at_least=1, min_instances=min_instances, max_instances=max_instances)
        self.variant: Variant = variant
        self.migrate, self.defragment, self.priorities = migrate, defragment, priorities
        self.gather_urgent = gather_urgent
        self.target_tokens = target_tokens
        self.source_below, self.destination_above = source_below, destination_above
        self.period_s = period_s
        self.min_instances, self.max_instances = min_instances, max_instances
        self.scale_below, self.scale_above = scale_below, scale_above
        self.first_scale_s, self.scale_period_s = first_scale_s, scale_period_s
        self.urgent: dict[RequestId, None] = {}
        """Urgent requests that were placed; those that have ended go when it is next looked at."""
        self.migrating: set[InstanceId] = set()
        """Both ends of every migration under way."""
        self.wished: str | None = None
        """What the last look at the fleet asked for: "more" or "fewer" instances."""

    def on_start(self, view: ClusterView) -> Actions:
        # Also after the router was down: others have placed requests meanwhile, and nobody told how migrations ended.
        urgent = [request.id for request in view.requests.values() if request.priority < 0 and self.priorities]
        self.urgent = dict.fromkeys(sorted(urgent))
        self.migrating.clear()
        self.wished = None
        if self.migrate:
            yield WakeAt(view.now_s + self.period_s, REBALANCE)
        if self.max_instances is not None:
            yield WakeAt(view.now_s + self.first_scale_s, SCALE)

    def on_woke(self, view: ClusterView, fact: Woke) -> Actions:
        if fact.key == REBALANCE:
            yield WakeAt(view.now_s + self.period_s, REBALANCE)
            yield from self.pair(view, view.instances)
        else:
            yield WakeAt(view.now_s + self.scale_period_s, SCALE)
            yield from self.scale(view)

    # -- freeness ------------------------------------------------------------------------------------------------

    def freeness(self, instance: InstanceView, *, placing: bool = False, headroom: bool = False) -> float:
        """Return the KV blocks that are left for each request that shares them: decode steps left, in blocks.

        placing: a request is to be placed, not moved. headroom: an urgent request's blocks count as in use.
        """
        if instance.state == "draining":
            return TERMINATING[self.variant]
        sharing = self.sharing(instance.running, instance.waiting, placing)
        if not sharing:
            return inf
        kept = instance.kv_blocks - self.target_tokens // instance.block_tokens if headroom else 0
        return (self.spare_blocks(instance, placing) - kept) / sharing

    def spare_blocks(self, instance: InstanceView, placing: bool) -> int:
        """Return the free blocks that nobody who waits needs."""
        paper = self.variant == "paper"
        free = instance.free_blocks - (0 if paper else int(WATERMARK * instance.kv_blocks))
        if not instance.waiting or not (placing or self.defragment):
            return free
        return free - (instance.head_blocks if paper else instance.waiting_blocks)

    def sharing(self, running: int, waiting: int, placing: bool) -> int:
        """Return how many requests share what is free."""
        if self.variant == "paper":
            return running or min(waiting, 1)
        if placing:
            return running + waiting
        return running + (min(waiting, 1) if self.defragment else 0)

    def with_urgent(self, view: ClusterView) -> Set[InstanceId | None]:
        """Return the instances that have an urgent request."""
        if self.urgent:
            self.urgent = {request: None for request in self.urgent if request in view.requests}
        return {view.requests[request].instance for request in self.urgent}

    # -- where a request goes ------------------------------------------------------------------------------------

    def place(self, view: ClusterView, request: RequestId) -> InstanceId:
        urgent = self.priorities and view.requests[request].priority < 0
        with_urgent = self.with_urgent(view)
        if urgent:
            self.urgent[request] = None

        def free(instance: InstanceView) -> float:
            headroom = instance.id in with_urgent
            if urgent and self.gather_urgent:
                headroom = not headroom  # it brings its own along, unless there is one already
            return self.freeness(instance, placing=True, headroom=headroom)

        return max(view.up, key=free).id

    def on_instance_up(self, view: ClusterView, fact: InstanceUp) -> Actions:
        unrouted = [request for request in view.requests.values() if request.state == "unrouted"]
        unrouted.sort(key=lambda request: (request.priority, request.id))
        return [Dispatch(request.id, self.place(view, request.id)) for request in unrouted] if view.up else ()

    # -- who gives requests to whom ------------------------------------------------------------------------------

    def pair(self, view: ClusterView, among: Iterable[InstanceView]) -> Iterator[Migrate]:
        """Yield a migration from the least free to the freest, from the next to the next, and so on."""
        with_urgent = self.with_urgent(view)
        idle = [i for i in among if i.state in ("up", "draining") and i.id not in self.migrating]
        free = {i.id: self.freeness(i, headroom=i.id in with_urgent) for i in idle}
        sources = sorted((i for i in idle if self.gives(view, i, free[i.id])), key=lambda i: free[i.id])
        destinations = sorted((i for i in idle if self.takes(i, free[i.id])), key=lambda i: -free[i.id])
        for source, destination in zip(sources, destinations, strict=False):
            self.migrating |= {source.id, destination.id}
            request = leaving(view, source)[0] if source.state == "draining" else None
            yield Migrate(source.id, destination.id, request)

    def gives(self, view: ClusterView, instance: InstanceView, freeness: float) -> bool:
        if instance.state == "draining":
            return bool(leaving(view, instance))
        short = freeness < self.source_below or (self.variant == "artifact" and instance.preempted > 0)
        return short and instance.running > 0

    def takes(self, instance: InstanceView, freeness: float) -> bool:
        queued = self.variant == "artifact" and instance.waiting > 0
        return instance.state == "up" and freeness > self.destination_above and not queued

    def on_done(self, view: ClusterView, fact: Done) -> Actions:
        if not isinstance(fact.action, Migrate):
            return ()
        ends = fact.action.src, fact.action.dst
        self.migrating.difference_update(ends)
        goes_on = fact.ok and self.variant == "paper"
        return self.pair(view, [view.instances[end] for end in ends]) if goes_on else ()

    # -- how many instances run ------------------------------------------------------------------------------------

    def scale(self, view: ClusterView) -> Iterator[Scale | Drain | CancelDrain]:
        """Yield what keeps the freeness of the fleet within its bounds. In the paper it must be out of them twice."""
        up = view.up
        draining = [instance for instance in view.instances if instance.state == "draining"]
        wish, before = self.wish(up), self.wished
        self.wished = wish
        if wish is None or (self.variant == "paper" and wish != before):
            return
        if wish == "fewer":
            if not draining and len(up) > self.min_instances:
                fewest = min(up, key=lambda instance: instance.running)
                yield Drain((fewest if self.variant == "paper" else up[-1]).id)
        elif draining:
            yield CancelDrain(draining[-1].id)
        elif not any(instance.state == "starting" for instance in view.instances):
            assert self.max_instances is not None, "who does not scale is never asked"
            room = self.max_instances - len(up)
            lacking = 1 if self.variant == "paper" else self.lacking(up)
            if min(room, lacking) > 0:
                yield Scale(min(room, lacking))

    def wish(self, up: Sequence[InstanceView]) -> str | None:
        """Return whether the fleet should have "more" instances or "fewer"."""
        if not up:
            return None
        if self.fleet_freeness(up, 0, placing=True) < self.scale_below:
            return "more"
        # The artifact asks how free the others would be without the last one.
        fewer = 0 if self.variant == "paper" else -1
        return "fewer" if self.fleet_freeness(up, fewer, placing=False) > self.scale_above else None

    def lacking(self, up: Sequence[InstanceView]) -> int:
        """Return how many empty instances would make the fleet free enough."""
        assert self.max_instances is not None, "who does not scale is never asked"
        free_with = (self.fleet_freeness(up, more, placing=True) for more in range(self.max_instances))
        return next((more for more, free in enumerate(free_with) if free >= self.scale_below), self.max_instances)

    def fleet_freeness(self, up: Sequence[InstanceView], more: int, *, placing: bool) -> float:
        """Return the freeness of all instances as if they were one, and of `more` empty ones, without headroom."""
        sharing = self.sharing(sum(i.running for i in up), sum(i.waiting for i in up), placing)
        spare = sum(self.spare_blocks(i, placing) for i in up) + more * up[0].kv_blocks
        return spare / sharing if sharing else inf


def leaving(view: ClusterView, instance: InstanceView) -> list[RequestId]:
    """Return the requests of a draining instance that can move: waiting ones, then short ones, then urgent ones."""
    there = [request for request in view.requests.values() if request.instance == instance.id and movable(request)]
    there.sort(key=lambda r: (r.state != "waiting", -r.priority, r.prompt_tokens + r.output_tokens, r.id))
    return [request.id for request in there]


def movable(request: RequestView) -> bool:
    return request.state == "waiting" or (request.state == "running" and request.output_tokens > 0)


def ordered(**bounds: float) -> None:
    """Raise ValueError if one of these arguments is above the next."""
    for (low_name, low), (high_name, high) in pairwise(bounds.items()):
        if not low <= high:
            raise ValueError(f"{high_name} must be >= {low_name} ({low}), got {high}")
