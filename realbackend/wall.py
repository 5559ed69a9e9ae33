"""Wall: a run in real time: a worker thread for each lane of each instance, one thread that decides.

Books, policies and messages are those of every other run. An iteration is over when its worker says so, a copy when its
bytes have moved. An engine that fails takes its instance down; the others go on.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, cast

from realbackend.cluster import RealCluster
from realbackend.work import Engine, Partitioned, Work, work_of
from realbackend.worker import Worker
from simcore.books.copies import Copy
from simcore.contract import PS_PER_S, Scheduler, Shape
from simcore.simulator.clock import Alarm, Clock
from simcore.simulator.instance import SimInstance
from simcore.simulator.network import Transfer
from simcore.simulator.rollout_lane import SimRolloutLane
from simcore.simulator.settings import Outcome
from simcore.simulator.simulator import End
from simcore.simulator.stepper import SimLane, SimWholeBatchLane
from simcore.simulator.tiered_stepper import SimTieredLane
from simcore.simulator.wall_clock import WallClock


class Departure:
    """Stands for the alarm of a boundary whose date nobody knows yet: the end of an iteration under way."""

    def __init__(self, lane: SimLane) -> None:
        self.lane = lane
        self.cancelled = False

    def set(self, delay: int) -> None:
        """At once, if a lane that stalls is to look again; else its worker will say when."""
        if not delay:
            self._ring()

    def cancel(self) -> None:
        self.cancelled = True

    def arrive(self) -> None:
        """The iteration is over: its boundary is now."""
        lane = self.lane
        if not self.cancelled:
            lane.first = max(1, lane.clock.now - lane.started)
            self._ring()

    def _ring(self) -> None:
        lane = self.lane
        lane.alarm = Alarm(lane.clock, 0, lane.boundary, lane.priority)


def depart(lane: SimLane) -> Alarm:
    """Put a departure in the place of the alarm of a lane that stands at a boundary."""
    departure = cast(Alarm, Departure(lane))
    lane.alarm = departure
    return departure


class WallLane(SimLane):
    """A lane whose boundaries are where its worker says."""

    __slots__ = ()

    def boundary(self, alarm: Alarm) -> None:
        super().boundary(depart(self))


class WallTieredLane(SimTieredLane):
    """The same where KV may be elsewhere."""

    def boundary(self, alarm: Alarm) -> None:
        super().boundary(depart(self))


class WallWholeBatchLane(SimWholeBatchLane):
    """The same for a scheduler that builds whole batches."""

    __slots__ = ()

    def boundary(self, alarm: Alarm) -> None:
        super().boundary(depart(self))


class WallRolloutLane(SimRolloutLane):
    """The same where rollouts are generated."""

    __slots__ = ()

    def boundary(self, alarm: Alarm) -> None:
        super().boundary(depart(self))


_KINDS: dict[type[SimLane], type[SimLane]] = {
    SimLane: WallLane,
    SimTieredLane: WallTieredLane,
    SimWholeBatchLane: WallWholeBatchLane,
    SimRolloutLane: WallRolloutLane,
}


class WallCluster(RealCluster):
    """One run on engines, in real time. Arguments as of `RealCluster`; `pace` is not asked."""

    clock: WallClock

    def __init__(self, *given: Any, **named: Any) -> None:
        self.workers: list[Worker] = []
        super().__init__(*given, **named)

    def make_clock(self) -> Clock:
        return WallClock()

    def run(self) -> Outcome:
        try:
            return super().run()
        finally:
            for worker in dict.fromkeys(self.workers):
                worker.stop()

    def add_instance(self) -> SimInstance:
        instance = super().add_instance()
        for lane in instance.lanes:
            if lane.number and self.engines[lane.index] is self.engines[lane.index - 1]:
                self.workers.append(self.workers[-1])  # one engine for both lanes: they take turns
            else:
                self.workers.append(Worker(f"instance {instance.id}, lane {lane.number}", self.clock))
        return instance

    def _kind_of_lane(self, scheduler: Scheduler) -> type[SimLane]:
        return _KINDS[super()._kind_of_lane(scheduler)]

    # -- iterations ------------------------------------------------------------------------------------------------

    def _iteration(self, lane: SimLane, permille: int | None, shape: Shape) -> tuple[int, int, int]:
        work, engine = work_of(lane, self.texts), self.engines[lane.index]
        split = self.instances[lane.instance].split
        share = 100 if split is None else split[lane.number]
        self.workers[lane.index].give(partial(_run, engine, share, work), partial(self._computed, lane, work))
        return PS_PER_S, 0, 1  # a date that nobody waits for

    def _computed(self, lane: SimLane, work: list[Work], tokens: list[int], error: BaseException | None) -> None:
        departure: object = lane.alarm
        if not isinstance(departure, Departure):
            return  # the instance went down meanwhile
        if error is not None:
            self.failed(lane.instance, error)
            return
        self.note(lane, work, tokens)
        departure.arrive()

    # -- copies ----------------------------------------------------------------------------------------------------

    def copy(self, copy: Copy, src: End, dst: End, done: Callable[[], None]) -> None:
        source, target = (end if isinstance(end, int) else end.instance for end in (src, dst))
        move = self.mover(copy, source, target)
        self.copying[copy] = (Transfer((), 0, done, 0, self.clock.now), source, target)

        def ended(_: Any, error: BaseException | None) -> None:
            if copy not in self.copying:
                return  # an instance at one end went down
            if error is not None:
                self.failed(target, error)
                return
            del self.copying[copy]
            done()

        self.workers[self.lane_of(copy, target)].start(move, ended)


def _run(engine: Engine, share_pct: int, work: list[Work]) -> list[int]:
    """Compute an iteration on a share of the device, where the engine can be told so."""
    if isinstance(engine, Partitioned):
        engine.keep_to(share_pct)
    return engine.run(work)
