"""Simulator: requests arrive, policies decide, lanes step, rows are written; SimPy keeps the time."""

from collections.abc import Hashable, Iterator
from itertools import repeat

from simcore.books.draw import seed_of
from simcore.books.index import Least
from simcore.books.pool import KvPool
from simcore.books.queues import Ordered
from simcore.books.request import CANCELLED, REJECTED, Request
from simcore.contract import (
    Abort,
    Cancelled,
    Done,
    Finished,
    FirstToken,
    IllegalAction,
    Preempt,
    Preempted,
    Rejected,
    Scheduler,
    Stepped,
    Woke,
    Workload,
    overrides,
    to_ps,
)
from simcore.contract import decisions as log
from simcore.simulator.actions import ROUTER, STARTS
from simcore.simulator.clock import ARRIVALS, SAMPLES, Alarm, Clock
from simcore.simulator.messenger import Messenger
from simcore.simulator.recorder import Recorder
from simcore.simulator.settings import Outcome, Settings, Sink
from simcore.simulator.stepper import SimLane, SimWholeBatchLane
from simcore.simulator.views import LOADS, LiveCluster, LiveLane, LiveRequest

NO_LANE = -1
IDLE_WAKES_MAX = 100_000
"""Timers in a row, with nothing running and nothing to come, after which a run ends with its requests unfinished."""
_ROUTER_DRAWS = 1
_SCHEDULER_DRAWS = 2


def simulate(settings: Settings, workload: Workload, sink: Sink) -> Outcome:
    """Run `workload` under `settings` until every request has ended; write rows to `sink`.

    Raises IllegalAction if a policy breaks the contract.
    """
    return Simulator(settings, workload, sink).run()


