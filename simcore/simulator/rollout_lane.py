"""Rollout lane: a lane that pauses samples with their tokens, and stands still at a boundary while weights change."""

from typing import TYPE_CHECKING

from simcore.books.pool import KvPool
from simcore.books.queues import Queue
from simcore.books.request import RUNNING, WAITING, Request
from simcore.contract import Abort, Done, Preempt, Scheduler
from simcore.simulator.actions import ROLLOUT
from simcore.simulator.clock import Alarm
from simcore.simulator.stepper import SimLane

if TYPE_CHECKING:
    from simcore.simulator.rollout import Rollouts
    from simcore.simulator.simulator import Simulator


class SimRolloutLane(SimLane):
    """A lane of a cluster that generates rollouts."""

    __slots__ = ("frozen",)

    def __init__(
        self, simulator: "Simulator", index: int, pool: KvPool, scheduler: Scheduler, queue: Queue | None
    ) -> None:
        super().__init__(simulator, index, pool, scheduler, queue)
        self.frozen = False
        """It forms no iteration."""

    def freeze(self) -> None:
        """Form no iteration from the next boundary on."""
        self.frozen = True
        self.cut()

    def thaw(self) -> None:
        """Go on, at this instant."""
        self.frozen = False
        if self.running or self.waiting:
            self.wake()

    @property
    def standing(self) -> bool:
        """No iteration is under way."""
        return self.k == 0

    def stop(self) -> list[Request]:
        firsts = super().stop()
        self._rollouts.book.idle(self.index, now_idle=True)
        return firsts

    def _launch(self, alarm: Alarm, now: int) -> None:
        rollouts = self._rollouts
        if self.frozen:
            rollouts.weights.standing(self._home)
        if self.frozen:  # else the weights it waited for were there
            self.alarm = None
            if self.simulator.indexes and self.moved:
                self.simulator.reindex(self)
        else:
            super()._launch(alarm, now)
        rollouts.book.idle(self.index, now_idle=self.alarm is None)

    def _carry_out(self, action: Preempt | Abort, who: int) -> None:
        if who != ROLLOUT:
            super()._carry_out(action, who)
            return
        assert isinstance(action, Abort)
        request = self.simulator.live.get(action.request)
        if request is None or request.lane != self.index or request.state not in (RUNNING, WAITING):
            self.simulator.done(who, Done(action, ok=False, why="not running"))
            return
        if request.state == RUNNING:
            self.abort(request, self.clock.now)
        else:
            self.withdraw(request)  # preempted since the abort was asked for
        self._rollouts.stopped(request, action)

    @property
    def _rollouts(self) -> "Rollouts":
        rollouts = self.simulator.rollouts
        assert rollouts is not None
        return rollouts
