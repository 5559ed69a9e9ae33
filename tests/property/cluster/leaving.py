"""How requests leave a plain lane: finished, preempted, swapped, handed over, aborted."""

from collections.abc import Callable
from functools import partial
from typing import Any, Literal

from simcore.contract import Abort, Done, Preempt, Preempted
from simcore.contract import decisions as log
from tests.property.cluster.blocks import Block
from tests.property.cluster.copies import Copy, Kept, give_back
from tests.property.cluster.groups import Blocks
from tests.property.cluster.requests import FINISHED, PAUSED, RUNNING, SWAPPED, WAITING, PlainRequest


class Leaving:
    """What `Lane` does with those who leave it."""

    def leave(self: Any, request: PlainRequest) -> None:
        """Out of the batch: what it generated can be found from now on."""
        self.running.remove(request)
        self.instance.pool.fill(request, request.computed)
        self.changed()

    def give(self: Any, blocks: list[Block]) -> None:
        """Blocks come free at this boundary."""
        self.instance.pool.release(blocks)
        self.freed = True
        for lane in self.instance.lanes:
            lane.changed()

    def give_filled(self: Any, request: PlainRequest) -> None:
        self.instance.pool.fill(request, request.computed)
        self.give(request.held)

    def finish(self: Any, request: PlainRequest) -> None:
        self.leave(request)
        self.give(request.held)
        if request.program < 0:
            self.instance.host.forget(request)
        self.cluster.ended(request, FINISHED)

    def leave_with_blocks(self: Any, request: PlainRequest) -> None:
        """Its prompt is through: it waits for a dispatch, or for a place in the decode lane."""
        self.running.remove(request)
        self.changed()
        if self.instance.role == "prefill":
            request.state = PAUSED
            self.paused.append(request)
        else:
            self.instance.lanes[1].enqueue(request)

    def hand_on(self: Any, request: PlainRequest) -> None:
        """It was dispatched elsewhere; its blocks stay until they are copied."""
        self.paused.remove(request)
        request.kept = Kept(self, request.held)
        request.held = Blocks()
        request.elsewhere = True
        self.instance.kept.append(request.kept)

    def evict(self: Any, request: PlainRequest, kv: str, write: Callable[[int, PlainRequest, int], None]) -> int:
        """Out of the batch and back to the queue; return what to write down of it, `write` what befell others."""
        if request.ending:
            self.finish(request)
            return log.FINISHED
        pool, instance, sync = self.instance.pool, self.instance, self.cluster.mechanisms.swap == "sync"
        blocks = pool.blocks(request.computed)
        written = instance.host.write(request) if kv == "swap" and request.decodes else None
        self.leave(request)
        request.preemptions += 1
        self.cluster.preemptions += 1
        request.prefilling = False
        if written is None:
            self.give(request.held)
            request.computed = 0
            if self.position == 1:
                instance.lanes[0].enqueue(request)
            else:
                request.seen_from = 0
                request.state = "waiting"
                self.wait(request)
            return log.PREEMPTED
        valid, losers = written
        for other in losers:
            other.state, other.elsewhere, other.computed = WAITING, False, 0
            write(log.OVERWRITTEN, other, instance.host.valid(other) // pool.size)
        request.elsewhere = True
        self.cluster.counters["swap_out_blocks"] += blocks - valid
        self.cluster.counters["reused_host_blocks"] += valid
        copy = Copy("out", request, self, blocks - valid, waited=sync)
        copy.here, copy.there = request.held[valid:blocks], instance.host.numbers(request, valid, blocks)
        request.copies.append(copy)
        self.starting.append(copy)
        if sync:
            self.waits_for.append(copy)
            self.give(request.held)
        else:
            copy.held, request.held = request.held, Blocks()
            self.outgoing.append(copy)
        request.state = SWAPPED
        request.seen_from = 0
        self.wait(request)
        return log.SWAPPED

    def drop_waiting(self: Any, request: PlainRequest) -> None:
        """It waits in the decode lane, and gives up its KV: back to the queue of the prefill lane."""
        self.waiting.remove(request)
        self.give(request.held)
        request.preemptions += 1
        self.cluster.preemptions += 1
        request.computed = 0
        self.instance.lanes[0].enqueue(request)

    def write_of(self: Any, kind: int, request: PlainRequest, detail: int) -> None:
        self.cluster.write(self.instance.id, kind, request.id, detail)

    def tell_evicted(self: Any, request: PlainRequest, kind: int) -> None:
        if kind == log.FINISHED:
            self.tell_finished(request)
            return
        self.cluster.write(self.instance.id, kind, request.id, request.generated)
        kv: Literal["drop", "swap"] = "swap" if kind == log.SWAPPED else "drop"
        self.cluster.tell_both(self, "on_preempted", Preempted(request.id, self.instance.id, kv))

    # -- what waited for the boundary -----------------------------------------------------------------------------

    def copied_out(self: Any, copy: Copy) -> None:
        self.outgoing.remove(copy)
        self.give(copy.held)
        if copy.request.id not in self.cluster.live:
            self.instance.host.forget(copy.request)

    def copied_in(self: Any, copy: Copy) -> None:
        if self.copying.get(copy.request) is copy:
            del self.copying[copy.request]
            if copy.request.id in self.cluster.live:
                self.instance.host.release(copy.request)
                if copy.prefix:
                    copy.request.state = WAITING
                    self.wait(copy.request)
                    self.cluster.write(self.instance.id, log.RELOADED, copy.request.id, copy.request.computed)
                else:
                    self.come.append(copy.request)
            else:
                self.instance.host.forget(copy.request)
                self.instance.pool.fill(copy.request, copy.request.computed)
                self.give(copy.request.held)

    def copy_lost(self: Any, copy: Copy) -> None:
        """The instance that handed it on went down first: it is computed again here."""
        request = copy.request
        if self.copying.get(request) is copy:
            del self.copying[request]
            self.give(request.held)
            request.computed = 0
            if request.id in self.cluster.live:
                self.instance.lanes[0].enqueue(request)

    def give_gone(self: Any, request: PlainRequest, blocks: list[Block], computed: int) -> None:
        """It goes on elsewhere; what it leaves here can be found from now on."""
        for place, other in enumerate(self.gone):
            if other is blocks:
                del self.gone[place]
                break
        there, request.held = request.held, Blocks(blocks)
        self.instance.pool.fill(request, computed)
        self.give(request.held)
        request.held = there

    def unkeep(self: Any, kept: Kept) -> None:
        self.instance.kept.remove(kept)
        self.give(kept.blocks)

    def preempt(self: Any, action: Preempt) -> None:
        request = self.cluster.live.get(action.request)
        if request is None or request.lane is not self or request.state != RUNNING:
            self.cluster.overtaken(self.index, action)
            return
        kind = self.evict(request, action.kv, self.write_of)
        self.tell_evicted(request, kind)
        if kind == log.FINISHED:
            self.cluster.overtaken(self.index, action)
        else:
            self.cluster.done(self.index, Done(action, ok=True))

    def abort(self: Any, action: Abort | None, who: int, request_id: int, why: str) -> None:
        request = self.cluster.live.get(request_id)
        self.cluster.given_up.pop(request_id, None)
        if request is None or request.lane is not self:
            self.cluster.overtaken(who, action, request_id=request_id)
            return
        if request.ending:
            self.finish(request)
            self.tell_finished(request)
            self.cluster.overtaken(who, action, request_id=request_id)
            return
        self.withdraw(request)
        self.cluster.cancelled(request, why)
        if action is not None:
            self.cluster.done(who, Done(action, ok=True))

    def withdraw(self: Any, request: PlainRequest) -> None:
        """It leaves wherever it is, for good."""
        if request in self.running:
            self.leave(request)
            self.give(request.held)
        elif request in self.waiting:
            self.waiting.remove(request)
            self.changed()
            if request.held:
                self.ask(partial(self.give, request.held))
        else:
            for place in (self.paused, self.come):
                if request in place:
                    place.remove(request)
            if request in self.moving:
                self.moving.remove(request)
                self.gone.append(request.held)
                self.ask(partial(self.give_gone, request, request.held, request.computed))
            elif request not in self.copying:
                self.ask(partial(self.give_filled, request))
        if all(copy.waited for copy in request.copies):  # another copy that is under way runs to its end
            self.instance.host.forget(request)
            give_back(request)
