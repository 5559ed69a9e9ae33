"""Worker: the thread of one engine: it does what it is given, in order, and reports to the driving thread."""

from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import Any

from simcore.simulator.wall_clock import WallClock

Report = Callable[[Any, BaseException | None], None]


class Worker:
    """Runs jobs one after the other.

    Args:
        name: of the thread.
        clock: where results are reported.
    """

    def __init__(self, name: str, clock: WallClock) -> None:
        self._jobs: SimpleQueue[tuple[Callable[[], Any], Report] | None] = SimpleQueue()
        self._clock = clock
        self._thread = Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def give(self, job: Callable[[], Any], report: Report) -> None:
        """Do `job`, then have `report` called by the driving thread with its result, or with what it raised."""
        self._clock.expected += 1
        self._jobs.put((job, report))

    def stop(self) -> None:
        """End the thread after what it was given."""
        self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (given := self._jobs.get()) is not None:
            job, report = given
            result, error = None, None
            try:
                result = job()
            except BaseException as raised:  # whatever it is, the driving thread has to know
                error = raised
            self._clock.post(_message(self._clock, report, result, error))


def _message(clock: WallClock, report: Report, result: Any, error: BaseException | None) -> Callable[[], None]:
    def message() -> None:
        clock.expected -= 1
        report(result, error)

    return message
