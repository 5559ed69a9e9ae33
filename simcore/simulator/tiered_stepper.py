"""Tiered stepper: drives a lane whose requests' KV may be elsewhere: copies, lanes side by side, facts that come late.

The rules are on the page docs/mechanisms.md. What changes a lane from outside waits for its next boundary, so all that
is added to a plain step is a handful of reasons for it to be one iteration long.
"""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from simcore.books.copies import Copy
from simcore.books.host_tier import TierCopy, offload, tier_copied
from simcore.books.moving import Stage
from simcore.books.request import (
    CANCELLED,
    FAILED,
    FINISHED,
    NEVER,
    PAUSED,
    REJECTED,
    RUNNING,
    SWAPPED,
    WAITING,
    Request,
)
from simcore.books.store import KvStore
from simcore.books.tiered import Stalled, TieredLane
from simcore.contract import Abort, Done, Preempt, Scheduler, Shape
from simcore.contract import decisions as log
from simcore.simulator.actions import INSTANCE_DOWN
from simcore.simulator.clock import Alarm
from simcore.simulator.messenger import hooks
from simcore.simulator.sm_switch import stand_still
from simcore.simulator.stepper import SimLane
from simcore.simulator.topology import Host

if TYPE_CHECKING:
    from simcore.simulator.instance import SimInstance

BY_DATE = 1


