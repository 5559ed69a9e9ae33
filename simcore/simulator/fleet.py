"""Fleet: which instances there are, in what state, with what role, and which of them has the least to do."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, get_args

from simcore.books.index import Least
from simcore.contract import (
    CancelDrain,
    Done,
    Drain,
    IllegalAction,
    InstanceUp,
    Role,
    Scale,
    SetRole,
    Terminate,
    to_ps,
)
from simcore.contract import decisions as log
from simcore.simulator.actions import ROUTER
from simcore.simulator.clock import TIMERS, Alarm
from simcore.simulator.outage import go_down
from simcore.simulator.tiered_stepper import SimTieredLane
from simcore.simulator.views import LOADS, load_of

if TYPE_CHECKING:
    from simcore.simulator.instance import SimInstance
    from simcore.simulator.simulator import Simulator
    from simcore.simulator.stepper import SimLane

NOT_UP = 1 << 62
"""Key of an instance that takes no requests, or not those of the role asked for."""
ROLES: tuple[Role, ...] = get_args(Role)
_BOOTED = TIMERS - 0.625
_BY_ID = 2.0**-30


class Fleet:
    """The instances of a cluster."""

    def __init__(self, simulator: "Simulator") -> None:
        self._simulator = simulator
        self.indexes: dict[tuple[str, Role | None], Least] = {}
        """By load and role, made when a router first asks for the least of it."""
        self._of_lanes: list[tuple[Least, Callable[[SimLane], int]]] = []
        """The same with their loads, while a change of a lane is all that there is to an instance's: no roles are
        asked for, instances have one lane and report every boundary."""
        self.booting = 0
        """Boots under way."""
        self._new: dict[int, None] = {}
        """Instances that were never up; their schedulers have not started."""

    # -- the least of a load -------------------------------------------------------------------------------------

    def least(self, load: str, role: Role | None) -> int:
        """Return the instance with the least of `load`, of those with `role`, or that take new prompts, and are up.

        Raises IllegalAction if there is none.
        """
        simulator = self._simulator
        index = self.indexes.get((load, role))
        if index is None:
            if load not in LOADS:
                raise IllegalAction(f"least: load must be one of {', '.join(LOADS)}, got {load!r}")
            index = self.indexes[load, role] = Least(len(simulator.instances))
            for instance in simulator.instances:
                index.set(instance.id, self._key(instance, load, role))
            plain = simulator.lanes_each == 1 and simulator.reports is None
            plain = plain and all(asked is None for _, asked in self.indexes)
            self._of_lanes = [(kept, LOADS[name]) for (name, _), kept in self.indexes.items()] if plain else []
        elif simulator.acting >= 0 and simulator.lanes[simulator.acting].moved:
            self.reindex(simulator.instances[simulator.lanes[simulator.acting].instance])  # its batch is not formed yet
        least = index.argmin()
        if index.key(least) >= NOT_UP:
            raise IllegalAction(f"least: no instance is up{'' if role is None else f' with role {role}'}")
        return least

    def moved(self, lane: "SimLane") -> None:
        """Bring the indexes up to date after the queue or the batch of a lane changed."""
        instance = self._simulator.instances[lane.instance]
        if self._of_lanes and instance.takes_prompts:
            lane.moved = False
            for index, load in self._of_lanes:
                index.set(lane.index, load(lane))
        else:
            self.reindex(instance)

    def reindex(self, instance: "SimInstance") -> None:
        """Bring the indexes up to date after a queue, a batch, the state or the role of `instance` changed."""
        for lane in instance.lanes:
            lane.moved = False
        for (load, role), index in self.indexes.items():
            index.set(instance.id, self._key(instance, load, role))

    def _key(self, instance: "SimInstance", load: str, role: Role | None) -> int:
        if not instance.takes_prompts if role is None else (instance.state, instance.role) != ("up", role):
            return NOT_UP
        reports = self._simulator.reports
        return load_of(instance, load) if reports is None else reports.load_of(instance.id, load)

    def changed(self, instance: "SimInstance") -> None:
        """The state or the role of `instance` is another now."""
        instance.takes_prompts = instance.state == "up" and instance.role != "decode"
        self._simulator.view.refresh()
        self.reindex(instance)

    # -- what routers ask for --------------------------------------------------------------------------------------

    def start(self, action: Scale | Drain | CancelDrain | Terminate | SetRole) -> None:
        """Start what the router asks for. Raises IllegalAction."""
        if isinstance(action, Scale):
            if action.instances < 1:
                raise IllegalAction(f"{action}: instances must be >= 1")
            for _ in range(action.instances):
                self._add()
        elif isinstance(action, Drain):
            self._drain(self._in_state(action, "up"), action)
        elif isinstance(action, CancelDrain):
            self._cancel(self._in_state(action, "draining"))
        elif isinstance(action, Terminate):
            go_down(self._simulator, self._in_state(action, "starting", "up", "draining"), "terminated")
        else:
            self._set_role(self._in_state(action, "up"), action)

    def _in_state(self, action: Drain | CancelDrain | Terminate | SetRole, *states: str) -> "SimInstance":
        instances = self._simulator.instances
        if not 0 <= action.instance < len(instances):
            raise IllegalAction(f"{action}: instance must be 0..{len(instances) - 1}")
        instance = instances[action.instance]
        if instance.state not in states:
            raise IllegalAction(f"{action}: instance {instance.id} must be {' or '.join(states)}, is {instance.state}")
        return instance

    def _set_role(self, instance: "SimInstance", action: SetRole) -> None:
        simulator = self._simulator
        if action.role not in ROLES:
            raise IllegalAction(f"{action}: role must be one of {', '.join(ROLES)}")
        if simulator.lanes_each == 2:
            raise IllegalAction(f"{action}: two lanes do the work of both roles; needs a cluster without `sm_split`")
        if action.role == "prefill" and "on_prefilled" not in simulator.messenger.router_hears:
            raise IllegalAction(f"{action}: the router must dispatch what is prefilled (`on_prefilled`), and does not")
        if action.role == instance.role:
            simulator.done(ROUTER, Done(action, ok=True))
        else:
            self._drain(instance, action)

    def _drain(self, instance: "SimInstance", action: Drain | SetRole) -> None:
        instance.state = "draining"
        instance.draining = action
        for lane in instance.lanes:
            lane.drains = True
        self.changed(instance)
        acting = self._simulator.acting
        if acting < 0 or self._simulator.lanes[acting].instance != instance.id:
            self.left(instance)  # else its boundary looks, when all of it has been told

    def _cancel(self, instance: "SimInstance") -> None:
        action = self._end_drain(instance)
        instance.state = "up"
        self.changed(instance)
        self._simulator.done(ROUTER, Done(action, ok=False, why="cancelled"))

    def _end_drain(self, instance: "SimInstance") -> Drain | SetRole:
        action, instance.draining = instance.draining, None
        assert action is not None, "a draining instance knows why"
        for lane in instance.lanes:
            lane.drains = False
        return action

    def left(self, instance: "SimInstance") -> None:
        """Something may have left a draining instance; if it was the last, the drain has ended."""
        if instance.draining is None or not instance.empty:
            return
        simulator, action = self._simulator, self._end_drain(instance)
        if isinstance(action, SetRole):
            instance.state = "up"
            instance.role = action.role
            (lane,) = instance.lanes
            assert isinstance(lane, SimTieredLane), "a cluster whose router sets roles is made for it"
            lane.hands_on = action.role == "prefill"
            simulator.log(instance.id, log.ROLE, -1, ROLES.index(action.role))
            self.changed(instance)
        else:
            go_down(simulator, instance, "drained")
        simulator.done(ROUTER, Done(action, ok=True))

    # -- booting ---------------------------------------------------------------------------------------------------

    def _add(self) -> None:
        simulator = self._simulator
        instance = simulator.add_instance()
        self._new[instance.id] = None
        if simulator.settings.topology is not None:
            simulator.network.ensure(simulator.settings.topology.links_of(instance.id))
        for index in self.indexes.values():
            index.add(NOT_UP)
        simulator.view.add(instance)
        self.boot(instance)

    def boot(self, instance: "SimInstance") -> None:
        """Let an instance be up after its boot time, unless it goes down before."""
        simulator = self._simulator
        instance.state = "starting"
        self.changed(instance)
        self.booting += 1
        up = partial(self._up, instance, instance.epoch)
        Alarm(simulator.clock, to_ps(simulator.settings.boot_s), up, _BOOTED + instance.id * _BY_ID)

    def _up(self, instance: "SimInstance", epoch: int, _: Alarm) -> None:
        self.booting -= 1
        if epoch != instance.epoch:
            return
        simulator = self._simulator
        instance.state = "up"
        self.changed(instance)
        simulator.counts["instances_booted"] += 1
        simulator.log(instance.id, log.UP, -1, -1)
        if instance.id in self._new:
            del self._new[instance.id]
            simulator.messenger.tell_started(instance.lanes)
        if simulator.rollouts is not None:
            simulator.rollouts.weights.came_up(instance)
        simulator.messenger.tell_router("on_instance_up", InstanceUp(instance.id))
