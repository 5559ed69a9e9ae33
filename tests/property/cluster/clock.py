"""A plain clock: what happens at one instant happens in the order of docs/mechanisms.md."""

import heapq
import itertools
from collections.abc import Callable
from typing import Any

PHASES = (
    "samples",
    "arrivals",
    "later_turns",
    "copies",
    "faults",
    "boots",
    "switches",
    "time_outs",
    "pins",
    "reports",
    "timers",
    "lanes",
)
_PLACE = {name: i for i, name in enumerate(PHASES)}
_IDLE = ("samples", "reports")


class Event:
    __slots__ = ("essential", "what")

    def __init__(self, what: Callable[[], None], essential: bool) -> None:
        self.what: Callable[[], None] | None = what
        self.essential = essential


class Clock:
    """Events by time, phase, and their order within the phase."""

    def __init__(self) -> None:
        self.now = 0
        self.essential = 0
        """Events to come that are more than looking."""
        self._heap: list[tuple[int, int, Any, int, Event]] = []
        self._serial = itertools.count()

    def at(self, time: int, phase: str, order: Any, what: Callable[[], None]) -> Event:
        assert time >= self.now
        event = Event(what, phase not in _IDLE)
        self.essential += event.essential
        heapq.heappush(self._heap, (time, _PLACE[phase], order, next(self._serial), event))
        return event

    def cancel_event(self, event: Event | None) -> None:
        if event is not None and event.what is not None:
            event.what = None
            self.essential -= event.essential

    def step(self) -> bool:
        """Let the next event happen; return whether there was one."""
        while self._heap:
            time, _, _, _, event = heapq.heappop(self._heap)
            what = event.what
            if what is not None:
                self.cancel_event(event)
                self.now = time
                what()
                return True
        return False
