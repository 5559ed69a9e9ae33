"""Plain instances: a pool, one lane or two, pins, host memory, and a life of their own."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from simcore.contract import Arrived, Cancelled, Done, InstanceDown, InstanceUp, SetRole
from simcore.contract import decisions as log
from tests.property.cluster.blocks import Block, Pool
from tests.property.cluster.copies import Copy, Kept, give_back
from tests.property.cluster.lane import Lane
from tests.property.cluster.requests import CANCELLED, FAILED, FINISHED, UNROUTED, PlainRequest

ROLES = ("mixed", "prefill", "decode")
WHY = ("drained", "terminated", "failed")


@dataclass(eq=False)
class Pin:
    """Blocks held for a program's next turn."""

    key: int
    until: int
    blocks: list[Block]


class Instance:
    """One instance."""

    def __init__(self, cluster: Any, number: int, role: str, state: str) -> None:
        self.cluster, self.id, self.role, self.state = cluster, number, role, state
        split = cluster.mechanisms.sm_split
        self.split: tuple[int, int] | None = split
        self.slowness = 1000
        self.migration_copies = 0
        self.numbers = 0
        self.goal: Any = None
        """The `Drain` or `SetRole` under way."""
        self.boots = -1
        self.broken = -1
        """The fault that holds it down."""
        self.evictions = 0
        count = 1 if split is None else 2
        self.lanes = [Lane(cluster, self, position, number * count + position) for position in range(count)]
        self.begin()

    def begin(self) -> None:
        """Empty memory."""
        settings, mechanisms = self.cluster.settings, self.cluster.mechanisms
        cached = mechanisms.prefix_cache is not None
        self.pool = Pool(settings.kv_blocks, settings.block_tokens, cached, self.cluster.names)
        self.host_free = mechanisms.host_blocks
        self.kept: list[Kept] = []
        self.pins: dict[int, Pin] = {}

    # -- how it stands ---------------------------------------------------------------------------------------------

    @property
    def works(self) -> bool:
        return self.state in ("up", "draining")

    @property
    def running(self) -> list[PlainRequest]:
        return [request for lane in self.lanes for request in lane.running]

    @property
    def waiting(self) -> list[PlainRequest]:
        return [request for lane in self.lanes for request in lane.waiting]

    @property
    def reserved(self) -> int:
        copying = [r for lane in self.lanes for r in (*lane.copying, *lane.come)]
        out = [copy for lane in self.lanes for copy in lane.outgoing]
        kept = sum(len(kept.blocks) for kept in self.kept if kept.copying)
        moved = sum(len(m.reserved) for lane in self.lanes for m in lane.expected)
        moved += sum(len(r.held) for lane in self.lanes for r in lane.moving)
        moved += sum(len(blocks) for lane in self.lanes for blocks in lane.gone)
        return sum(len(r.held) for r in copying) + sum(len(copy.held) for copy in out) + kept + moved

    @property
    def is_copying(self) -> bool:
        live = self.cluster.live
        copies = (c for r in self.cluster.requests for c in r.copies if r.id in live or not c.waited)
        return any(copy.touches(self) for copy in copies)

    @property
    def is_stuck(self) -> bool:
        waits = any(copy.touches(self) and not copy.waited for r in self.cluster.requests for copy in r.copies)
        waits = waits or self.is_moving
        return not waits and not any(lane.busy or lane.event is not None for lane in self.lanes)

    @property
    def is_moving(self) -> bool:
        """Somebody is to come by a migration, or has not left with one."""
        return any(lane.expected or lane.moving or lane.gone for lane in self.lanes)

    def needs(self, request: PlainRequest) -> int:
        """Blocks a waiting request needs, as routers read it."""
        return self.pool.blocks(request.target) - len(request.held)

    def free_host(self, request: PlainRequest) -> None:
        self.host_free += request.host
        request.host = 0

    # -- pins --------------------------------------------------------------------------------------------------------

    def pin(self, lane: Lane, key: int, request: PlainRequest, until: int) -> None:
        pool = self.pool
        blocks = pool.beginning(request, request.computed // pool.size)
        for block in blocks:
            pool.hold(block)
        if key in self.pins:
            lane.give(self.pins.pop(key).blocks)
        self.pins[key] = pin = Pin(key, until, blocks)
        self.cluster.write(self.id, log.PINNED, key, len(blocks))
        self.cluster.at(max(self.cluster.now, until), "pins", self.id, lambda: self.date_comes(pin))

    def date_comes(self, pin: Pin) -> None:
        """An idle lane has its boundary at once."""
        if self.pins.get(pin.key) is pin:
            for lane in self.lanes:
                lane.wake()

    def end_pins(self, lane: Lane) -> None:
        """Step (3) of a boundary."""
        due = [pin for pin in self.pins.values() if pin.until <= self.cluster.now]
        for pin in sorted(due, key=lambda pin: (pin.until, pin.key)):
            self.unpin(lane, pin.key, 1)

    def unpin(self, lane: Lane, key: int, why: int) -> None:
        pin = self.pins.pop(key, None)
        if pin is not None:
            lane.give(pin.blocks)
            write = partial(self.cluster.write, self.id, log.UNPINNED, key, why)
            if why == 2:
                lane.later.append(write)
            else:
                write()

    def next_turn_runs(self, lane: Lane, request: PlainRequest) -> None:
        if request.program >= 0:
            self.unpin(lane, request.program, 2)

    # -- coming and going ----------------------------------------------------------------------------------------------

    def come_up(self, first_time: bool) -> None:
        self.state = "up"
        if first_time:
            for lane in self.lanes:
                self.cluster.tell(lane, "on_start", None)
        self.cluster.write(self.id, log.UP, -1, -1)
        self.cluster.tell_router("on_instance_up", InstanceUp(self.id))

    def boot_ends(self, first_time: bool, booked: int) -> None:
        if self.state == "starting" and self.boots == booked:
            self.come_up(first_time)

    def see_if_empty(self) -> None:
        """A drain ends when nothing is left."""
        if self.state != "draining" or self.kept or self.is_copying or self.is_moving:
            return
        if any(lane.running or lane.waiting or lane.paused or lane.copying or lane.come for lane in self.lanes):
            return
        if any(lane.busy for lane in self.lanes):
            return
        goal, self.goal = self.goal, None
        if isinstance(goal, SetRole):
            self.role, self.state = goal.role, "up"
            self.cluster.write(self.id, log.ROLE, -1, ROLES.index(goal.role))
        else:
            self.go_down(0)
        self.cluster.done(-1, Done(goal, ok=True))

    def go_down(self, why: int) -> None:
        """All that is on it is lost."""
        cluster = self.cluster
        self.state = "down"
        goal, self.goal = self.goal, None
        lost: list[PlainRequest] = []
        asked = [lose for lane in self.lanes for _, lose in lane.asked]
        for lane in self.lanes:
            cluster.cancel_event(lane.event)
            paused = [*lane.paused, *lane.copying, *lane.come, *lane.moving]
            lost += [*lane.running, *lane.waiting, *sorted(paused, key=lambda request: request.id)]
        copies = [copy for request in cluster.requests for copy in request.copies if copy.touches(self)]
        for copy in sorted(
            copies, key=lambda copy: copy.flow.number if copy.flow is not None else cluster.network.started
        ):
            self.lose_copy(copy)
        for request in cluster.live.values():
            if request.kept is not None and request.kept.lane.instance is self and request not in lost:
                self.lose_kept(request)
        moves = [migration for migration in cluster.migrations if self in migration.ends]
        for request in lost:
            give_back(request)
            request.held = []
            request.host = 0
        lost = [request for request in lost if request.id in cluster.live]
        untold = [request for lane in self.lanes for request in lane.late]
        for lane in self.lanes:
            lane.empty()
            lane.waiting = []
        for migration in moves:
            migration.undo()
        self.lanes[0].late = untold
        self.evictions += self.pool.evictions
        self.begin()
        self.split = cluster.mechanisms.sm_split
        switch = cluster.splitting.pop(self.id, None)
        self.tell_lost(lost, why, goal, asked, switch, moves)

    def lose_copy(self, copy: Copy) -> None:
        copy.lose()
        if copy.lane.instance is not self and copy.lane.copying.get(copy.request) is copy:
            lane = copy.lane
            copy.request.kept = None
            lane.ask(lambda: lane.copy_lost(copy))

    def lose_kept(self, request: PlainRequest) -> None:
        """It waits elsewhere for KV that is gone."""
        request.kept = None
        if request.elsewhere:
            request.elsewhere = False
            request.computed = 0
            request.lane.changed()
            request.lane.wake()

    def tell_lost(
        self, lost: list[PlainRequest], why: int, goal: Any, asked: list[Callable[[], None]], switch: Any, moves: Any
    ) -> None:
        cluster = self.cluster
        ended = [request for request in lost if request.ending]
        gone = [request for request in lost if not request.ending]
        for request in lost:
            if request.ending:
                cluster.ended(request, FINISHED)
                continue
            if request.id in cluster.given_up:
                cluster.write(self.id, log.ABORTED, request.id, 0)
                cluster.ended(request, CANCELLED)
                continue
            cluster.write(self.id, log.LOST, request.id, request.generated)
            request.computed, request.lane, request.elsewhere, request.prefilling = 0, None, False, False
            if cluster.mechanisms.lost == "failed":
                cluster.ended(request, FAILED)
            else:
                request.state, request.instance = UNROUTED, -1
        untold, self.lanes[0].late = self.lanes[0].late, []
        self.lanes[0].tell_firsts(untold)
        for request in ended:
            self.lanes[0].tell_finished(request)
        cluster.write(self.id, log.DOWN, -1, why)
        cluster.tell_router("on_instance_down", InstanceDown(self.id, WHY[why]))
        for lose in asked:
            lose()
        if switch is not None:
            cluster.overtaken(-1, switch, "instance down")
        if goal is not None:
            cluster.overtaken(-1, goal, "instance down")
        for migration in moves:
            cluster.overtaken(-1, migration.action, "instance down")
        for request in gone:
            if request.state == CANCELLED:
                cluster.tell_router("on_cancelled", Cancelled(request.id, cluster.given_up.pop(request.id)))
            elif request.state == FAILED:
                cluster.tell_router("on_cancelled", Cancelled(request.id, "failed"))
            elif request.state == UNROUTED and request.id in cluster.live:
                cluster.tell_router("on_arrived", Arrived(request.id))
