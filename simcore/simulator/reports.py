"""Reports: what a router sees where instances report with a period: the last report, and its own dispatches since."""

from typing import TYPE_CHECKING

from simcore.books.request import Request
from simcore.contract import to_ps
from simcore.simulator.clock import TIMERS, Alarm
from simcore.simulator.views import LiveInstance

if TYPE_CHECKING:
    from simcore.simulator.instance import SimInstance
    from simcore.simulator.simulator import Simulator

_REPORTS = TIMERS - 0.125


class ReportedInstance(LiveInstance):
    """An `InstanceView` as of the last report. State, role, split and what the cache holds are seen at once."""

    def __init__(self, simulator: "Simulator", instance: "SimInstance") -> None:
        super().__init__(simulator, instance)
        self.read()

    def read(self) -> None:
        """Take a new report: all that is seen now, that is, as of the last boundary and the dispatches since."""
        self._as_of_s = super().as_of_s
        self._running = super().running
        self._waiting = super().waiting
        self._preempted = super().preempted
        self._free_blocks = super().free_blocks
        self._head_blocks = super().head_blocks
        self._waiting_blocks = super().waiting_blocks
        self._waiting_tokens = super().waiting_tokens
        self._pinned_blocks = super().pinned_blocks
        self._reserved_blocks = super().reserved_blocks
        self._host_free_blocks = super().host_free_blocks

    def count(self, request: Request) -> None:
        """The router has dispatched a request here."""
        target = request.prompt + request.generated
        blocks = self._instance.pool.blocks_for(target)
        if not self._waiting:
            self._head_blocks = blocks
        self._waiting += 1
        self._waiting_tokens += target - request.computed
        self._waiting_blocks += blocks

    @property
    def as_of_s(self) -> float:
        return self._as_of_s

    @property
    def running(self) -> int:
        return self._running

    @property
    def waiting(self) -> int:
        return self._waiting

    @property
    def preempted(self) -> int:
        return self._preempted

    @property
    def free_blocks(self) -> int:
        return self._free_blocks

    @property
    def head_blocks(self) -> int:
        return self._head_blocks

    @property
    def waiting_blocks(self) -> int:
        return self._waiting_blocks

    @property
    def waiting_tokens(self) -> int:
        return self._waiting_tokens

    @property
    def pinned_blocks(self) -> int:
        return self._pinned_blocks

    @property
    def reserved_blocks(self) -> int:
        return self._reserved_blocks

    @property
    def host_free_blocks(self) -> int:
        return self._host_free_blocks


class Reports:
    """Reports of all instances, at every whole multiple of a period while anything may still change."""

    def __init__(self, simulator: "Simulator", period_s: float) -> None:
        self._simulator = simulator
        self._period = max(1, to_ps(period_s))
        self._seen: list[ReportedInstance] = []

    def add(self, instance: "SimInstance") -> ReportedInstance:
        """Return the view of one more instance; until its first report it is as it is now."""
        view = ReportedInstance(self._simulator, instance)
        self._seen.append(view)
        return view

    def start(self) -> None:
        Alarm(self._simulator.clock, 0, self._report, _REPORTS)

    def _report(self, alarm: Alarm) -> None:
        simulator = self._simulator
        for view, instance in zip(self._seen, simulator.instances, strict=True):
            view.read()
            simulator.fleet.reindex(instance)
        if simulator.timers or not simulator.stands_still():
            alarm.set(self._period)

    def dispatched(self, request: Request, instance: "SimInstance") -> None:
        """Count a dispatch in what the router sees."""
        self._seen[instance.id].count(request)
        self._simulator.fleet.reindex(instance)

    def load_of(self, instance: int, load: str) -> int:
        """Return a load of an instance, as the router sees it."""
        view = self._seen[instance]
        if load == "requests":
            return view.waiting + view.running
        return {"waiting": view.waiting, "running": view.running, "waiting_tokens": view.waiting_tokens}[load]
