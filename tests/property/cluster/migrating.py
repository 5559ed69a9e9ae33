"""Plain migrations: one request on its way to another instance, one callback after the other, as the page says."""

from collections.abc import Callable
from typing import Any

from simcore.contract import Arrived, Done, Migrate, overrides
from simcore.contract import decisions as log
from tests.property.cluster.blocks import Block
from tests.property.cluster.requests import PAUSED, RUNNING, WAITING, PlainRequest


class StageCopy:
    """A copy of `count` blocks; `over` once nobody waits for its end."""

    def __init__(self, migration: "PlainMigration", count: int, then: Callable[[], None]) -> None:
        self.migration, self.count, self.then = migration, count, then
        self.over = False
        self.flow: Any = None

    def start(self) -> None:
        m = self.migration
        cluster = m.cluster
        for instance in m.ends:
            instance.migration_copies += 1
        self.flow = cluster.network.start(
            m.src.instance.id, m.dst.instance.id, self.count * cluster.settings.block_bytes, self.count, self.end
        )

    def end(self) -> None:
        self.stop()
        self.then()

    def stop(self) -> None:
        """It is over, or its flow is to be stopped."""
        self.over = True
        if self.flow is not None:
            for instance in self.migration.ends:
                instance.migration_copies -= 1


class Fails(Exception):
    """Why a migration comes to nothing."""


