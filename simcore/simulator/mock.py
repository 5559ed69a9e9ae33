"""Mock: a simulated run at the pace of real time: what a cluster would do, when it would do it, without computing."""

from simcore.contract import Workload
from simcore.simulator.clock import Clock
from simcore.simulator.collecting import rare_collections
from simcore.simulator.settings import Outcome, Settings, Sink
from simcore.simulator.simulator import Simulator
from simcore.simulator.wall_clock import WallClock


class Mock(Simulator):
    """A simulator whose events happen at their dates."""

    def make_clock(self) -> Clock:
        return WallClock()


def mock(settings: Settings, workload: Workload, sink: Sink) -> Outcome:
    """Run `workload` in real time, with durations from the cost model. Raises IllegalAction as `simulate` does."""
    with rare_collections():
        return Mock(settings, workload, sink).run()
