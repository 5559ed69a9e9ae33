"""Plain switches of SM shares: one under way at most, of one instance."""

from functools import partial
from typing import Any

from simcore.contract import Done, SplitSMs, to_ps
from simcore.contract import decisions as log


class Switch:
    """`stops`: no lane starts an iteration. A switch of an instance that went down is forgotten with it."""

    def __init__(self, instance: Any) -> None:
        self.instance = instance
        self.action: SplitSMs | None = None
        self.stops = self.waits = False

    @property
    def way(self) -> str:
        return str(self.instance.cluster.mechanisms.sm_switch)

    def ask(self, action: SplitSMs) -> None:
        assert self.action is None
        self.action = action
        if self.way == "restart":
            self.stops = self.waits = True
            self.look()
        else:
            self.delay()

    def delay(self) -> None:
        cluster = self.instance.cluster
        at = cluster.now + to_ps(cluster.mechanisms.sm_switch_s)
        cluster.at(at, "switches", 0, partial(self.delay_is_over, self.action))

    def delay_is_over(self, action: SplitSMs | None) -> None:
        if self.instance.switch is not self or self.action is not action:
            return
        if self.way == "delayed_sync":
            self.stops = self.waits = True
            self.look()
        else:
            self.happen()

    def look(self) -> None:
        """Whether both lanes have stopped for it."""
        if not self.waits or any(lane.busy for lane in self.instance.lanes):
            return
        self.waits = False
        if self.way == "restart":
            self.delay()
        else:
            self.happen()

    def happen(self) -> None:
        instance, action, stopped = self.instance, self.action, self.stops
        assert action is not None
        self.action, self.stops = None, False
        split = action.prefill_pct, action.decode_pct
        if self.way == "green_ladder":
            ladder = instance.cluster.mechanisms.sm_ladder
            away = [abs(p - split[0]) + abs(d - split[1]) for p, d in ladder]
            split = ladder[away.index(min(away))]
        instance.split = split
        instance.cluster.counters["sm_switches"] += 1
        for lane in instance.lanes if stopped else ():
            lane.wake()
        instance.cluster.write(instance.id, log.SPLIT, -1, 1000 * split[0] + split[1])
        instance.cluster.done(-1, Done(action, ok=True))
