"""Migrations: those under way in a cluster, and what drives them: boundaries of lanes, and ends of copies."""

from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, cast

from simcore.books import moving
from simcore.books.moving import Stage
from simcore.books.request import PAUSED, Request
from simcore.contract import Done, IllegalAction, Migrate, SetRole
from simcore.contract import decisions as log
from simcore.simulator.actions import INSTANCE_DOWN, ROUTER
from simcore.simulator.migration import Migration, Refused, Steps

if TYPE_CHECKING:
    from simcore.simulator.simulator import Simulator
    from simcore.simulator.stepper import SimLane
    from simcore.simulator.tiered_stepper import SimTieredLane

_WHOLE = 1000
"""Factors are in thousandths."""


class Migrations:
    """The migrations of one run. Raises ValueError for what they do not go together with yet."""

    def __init__(self, simulator: "Simulator") -> None:
        self.simulator = simulator
        self.of: dict[Request, Migration] = {}
        """By request: the migration that copies it."""
        self.counts = Counter[str]()
        mechanisms = simulator.settings.mechanisms
        self._kind = mechanisms.migration
        self._most = mechanisms.migration_slots
        self._permille = round(mechanisms.migration_slowdown * _WHOLE)
        self._slots = Counter[int]()
        """By instance: migrations in and out."""
        self._under_way: dict[Migration, Steps] = {}
        """In the order in which they were asked for."""
        self._copies = Counter[int]()
        """By instance: copies of migrations under way, where they slow it down."""
        if self._kind != "none":
            for other, on in (
                ("two lanes", mechanisms.sm_split),
                ("schedule_ahead", mechanisms.schedule_ahead),
                ("roles", any(role != "mixed" for role in simulator.settings.roles) or SetRole in simulator.router_may),
            ):
                if on:
                    raise ValueError(f"migration: does not go with {other} yet")

    def ask(self, action: Migrate) -> None:
        """Start what the router asks for. Raises IllegalAction."""
        simulator = self.simulator
        if self._kind == "none":
            raise IllegalAction(f"{action}: needs `mechanism: {{migration: multistage}}`, or another kind")
        instances = simulator.instances
        for end, states in (("src", ("up", "draining")), ("dst", ("up",))):
            number = getattr(action, end)
            if not 0 <= number < len(instances):
                raise IllegalAction(f"{action}: {end} must be 0..{len(instances) - 1}")
            if instances[number].state not in states:
                raise IllegalAction(f"{action}: instance {number} must be up, is {instances[number].state}")
        if action.src == action.dst:
            raise IllegalAction(f"{action}: src and dst must differ")
        if action.request is not None:
            request = simulator.live.get(action.request)
            if request is None or request.lane is None or simulator.place_of(request.lane) != action.src:
                raise IllegalAction(f"{action}: request {action.request} must be on instance {action.src}")
        same = next((migration for migration in self._under_way if migration.action == action), None)
        if same is not None and same.router == simulator.faults.bypass.failures:
            raise IllegalAction(f"{action}: the same action is still in flight")
        simulator.log(action.src, log.MIGRATE, -1 if action.request is None else action.request, action.dst)
        if same is not None:  # a router that started again does not know
            simulator.done(ROUTER, Done(action, ok=False, why="in flight"))
            return
        migration = Migration(self, action)
        self._under_way[migration] = migration.steps()
        self._go_on(migration)

    def lane_of(self, instance: int) -> "SimTieredLane":
        (lane,) = self.simulator.instances[instance].lanes
        return cast("SimTieredLane", lane)

    # -- slots ---------------------------------------------------------------------------------------------------------

    def has_slot(self, lane: "SimTieredLane") -> bool:
        return self._slots[lane.instance] < self._most

    def take_slot(self, lane: "SimTieredLane") -> None:
        self._slots[lane.instance] += 1

    # -- one step after the other --------------------------------------------------------------------------------------

    def _go_on(self, migration: Migration) -> None:
        """Do all steps that can be done now, and wait for what the next one needs."""
        steps = self._under_way[migration]
        while True:
            try:
                step = next(steps)
            except StopIteration:
                self._end(migration)
                return
            except Refused as refusal:
                self._fail(migration, str(refusal))
                return
            if isinstance(step, Stage):
                standing = self.simulator.lanes[self.simulator.acting]
                cast("SimTieredLane", standing).copies.append(step)
                migration.stage = step
                return
            if not self._stands(step):
                step.later(partial(self._at_boundary, migration, step))
                return
            step.refused = False

    def _stands(self, lane: "SimTieredLane") -> bool:
        """Return whether a lane stands at its boundary, before its next iteration is formed."""
        return lane.k == 0 and self.simulator.acting == lane.index

    def soon(self, lane: "SimTieredLane", what: Callable[[], object]) -> None:
        """Do something that gives blocks back at the next boundary of a lane, now if it stands at one."""
        if self._stands(lane):
            lane.note_freed(what() is not False)
        else:
            lane.later(lambda: lane.note_freed(what() is not False))

    def _at_boundary(self, migration: Migration, lane: "SimLane") -> bool:
        lane.refused = False
        if not migration.over:
            self._go_on(migration)
        return False

    def _end(self, migration: Migration) -> None:
        self._close(migration)
        self.counts["migrations"] += 1
        self.simulator.done(ROUTER, Done(migration.action, ok=True))

    def _fail(self, migration: Migration, why: str) -> None:
        self._undo(migration)
        self.simulator.done(ROUTER, Done(migration.action, ok=False, why=why))

    def _undo(self, migration: Migration) -> None:
        """Close a migration that came to nothing; what it changed is changed back at the next boundaries."""
        self._close(migration)
        self.counts["migrations_aborted"] += 1
        simulator, request = self.simulator, migration.request
        src, dst, inbound = migration.src, migration.dst, migration.inbound
        if inbound is not None and simulator.instances[dst.instance].state != "down":
            self.soon(dst, partial(moving.forget, dst, inbound))
        if request is not None and request.state == PAUSED and simulator.instances[src.instance].state != "down":
            self.soon(src, partial(self._resume, src, request))

    def _resume(self, src: "SimTieredLane", request: Request) -> bool:
        if moving.resume(src, request):
            self.simulator.log(src.instance, log.RESUMED, request.id, request.computed)
        return False

    def _close(self, migration: Migration) -> None:
        del self._under_way[migration]
        migration.over = True
        if migration.request is not None:
            del self.of[migration.request]
            self._slots[migration.src.instance] -= 1
        if migration.inbound is not None:
            self._slots[migration.dst.instance] -= 1

    # -- copies ----------------------------------------------------------------------------------------------------

    def start_copy(self, stage: Stage) -> None:
        """Start the copy of a stage, unless its migration came to nothing since it was asked for."""
        migration = self.of.get(stage.request)
        if migration is None or migration.stage is not stage:
            return
        self._pace(migration, 1)
        self.simulator.copy(stage, migration.src.instance, migration.dst.instance, partial(self._copied, migration))

    def _copied(self, migration: Migration) -> None:
        self._pace(migration, -1)
        self._go_on(migration)

    def _pace(self, migration: Migration, more: int) -> None:
        """A copy begins (1) or is over (-1): iterations at its ends take longer meanwhile."""
        migration.copying = more > 0
        if self._permille == _WHOLE:
            return
        for lane in (migration.src, migration.dst):
            before = self._copies[lane.instance]
            self._copies[lane.instance] += more
            if 0 in (before, before + more):
                self.simulator.faults.slow_down(lane.instance, self._permille if more > 0 else None)

    # -- an instance goes down -----------------------------------------------------------------------------------------

    def lose(self, instance: int) -> Iterator[tuple[int, Done]]:
        """End the migrations from and to an instance that is down; yield what the router is to be told."""
        for migration in [m for m in self._under_way if instance in (m.action.src, m.action.dst)]:
            if migration.copying:
                self._pace(migration, -1)
            self._undo(migration)
            yield ROUTER, Done(migration.action, ok=False, why=INSTANCE_DOWN)
