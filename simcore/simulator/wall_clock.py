"""Wall clock: the events of a run at their dates in real time, and what workers have done as soon as it is done."""

import time
from collections.abc import Callable
from heapq import heappop
from queue import Empty, SimpleQueue

from simcore.contract import PS_PER_S
from simcore.simulator.clock import Clock, Run

_LONGEST_WAIT_S = 0.5
"""A wait is cut in pieces, so that Ctrl-C is heard."""


class WallClock(Clock):
    """A clock that starts when it is first driven. Only the thread that drives it touches the run.

    An event is handled at its date or as soon after as the events before it allow, and then `now` is its date, or the
    date of the last thing handled if that is later: so dates never go back, and being late does not add up.
    """

    def __init__(self) -> None:
        super().__init__()
        self._inbox: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._began = 0.0
        self.expected = 0
        """Messages that workers still owe."""
        self.late_ps = 0
        """How late the latest event was."""

    def post(self, message: Callable[[], None]) -> None:
        """Have `message` called by the driving thread, now. May be called from any thread."""
        self._inbox.put(message)

    def drive(self, run: Run) -> None:
        """Handle events and messages until `run.over`, or until there is neither and none is owed."""
        self._began = time.monotonic() - self._now / PS_PER_S
        queue = self._queue
        while not run.over and (queue or self.expected):
            message = self._next_message(queue[0][0] if queue else None)
            if message is not None:
                self._now = max(self._now, self._elapsed())
                message()
                continue
            if not queue or queue[0][0] > self._elapsed():
                continue
            due, _, _, event = heappop(queue)
            self.late_ps = max(self.late_ps, self._elapsed() - int(due))
            self._now = max(self._now, int(due))
            callbacks, event.callbacks = event.callbacks, None  # type: ignore[assignment]
            for callback in callbacks:
                callback(event)
            if not event._ok and not event.defused:
                raise event._value

    def _next_message(self, due: float | None) -> Callable[[], None] | None:
        """Return the next message that comes before an event is due; None: it is due, or nothing came for a while."""
        wait_s = _LONGEST_WAIT_S if due is None else min(_LONGEST_WAIT_S, (due - self._elapsed()) / PS_PER_S)
        try:
            return self._inbox.get(timeout=wait_s) if wait_s > 0 else self._inbox.get_nowait()
        except Empty:
            return None

    def _elapsed(self) -> int:
        return int((time.monotonic() - self._began) * PS_PER_S)
