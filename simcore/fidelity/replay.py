"""Replay: a simulation whose iterations take what those of a measured run took, one after the other in each lane.

What it decides otherwise than that run comes from its dynamics, not from its cost model.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from simcore.contract import Shape, Workload
from simcore.simulator.collecting import rare_collections
from simcore.simulator.instance import SimInstance
from simcore.simulator.settings import Outcome, Settings, Sink
from simcore.simulator.simulator import Simulator
from simcore.simulator.stepper import SimLane

Line = Callable[[Shape], tuple[int, int, int]]
Durations = Mapping[tuple[int, int], Sequence[int]]
"""Picoseconds of the iterations of each (instance, lane)."""


def replay(settings: Settings, workload: Workload, sink: Sink, durations_ps: Durations) -> Outcome:
    """Simulate with given durations; where a lane has used its own up, the cost model of the settings goes on."""
    with rare_collections():
        return _Replaying(settings, workload, sink, durations_ps).run()


class _Replaying(Simulator):
    def __init__(self, settings: Settings, workload: Workload, sink: Sink, durations_ps: Durations) -> None:
        self._left = {lane: iter(took) for lane, took in durations_ps.items()}
        super().__init__(settings, workload, sink)

    def add_instance(self) -> SimInstance:
        instance = super().add_instance()
        for lane in instance.lanes:
            lane.line = self.line_of(lane, None)
        return instance

    def line_of(self, lane: SimLane, permille: int | None) -> Line:
        left = self._left.get((lane.instance, lane.number), iter(()))
        return partial(_next_of, left, super().line_of(lane, permille))


def _next_of(left: Iterator[int], line: Line, shape: Shape) -> tuple[int, int, int]:
    took_ps = next(left, None)
    return (line(shape)[0] if took_ps is None else took_ps), 0, 1
