"""Stepper: drives one lane through simulated time, many iterations in one SimPy event.

A macro-step covers `k` iterations whose boundaries lie at `started + j*first + increment*j*(j-1)/2`, j = 1..k.
What could change the batch before then cuts it at the next boundary; reading does not. Any split of a
macro-step gives the same boundaries, because times are integers, so cutting is always safe and k = 1
throughout is the same run, only slower.

Simultaneous boundaries go in the order of lane indices. Once lane i has had its boundary at time t, whoever acts at
t sees the boundaries at t of lanes up to i as passed and those of later lanes as still to come.
"""

from bisect import insort
from collections.abc import Callable, Collection, Iterable
from math import isqrt
from typing import TYPE_CHECKING

from simcore.books.lane import Lane
from simcore.books.pool import KvPool
from simcore.books.queues import Queue
from simcore.books.request import RUNNING, WAITING, Request
from simcore.books.whole_batch import WholeBatchLane
from simcore.contract import Abort, Batch, Done, IllegalAction, Preempt, Scheduler, Shape, WakeAfter, WakeBelow
from simcore.contract import decisions as log
from simcore.simulator.actions import INSTANCE_DOWN, STARTS
from simcore.simulator.clock import LANES, Alarm

if TYPE_CHECKING:
    from simcore.simulator.instance import SimInstance
    from simcore.simulator.simulator import Simulator


