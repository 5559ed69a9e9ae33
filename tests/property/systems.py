"""Systems to draw from: each decision written twice, as a policy under the contract and as a plain function.

The plain half sees the reference's own books; nothing of the simulator is shared but the counter hash.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from policies.least_loaded import LeastLoaded
from policies.power_of_two import PowerOfTwo
from policies.round_robin import RoundRobin
from policies.shortest_job_first import ShortestJobFirstOracle
from policies.vllm_v1 import VllmV1
from simcore.books.draw import seed_of, uniform
from simcore.contract import (
    Abort,
    Actions,
    Admit,
    Arrived,
    Batch,
    ClusterView,
    Dispatch,
    Finished,
    LaneView,
    Preempt,
    RequestView,
    Router,
    Scheduler,
    Stepped,
    WakeAfter,
    WakeAt,
    WakeBelow,
    Woke,
    to_ps,
)
from simcore.contract import decisions as log
from tests.property.reference import TIMERS, Reference, RefInstance, RefRequest, Rules

Reading = tuple[Any, ...]


@dataclass
class System:
    """One drawn system: its two halves, and what each half read on the way."""

    name: str
    make_router: Callable[[list[Reading]], Router]
    make_scheduler: Callable[[], Scheduler]
    rules: Callable[[list[Reading]], Rules]
    oracle: frozenset[str] = field(default_factory=frozenset)


# -- routers ---------------------------------------------------------------------------------------------


def ref_requests(instance: RefInstance) -> int:
    return len(instance.waiting) + len(instance.running)


def ref_waiting_tokens(instance: RefInstance) -> int:
    return sum(r.target for r in instance.waiting)


def ref_room(instance: RefInstance) -> int:
    size = instance.cluster.block_tokens
    return sum(-(-r.target // size) for r in instance.waiting) - instance.free


class MostFree(Router):
    """Scans every instance's exact free blocks in the middle of whatever it does; notes what it read.

    It looks at arrivals, when a request finishes, and again by a timer set for that very instant.
    """

    def __init__(self, readings: list[Reading]) -> None:
        self.readings = readings

    def on_arrived(self, view: ClusterView, fact: Arrived) -> Actions:
        self.readings.append((view.now_s, *((i.free_blocks, i.running, i.waiting) for i in view.instances)))
        return (Dispatch(fact.request, max(view.instances, key=lambda i: (i.free_blocks, -i.id)).id),)

    def on_finished(self, view: ClusterView, fact: Finished) -> Actions:
        self.readings.append((fact.request, *((i.free_blocks, i.running, i.waiting) for i in view.instances)))
        return (WakeAt(view.now_s, fact.request),)

    def on_woke(self, view: ClusterView, fact: Woke) -> Actions:
        self.readings.append((fact.key, *((i.free_blocks, i.running, i.waiting) for i in view.instances)))
        return ()


class Gateway(Router):
    """Holds requests back: a tick lets them go, and a finished request pulls one onto its instance.

    A tick also reads every live request's progress, and aborts one in `abort_every` ticks.
    """

    emits = frozenset({Dispatch, WakeAt, Abort})

    def __init__(self, readings: list[Reading], period_s: float, abort_every: int) -> None:
        self.readings, self.period_s, self.abort_every = readings, period_s, abort_every
        self.held: list[int] = []
        self.doomed: set[int] = set()
        self.ticks = 0

    def on_start(self, view: ClusterView) -> Actions:
        return (WakeAt(self.period_s, "tick"),)

    def on_arrived(self, view: ClusterView, fact: Arrived) -> Actions:
        self.held.append(fact.request)
        return ()

    def on_finished(self, view: ClusterView, fact: Finished) -> Actions:
        if self.held:
            return (Dispatch(self.held.pop(0), fact.instance),)
        return ()

    def on_woke(self, view: ClusterView, fact: Woke) -> Actions:
        self.ticks += 1
        progress = [(r.id, r.state, r.output_tokens, r.kv_blocks) for r in view.requests.values()]
        self.readings.append((view.now_s, *((i.free_blocks, i.head_blocks) for i in view.instances), *progress))
        yield WakeAt(view.now_s + self.period_s, "tick")
        if self.abort_every and self.ticks % self.abort_every == 0:
            doomed = min((r for r in view.requests if r % 5 == 3 and r not in self.doomed), default=None)
            if doomed is not None:
                self.doomed.add(doomed)
                self.held = [r for r in self.held if r != doomed]
                yield Abort(doomed)
        held, self.held = self.held, []
        for request in held:
            yield Dispatch(request, view.least("requests"))


def ref_gateway(rules: Rules, readings: list[Reading], period_s: float, abort_every: int) -> None:
    held: list[int] = []
    asked: set[int] = set()
    ticks = [0]

    def tick(cluster: Reference) -> None:
        ticks[0] += 1
        cluster.write(-1, log.WOKE, -1, -1)
        heads = (
            (i.free, -(-i.waiting[0].target // cluster.block_tokens) if i.waiting else 0) for i in cluster.instances
        )
        progress = [(r.id, r.state, r.generated, r.blocks) for r in cluster.live.values()]
        readings.append((cluster.now / 1e12, *heads, *progress))
        cluster.at(to_ps(cluster.now / 1e12 + period_s), TIMERS, lambda: tick(cluster))
        least = min(cluster.instances, key=lambda i: (ref_requests(i), i.index))  # before the answer takes effect
        if abort_every and ticks[0] % abort_every == 0:
            doomed = min((r for r in cluster.live if r % 5 == 3 and r not in asked), default=None)
            if doomed is not None:
                asked.add(doomed)
                held[:] = [r for r in held if r != doomed]
                cluster.abort(doomed)
        letting_go, held[:] = list(held), []
        for number in letting_go:
            cluster.dispatch(cluster.live[number], least.index)

    def hold(cluster: Reference, request: RefRequest) -> None:
        held.append(request.id)

    def pull(cluster: Reference, request: RefRequest) -> None:
        if held:
            cluster.dispatch(cluster.live[held.pop(0)], request.instance)

    rules.on_start = lambda cluster: cluster.at(to_ps(period_s), TIMERS, lambda: tick(cluster))
    rules.route = hold
    rules.on_finished = pull


Completion = Callable[[Rules, list[Reading]], None]


def router(kind: str, seed: int, period_s: float, abort_every: int) -> tuple[Any, Completion]:
    """Return (make_router, complete_rules) of one kind."""

    def plain(choose: Callable[[Reference, RefRequest], int]) -> Completion:
        def complete(rules: Rules, readings: list[Reading]) -> None:
            rules.route = choose

        return complete

    if kind == "round_robin":
        return (lambda readings: RoundRobin()), plain(lambda c, r: r.id % len(c.instances))
    if kind == "least_requests":
        least = lambda c, r: min(c.instances, key=lambda i: (ref_requests(i), i.index)).index  # noqa: E731
        return (lambda readings: LeastLoaded()), plain(least)
    if kind == "least_waiting_tokens":
        least = lambda c, r: min(c.instances, key=lambda i: (ref_waiting_tokens(i), i.index)).index  # noqa: E731
        return (lambda readings: LeastLoaded(load="waiting_tokens")), plain(least)
    if kind == "power_of_two":
        draws = seed_of(seed, 0, 1)

        def two(cluster: Reference, request: RefRequest) -> int:
            n = len(cluster.instances)
            drawn = [cluster.instances[int(uniform(draws, (request.id, d)) * n)] for d in range(2)]
            return min(drawn, key=lambda i: (ref_room(i), i.index)).index

        return (lambda readings: PowerOfTwo()), plain(two)
    if kind == "most_free":

        def complete(rules: Rules, readings: list[Reading]) -> None:
            def scan(cluster: Reference) -> list[tuple[int, int, int]]:
                return [(i.free, len(i.running), len(i.waiting)) for i in cluster.instances]

            def choose(cluster: Reference, request: RefRequest) -> int:
                readings.append((cluster.now / 1e12, *scan(cluster)))
                return max(cluster.instances, key=lambda i: (i.free, -i.index)).index

            def look(cluster: Reference, request: RefRequest) -> None:
                readings.append((request.id, *scan(cluster)))
                at = max(to_ps(cluster.now / 1e12), cluster.now)
                cluster.at(at, TIMERS, lambda: look_again(cluster, request))

            def look_again(cluster: Reference, request: RefRequest) -> None:
                cluster.write(-1, log.WOKE, -1, -1)
                readings.append((request.id, *scan(cluster)))

            rules.route = choose
            rules.on_finished = look

        return MostFree, complete
    assert kind == "gateway"
    return (
        lambda readings: Gateway(readings, period_s, abort_every),
        lambda rules, readings: ref_gateway(rules, readings, period_s, abort_every),
    )


# -- schedulers --------------------------------------------------------------------------------------------


class LargestYields(VllmV1):
    """Short prompts first; the request with the most tokens yields."""

    def order(self, request: RequestView) -> int:
        return request.prompt_tokens

    def victim(self, view: LaneView) -> int:
        return max(view.running, key=lambda r: (view.requests[r].prompt_tokens + view.requests[r].output_tokens, r))


def ref_largest(instance: RefInstance) -> RefRequest:
    return max(instance.running, key=lambda r: (r.prompt + r.generated, r.id))


class Choosy(VllmV1):
    """Declines some requests, and holds the queue when little is free."""

    def admit(self, view: LaneView, request: RequestView) -> Admit:
        if view.running and request.prompt_tokens % 3 == 0 and len(view.running) >= 2:
            return "no"
        if view.running and view.free_blocks * 4 < view.kv_blocks:
            return "hold"
        return "yes"


def ref_choosy(instance: RefInstance, request: RefRequest) -> str:
    if instance.running and request.prompt % 3 == 0 and len(instance.running) >= 2:
        return "no"
    if instance.running and instance.free * 4 < instance.cluster.kv_blocks:
        return "hold"
    return "yes"


class Meddler(VllmV1):
    """Wakes every few iterations, or when few blocks are free, and takes the newest request out."""

    def __init__(self, *, every: int, below: int, **limits: Any) -> None:
        super().__init__(**limits)
        self.every, self.below, self.due = every, below, every

    def on_start(self, view: LaneView) -> Actions:
        return (WakeAfter(self.every), WakeBelow(self.below))

    def on_stepped(self, view: LaneView, fact: Stepped) -> Actions:
        if len(view.running) >= 2:
            yield Preempt(view.running[-1])
        if fact.iteration >= self.due:
            self.due = fact.iteration + self.every
            yield WakeAfter(self.every)
        if view.free_blocks < self.below:
            yield WakeBelow(self.below)


class PrefillOrDecode(VllmV1):
    """Builds whole batches: prompts alone while any are left and fit, in up to two chunks at once; else decodes.

    A decode that cannot take its next block sits out, and when few blocks are free the newest is preempted. New
    requests start only where that would not follow at once: else one request starts over and over.
    """

    armed = 0

    def batch(self, view: LaneView) -> Batch:
        requests = view.requests
        decoding: list[int] = []
        starting: list[int] = []
        for r in view.running:
            request = requests[r]
            left = request.prompt_tokens + request.output_tokens - request.computed_tokens
            (decoding if request.output_tokens and left == 1 else starting).append(r)
        room = self.max_num_seqs - len(view.running)
        free, budget, prefills = view.free_blocks, self.max_num_batched_tokens, []
        for r in [*starting, *list(view.waiting)[:room]]:
            request = requests[r]
            left = request.prompt_tokens + request.output_tokens - request.computed_tokens
            fits = (free + request.kv_blocks) * view.block_tokens - request.computed_tokens
            new = min(left, max(1, self.max_num_batched_tokens // 2), budget, fits)
            need = -(-(request.computed_tokens + new) // view.block_tokens) - request.kv_blocks
            spare = 2 * (len(view.running) + 1) if view.running and request.state == "waiting" else 0
            whole = -(-left // view.block_tokens)
            if new < 1 or (spare and free - whole < spare):
                break
            prefills.append((r, new))
            free, budget = free - need, budget - new
        if prefills:
            return Batch((), prefills)
        able = []
        for r in decoding:
            request = requests[r]
            need = -(-(request.computed_tokens + 1) // view.block_tokens) - request.kv_blocks
            if need <= free:
                able.append(r)
                free -= need
        return Batch(able, ())

    def on_arrived(self, view: LaneView, fact: Arrived) -> Actions:
        if self.armed != view.iteration + 1:
            self.armed = view.iteration + 1
            yield WakeAfter(1)

    def on_stepped(self, view: LaneView, fact: Stepped) -> Actions:
        if self.armed <= fact.iteration:
            self.armed = fact.iteration + 1
            yield WakeAfter(1)
        if len(view.running) >= 2 and view.free_blocks < 2 * len(view.running):
            yield Preempt(view.running[-1])


def ref_prefill_or_decode(budget_tokens: int, max_seqs: int) -> Callable[[RefInstance], list[tuple[RefRequest, int]]]:
    def batch(instance: RefInstance) -> list[tuple[RefRequest, int]]:
        size = instance.cluster.block_tokens
        decoding = [r for r in instance.running if r.generated and r.computed == r.target - 1]
        starting = [r for r in instance.running if r not in decoding]
        free, budget, plan = instance.free, budget_tokens, []
        for r in starting + instance.waiting[: max_seqs - len(instance.running)]:
            fits = (free + r.blocks) * size - r.computed
            new = min(r.target - r.computed, max(1, budget_tokens // 2), budget, fits)
            need = -(-(r.computed + new) // size) - r.blocks
            spare = 2 * (len(instance.running) + 1) if instance.running and r.state == "waiting" else 0
            if new < 1 or (spare and free - -(-(r.target - r.computed) // size) < spare):
                break
            plan.append((r, new))
            free, budget = free - need, budget - new
        if plan:
            return plan
        for r in decoding:
            need = -(-(r.computed + 1) // size) - r.blocks
            if need <= free:
                plan.append((r, 1))
                free -= need
        return plan

    return batch


def scheduler(kind: str, limits: dict[str, Any], every: int, below: int) -> tuple[Any, Rules, frozenset[str]]:
    """Return (make_scheduler, rules, oracle) of one kind."""
    rules = Rules(limits["max_num_batched_tokens"], limits["max_num_seqs"], limits["reserve_full_prompt"])
    if kind == "vllm_v1":
        return (lambda: VllmV1(**limits)), rules, frozenset()
    if kind == "shortest_job_first":
        rules.order = lambda r: r.output - r.generated
        return (lambda: ShortestJobFirstOracle(**limits)), rules, frozenset({"output_tokens"})
    if kind == "largest_yields":
        rules.order, rules.victim = (lambda r: r.prompt), ref_largest
        return (lambda: LargestYields(**limits)), rules, frozenset()
    if kind == "choosy":
        rules.admit = ref_choosy
        return (lambda: Choosy(**limits)), rules, frozenset()
    if kind == "prefill_or_decode":
        rules.batch = ref_prefill_or_decode(rules.budget, rules.max_seqs)

        def wake_next(instance: RefInstance) -> None:
            instance.wake_iterations.add(instance.iterations + 1)

        def thin_out(instance: RefInstance) -> None:
            crowded = len(instance.running) >= 2 and instance.free < 2 * len(instance.running)
            newest = instance.running[-1].id if crowded else None
            wake_next(instance)
            if newest is not None:
                instance.ask("preempt", newest)

        rules.on_dispatched, rules.on_stepped = wake_next, thin_out
        return (lambda: PrefillOrDecode(**limits)), rules, frozenset()
    assert kind == "meddler"

    def arm(instance: RefInstance) -> None:
        if not instance.wake_iterations:
            instance.wake_iterations.add(instance.iterations + every)
        if instance.wake_free is None:
            instance.wake_free = below

    def stepped(instance: RefInstance) -> None:
        if len(instance.running) >= 2:
            instance.ask("preempt", instance.running[-1].id)
        arm(instance)

    def arm_all(cluster: Reference) -> None:
        for instance in cluster.instances:
            arm(instance)

    rules.on_start = arm_all
    rules.on_stepped = stepped
    return (lambda: Meddler(every=every, below=below, **limits)), rules, frozenset()


def combine(routing: tuple[Any, Any], scheduling: tuple[Any, Rules, frozenset[str]], name: str) -> System:
    make_router, complete = routing
    make_scheduler, base, oracle = scheduling

    def rules(readings: list[Reading]) -> Rules:
        start = base.on_start
        complete(base, readings)
        routed = base.on_start
        if start is not None and routed is not None and routed is not start:

            def both(cluster: Reference) -> None:
                routed(cluster)
                start(cluster)

            base.on_start = both
        return base

    return System(name, make_router, make_scheduler, rules, oracle)
