"""Simulator: requests arrive, policies decide, lanes step, rows are written; SimPy keeps the time."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from functools import partial
from itertools import repeat
from typing import Literal

from simcore.books.copies import Copy
from simcore.books.draw import seed_of
from simcore.books.pool import KvPool
from simcore.books.queues import Ordered
from simcore.books.request import CANCELLED, PAUSED, REJECTED, Request
from simcore.books.store import KvStore
from simcore.contract import (
    Abort,
    Blocked,
    Cancelled,
    CostModel,
    Done,
    Finished,
    FirstToken,
    IllegalAction,
    PinKV,
    Preempt,
    Preempted,
    Prefilled,
    Rejected,
    Scheduler,
    SetRole,
    Shape,
    Stepped,
    Woke,
    Workload,
    overrides,
    to_ps,
)
from simcore.contract import decisions as log
from simcore.simulator.actions import ROLLOUT, ROUTER, STARTS, TOO_LONG
from simcore.simulator.clients import WHY, Clients, has_clients, with_clients
from simcore.simulator.clock import ARRIVALS, SAMPLES, Alarm, Clock
from simcore.simulator.collecting import rare_collections
from simcore.simulator.counters import count
from simcore.simulator.faults import Faults
from simcore.simulator.fleet import Fleet
from simcore.simulator.instance import SimInstance
from simcore.simulator.messenger import Messenger
from simcore.simulator.network import Network, Transfer
from simcore.simulator.recorder import Recorder
from simcore.simulator.reports import Reports
from simcore.simulator.request_views import LiveRequest
from simcore.simulator.rollout import Rollouts
from simcore.simulator.rollout_lane import SimRolloutLane
from simcore.simulator.settings import Outcome, Settings, Sink, is_tiered
from simcore.simulator.stepper import SimLane, SimWholeBatchLane
from simcore.simulator.tiered_stepper import SimTieredLane
from simcore.simulator.topology import Host
from simcore.simulator.views import LiveCluster, LiveLane
from simcore.simulator.warming import warm

End = int | Host
NO_LANE = -1
IDLE_WAKES_MAX = 100_000
"""Timers in a row, with nothing running and nothing to come, after which a run ends with its requests unfinished."""
_ROUTER_DRAWS = 1
_SCHEDULER_DRAWS = 2


def simulate(settings: Settings, workload: Workload, sink: Sink) -> Outcome:
    """Run `workload` under `settings` until every request has ended; write rows to `sink`.

    Raises IllegalAction if a policy breaks the contract.
    """
    with rare_collections():
        return Simulator(settings, workload, sink).run()


class Simulator:
    """One run. The books are in its lanes; here is what ties them to policies and to time."""

    def __init__(self, settings: Settings, workload: Workload, sink: Sink, *, keep_spans: bool = False) -> None:
        self.settings = settings
        self.clock = self.make_clock()
        self.recorder = Recorder(
            sink,
            lanes_each=1 if settings.mechanisms.sm_split is None else 2,
            iterations=settings.record_iterations or keep_spans,
            decisions=settings.record_decisions,
        )
        self.outcome = Outcome()
        self.classes = workload.classes
        self.priorities = workload.priorities
        self.acting = NO_LANE
        """The lane whose boundary is being processed."""
        self.instant = self.position = NO_LANE
        """The last time a boundary was processed, and the highest lane that had one then."""
        self.lane_views: list[LiveLane] = []
        self.live: dict[int, Request] = {}
        self.fleet = Fleet(self)
        self.indexes = self.fleet.indexes if settings.report_s is None else {}
        """Indexes to bring up to date at boundaries: none where a router sees reports."""
        self.router = settings.make_router()
        self.router_may = STARTS & self.router.emits
        self.tools = workload.tools
        self.tiered = is_tiered(settings) or SetRole in self.router_may
        self.contents = self.tiered
        """Requests know which tokens they consist of."""
        self.max_waiting = settings.mechanisms.max_waiting
        self.lanes_each = 1 if settings.mechanisms.sm_split is None else 2
        links = () if settings.topology is None else settings.topology.make_links()
        self.network = Network(self.clock, links, 0 if settings.topology is None else settings.topology.launch_ps)
        self.lanes: list[SimLane] = []
        """By instance, then by lane; simultaneous boundaries go in this order."""
        self.instances: list[SimInstance] = []
        self.copying: dict[Copy, tuple[Transfer, int, int]] = {}
        """Copies under way, each with its transfer, and the instances it comes from and goes to."""
        for _ in range(settings.instances):
            self.add_instance()
        if settings.mechanisms.prefix_cache == "warm":
            warm([instance.store for instance in self.instances if instance.store is not None], workload)
        self.reports = None if settings.report_s is None else Reports(self, settings.report_s)
        draws = seed_of(settings.seed, settings.replication, _ROUTER_DRAWS)
        self.view = LiveCluster(self, draws, settings.oracle & self.router.oracle)
        self.rollouts = None if settings.rollout is None else Rollouts(self, settings.rollout, workload)
        self.messenger = Messenger(self)
        self.clients = Clients(self, workload)
        self.log_decisions = settings.record_decisions
        self.tell_dispatches = "on_arrived" in self.messenger.schedulers_hear
        self.tell_firsts = self.log_decisions or self.messenger.hears("on_first_token")
        self.tell_finishes = self.log_decisions or self.messenger.hears("on_finished")
        self.keep_spans = keep_spans
        self.ended_requests: list[Request] = []
        """All ended requests, kept only with `keep_spans`."""
        self.counts = Counter[str]()
        """What happened to the fleet and its queues, by the name it has among the metrics."""
        self.over = False
        self.faults = Faults(self)
        self._arrivals = self._read(workload)
        self._next: Request | None = None
        self.timers: set[tuple[int, int, Hashable]] = set()
        """Timers set: (who, date in picoseconds, key)."""
        self._idle_wakes = 0

    def make_clock(self) -> Clock:
        """Return what keeps the time of this run."""
        return Clock()

    def add_instance(self) -> SimInstance:
        """Make one more instance, up and empty."""
        settings, number = self.settings, len(self.instances)
        mechanisms = settings.mechanisms
        cached, ids = mechanisms.prefix_cache is not None, settings.block_ids
        pool = KvPool(settings.kv_blocks, settings.block_tokens, ids and not self.tiered)
        store = KvStore(pool, cached, mechanisms.host_blocks, ids) if self.tiered else None
        role = settings.roles[number] if number < len(settings.roles) else "mixed"
        instance = SimInstance(number, pool, store, role, mechanisms.sm_split)
        self.instances.append(instance)
        for _ in range(self.lanes_each):
            instance.lanes.append(self._make_lane(pool))
        for lane in instance.lanes:
            if store is not None:
                assert isinstance(lane, SimTieredLane)
                lane.join(instance, store)
                lane.hands_on = role == "prefill"
        if self.lanes_each == 2:
            prefill, decode = instance.lanes
            assert isinstance(prefill, SimTieredLane)
            assert isinstance(decode, SimTieredLane)
            prefill.pair(decode)
        return instance

    def _make_lane(self, pool: KvPool) -> SimLane:
        index = len(self.lanes)
        scheduler = self.settings.make_scheduler()
        oracle = self.settings.oracle & scheduler.oracle
        queue = None
        if overrides(scheduler, "order"):
            queue = Ordered(lambda request: scheduler.order(LiveRequest(self, request, oracle)))
        lane = self._kind_of_lane(scheduler)(self, index, pool, scheduler, queue)
        self.lanes.append(lane)
        draws = seed_of(self.settings.seed, self.settings.replication, _SCHEDULER_DRAWS, index)
        self.lane_views.append(LiveLane(lane, draws, oracle))
        if overrides(scheduler, "admit"):
            lane.admit = lambda request: scheduler.admit(self.lane_views[index], LiveRequest(self, request, oracle))
        if isinstance(lane, SimTieredLane) and overrides(scheduler, "spill"):
            lane.spill = lambda request: scheduler.spill(self.lane_views[index], LiveRequest(self, request, oracle))
        if overrides(scheduler, "victim"):
            lane.victim = lambda: self._victim(index, scheduler)
        return lane

    def line_of(self, lane: SimLane, permille: int | None) -> Callable[[Shape], tuple[int, int, int]]:
        """Return how long iterations of `lane` take, in thousandths of their time if it is a straggler's."""
        cost = self.settings.cost
        return cost.line if permille is None else partial(_slow, cost, permille)

    def _kind_of_lane(self, scheduler: Scheduler) -> type[SimLane]:
        if self.settings.rollout is not None:
            return self._kind_of_rollout_lane(scheduler)
        if not overrides(scheduler, "batch"):
            return SimTieredLane if self.tiered else SimLane
        if self.tiered:
            name = type(scheduler).__name__
            raise ValueError(
                f"{name} builds whole batches: no prefix cache, swap, roles, second lane or schedule_ahead"
            )
        return SimWholeBatchLane

    def _kind_of_rollout_lane(self, scheduler: Scheduler) -> type[SimLane]:
        if self.tiered or overrides(scheduler, "batch"):
            rule = "no prefix cache, swap, roles, second lane, schedule_ahead or whole batches"
            raise ValueError(f"rollout: {rule}")
        return SimRolloutLane

    def _victim(self, index: int, scheduler: Scheduler) -> Request | None:
        chosen = scheduler.victim(self.lane_views[index])
        if chosen is None:
            return None
        request = self.live.get(chosen)
        if request is None or request not in self.lanes[index].running:
            raise IllegalAction(f"victim: must be running on instance {index}, got request {chosen}")
        return request

    # -- the run ----------------------------------------------------------------------------------------------

    def run(self) -> Outcome:
        self.messenger.start()
        if self.rollouts is not None:
            self.drive()
            return self._close()
        self._next = next(self._arrivals, None)
        if self._next is not None:
            Alarm(self.clock, self._next.arrival_ps, self._arrive, ARRIVALS)
            self.drive()
        return self._close()

    def drive(self) -> None:
        """Handle what happens until the run is over."""
        if self.settings.sample_s is not None:
            period = max(1, to_ps(self.settings.sample_s))
            Alarm(self.clock, 0, lambda _: self._sample(period), SAMPLES)
        if self.reports is not None:
            self.reports.start()
        self.faults.start()
        if self.rollouts is not None:
            self.rollouts.start()
        # Timers that a policy keeps setting do not keep a run alive; work that nobody routes ends it.
        self.clock.drive(self)
        while self.rollouts is not None and self.rollouts.starved():
            self.clock.drive(self)

    def _read(self, workload: Workload) -> Iterator[Request]:
        arrived = 0
        for piece in workload.pieces():
            numbers = range(arrived, arrived + len(piece))
            arrived += len(piece)
            if piece.program is not None:
                self.tell_finishes = True
            classes = repeat(0) if piece.request_class is None else piece.request_class.tolist()
            columns = (piece.at_ps.tolist(), piece.prompt_tokens.tolist(), piece.output_tokens.tolist(), classes)
            requests = map(Request, numbers, *columns)
            if self.contents or has_clients(piece):
                yield from with_clients(requests, piece, contents=self.contents)
            else:
                yield from requests

    def _arrive(self, alarm: Alarm) -> None:
        request = self._next
        assert request is not None
        now = self.clock.now
        arrivals = self._arrivals
        while True:
            self.arrive(request)
            following = next(arrivals, None)
            if following is None:
                self._next = None
                self.end_if_over()
                return
            assert following.arrival_ps >= request.arrival_ps, f"request {following.id} arrives before the one ahead"
            if following.arrival_ps > now:
                break
            request = following
        self._next = following
        alarm.set(following.arrival_ps - now)

    def arrive(self, request: Request) -> None:
        """A request has come; the router says where it goes."""
        self.live[request.id] = request
        self.outcome.arrived += 1
        if self.keep_spans:
            request.spans = []
        if self.log_decisions:
            self.log(NO_LANE, log.ARRIVED, request.id, request.prompt)
        if request.client is not None or self.clients.impatient:
            self.clients.arrived(request)
        self.messenger.tell_arrival(request.id)

    def end_if_over(self) -> None:
        if not self.live and self._next is None and not self.clients.thinking and self.rollouts is None:
            self.over = True

    def stands_still(self) -> bool:
        """Return whether nothing works and nothing is to come, but what a policy's timers may bring."""
        return not (
            self._next is not None
            or any(lane.dated for lane in self.lanes)
            or self.clients.thinking
            or self.fleet.booting
            or self.faults.to_come
            or self.network.moving
            or any(instance.expects for instance in self.instances)
            or self.clients.watching
            or (self.rollouts is not None and self.rollouts.busy)
        )

    def _close(self) -> Outcome:
        outcome, recorder = self.outcome, self.recorder
        for request in self.live.values():
            outcome.unfinished += 1
            recorder.request(request)
        for lane in self.lanes:
            outcome.preemptions += lane.preemptions
            outcome.iterations += lane.it
            outcome.steps += lane.steps
            outcome.cuts += lane.cuts
        count(self, outcome.counters)
        ended = outcome.finished + outcome.rejected + outcome.cancelled + outcome.failed + outcome.unfinished
        assert outcome.arrived == ended, f"{outcome.arrived} requests arrived, {ended} accounted for"
        recorder.flush()
        return outcome

    def _sample(self, period: int) -> None:
        now = self.clock.now
        for instance in self.instances:
            running = context = 0
            for lane in instance.lanes:
                running += len(lane.running)
                context += lane.context_after(lane.passed())
            total = instance.pool.total
            row = (now, instance.id, running, instance.waiting, total - instance.free_blocks, total, context)
            self.recorder.samples.append(row)
        if self.timers or not self.stands_still():
            Alarm(self.clock, period, lambda _: self._sample(period), SAMPLES)

    # -- what happened, told to policies -----------------------------------------------------------------------

    def ended(
        self,
        lane: SimLane,
        firsts: list[Request] | None,
        finished: list[Request],
        now: int,
        handed: Sequence[Request] = (),
    ) -> None:
        """Requests of `lane` gave their first or last token at this boundary, or are handed on with their first."""
        live, recorder = self.live, self.recorder
        for request in finished:
            del live[request.id]
            recorder.request(request)
            if self.keep_spans:
                self.ended_requests.append(request)
        self.outcome.finished += len(finished)
        self.outcome.end_ps = now
        if firsts:
            for request in firsts:
                self.log(lane.instance, log.FIRST_TOKEN, request.id, -1)
                self.messenger.tell_both(lane, "on_first_token", FirstToken(request.id, lane.instance))
        for request in handed:
            if request.state == PAUSED:  # else somebody who was told of its first token has stopped it
                self.log(lane.instance, log.PREFILLED, request.id, request.computed)
                self.messenger.tell_router("on_prefilled", Prefilled(request.id, lane.instance))
        if finished:
            if self.tell_finishes:
                for request in finished:
                    self.log(lane.instance, log.FINISHED, request.id, request.generated)
                    fact = Finished(request.id, lane.instance, request.generated)
                    self.messenger.tell_both(lane, "on_finished", fact)
                    if request.client is not None:
                        self.clients.turn_ended(lane, request)
            if self.rollouts is not None:
                self.rollouts.finished(lane, finished)
            if not live:
                self.end_if_over()

    def tell_preempted(self, lane: SimLane, request: Request, kv: Literal["drop", "swap"], generated: int) -> None:
        self.log(lane.instance, log.PREEMPTED if kv == "drop" else log.SWAPPED, request.id, generated)
        self.messenger.tell_both(lane, "on_preempted", Preempted(request.id, lane.instance, kv))

    def keeps(self, request: Request) -> bool:
        """Return whether a paused request waits for a dispatch, its KV where it was prefilled."""
        lane = None if request.lane is None else self.lanes[request.lane]
        return isinstance(lane, SimTieredLane) and request in lane.outgoing

    def blocked(self, lane: SimLane, request: Request) -> None:
        """A lane stands idle with a queue."""
        self.log(lane.instance, log.BLOCKED, request.id, -1)
        if "on_blocked" in self.messenger.schedulers_hear:
            self.messenger.tell_scheduler(lane, "on_blocked", Blocked(lane.instance, lane.number, request.id))

    def cancelled(self, request: Request, who: int) -> None:
        """A request was stopped for good."""
        self.close(request, CANCELLED)
        self.outcome.cancelled += 1
        lane = None if request.lane is None else self.lanes[request.lane]
        self.log(NO_LANE if lane is None else lane.instance, log.ABORTED, request.id, 0)
        fact = Cancelled(request.id, WHY.get(who, "aborted"))
        if lane is not None:
            self.messenger.tell_scheduler(lane, "on_cancelled", fact)
        self.messenger.tell_router("on_cancelled", fact)

    def rejected(self, request: Request, why: int) -> None:
        """A request was turned away: it can never fit (0), its router says so (1), or the queue is full (2)."""
        if why != TOO_LONG:
            request.last_ps = self.clock.now
        self.close(request, REJECTED)
        self.outcome.rejected += 1
        self.log(NO_LANE, log.REJECT, request.id, why)
        self.messenger.tell_router("on_rejected", Rejected(request.id, ("too_long", "policy", "queue_full")[why]))

    def copy(self, copy: Copy, src: End, dst: End, done: Callable[[], None]) -> None:
        """Start a copy of KV blocks; `done` is called when it has ended."""

        def ended() -> None:
            del self.copying[copy]
            done()

        topology = self.settings.topology
        if topology is None:
            transfer = self.network.start((), 0, 0, ended)
        else:
            size = copy.blocks * self.settings.block_bytes
            transfer = self.network.start(topology.path(src, dst), size, copy.blocks, ended)
        self.copying[copy] = (transfer, _instance_of(src), _instance_of(dst))

    def close(self, request: Request, state: int) -> None:
        """Close the account of a request that ends without its last token."""
        request.state = state
        if state != REJECTED:
            request.last_ps = self.clock.now
        del self.live[request.id]
        self.outcome.end_ps = self.clock.now
        self.recorder.request(request)
        if request.client is not None:
            self.clients.gave_up(request)
        if self.rollouts is not None:
            self.rollouts.left(request)
        self.end_if_over()

    def done(self, who: int, fact: Done) -> None:
        """An action ended; tell who asked for it."""
        if not fact.ok:
            request = fact.action.request if isinstance(fact.action, Preempt | Abort | PinKV) else -1
            self.log(self.place_of(who), log.OVERTAKEN, request, -1)
        if who == ROUTER:
            self.messenger.tell_router("on_done", fact)
        elif who == ROLLOUT:
            assert self.rollouts is not None
            self.rollouts.done(fact)
        elif who >= 0:
            self.messenger.tell_scheduler(self.lanes[who], "on_done", fact)

    def place_of(self, who: int) -> int:
        """Return the instance of a lane; -1 for the router and for clients."""
        return who // self.lanes_each if who >= 0 else NO_LANE

    def stepped(self, lane: SimLane) -> None:
        """A lane reached an iteration, or ran low on blocks, as its scheduler asked."""
        self.log(lane.instance, log.STEPPED, -1, lane.it)
        self.messenger.tell_scheduler(lane, "on_stepped", Stepped(lane.instance, lane.number, lane.it))

    def reindex(self, lane: SimLane) -> None:
        """Bring the indexes up to date after the queue or the batch of `lane` changed."""
        self.fleet.moved(lane)

    def log(self, instance: int, kind: int, request: int, detail: int) -> None:
        """Write a decision down, if the run keeps them."""
        if self.log_decisions:
            self.recorder.decisions.append((self.clock.now, instance, kind, request, detail))

    def woke(self, timer: tuple[int, int, Hashable]) -> None:
        """A timer went off."""
        who, _, key = timer
        self.timers.discard(timer)
        if self._next is None and self.stands_still():
            self._idle_wakes += 1
            self.over = self._idle_wakes > IDLE_WAKES_MAX
        else:
            self._idle_wakes = 0
        self.log(self.place_of(who), log.WOKE, -1, -1)
        if who == ROUTER:
            self.messenger.tell_router("on_woke", Woke(key))
        elif who == ROLLOUT:
            self.messenger.tell_rollout("on_woke", Woke(key))
        else:
            self.messenger.tell_scheduler(self.lanes[who], "on_woke", Woke(key))


def _slow(cost: CostModel, permille: int, shape: Shape) -> tuple[int, int, int]:
    """Return the line of a straggler: each iteration is a step of its own, since rounding bends it."""
    return slowed(cost.line(shape)[0], permille), 0, 1


def slowed(duration_ps: int, permille: int) -> int:
    """Return how long a straggler takes for what takes others so long."""
    return max(1, duration_ps * permille // 1000)


def _instance_of(end: End) -> int:
    return end.instance if isinstance(end, Host) else end