class SimLane(Lane):
    """A lane that knows when its iterations end."""

    __slots__ = (
        "_wake_free_blocks",
        "_wake_iterations",
        "alarm",
        "clock",
        "cuts",
        "drains",
        "epoch",
        "first",
        "increment",
        "instance",
        "k",
        "line",
        "may",
        "number",
        "pending",
        "per_iteration",
        "priority",
        "scheduler",
        "simulator",
        "started",
        "steps",
        "uses_longest",
        "watched",
    )

    def __init__(
        self, simulator: "Simulator", index: int, pool: KvPool, scheduler: Scheduler, queue: Queue | None
    ) -> None:
        super().__init__(index, pool, scheduler, queue)
        self.simulator = simulator
        self.instance = index // simulator.lanes_each
        self.number = index % simulator.lanes_each
        self.clock = simulator.clock
        self.scheduler = scheduler
        self.may = STARTS & scheduler.emits
        self.priority = LANES + index
        self.line: Callable[[Shape], tuple[int, int, int]] = simulator.settings.cost.line
        self.uses_longest = simulator.settings.cost.uses_longest
        self.per_iteration = simulator.settings.per_iteration
        self.alarm: Alarm | None = None
        """The next boundary; None while the lane is idle."""
        self.started = self.k = self.first = self.increment = 0
        self.watched = simulator.trace is not None
        """The scheduler waits for an iteration, for few free blocks, or for new priorities."""
        self.epoch = 0
        self.drains = False
        """Its instance waits for the last request to leave."""
        self._wake_iterations: list[int] = []
        self._wake_free_blocks: list[int] = []
        self.pending: list[tuple[Preempt | Abort, int]] = []
        """Actions that take effect at the next boundary, and who asked: a lane, or -1 for the router."""
        self.steps = self.cuts = 0

    # -- from outside: work arrives, somebody acts -------------------------------------------------------------

    def submit(self, request: Request) -> None:
        """Queue a request, and look at the queue at the next boundary if it could be admitted there."""
        head = self.enqueue(request)
        if self.alarm is None:
            self.wake()
        elif (
            self.k > 1
            and not self.chunks  # a run of chunks spends the whole budget of each iteration
            and (head or self.admit is not None)
            and len(self.running) < self.max_seqs
        ):
            self.cut()

    def wake(self) -> None:
        """Look at the queue now: after arrivals and timers of this instant, in this lane's place among the lanes."""
        if self.alarm is None:
            self.alarm = Alarm(self.clock, 0, self.boundary, self.priority)

    def act(self, action: Preempt | Abort, who: int) -> None:
        """Carry out an action at the next boundary, or now if this lane stands at one.

        Raises IllegalAction if the same action is still in flight.
        """
        if self.k == 0 and self.simulator.acting == self.index:
            self._carry_out(action, who)
            return
        if (action, who) in self.pending:
            raise IllegalAction(f"{action}: the same action is still in flight")
        self.pending.append((action, who))
        self.look_again()

    def look_again(self) -> None:
        """Form a new batch at the next boundary, or now if idle."""
        if self.alarm is None:
            self.wake()
        else:
            self.cut()

    def cut(self) -> None:
        """End the macro-step in flight at the next boundary."""
        if self.k <= 1:
            return
        j = self.passed() + 1
        if j < self.k:
            assert self.alarm is not None
            self.alarm.cancel()
            self.k = j
            self.cuts += 1
            delay = self._boundary_ps(j) - self.clock.now
            self.alarm = Alarm(self.clock, delay, self.boundary, self.priority)

    def withdrawn(self, request: Request) -> None:
        """Take a waiting request out for good, and look again at who waits."""
        self.withdraw(request)
        self.look_again()

    def stop(self) -> list[Request]:
        """Forget the iteration under way, and what waits for its end; return whose first token was still to be told."""
        if self.alarm is not None:
            self.alarm.cancel()
            self.alarm = None
        self.k = 0
        self.pending = []
        return []

    # -- where it stands ---------------------------------------------------------------------------------------

    def passed(self) -> int:
        """Return how many boundaries of the step in flight are past, as seen by whoever acts now. O(1)."""
        k = self.k
        if k <= 1:
            return 0
        simulator, now = self.simulator, self.clock.now
        elapsed = now - self.started
        if now == simulator.instant and self.index <= simulator.position:
            elapsed += 1  # a boundary at this very instant has passed
        first, increment = self.first, self.increment
        if elapsed <= first:
            return 0
        if increment == 0:
            j = (elapsed - 1) // first
        else:
            # The largest j with j*first + increment*j*(j-1)/2 <= elapsed - 1: the floor of the positive root, exactly.
            h = 2 * first - increment
            j = (isqrt(h * h + 8 * increment * (elapsed - 1)) - h) // (2 * increment)
        return j if j < k else k - 1

    def _boundary_ps(self, j: int) -> int:
        return self.started + j * self.first + self.increment * (j * (j - 1) // 2)

    def touch(self, request: Request) -> None:
        """Read the place of a waiting request in the queue again."""
        self.waiting.touch(request)

    @property
    def queued(self) -> int:
        """Requests that wait."""
        return len(self.waiting)

    def queue_view(self) -> Iterable[Request]:
        """Return those that wait, in order."""
        return self.waiting

    @property
    def paused(self) -> Collection[Request]:
        """Those whose KV is on its way, or waits to be handed on."""
        return ()

    @property
    def unused(self) -> bool:
        """Nothing of any request is here."""
        return not self.waiting and not self.running

    @property
    def dated(self) -> bool:
        """Its next boundary has a date."""
        return self.alarm is not None

    @property
    def _home(self) -> "SimInstance":
        return self.simulator.instances[self.instance]

    @property
    def as_of_ps(self) -> int:
        """The time of the last boundary that is past."""
        return self._boundary_ps(self.passed()) if self.k else self.started

    # -- a boundary ----------------------------------------------------------------------------------------------

    def boundary(self, alarm: Alarm) -> None:
        """Book what has ended, tell who wants to know, form the next batch, and set off."""
        simulator = self.simulator
        now = self.clock.now
        simulator.acting = self.index
        if now != simulator.instant:
            simulator.instant = now
            simulator.position = self.index
        elif self.index > simulator.position:
            simulator.position = self.index
        if self.k:
            self._book(now)
        else:
            self.started = now
        if self.pending:
            epoch = self._home.epoch
            pending, self.pending = self.pending, []
            for action, who in pending:
                if epoch == self._home.epoch:
                    self._carry_out(action, who)
                else:
                    simulator.done(who, Done(action, ok=False, why=INSTANCE_DOWN))
        self._launch(alarm, now)
        simulator.acting = -1
        if self.drains:
            simulator.fleet.left(self._home)

    def _book(self, now: int) -> None:
        """The iterations under way have ended."""
        simulator, shape, k = self.simulator, self.shape, self.k
        recorder = simulator.recorder
        if shape.decodes and self.steady:
            recorder.steps.append((self.index, self.started, self.first, self.increment, k, shape.decodes))
        if recorder.keep_iterations:
            recorder.iteration(self, k)
        self.k = 0
        self.started = now
        firsts: list[Request] | None = [] if simulator.tell_firsts else None
        finished = self.settle(k, now, firsts, recorder.gaps)
        if finished or firsts:
            simulator.ended(self, firsts, finished, now)
        if self.watched:
            self._report_steps()

    def catch_up(self) -> None:
        """Bring the books to the last boundary that is past; the step goes on from there."""
        j = self.passed()
        if j == 0:
            return
        recorder, shape = self.simulator.recorder, self.shape
        if shape.decodes and self.steady:
            recorder.steps.append((self.index, self.started, self.first, self.increment, j, shape.decodes))
        if recorder.keep_iterations:
            recorder.iteration(self, j)
        self.started = self._boundary_ps(j)
        self.step_by(j)
        self.first += self.increment * j
        self.k -= j

    def _launch(self, alarm: Alarm, now: int) -> None:
        simulator = self.simulator
        if self.schedule(now):
            shape = self.shape
            if self.uses_longest:
                shape.longest = self.decodes.longest(self.running, self.it)
            first, increment, exact = self.line(shape)
            if first <= 0:
                raise ValueError(f"cost model: an iteration must take time, got {first} ps for {shape}")
            k = 1
            if not self.per_iteration:
                k = self.horizon(self.pool.free)
                if exact < k:
                    k = exact
                if self.watched:
                    k = min(k, self._until_wake())
            self.k = k
            self.first = first
            self.increment = increment
            self.steps += 1
            alarm.set(k * first + increment * (k * (k - 1) >> 1))
        else:
            self.alarm = None
        if simulator.indexes and self.moved:
            simulator.reindex(self)
        if self.preempted or simulator.log_decisions:
            for request in tuple(self.preempted):
                simulator.tell_preempted(self, request, "drop", request.generated)
            for request, new in self.admitted:
                simulator.log(self.instance, log.ADMITTED, request.id, new)

    def _carry_out(self, action: Preempt | Abort, who: int) -> None:
        simulator, now = self.simulator, self.clock.now
        request = simulator.live.get(action.request)
        state = None if request is None or request.lane != self.index else request.state
        if request is None or state not in (RUNNING, WAITING) or (state == WAITING and isinstance(action, Preempt)):
            simulator.done(who, Done(action, ok=False, why="not running"))
            return
        if isinstance(action, Preempt):
            self.preempt(request, now)  # by request, not by need: others may be admitted in this iteration
            simulator.tell_preempted(self, request, "drop", request.generated)
        else:
            if state == RUNNING:
                self.abort(request, now)
            else:
                self.withdraw(request)  # preempted since the abort was asked for
            simulator.cancelled(request, who)
        simulator.done(who, Done(action, ok=True))

    # -- waking a scheduler after so many iterations, or below so many blocks --------------------------------------

    def wake_after(self, action: WakeAfter) -> None:
        """Report `Stepped` after so many more iterations. Raises IllegalAction if that is none."""
        if action.iterations < 1:
            raise IllegalAction(f"{action}: iterations must be >= 1")
        insort(self._wake_iterations, self.it + self.passed() + action.iterations)
        self.watched = True
        self.cut()

    def wake_below(self, action: WakeBelow) -> None:
        """Report `Stepped` at the first boundary with fewer free blocks."""
        insort(self._wake_free_blocks, action.free_blocks)
        self.watched = True
        self.cut()

    def _report_steps(self) -> None:
        iterations, blocks = self._wake_iterations, self._wake_free_blocks
        asked = len(iterations) + len(blocks)
        while iterations and iterations[0] <= self.it:
            del iterations[0]
        while blocks and blocks[-1] > self.pool.free:
            del blocks[-1]
        left = len(iterations) + len(blocks)
        trace = self.simulator.trace
        self.watched = left > 0 or trace is not None
        if left < asked:
            self.refused = False
            self.simulator.stepped(self)
        if trace is not None and trace.epoch(self.it) > self.epoch:
            self.simulator.new_priorities(self, trace.epoch(self.it))

    def _until_wake(self) -> int:
        """Return after how many iterations of the batch just formed the next `Stepped` may be due."""
        k = 1 << 60
        if self._wake_iterations:
            k = max(1, self._wake_iterations[0] - self.it)
        trace = self.simulator.trace
        if trace is not None:
            k = min(k, trace.every_iterations - self.it % trace.every_iterations)
        if self._wake_free_blocks:
            spare = self.pool.free - self._wake_free_blocks[-1]
            k = min(k, 1 if spare < 0 or self.chunks else self.decodes.iterations_that_fit(self.it + 1, spare) + 2)
        return k


class SimWholeBatchLane(SimLane, WholeBatchLane):
    """The same for a scheduler that builds whole batches: one event per iteration."""

    __slots__ = ()

    def choose(self) -> Batch:
        return self.scheduler.batch(self.simulator.lane_views[self.index])

    def find(self, request_id: int) -> Request | None:
        return self.simulator.live.get(request_id)