class SimTieredLane(SimLane, TieredLane):
    """A tiered lane that knows when its iterations and its copies end."""

    def join(self, home: "SimInstance", store: KvStore) -> None:
        """Make the lane one of `home`; lanes of one instance are told of each other by `pair`."""
        mechanisms = self.simulator.settings.mechanisms
        self.equip(
            store,
            sync=mechanisms.swap == "sync",
            swaps=mechanisms.preemption == "swap",
            late=mechanisms.schedule_ahead,
            adaptive=mechanisms.swap == "adaptive",
        )
        self.grouped = mechanisms.allocator == "groups"
        """In which order blocks are taken matters."""
        store.remembers = store.remembers or (store.cached and bool(hooks(self.scheduler, Scheduler)))
        self.at = home
        self.other: SimTieredLane | None = None
        """The lane beside it on the same pool."""
        self.outstanding = 0
        """Copies that the iteration formed waits for."""
        self.stalled = False
        """It stands at a boundary, and waits for copies out to form an iteration."""
        self.called = False
        """It stalls, and will look again at this instant."""
        self.stalls_on = False
        """It stood stalled when this boundary came."""
        self.late_firsts: list[Request] = []
        """Whose first token came out at the last boundary, and nobody was told."""
        self.heard = False
        """The lane heard of somebody when it had formed its iteration: the next one looks at the queue again."""
        self.freed = False
        """Blocks became free at this boundary."""

    def pair(self, decode: "SimTieredLane") -> None:
        """Make this the prefill lane, and `decode` the decode lane, of one instance."""
        self.hands_on = True
        self.other = self.peer = decode
        decode.other = decode.home = self

    # -- from outside --------------------------------------------------------------------------------------------

    def submit(self, request: Request) -> None:
        if self.decodes.late and self.k:
            self.post(request, self.it + self.passed() + 1)
            self.cut()
            return
        super().submit(request)
        if self.stalled:
            self.look_again()

    def take_over(self, request: Request) -> None:
        request.lane = self.index
        if self.decodes.late and self.k:
            self.account(request)
            self.mail.append((self.it + self.passed() + 1, request))
        else:
            self.wait(request)
        self.look_again()

    def withdrawn(self, request: Request) -> None:
        self.withdraw(request)
        self.let_go(request)
        if self.holds_here(request):
            self.later(partial(self.drop, request))  # it was handed on by the lane beside, or stood for a migration
        else:
            self.look_again()

    def touch(self, request: Request) -> None:
        if not any(letter[1] is request for letter in self.mail):
            self.waiting.touch(request)

    @property
    def queued(self) -> int:
        return len(self.waiting) + len(self.mail)

    def queue_view(self) -> list[Request]:
        return self.waiting.among([request for _, request in self.mail]) if self.mail else list(self.waiting)

    @property
    def paused(self) -> list[Request]:
        here = (r for r in (*self.outgoing, *self.moving) if r.lane == self.index)
        return [r for r in (*self.arriving, *self.ready, *here) if r.state == PAUSED]

    @property
    def unused(self) -> bool:
        queued_or_copied = self.waiting or self.mail or self.arriving or self.outgoing or self.leaving
        return not (queued_or_copied or self.running or self.moving or self.incoming)

    def stop(self) -> list[Request]:
        super().stop()
        self.outstanding = 0
        self.stalled = self.called = False
        self.stopped_ps = NEVER
        self.held_ps = 0
        firsts, self.late_firsts = self.late_firsts, []
        return firsts

    def later(self, what: Callable[[], bool | None]) -> None:
        """Do something at the next boundary; if blocks come free by it, it does not return False."""
        self.pending.append((what, 0))  # type: ignore[arg-type]
        self.look_again()

    def note_freed(self, freed: bool) -> bool:
        """Blocks came free, or not, and whoever was declined is asked about again."""
        self.freed = self.freed or freed
        self.refused = False
        return freed

    def look_again(self) -> None:
        if not self.stalled:
            super().look_again()
        elif not self.called:
            assert self.alarm is not None
            self.called = True
            self.alarm.set(0)

    # -- a boundary ------------------------------------------------------------------------------------------------

    def boundary(self, alarm: Alarm) -> None:
        simulator, now = self.simulator, self.clock.now
        simulator.acting = self.index
        if now != simulator.instant:
            simulator.instant = now
            simulator.position = self.index
        elif self.index > simulator.position:
            simulator.position = self.index
        other, worked = self.other, self.k > 0
        if other is not None:
            other.catch_up()
        self.freed = False
        self.ended.clear()
        if self.k:
            self._book(now)
        elif not self.stalled:
            self.started = now
        self.stalls_on = self.stalled
        self.stalled = self.called = False
        for key in self.store.expired(now):
            self.freed = True
            simulator.log(self.instance, log.UNPINNED, key, BY_DATE)
        if self.freed:
            self.refused = False
        if self.pending:
            epoch = self.at.epoch
            pending, self.pending = self.pending, []
            for action, who in pending:
                if callable(action):
                    if epoch == self.at.epoch:
                        self.freed = action() is not False or self.freed
                elif epoch == self.at.epoch:
                    self._carry_out(action, who)
                else:
                    simulator.done(who, Done(action, ok=False, why=INSTANCE_DOWN))
        if self.at.splitting is not None:
            stand_still(simulator, self.at)
        self._launch(alarm, now)
        if other is not None:
            if worked != (self.k > 0) and simulator.sm_contention.felt:
                other.cut()
            if (self.freed or (self.hands_on and not self.k)) and (other.waiting or other.mail):
                other.refused = False
                other.look_again()
        if self.alarm is None and self.pending:
            self.wake()  # somebody who was told something at this boundary changed what is to be done at the next
        if self.alarm is None and self.waiting and not self.refused and not self.at.closing:
            self._tell_blocked()
        if self.drains:
            simulator.fleet.left(self.at)

    @property
    def dated(self) -> bool:
        waits = self.outstanding > 0 or (self.stalled and not self.called)
        return self.alarm is not None and not waits

    @property
    def copying(self) -> bool:
        """A copy of its is under way, or its end waits for a boundary."""
        return bool(self.arriving or self.ready or self.leaving or self.sending or self.moving or self.incoming)

    @property
    def works(self) -> bool:
        """An iteration is under way, or waits for its copies."""
        return self.k > 0 or self.stalled

    def _book(self, now: int) -> None:
        simulator, shape, k = self.simulator, self.shape, self.k
        recorder, decodes = simulator.recorder, shape.decodes - len(self.joined)
        if recorder.keep_iterations:
            recorder.iteration(self, k)
        started, first, increment, last_ps = self.started, self.first, self.increment, self._boundary_ps(k - 1)
        self.k = 0
        self.started = now
        firsts: list[Request] | None = [] if simulator.tell_firsts else None
        finished = self.settle(k, now, firsts, recorder.gaps)
        if finished and self.decodes.late:
            for request in finished:
                request.last_ps = last_ps
            k -= 1
            if decodes > len(finished):
                recorder.steps.append((self.index, last_ps, now - last_ps, 0, 1, decodes - len(finished)))
        if decodes and k:
            recorder.steps.append((self.index, started, first, increment, k, decodes))
        if self.decodes.late and firsts is not None:
            firsts, self.late_firsts = self._told_late(), firsts
        if finished:
            self.freed = True
        for request in finished:
            self.store.note_end(request, self.ended)
            if self.store.tier is not None:
                offload(self, request)
        handed, self.handed = self.handed, []
        if self.other is not None:
            for request in handed:
                self.other.take_over(request)
            handed.clear()
        if finished or firsts or handed:
            simulator.ended(self, firsts, finished, now, handed)
        if self.watched:
            self._report_steps()

    def _launch(self, alarm: Alarm, now: int) -> None:
        simulator = self.simulator
        self.heard = False
        if self.at.closing:
            self._hold(now)
            return
        try:
            formed = self.schedule(self.started)
            if self.deliver(self.it):
                self.heard = True
                formed = formed or (not self.made_room and self.schedule(self.started))  # nothing runs: heard at once
            if not formed and self.waiting and not self.made_room and self._break_up():
                formed = self.schedule(self.started)
            self.whole_only = False
        except Stalled:
            formed = self.stalled = True
            self.counts["swap_conflicts"] += not self.stalls_on
        if self.stopped_ps != NEVER:
            self.held_ps = self.started - self.stopped_ps
            self.started, self.stopped_ps = self.stopped_ps, NEVER  # the wait counts to the iteration that waited
        for copy in self.copies:
            if isinstance(copy, Stage):
                simulator.migrations.start_copy(copy)
                continue
            self._start_copy(copy, awaited=formed and copy.at_once)
        self.copies.clear()
        if not formed:
            self.alarm = None
            if self.waiting and self.made_room:
                self.whole_only = True
                self.wake()  # all yielded, and there is no iteration to wait for
        elif self.stalled:
            self.alarm = alarm
        elif self.outstanding:
            self.alarm = alarm
            self.k = 1
            self.first = self.increment = 0
        else:
            self._set_off(alarm, now)
        if simulator.indexes and self.moved:
            simulator.reindex(self)
        simulator.acting = -1  # what is asked for from here on waits for the next boundary
        self._report_changes()
        if self.late_firsts and not self.k:  # nothing is under way
            simulator.ended(self, self._told_late(), [], now)

    def _hold(self, now: int) -> None:
        """Form no iteration: new shares of the SMs are on their way, and both lanes stop for them."""
        if self.running and self.stopped_ps == NEVER:
            self.stopped_ps = self.started
        for copy in self.copies:
            self._start_copy(copy, awaited=False)
        self.copies.clear()
        self.alarm = None
        if self.simulator.indexes and self.moved:
            self.simulator.reindex(self)
        self.simulator.acting = -1
        self._report_changes()
        if self.late_firsts:
            self.simulator.ended(self, self._told_late(), [], now)

    def _told_late(self) -> list[Request]:
        """Take those whose first token is to be told now, but for who was stopped meanwhile."""
        firsts, self.late_firsts = self.late_firsts, []
        return [request for request in firsts if request.state not in (CANCELLED, REJECTED, FAILED)]

    def _break_up(self) -> bool:
        """Let waiting requests lose the blocks they hold until the head fits, if nothing under way will free any."""
        other, broke = self.other, False
        if self.copying or (not self.keeps if other is None else other.works or other.copying):
            return False
        while not self.fits_next() and self.drop_last_waiting():
            broke = True
        return broke

    def _set_off(self, alarm: Alarm, now: int) -> None:
        """Start the iteration that was formed, and as many after it as stay the same."""
        shape, simulator = self.shape, self.simulator
        if self.at.split is not None:
            shape.sm_pct = self._share(self.at.split)
        if self.uses_longest:
            shape.longest = self.decodes.longest(self.running, self.it)
        first, increment, exact = self._priced(shape)
        if first <= 0:
            raise ValueError(f"cost model: an iteration must take time, got {first} ps for {shape}")
        waited = now - self.started
        if waited > self.held_ps:
            self.counts["swap_stall_ps"] += waited - self.held_ps
        self.held_ps = 0
        k, free = 1, self._spare()
        alone = self.other is None
        if not (
            self.per_iteration
            or waited
            or self.heard
            or self.made_room
            or self.joined
            or (self.late_firsts and simulator.tell_firsts)
            or ((self.grouped or not alone) and self.chunks)
            or (not alone and self._wake_free_blocks)
        ):
            k = min(self.horizon(free), exact)
            if self.watched:
                k = min(k, self._until_wake())
        self.k = k
        self.first = waited + first
        self.increment = increment
        self.steps += 1
        self.alarm = alarm
        alarm.set(k * first + increment * (k * (k - 1) >> 1))

    def _spare(self) -> int:
        """Return the free blocks that the other lane's step under way leaves; cut that step if they do not suffice."""
        free, other = self.pool.free, self.other
        if other is None or other.k <= 1:
            return free
        ahead = other.ahead(other.k - 1)
        if ahead > free:
            other.cut()
            ahead = other.ahead(other.k - 1)
        return free - ahead

    def _share(self, split: tuple[int, int]) -> int:
        assert self.other is not None
        return self.simulator.sm_contention.share(split, self.number, beside=self.other.k > 0)

    def _priced(self, shape: Shape) -> tuple[int, int, int]:
        """Return the line of the iteration formed; beside another lane at work it may take longer."""
        slowdown = self.simulator.sm_contention.slowdown_permille
        if slowdown == 1000 or self.other is None or not self.other.k:
            return self.line(shape)
        return max(1, self.line(shape)[0] * slowdown // 1000), 0, 1  # a step of its own, since rounding bends it

    def _report_changes(self) -> None:
        """Tell who lost its place, who came in, and who ended on the way out; bring other lanes' requests to them."""
        simulator = self.simulator
        notes, self.notes = self.notes, []
        for kind, request, detail in notes:
            if kind == log.UNPINNED:
                assert request.client is not None
                simulator.log(self.instance, kind, request.client.program, detail)
                continue
            if kind in (log.PREEMPTED, log.SWAPPED):
                if kind == log.PREEMPTED or self.sync:
                    self.freed = True
                simulator.tell_preempted(self, request, "drop" if kind == log.PREEMPTED else "swap", detail)
                if request.lane != self.index and self.other is not None:
                    self.other.look_again()
            elif kind == log.FINISHED:
                self.freed = True
                self.early.remove(request)
                first = request in self.late_firsts
                if first:
                    self.late_firsts.remove(request)
                simulator.ended(self, [request] if first else None, [request], self.clock.now)
            else:
                simulator.log(self.instance, kind, request.id, detail)

    def _carry_out(self, action: Preempt | Abort, who: int) -> None:
        simulator = self.simulator
        request = simulator.live.get(action.request)
        state = None if request is None or request.lane != self.index else request.state
        gone = request is None or state not in (RUNNING, WAITING, SWAPPED, PAUSED)
        if request is None or gone or (state != RUNNING and isinstance(action, Preempt)):
            simulator.done(who, Done(action, ok=False, why="not running"))
            return
        if isinstance(action, Preempt):
            self.preempt(request, self.started, action.kv)  # what comes free by it is seen when it is told
        elif state == RUNNING:
            self.freed = True
            self.abort(request, self.started)
        else:
            self.withdraw(request)
            self.let_go(request)
            if self.holds_here(request):
                self.freed = True
                self.drop(request)
        self._report_changes()
        ended = request.state == FINISHED
        if isinstance(action, Abort) and not ended:
            simulator.cancelled(request, who)
        blocks = request.held.host_blocks if request.held is not None and request.state == SWAPPED else 0
        simulator.done(who, Done(action, ok=not ended, why="finished" if ended else "", kept=blocks))

    def _tell_blocked(self) -> None:
        """Nothing runs, and the head of the queue waits for blocks that no work under way will free."""
        other = self.other
        if self.copying or (other is not None and (other.alarm is not None or other.copying)):
            return
        self.simulator.blocked(self, self.waiting.head())

    # -- copies ----------------------------------------------------------------------------------------------------

    def _start_copy(self, copy: Copy, awaited: bool) -> None:
        here = self.instance
        ends: dict[str, tuple[Any, Any]] = {"out": (here, Host(here)), "in": (Host(here), here)}
        ends |= {"offload": ends["out"], "reload": ends["in"]}
        if copy.kind == "fetch":
            assert isinstance(copy.source, SimTieredLane)
            ends["fetch"] = (copy.source.instance, here)
        self.outstanding += awaited
        self.simulator.copy(copy, *ends[copy.kind], partial(self._copied, copy, awaited, self.at.epoch))

    def _copied(self, copy: Copy, awaited: bool, epoch: int) -> None:
        """A copy has ended; the iteration that was formed with it may have waited for it."""
        if epoch != self.at.epoch:
            return
        if isinstance(copy, TierCopy):
            self.later(partial(self._came, copy.request, partial(tier_copied, self, copy)))
            return
        if awaited:
            self.outstanding -= 1
            if not self.outstanding:
                assert self.alarm is not None
                self._set_off(self.alarm, self.clock.now)
        if copy.at_once:
            return  # the books changed when it began
        assert copy.request.held is not None
        copy.request.held.copies -= 1
        if copy.kind == "out":
            self.later(partial(self.copied_out, copy))
        else:
            self.later(partial(self._came, copy.request, partial(self.copied_in, copy.request)))
            if copy.kind == "fetch":
                self.let_go(copy.request, copy.source)

    def _came(self, request: Request, book: Callable[[], bool | None]) -> bool | None:
        """Book the end of a copy as `book` does; who waits then has the beginning of its prompt, and is logged."""
        tokens = request.computed
        freed = book()
        if request.state == WAITING:
            self.simulator.log(self.instance, log.RELOADED, request.id, tokens)
        return freed

    def let_go(self, request: Request, source: object = None) -> None:
        """The lane that has the KV of a request which was handed on need not keep it any more."""
        held = request.held
        assert held is not None
        lane = source or (held.source if request not in self.arriving else None)
        if isinstance(lane, SimTieredLane) and request in lane.outgoing:
            if lane is self and self.simulator.acting == self.index:
                lane.fetched_from(request)
            else:
                lane.later(partial(lane.fetched_from, request))
