"""Clock: a SimPy environment whose time is whole picoseconds, and the one kind of event the simulator sets."""

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Protocol

from simpy import Environment
from simpy.events import Event

SAMPLES, ARRIVALS, COPIES, TIMERS, LANES = range(5)
"""SimPy priorities of what happens at one instant; lane i has priority `LANES + i`."""


class Clock(Environment):
    """Starts at zero and counts picoseconds as int."""

    def __init__(self) -> None:
        super().__init__(initial_time=0)

    @property
    def now(self) -> int:
        return self._now  # type: ignore[return-value]  # ints in, ints out

    def drive(self, run: "Run") -> None:
        """Process events until `run.over` or none is left.

        This is SimPy's `step` in a loop, written out: one call less for each event.
        """
        queue = self._queue
        while queue and not run.over:
            self._now, _, _, event = heappop(queue)
            callbacks, event.callbacks = event.callbacks, None  # type: ignore[assignment]
            for callback in callbacks:
                callback(event)
            if not event._ok and not event.defused:
                raise event._value


class Run(Protocol):
    """What says when to stop."""

    over: bool


class Alarm(Event):
    """An event that calls `callback` with itself after `delay` picoseconds, unless cancelled.

    Once it went off it can be set again, which saves making another.
    """

    __slots__ = ("_calls", "_priority", "_queue", "_serial")

    def __init__(self, clock: Clock, delay: int, callback: Callable[["Alarm"], None], priority: float) -> None:
        self.env = clock
        self._value = None
        self._ok = True
        self._calls: list[Callable[[Event], None]] = [callback]  # type: ignore[list-item]
        self._priority = priority
        self._queue = clock._queue
        self._serial = clock._eid
        self.set(delay)

    def set(self, delay: int) -> None:
        """Go off after `delay` picoseconds. Only for an alarm that is not set."""
        self.callbacks = self._calls
        # What `Environment.schedule` does, without the calls: this is done three times for every request.
        heappush(self._queue, (self.env._now + delay, self._priority, next(self._serial), self))  # type: ignore[misc]

    def cancel(self) -> None:
        """Let it pass in silence; it stays in SimPy's heap until its time, and is not set again."""
        self.callbacks = []
