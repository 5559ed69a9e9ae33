"""Bypass: what happens to requests while the router is down: they are dispatched in turn to whoever takes them."""

from typing import TYPE_CHECKING

from simcore.books.request import PAUSED, UNROUTED, Request
from simcore.contract import Arrived, Dispatch, Prefilled
from simcore.contract import decisions as log
from simcore.simulator.actions import ROUTER, dispatch

if TYPE_CHECKING:
    from simcore.simulator.simulator import Simulator

FAILED = 2
"""Why the router is down, as for an instance."""


class Bypass:
    """Takes the router's place while it is down. Its own number stands for an instance in the log."""

    def __init__(self, simulator: "Simulator") -> None:
        self._simulator = simulator
        self._faults = 0
        """Faults of the router in force."""
        self._dispatched = 0
        self.failures = 0
        """How often the router went down."""

    def begin(self) -> None:
        """The router goes down: its timers are gone, and what waits for it goes round robin."""
        self._faults += 1
        if self._faults > 1:
            return
        simulator = self._simulator
        self.failures += 1
        simulator.log(ROUTER, log.DOWN, -1, FAILED)
        simulator.timers = {timer for timer in simulator.timers if timer[0] != ROUTER}
        simulator.messenger.bypass = self
        self.dispatch_all()

    def end(self) -> None:
        """The router is back: it starts again, and hears of what nobody took."""
        self._faults -= 1
        if self._faults:
            return
        simulator = self._simulator
        simulator.log(ROUTER, log.UP, -1, -1)
        simulator.messenger.bypass = None
        simulator.messenger.start_router()
        for request in self._waiting():
            if request.state == UNROUTED:
                simulator.messenger.tell_router("on_arrived", Arrived(request.id))
            elif self._is_kept(request):
                assert request.lane is not None
                fact = Prefilled(request.id, simulator.place_of(request.lane))
                simulator.messenger.tell_router("on_prefilled", fact)

    def dispatch_all(self) -> None:
        """Dispatch all that wait for a router, by id."""
        for request in self._waiting():
            self.dispatch(request.id)

    def dispatch(self, number: int) -> None:
        """Dispatch a request to the next of the instances that take it; it waits if there is none."""
        simulator = self._simulator
        roles = ("mixed", "decode") if simulator.live[number].state == PAUSED else ("mixed", "prefill")
        able = [one.id for one in simulator.instances if one.state == "up" and one.role in roles]
        if able:
            chosen = able[self._dispatched % len(able)]
            self._dispatched += 1
            dispatch(simulator, Dispatch(number, chosen))

    def _waiting(self) -> list[Request]:
        waiting = [r for r in self._simulator.live.values() if r.state == UNROUTED or self._is_kept(r)]
        return sorted(waiting, key=lambda request: request.id)

    def _is_kept(self, request: Request) -> bool:
        return request.state == PAUSED and self._simulator.keeps(request)
