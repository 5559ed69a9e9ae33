"""Migration: how one request moves from an instance to another, step by step; the same on every backend.

After Llumnix (arXiv:2406.03243): KV is copied in stages while the request runs, and the pause for the last of them does
not depend on how long it is. A protocol is a generator. It yields what it waits for, the next boundary of a lane or the
end of a copy, and does each step when it is resumed; who drives it is `simcore.simulator.migrations`.
"""

from collections.abc import Generator
from typing import TYPE_CHECKING

from simcore.books import moving
from simcore.books.moving import Inbound, Stage
from simcore.books.request import CANCELLED, NEVER, PAUSED, RUNNING, WAITING, Request
from simcore.contract import Arrived, IllegalAction, Migrate, overrides
from simcore.contract import decisions as log

if TYPE_CHECKING:
    from simcore.simulator.migrations import Migrations
    from simcore.simulator.tiered_stepper import SimTieredLane

_TWO = 2
Steps = Generator["SimTieredLane | Stage", None, None]
"""What a protocol waits for: the next boundary of a lane, or the end of a copy."""


class Refused(Exception):
    """A migration cannot go on; says why."""


class Migration:
    """One `Migrate` under way.

    Args:
        migrations: all of them, and what they share.
        action: what the router asked for.
    """

    def __init__(self, migrations: "Migrations", action: Migrate) -> None:
        self._all = migrations
        self._simulator = migrations.simulator
        self._how = migrations.simulator.settings.mechanisms
        self.action = action
        self.src: SimTieredLane = migrations.lane_of(action.src)
        self.dst: SimTieredLane = migrations.lane_of(action.dst)
        self.request: Request | None = None
        """Who moves, once that is known."""
        self.inbound: Inbound | None = None
        """What is reserved at the destination."""
        self.stage: Stage | None = None
        """The copy asked for last."""
        self.copying = False
        """It is under way."""
        self.over = False
        self.router = migrations.simulator.faults.bypass.failures
        """How often the router had gone down when it asked."""
        self._sent = 0
        self._preemptions = 0

    # -- the protocol --------------------------------------------------------------------------------------------------

    def steps(self) -> Steps:
        """Move the request. Raises Refused where it comes to nothing."""
        yield self.src
        request = self._choose()
        if request.state == WAITING or self._how.migration == "recompute":
            self._move_without_kv(request)
            return
        self._all.take_slot(self.src)
        self.request = request
        self._all.of[request] = self
        self._preemptions = request.preemptions
        most = self._how.migration_max_stages if self._how.migration == "multistage" else _TWO
        for stage in range(1, most + 1):
            yield self.dst
            self._reserve(request)
            yield self.src
            self._check(request)
            if self._is_last(request, stage):
                yield from self._last_stage(request)
                return
            yield self._copy(request, request_blocks(self.src, request, full=True))
        raise Refused("too slow")

    def _last_stage(self, request: Request) -> Steps:
        simulator = self._simulator
        simulator.log(self.src.instance, log.PAUSED, request.id, self._computed(request))
        moving.pause(self.src, request, simulator.clock.now)
        yield self._copy(request, request.blocks)
        yield self.dst
        self._still_paused(request)
        self._arrive(request)

    # -- at a boundary of the source -----------------------------------------------------------------------------------

    def _choose(self) -> Request:
        """Return who moves. Raises Refused, and IllegalAction for a pick that is not there."""
        action, src, simulator = self.action, self.src, self._simulator
        number = action.request
        if number is None:
            if overrides(src.scheduler, "pick_migrant"):
                number = src.scheduler.pick_migrant(simulator.lane_views[src.index])
            if number is None:
                raise Refused("nobody")
            request = simulator.live.get(number)
            if request is None or request.lane != src.index:
                raise IllegalAction(f"pick_migrant: must be on instance {src.instance}, got request {number}")
        else:
            request = simulator.live.get(number)
            if request is None or request.lane != src.index:
                raise Refused("gone")
        if request in self._all.of or not moving.movable(request):
            raise Refused("not movable")
        if simulator.instances[self.dst.instance].state != "up":
            raise Refused("not up")
        most, waiting = self._how.max_waiting, simulator.instances[self.dst.instance].waiting
        if request.state == WAITING or self._how.migration == "recompute":
            if most is not None and waiting >= most:
                raise Refused("queue full")
        elif not self._all.has_slot(self.src):
            raise Refused("no slot")
        return request

    def _move_without_kv(self, request: Request) -> None:
        simulator, src, dst = self._simulator, self.src, self.dst
        if request.state == RUNNING:
            moving.mark_pause(request, simulator.clock.now)
        moving.take_out(src, request, simulator.clock.now)
        simulator.log(dst.instance, log.MIGRATED, request.id, 0)
        dst.submit(request)
        if simulator.indexes:
            simulator.reindex(dst)
        self._tell_arrived(request)

    def _check(self, request: Request) -> None:
        """Raises Refused if the request has left the batch of the source since it was chosen."""
        if request.state != RUNNING or request.lane != self.src.index or request.preemptions != self._preemptions:
            raise Refused("gone")

    def _is_last(self, request: Request, stage: int) -> bool:
        match self._how.migration:
            case "blocking":
                return True
            case "two_stage":
                return stage == _TWO
        rest = request_blocks(self.src, request) - self._sent
        return rest <= self._how.migration_last_blocks

    def _copy(self, request: Request, until: int) -> Stage:
        """Return the copy of its blocks up to the `until`-th that have not been sent."""
        assert self.inbound is not None
        blocks = until - self._sent
        stage = Stage(request, self.src, self.inbound, self._sent, blocks)
        self._sent += blocks
        self._all.counts["migration_stages"] += 1
        self._all.counts["migrated_blocks"] += blocks
        self._simulator.log(self.dst.instance, log.STAGE, request.id, blocks)
        return stage

    # -- at a boundary of the destination --------------------------------------------------------------------------

    def _reserve(self, request: Request) -> None:
        """Reserve room for what the request will have at the next boundary of the source, a token more than now."""
        self._check(request)
        dst = self.dst
        blocks = dst.pool.blocks_for(self._computed(request)) + 1
        if self.inbound is None:
            if self._simulator.instances[dst.instance].state != "up":
                raise Refused("not up")
            if not self._all.has_slot(dst):
                raise Refused("no slot")
            if moving.seats_left(dst) <= 0:
                raise Refused("no seat")
            inbound = Inbound(dst.store, request)
            if not inbound.grow(blocks):
                raise Refused("no memory")
            self._all.take_slot(dst)
            self.inbound = inbound
            dst.incoming[request] = inbound
        elif not self.inbound.grow(blocks):
            raise Refused("no memory")

    def _still_paused(self, request: Request) -> None:
        """Raises Refused if the request was stopped for good."""
        if request.state != PAUSED:
            assert request.state == CANCELLED
            raise Refused("gone")

    def _arrive(self, request: Request) -> None:
        assert self.inbound is not None
        moving.arrive(self.dst, self.inbound)
        self._all.soon(self.src, lambda: moving.give_back(self.src, request))
        self._simulator.log(self.dst.instance, log.MIGRATED, request.id, self._sent)
        self._tell_arrived(request)

    def _tell_arrived(self, request: Request) -> None:
        if self._simulator.tell_dispatches:
            self._simulator.messenger.tell_scheduler(self.dst, "on_arrived", Arrived(request.id))

    def _computed(self, request: Request) -> int:
        """Return how much of a running request is computed as of the last boundary of its lane."""
        return self.src.computed_after(request, self.src.passed())


def request_blocks(lane: "SimTieredLane", request: Request, full: bool = False) -> int:
    """Return the blocks that a decode has at a boundary of its lane, or how many of them are full."""
    assert request.ends != NEVER
    computed = request.offset + lane.it
    return computed // lane.block_tokens if full else lane.pool.blocks_for(computed)
