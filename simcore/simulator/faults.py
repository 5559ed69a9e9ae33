"""Faults: instances fail, links lose bandwidth, stragglers are slow, each at its date and for a while."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from simcore.contract import to_ps
from simcore.simulator.bypass import Bypass
from simcore.simulator.clock import TIMERS, Alarm
from simcore.simulator.outage import go_down
from simcore.simulator.settings import Fault

if TYPE_CHECKING:
    from simcore.simulator.simulator import Simulator

_WHOLE = 1000
"""Factors are in thousandths."""
_FAULTS = TIMERS - 0.75
_BY_NUMBER = 2.0**-30
_MIGRATIONS = -1
"""In place of a fault's number."""


class Faults:
    """What goes wrong in a run. Of several faults that slow the same thing at once, the most severe counts.

    Raises ValueError for a fault on something that is not there.
    """

    def __init__(self, simulator: "Simulator") -> None:
        self._simulator = simulator
        self.to_come = 0
        """Beginnings and ends that lie ahead."""
        self._felled: dict[int, int] = {}
        """By instance that a fault took down: the number of the fault."""
        self._links: dict[str, dict[int, int]] = {}
        """By link: the thousandths that each fault in force leaves."""
        self._paces: dict[int, dict[int, int]] = {}
        """By instance: the thousandths of their duration that its iterations take, by each fault in force."""
        self.bypass = Bypass(simulator)
        for number, fault in enumerate(simulator.settings.faults):
            self._check(number, fault)

    def start(self) -> None:
        """Set the dates of all faults."""
        for number, fault in enumerate(self._simulator.settings.faults):
            self._at(to_ps(fault.at_s), self._begin, number, fault)

    def _check(self, number: int, fault: Fault) -> None:
        simulator = self._simulator
        if not fault.at_s >= 0:
            raise ValueError(f"faults[{number}]: at_s must not be negative, got {fault.at_s}")
        if fault.for_s is not None and not fault.for_s > 0:
            raise ValueError(f"faults[{number}]: for_s must be > 0, got {fault.for_s}")
        if fault.kind == "router":
            return
        if fault.kind == "link":
            if fault.target not in simulator.network.links:
                links = ", ".join(simulator.network.links) or "none"
                raise ValueError(f"faults[{number}]: target must be a link, one of {links}; got {fault.target!r}")
            if not 0 <= fault.factor <= 1:
                raise ValueError(f"faults[{number}]: factor of a link must be 0 to 1, got {fault.factor}")
            return
        if fault.target not in range(len(simulator.instances)):
            most = len(simulator.instances) - 1
            raise ValueError(f"faults[{number}]: target must be an instance, 0 to {most}, got {fault.target!r}")
        if fault.kind == "straggler" and round(fault.factor * _WHOLE) < 1:
            raise ValueError(f"faults[{number}]: factor of a straggler must be at least 0.001, got {fault.factor}")

    def _at(self, delay_ps: int, what: Callable[[int, Fault], None], number: int, fault: Fault) -> None:
        def ring(_: Alarm) -> None:
            self.to_come -= 1
            what(number, fault)

        self.to_come += 1
        Alarm(self._simulator.clock, delay_ps, ring, _FAULTS + number * _BY_NUMBER)

    def _begin(self, number: int, fault: Fault) -> None:
        if fault.for_s is not None:
            self._at(to_ps(fault.for_s), self._end, number, fault)
        permille = round(fault.factor * _WHOLE)
        if fault.kind == "router":
            self.bypass.begin()
        elif fault.kind == "link":
            self._links.setdefault(str(fault.target), {})[number] = permille
            self._scale(str(fault.target))
        elif fault.kind == "straggler":
            self._paces.setdefault(int(fault.target), {})[number] = permille
            self._set_pace(int(fault.target))
        else:
            instance = self._simulator.instances[int(fault.target)]
            if instance.state != "down":
                self._felled[instance.id] = number
                go_down(self._simulator, instance, "failed")

    def _end(self, number: int, fault: Fault) -> None:
        if fault.kind == "router":
            self.bypass.end()
        elif fault.kind == "link":
            del self._links[str(fault.target)][number]
            self._scale(str(fault.target))
        elif fault.kind == "straggler":
            del self._paces[int(fault.target)][number]
            self._set_pace(int(fault.target))
        elif self._felled.get(int(fault.target)) == number:
            del self._felled[int(fault.target)]
            self._simulator.fleet.boot(self._simulator.instances[int(fault.target)])

    def slow_down(self, instance: int, permille: int | None) -> None:
        """Let iterations that start on an instance take so many thousandths of their time; None: no more."""
        paces = self._paces.setdefault(instance, {})
        if permille is None:
            del paces[_MIGRATIONS]
        else:
            paces[_MIGRATIONS] = permille
        self._set_pace(instance)

    def _scale(self, link: str) -> None:
        self._simulator.network.scale(link, min(self._links[link].values(), default=_WHOLE))

    def _set_pace(self, instance: int) -> None:
        permille = max(self._paces[instance].values(), default=None)
        for lane in self._simulator.instances[instance].lanes:
            lane.line = self._simulator.line_of(lane, permille)
            lane.cut()
