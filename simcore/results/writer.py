"""Cell writer: the rows of one run on their way to disk, in pieces, so that memory stays small however long the run."""

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from simcore.contract import PS_PER_S
from simcore.results.arrays import column, lists, names
from simcore.results.parquet import Ints, RowBuffer, TableWriter, int_rows
from simcore.results.schema import DECISIONS, INSTANCES, ITERATIONS, REQUEST_ROW, REQUESTS, ROLLOUT_ROW, STATES
from simcore.results.spill import STEP_COLUMNS, gaps_path, steps_path

Rows = list[tuple[int, ...]]


class CellWriter:
    """A `Sink` that writes the files of one cell. Use as a context manager: leaving it closes the files.

    Args:
        directory: made if absent; files of an earlier attempt there are overwritten.
        classes: names of the request classes, by index.
        iterations: keep the iteration log.
        decisions: keep facts and actions.
        rollouts: keep training steps.
    """

    def __init__(
        self,
        directory: Path,
        *,
        classes: Sequence[str],
        iterations: bool = False,
        decisions: bool = False,
        rollouts: bool = False,
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._classes = tuple(classes)
        self._requests = TableWriter(directory / "requests.parquet", REQUESTS)
        self._samples = TableWriter(directory / "instances.parquet", INSTANCES)
        self._iterations = TableWriter(directory / "iterations.parquet", ITERATIONS) if iterations else None
        self._decisions = TableWriter(directory / "decisions.parquet", DECISIONS) if decisions else None
        self._rollouts = TableWriter(directory / "rollouts.parquet", ROLLOUT_ROW) if rollouts else None
        self._request_rows = RowBuffer(len(REQUEST_ROW), self._write_requests)
        self._sample_rows = RowBuffer(len(INSTANCES), self._write_samples)
        self._decision_rows = RowBuffer(len(DECISIONS), self._write_decisions)
        self._steps = steps_path(directory).open("wb")
        self._gaps = gaps_path(directory).open("wb")

    def requests(self, rows: Rows) -> None:
        self._request_rows.add(int_rows(rows, len(REQUEST_ROW)))

    def steps(self, rows: Rows) -> None:
        int_rows(rows, len(STEP_COLUMNS)).tofile(self._steps)

    def gaps(self, gaps_ps: list[int]) -> None:
        np.array(gaps_ps, np.int64).tofile(self._gaps)

    def samples(self, rows: Rows) -> None:
        self._sample_rows.add(int_rows(rows, len(INSTANCES)))

    def iterations(self, rows: list[tuple[int | list[int], ...]]) -> None:
        if self._iterations is not None and rows:
            *counts, new, before = zip(*rows, strict=True)
            self._iterations.write(
                [*(column(np.array(count, np.int64)) for count in counts), lists(new), lists(before)]
            )

    def decisions(self, rows: Rows) -> None:
        if self._decisions is not None:
            self._decision_rows.add(int_rows(rows, len(DECISIONS)))

    def rollouts(self, rows: Rows) -> None:
        if self._rollouts is not None:
            self._rollouts.write([column(values) for values in int_rows(rows, len(ROLLOUT_ROW)).T])

    def close(self) -> None:
        """Write what is left and close the files."""
        for buffer in (self._request_rows, self._sample_rows, self._decision_rows):
            buffer.flush()
        for file in (
            self._requests,
            self._samples,
            self._iterations,
            self._decisions,
            self._rollouts,
            self._steps,
            self._gaps,
        ):
            if file is not None:
                file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- row groups -----------------------------------------------------------------------------------------

    def _write_requests(self, rows: Ints) -> None:
        request, request_class, instance, state, *dates, prompt, output, preemptions, cached, program, turn = rows.T
        arrival, scheduled, first, left = dates
        finished = state == STATES.index("finished")
        self._requests.write(
            [
                column(request),
                names(request_class, self._classes),
                _nullable(instance),
                names(state, STATES),
                *(_nullable(date) for date in dates),
                column(prompt),
                column(output),
                column(preemptions),
                column(cached),
                _nullable(program),
                column(turn, program >= 0),
                _seconds(arrival, first),
                _seconds(first, left, np.maximum(output - 1, 1), finished & (output >= 2)),
                _seconds(arrival, left, where=finished),
                _seconds(arrival, scheduled),
            ]
        )

    def _write_samples(self, rows: Ints) -> None:
        at_ps, *counts = rows.T
        self._samples.write([column(at_ps / PS_PER_S), *(column(count) for count in counts)])

    def _write_decisions(self, rows: Ints) -> None:
        assert self._decisions is not None
        self._decisions.write([column(values) for values in rows.T])


def _nullable(values: Ints) -> Any:
    return column(values, values >= 0)


def _seconds(begin: Ints, end: Ints, parts: Ints | int = 1, where: NDArray[np.bool_] | bool = True) -> Any:
    """Return (end - begin) / parts in seconds; null where a date is missing or `where` is false."""
    return column((end - begin) / PS_PER_S / parts, (begin >= 0) & (end >= 0) & where)