class Simulator:
    """One run. The books are in its lanes; here is what ties them to policies and to time."""

    def __init__(self, settings: Settings, workload: Workload, sink: Sink, *, keep_spans: bool = False) -> None:
        self.settings = settings
        self.clock = Clock()
        self.recorder = Recorder(
            sink, iterations=settings.record_iterations or keep_spans, decisions=settings.record_decisions
        )
        self.outcome = Outcome()
        self.classes = workload.classes
        self.priorities = workload.priorities
        self.acting = NO_LANE
        """The lane whose boundary is being processed."""
        self.instant = self.position = NO_LANE
        """The last time a boundary was processed, and the highest lane that had one then."""
        self.live: dict[int, Request] = {}
        self.indexes: dict[str, Least] = {}
        """By load, made when a router first asks for the least of it."""
        self.router = settings.make_router()
        self.router_may = STARTS & self.router.emits
        self.lanes = [self._make_lane(index) for index in range(settings.instances)]
        draws = seed_of(settings.seed, settings.replication, _ROUTER_DRAWS)
        self.view = LiveCluster(self, draws, settings.oracle & self.router.oracle)
        self.lane_views = [
            LiveLane(
                lane,
                seed_of(settings.seed, settings.replication, _SCHEDULER_DRAWS, lane.index),
                settings.oracle & lane.scheduler.oracle,
            )
            for lane in self.lanes
        ]
        self.messenger = Messenger(self)
        self.log_decisions = settings.record_decisions
        self.tell_dispatches = "on_arrived" in self.messenger.schedulers_hear
        self.tell_firsts = self.log_decisions or self.messenger.hears("on_first_token")
        self.tell_finishes = self.log_decisions or self.messenger.hears("on_finished")
        self.keep_spans = keep_spans
        self.ended_requests: list[Request] = []
        """All ended requests, kept only with `keep_spans`."""
        self.over = False
        self._arrivals = self._read(workload)
        self._next: Request | None = None
        self.timers: set[tuple[int, int, Hashable]] = set()
        """Timers set: (who, date in picoseconds, key)."""
        self._idle_wakes = 0

    def _make_lane(self, index: int) -> SimLane:
        scheduler = self.settings.make_scheduler()
        pool = KvPool(self.settings.kv_blocks, self.settings.block_tokens, self.settings.block_ids)
        oracle = self.settings.oracle & scheduler.oracle
        queue = None
        if overrides(scheduler, "order"):
            queue = Ordered(lambda request: scheduler.order(LiveRequest(self, request, oracle)))
        kind = SimWholeBatchLane if overrides(scheduler, "batch") else SimLane
        lane = kind(self, index, pool, scheduler, queue)
        if overrides(scheduler, "admit"):
            lane.admit = lambda request: scheduler.admit(self.lane_views[index], LiveRequest(self, request, oracle))
        if overrides(scheduler, "victim"):
            lane.victim = lambda: self._victim(index, scheduler)
        return lane

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
        self._next = next(self._arrivals, None)
        if self._next is not None:
            Alarm(self.clock, self._next.arrival_ps, self._arrive, ARRIVALS)
            if self.settings.sample_s is not None:
                period = max(1, to_ps(self.settings.sample_s))
                Alarm(self.clock, 0, lambda _: self._sample(period), SAMPLES)
            # Timers that a policy keeps setting do not keep a run alive; work that nobody routes ends it.
            self.clock.drive(self)
        return self._close()

    def _read(self, workload: Workload) -> Iterator[Request]:
        arrived = 0
        for piece in workload.pieces():
            numbers = range(arrived, arrived + len(piece))
            arrived += len(piece)
            classes = repeat(0) if piece.request_class is None else piece.request_class.tolist()
            columns = (piece.at_ps.tolist(), piece.prompt_tokens.tolist(), piece.output_tokens.tolist(), classes)
            yield from map(Request, numbers, *columns)

    def _arrive(self, alarm: Alarm) -> None:
        request = self._next
        assert request is not None
        now = self.clock.now
        arrivals, live, tell = self._arrivals, self.live, self.messenger.tell_arrival
        while True:
            live[request.id] = request
            self.outcome.arrived += 1
            if self.keep_spans:
                request.spans = []
            if self.log_decisions:
                self.log(NO_LANE, log.ARRIVED, request.id, request.prompt)
            tell(request.id)
            following = next(arrivals, None)
            if following is None:
                self._next = None
                self.end_if_over()
                return
            if following.arrival_ps != now:
                break
            request = following
        assert following.arrival_ps > now, f"request {following.id} arrives before the one ahead of it"
        self._next = following
        alarm.set(following.arrival_ps - now)

    def end_if_over(self) -> None:
        if not self.live and self._next is None:
            self.over = True

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
            if not self.live:
                assert lane.pool.free == lane.pool.total, f"instance {lane.index} ends with KV blocks held"
        ended = outcome.finished + outcome.rejected + outcome.cancelled + outcome.unfinished
        assert outcome.arrived == ended, f"{outcome.arrived} requests arrived, {ended} accounted for"
        recorder.flush()
        return outcome

    def _sample(self, period: int) -> None:
        now = self.clock.now
        for lane in self.lanes:
            passed = lane.passed()
            used = lane.pool.total - lane.free_after(passed)
            context = lane.context_after(passed)
            row = (now, lane.index, len(lane.running), len(lane.waiting), used, lane.pool.total, context)
            self.recorder.samples.append(row)
        if self._next is not None or self.timers or any(lane.alarm is not None for lane in self.lanes):
            Alarm(self.clock, period, lambda _: self._sample(period), SAMPLES)

    # -- what happened, told to policies -----------------------------------------------------------------------

    def ended(self, lane: SimLane, firsts: list[Request] | None, finished: list[Request], now: int) -> None:
        """Requests of `lane` gave their first or last token at this boundary."""
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
                self.log(lane.index, log.FIRST_TOKEN, request.id, -1)
                self.messenger.tell_both(lane, "on_first_token", FirstToken(request.id, lane.index))
        if finished:
            if self.tell_finishes:
                for request in finished:
                    self.log(lane.index, log.FINISHED, request.id, request.generated)
                    self.messenger.tell_both(lane, "on_finished", Finished(request.id, lane.index, request.generated))
            if not live:
                self.end_if_over()

    def scheduled(self, lane: SimLane) -> None:
        """`lane` formed a batch: some requests lost their place, some were admitted."""
        for request in tuple(lane.preempted):
            self.tell_preempted(lane, request)
        if self.log_decisions:
            for request, new in lane.admitted:
                self.log(lane.index, log.ADMITTED, request.id, new)

    def tell_preempted(self, lane: SimLane, request: Request) -> None:
        self.log(lane.index, log.PREEMPTED, request.id, request.generated)
        self.messenger.tell_both(lane, "on_preempted", Preempted(request.id, lane.index, "drop"))

    def cancelled(self, request: Request) -> None:
        """A request was aborted for good."""
        self._leave(request, CANCELLED)
        self.outcome.cancelled += 1
        self.log(NO_LANE if request.lane is None else request.lane, log.ABORTED, request.id, 0)
        fact = Cancelled(request.id, "aborted")
        if request.lane is not None:
            self.messenger.tell_scheduler(self.lanes[request.lane], "on_cancelled", fact)
        self.messenger.tell_router("on_cancelled", fact)

    def rejected(self, request: Request, by_policy: bool) -> None:
        """A request was turned away: by its router, or because it can never fit."""
        self._leave(request, REJECTED)
        self.outcome.rejected += 1
        self.log(NO_LANE, log.REJECT, request.id, by_policy)
        self.messenger.tell_router("on_rejected", Rejected(request.id, "policy" if by_policy else "too_long"))

    def _leave(self, request: Request, state: int) -> None:
        """Close the account of a request that ends without its last token."""
        request.state = state
        del self.live[request.id]
        self.outcome.end_ps = self.clock.now
        self.recorder.request(request)
        self.end_if_over()

    def done(self, who: int, fact: Done) -> None:
        """An action ended; tell who asked for it."""
        if not fact.ok:
            assert isinstance(fact.action, Preempt | Abort)
            self.log(who, log.OVERTAKEN, fact.action.request, -1)
        if who == ROUTER:
            self.messenger.tell_router("on_done", fact)
        else:
            self.messenger.tell_scheduler(self.lanes[who], "on_done", fact)

    def stepped(self, lane: SimLane) -> None:
        """A lane reached an iteration, or ran low on blocks, as its scheduler asked."""
        self.log(lane.index, log.STEPPED, -1, lane.it)
        self.messenger.tell_scheduler(lane, "on_stepped", Stepped(lane.index, 0, lane.it))

    def reindex(self, lane: SimLane) -> None:
        """Bring the indexes up to date after the queue or the batch of `lane` changed."""
        lane.moved = False
        for load, index in self.indexes.items():
            index.set(lane.index, LOADS[load](lane))

    def log(self, instance: int, kind: int, request: int, detail: int) -> None:
        """Write a decision down, if the run keeps them."""
        if self.log_decisions:
            self.recorder.decisions.append((self.clock.now, instance, kind, request, detail))

    def woke(self, timer: tuple[int, int, Hashable]) -> None:
        """A timer went off."""
        who, _, key = timer
        self.timers.discard(timer)
        if self._next is None and all(lane.alarm is None for lane in self.lanes):
            # Nothing works and nothing more arrives: only a policy's timers keep time going.
            self._idle_wakes += 1
            self.over = self._idle_wakes > IDLE_WAKES_MAX
        else:
            self._idle_wakes = 0
        self.log(who, log.WOKE, -1, -1)
        if who == ROUTER:
            self.messenger.tell_router("on_woke", Woke(key))
        else:
            self.messenger.tell_scheduler(self.lanes[who], "on_woke", Woke(key))
