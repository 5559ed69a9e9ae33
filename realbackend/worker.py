"""Worker: the thread of one engine: it does what it is given, in order, and reports to the driving thread."""

from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, NamedTuple

from realbackend.completion import Completion
from simcore.simulator.wall_clock import WallClock

Report = Callable[[Any, BaseException | None], None]

_POLL_S = 0.0001
"""How often an engine that has nothing else to do looks at its copies."""


class _Job(NamedTuple):
    do: Callable[[], Any]
    report: Report
    goes_on: bool


class Worker:
    """Runs jobs one after the other; what a job has started goes on beside the next ones.

    Args:
        name: of the thread.
        clock: where results are reported.
    """

    def __init__(self, name: str, clock: WallClock) -> None:
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._under_way: list[tuple[Completion, Report]] = []
        self._clock = clock
        self._thread = Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def give(self, job: Callable[[], Any], report: Report) -> None:
        """Do `job`, then have `report` called by the driving thread with its result, or with what it raised."""
        self._take(_Job(job, report, goes_on=False))

    def start(self, job: Callable[[], Completion | None], report: Report) -> None:
        """Do `job`; call `report` once what it started has ended, which is asked between jobs. None: it has."""
        self._take(_Job(job, report, goes_on=True))

    def stop(self) -> None:
        """End the thread after what it was given and what that started."""
        self._jobs.put(None)
        self._thread.join()

    def _take(self, job: _Job) -> None:
        self._clock.expected += 1
        self._jobs.put(job)

    def _run(self) -> None:
        while (job := self._next()) is not None:
            result, error = _outcome(job.do)
            if job.goes_on and result is not None and error is None:
                self._under_way.append((result, job.report))
            else:
                self._post(job.report, result, error)
        for completion, report in self._under_way:
            self._post(report, *_outcome(completion.wait))

    def _next(self) -> _Job | None:
        """Return the next job, as soon as there is one; report what ends meanwhile."""
        while True:
            self._poll()
            try:
                return self._jobs.get(timeout=_POLL_S if self._under_way else None)
            except Empty:
                continue

    def _poll(self) -> None:
        under_way, self._under_way = self._under_way, []
        for completion, report in under_way:
            done, error = _outcome(completion.done)
            if done or error is not None:
                self._post(report, None, error)
            else:
                self._under_way.append((completion, report))

    def _post(self, report: Report, result: Any, error: BaseException | None) -> None:
        clock = self._clock

        def message() -> None:
            clock.expected -= 1
            report(result, error)

        clock.post(message)


def _outcome(job: Callable[[], Any]) -> tuple[Any, BaseException | None]:
    """Return what a job returned, or what it raised: whatever that is, the driving thread has to know."""
    try:
        return job(), None
    except BaseException as error:
        return None, error
