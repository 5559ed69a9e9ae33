"""The plain cluster: requests and turns arrive, clients give up, things break, policies are told one fact at a time."""

from collections import Counter, deque
from functools import partial
from typing import Any

from simcore.books.draw import seed_of, uniform
from simcore.contract import Arrived, Cancelled, Done, Rejected, SplitSMs, TurnEnded, to_ps
from simcore.contract import decisions as log
from simcore.simulator import Settings
from simcore.simulator.topology import Host
from tests.property.cluster.acting import start_for_router, start_for_scheduler
from tests.property.cluster.clock import Clock
from tests.property.cluster.instance import Instance
from tests.property.cluster.lane import Lane
from tests.property.cluster.links import Network
from tests.property.cluster.requests import CANCELLED, ENDED, FINISHED, REJECTED, UNROUTED, PlainRequest, read
from tests.property.cluster.views import ClusterSight, LaneSight, Report, Views

DECISIONS_MAX = 100_000


class Cluster(Clock):
    """One run of one system, plainly."""

    host = Host

    def __init__(self, settings: Settings, workload: Any) -> None:
        super().__init__()
        self.settings, self.mechanisms, self.workload = settings, settings.mechanisms, workload
        self.ahead = bool(self.mechanisms.schedule_ahead)
        self.names: dict[Any, int] = {}
        self.requests = read(list(workload.pieces()))
        self.live: dict[int, PlainRequest] = {}
        self.coming = sum(request.turn == 0 for request in self.requests)
        self.decisions: list[tuple[int, ...]] = []
        self.samples: list[tuple[int, ...]] = []
        self.counters: Counter[str] = Counter()
        self.preemptions = 0
        self.arrived = 0
        self.splitting: dict[int, SplitSMs] = {}
        self.levels: dict[int, list[int]] = {}
        """Of each conversation, its priority in each epoch so far, where these stay for a while."""
        self.given_up: dict[int, str] = {}
        """Requests whose clients have given them up, at their next boundary."""
        self.network = Network(self, settings.topology)
        self.router = settings.make_router()
        self.instances: list[Instance] = []
        self.views = Views(self)
        self.sight = ClusterSight(self)
        self.reports: dict[int, Report] = {}
        roles = settings.roles or ("mixed",) * settings.instances
        for role in roles:
            self.add_instance(role, "up")
        self._facts: deque[tuple[Lane | None, str, Any]] = deque()
        self._telling = False

    def add_instance(self, role: str, state: str) -> Instance:
        instance = Instance(self, len(self.instances), role, state)
        self.instances.append(instance)
        self.network.add_instance(instance.id)
        for lane in instance.lanes:
            lane.view = LaneSight(lane)
        self.reports[instance.id] = Report(instance)
        return instance

    def priority(self, request: PlainRequest) -> int:
        """As of the last boundary of its lane."""
        given = self.settings.priorities
        if given is None:
            return int(self.workload.priorities[request.request_class])
        epoch = 0 if request.lane is None else request.lane.epoch
        seed = seed_of(self.settings.seed, self.settings.replication, 3)
        who, levels = request.conversation, given.levels
        if given.pattern == "random":
            return int(uniform(seed, (who, epoch, 0)) * levels)
        trace = self.levels.setdefault(who, [int(uniform(seed, (who, 0, 0)) * levels)])
        for e in range(len(trace), epoch + 1):
            trace.append(trace[-1])
            if uniform(seed, (who, e, 0)) >= given.stay:
                others = [other for other in range(levels) if other != trace[-2]]
                trace[-1] = others[int(uniform(seed, (who, e, 1)) * (levels - 1))]
        return trace[epoch]

    # -- the run -------------------------------------------------------------------------------------------

    def run(self) -> None:
        if self.mechanisms.prefix_cache == "warm":
            for instance in self.instances:
                for request in self.requests:
                    instance.pool.warm(request)
        self.tell_router("on_start", None)
        for instance in self.instances:
            for lane in instance.lanes:
                self.tell(lane, "on_start", None)
        for request in self.requests:
            if request.turn == 0:
                self.at(request.arrival, "arrivals", request.id, partial(self.arrive, request))
        for order, fault in enumerate(self.settings.faults):
            self.at(to_ps(fault.at_s), "faults", order, partial(self.fault_begins, order))
        if self.settings.sample_s is not None and self.requests:
            self.at(0, "samples", 0, self.sample)
        if self.settings.report_s is not None:
            self.at(0, "reports", 0, self.report)
        while (self.live or self.coming) and self.step():
            assert len(self.decisions) < DECISIONS_MAX, "going round in circles"

    def arrive(self, request: PlainRequest) -> None:
        self.coming -= 1
        self.arrived += 1
        request.arrival = self.now
        request.state = UNROUTED
        self.live[request.id] = request
        patience = self.workload.patience
        mine = patience[request.request_class] if patience else None
        waits = (
            request.cancel if request.cancel >= 0 else None,
            None if mine is None else mine.first_token_ps,
            None if mine is None else mine.end_ps,
        )
        for detail, wait in enumerate(waits):
            if wait is not None:
                self.at(self.now + wait, "time_outs", request.id, partial(self.time_out, request, detail))
        self.write(-1, log.ARRIVED, request.id, request.prompt)
        self.tell_router("on_arrived", Arrived(request.id))

    def time_out(self, request: PlainRequest, detail: int) -> None:
        if request.state in ENDED or (detail == 1 and request.first >= 0):
            return
        self.write(-1, log.TIMED_OUT, request.id, detail)
        why = "timeout" if detail else "client"
        lane = request.lane
        if lane is not None and request.state == "running":
            self.given_up.setdefault(request.id, why)
            lane.ask(lambda: lane.abort(None, -1, request.id, why))
        else:
            self.stop_waiting(request, why)

    def stop_waiting(self, request: PlainRequest, why: str) -> None:
        """It is aborted where it waits, at once."""
        if request.lane is not None:
            request.lane.withdraw(request)
            request.lane.wake()
        self.cancelled(request, why)

    def ended(self, request: PlainRequest, state: str) -> None:
        """Close the account of a request; let the next turn come, or none."""
        request.state = state
        del self.live[request.id]
        if request.program < 0:
            return
        following = request.id + 1
        turns_on = following < len(self.requests) and self.requests[following].program == request.program
        if state != FINISHED:
            self.counters["programs_abandoned"] += 1
        elif turns_on and self.requests[following].turn > request.turn:
            turn = self.requests[following]
            self.coming += 1
            self.at(max(self.now, request.last + turn.gap), "later_turns", turn.id, partial(self.arrive, turn))

    def turn_ended(self, request: PlainRequest) -> TurnEnded:
        tool = self.workload.tools[request.tool] if request.tool >= 0 else ""
        return TurnEnded(request.id, request.program, tool)

    def cancelled(self, request: PlainRequest, why: str) -> None:
        lane = request.lane
        self.ended(request, CANCELLED)
        self.write(request.instance, log.ABORTED, request.id, 0)
        fact = Cancelled(request.id, why)
        if lane is not None:
            self.tell(lane, "on_cancelled", fact)
        self.tell_router("on_cancelled", fact)

    def rejected(self, request: PlainRequest, why: int) -> None:
        if request.lane is not None:
            request.lane.withdraw(request)
        self.ended(request, REJECTED)
        self.write(-1, log.REJECT, request.id, why)
        self.tell_router("on_rejected", Rejected(request.id, ("too_long", "policy", "queue_full")[why]))

    # -- faults --------------------------------------------------------------------------------------------

    def fault_begins(self, order: int) -> None:
        fault = self.settings.faults[order]
        factor = round(fault.factor * 1000)
        if fault.kind == "link":
            self.network.scale(str(fault.target), factor)
        elif fault.kind == "straggler":
            self.instances[int(fault.target)].slowness = factor
        else:
            instance = self.instances[int(fault.target)]
            if instance.state != "down":
                instance.broken = order
                instance.go_down(2)
        if fault.for_s is not None:
            ends = to_ps(fault.at_s) + to_ps(fault.for_s)
            self.at(ends, "faults", order, partial(self.fault_ends, order))

    def fault_ends(self, order: int) -> None:
        fault = self.settings.faults[order]
        if fault.kind == "link":
            self.network.scale(str(fault.target), 1000)
        elif fault.kind == "straggler":
            self.instances[int(fault.target)].slowness = 1000
        else:
            instance = self.instances[int(fault.target)]
            if instance.broken == order and instance.state == "down":
                self.boot(instance, first_time=False)

    def boot(self, instance: Instance, first_time: bool) -> None:
        instance.state = "starting"
        instance.broken = -1
        instance.boots = boots = self.now + to_ps(self.settings.boot_s)
        self.at(boots, "boots", instance.id, partial(instance.boot_ends, first_time, boots))

    # -- facts ---------------------------------------------------------------------------------------------

    def write(self, instance: int, kind: int, request: int, detail: int) -> None:
        self.decisions.append((self.now, instance, kind, request, detail))

    def write_for(self, who: int, kind: int, request: int) -> None:
        """A row about an action of the router (-1), or of the scheduler of a lane."""
        self.write(-1 if who < 0 else self.lane(who).instance.id, kind, request, -1)

    def lane(self, index: int) -> Lane:
        count = len(self.instances[0].lanes)
        return self.instances[index // count].lanes[index % count]

    def done(self, who: int, fact: Done) -> None:
        self.tell(None if who < 0 else self.lane(who), "on_done", fact)

    def overtaken(self, who: int, action: Any, why: str = "not running", request_id: int = -1) -> None:
        """An action came too late; without one, a client's."""
        self.write_for(who, log.OVERTAKEN, getattr(action, "request", request_id))
        if action is not None:
            self.done(who, Done(action, ok=False, why=why))

    def tell_both(self, lane: Lane, hook: str, fact: Any) -> None:
        self.tell(lane, hook, fact)
        self.tell_router(hook, fact)

    def tell_router(self, hook: str, fact: Any) -> None:
        self.tell(None, hook, fact)

    def tell(self, lane: Lane | None, hook: str, fact: Any) -> None:
        """One fact at a time: those that come up while actions are started wait."""
        self._facts.append((lane, hook, fact))
        if self._telling:
            return
        self._telling = True
        while self._facts:
            told, name, what = self._facts.popleft()
            given = () if what is None else (what,)
            if told is None:
                start_for_router(self, tuple(getattr(self.router, name)(self.sight, *given)))
            else:
                start_for_scheduler(told, tuple(getattr(told.scheduler, name)(told.view, *given)))
        self._telling = False

    # -- looking -------------------------------------------------------------------------------------------

    def sample(self) -> None:
        for i in self.instances:
            context = sum(request.computed for request in i.running)
            used = i.pool.total - i.pool.free
            self.samples.append((self.now, i.id, len(i.running), len(i.waiting), used, i.pool.total, context))
        if self.essential:
            assert self.settings.sample_s is not None
            self.at(self.now + to_ps(self.settings.sample_s), "samples", 0, self.sample)

    def report(self) -> None:
        for instance in self.instances:
            self.reports[instance.id] = Report(instance)
        if self.essential:
            assert self.settings.report_s is not None
            self.at(self.now + to_ps(self.settings.report_s), "reports", 0, self.report)