class PlainMigration:
    """One `Migrate`."""

    def __init__(self, cluster: Any, action: Migrate) -> None:
        self.cluster, self.action = cluster, action
        self.src, self.dst = cluster.instances[action.src].lanes[0], cluster.instances[action.dst].lanes[0]
        self.ends = (self.src.instance, self.dst.instance)
        self.request: PlainRequest | None = None
        self.reserved: list[Block] = []
        self.reserves = False
        self.stage = self.sent = self.preemptions = 0
        self.copy: StageCopy | None = None
        self.over = False
        cluster.migrations.append(self)
        self.when_at(self.src, self.choose)

    def when_at(self, lane: Any, step: Callable[[], None]) -> None:
        """Do a step at the next boundary of a lane."""

        def due() -> None:
            lane.changed()
            if not self.over:
                try:
                    step()
                except Fails as failure:
                    self.fail(str(failure))

        lane.ask(due)

    # -- steps ---------------------------------------------------------------------------------------------

    def choose(self) -> None:
        cluster, src, dst, how = self.cluster, self.src, self.dst, self.cluster.mechanisms
        number = self.action.request
        if number is None and overrides(src.scheduler, "pick_migrant"):
            number = src.scheduler.pick_migrant(src.view)
        if number is None:
            raise Fails("nobody")
        request = cluster.live.get(number)
        if request is None or request.lane is not src:
            raise Fails("gone")
        waits = request.state == WAITING and not request.ready
        runs = request.state == RUNNING and request.decodes and not request.prefilling
        if not (waits or runs) or any(other.request is request for other in cluster.migrations):
            raise Fails("not movable")
        if dst.instance.state != "up":
            raise Fails("not up")
        if waits or how.migration == "recompute":
            if how.max_waiting is not None and len(dst.instance.waiting) >= how.max_waiting:
                raise Fails("queue full")
            self.move_without_kv(request)
            return
        if not self.slot_at(src):
            raise Fails("no slot")
        self.request, self.preemptions = request, request.preemptions
        self.when_at(dst, self.reserve)

    def slot_at(self, lane: Any) -> bool:
        """Whether one more may come or go there."""
        taken = 0
        for other in self.cluster.migrations:
            taken += other.request is not None and other.src is lane
            taken += other.reserves and other.dst is lane
        return bool(taken < self.cluster.mechanisms.migration_slots)

    def move_without_kv(self, request: PlainRequest) -> None:
        src, dst = self.src, self.dst
        if request.state == RUNNING:
            request.paused_at = self.cluster.now
            src.leave(request)
            src.give(request.held)
            request.computed = 0
        else:
            src.waiting.remove(request)
            src.changed()
        self.come_to(request, 0)
        dst.enqueue(request)
        self.succeed(request)

    def come_to(self, request: PlainRequest, blocks: int) -> None:
        """It is the other instance's from now on."""
        self.cluster.write(self.dst.instance.id, log.MIGRATED, request.id, blocks)
        request.number = self.dst.instance.numbers
        self.dst.instance.numbers += 1

    def left(self) -> bool:
        request = self.request
        assert request is not None
        return request.state != RUNNING or request.lane is not self.src or request.preemptions != self.preemptions

    def reserve(self) -> None:
        if self.left():
            raise Fails("gone")
        request, dst, pool = self.request, self.dst, self.dst.instance.pool
        assert request is not None
        if not self.reserves:
            if dst.instance.state != "up":
                raise Fails("not up")
            if not self.slot_at(dst):
                raise Fails("no slot")
            if dst.places_taken() >= dst.scheduler.max_num_seqs:
                raise Fails("no seat")
        more = pool.blocks(request.computed) + 1 - len(self.reserved)
        if more > pool.free:
            raise Fails("no memory")
        if not self.reserves:
            self.reserves = True
            dst.expected.append(self)
        self.reserved += [pool.take() for _ in range(more)]
        self.when_at(self.src, self.decide)

    def decide(self) -> None:
        if self.left():
            raise Fails("gone")
        request, src, how = self.request, self.src, self.cluster.mechanisms
        assert request is not None
        self.stage += 1
        pool = src.instance.pool
        rest = pool.blocks(request.computed) - self.sent
        last = {"blocking": True, "two_stage": self.stage == 2, "multistage": rest <= how.migration_last_blocks}
        if not last[how.migration]:
            self.send(request.computed // pool.size - self.sent, self.stage_over)
            return
        self.cluster.write(src.instance.id, log.PAUSED, request.id, request.computed)
        src.running.remove(request)
        src.changed()
        src.moving.append(request)
        request.state = PAUSED
        request.paused_at = self.cluster.now
        self.send(rest, lambda: self.when_at(self.dst, self.arrive))

    def send(self, count: int, then: Callable[[], None]) -> None:
        cluster, request = self.cluster, self.request
        assert request is not None
        self.sent += count
        self.copy = StageCopy(self, count, then)
        self.src.starting.append(self.copy)
        cluster.counters["migration_stages"] += 1
        cluster.counters["migrated_blocks"] += count
        cluster.write(self.dst.instance.id, log.STAGE, request.id, count)

    def stage_over(self) -> None:
        how = self.cluster.mechanisms
        if how.migration == "multistage" and self.stage == how.migration_max_stages:
            self.fail("too slow")
        else:
            self.when_at(self.dst, self.reserve)

    def arrive(self) -> None:
        request, src, dst = self.request, self.src, self.dst
        assert request is not None
        if request not in src.moving:
            raise Fails("gone")
        src.moving.remove(request)
        src.gone.append(request.held)
        src.ask(lambda blocks=request.held, computed=request.computed: src.give_gone(request, blocks, computed))
        needed = dst.instance.pool.blocks(request.computed)
        dst.expected.remove(self)
        request.held = self.reserved[:needed]
        dst.give(self.reserved[needed:])
        request.lane, request.instance = dst, dst.instance.id
        dst.come.append(request)
        self.come_to(request, self.sent)
        self.succeed(request)

    # -- ends ----------------------------------------------------------------------------------------------

    def succeed(self, request: PlainRequest) -> None:
        cluster = self.cluster
        self.over = True
        cluster.migrations.remove(self)
        cluster.counters["migrations"] += 1
        cluster.tell(self.dst, "on_arrived", Arrived(request.id))
        cluster.done(-1, Done(self.action, ok=True))

    def fail(self, why: str) -> None:
        self.undo()
        self.cluster.overtaken(-1, self.action, why)

    def undo(self) -> None:
        """What was changed is changed back at the next boundaries."""
        self.over = True
        self.cluster.migrations.remove(self)
        self.cluster.counters["migrations_aborted"] += 1
        if self.copy is not None and not self.copy.over:
            self.copy.stop()
            if self.copy.flow is not None:
                self.cluster.network.stop(self.copy.flow)
        if self in self.dst.expected:
            self.dst.ask(self.unreserve)
        if self.request is not None and self.request in self.src.moving:
            self.src.ask(self.resume)

    def unreserve(self) -> None:
        if self in self.dst.expected:
            self.dst.expected.remove(self)
            self.dst.give(self.reserved)

    def resume(self) -> None:
        request, src = self.request, self.src
        assert request is not None
        src.changed()
        if request in src.moving:
            src.moving.remove(request)
            request.state = RUNNING
            src.running.append(request)
            src.running.sort(key=lambda other: other.place)
            self.cluster.write(src.instance.id, log.RESUMED, request.id, request.computed)
