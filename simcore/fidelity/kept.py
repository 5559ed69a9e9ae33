"""Kept: the rows of a run in memory, and the latencies in them."""

import numpy as np
from numpy.typing import NDArray

from simcore.contract import PS_PER_S
from simcore.cost.fit import Observed, observed
from simcore.results.schema import ITERATIONS, REQUEST_ROW, STATES
from simcore.simulator.settings import Rows

Seconds = NDArray[np.float64]
LATENCIES = ("ttft", "tpot", "e2el")

_REQUEST = {column.name: place for place, column in enumerate(REQUEST_ROW)}
_ITERATION = {column.name: place for place, column in enumerate(ITERATIONS)}
_SHAPE = tuple(_ITERATION[name] for name in ("decodes", "context", "chunk_new", "chunk_before", "first_ps"))


class Kept:
    """A `Sink` that keeps requests, iterations and decisions."""

    def __init__(self) -> None:
        self.request_rows: Rows = []
        self.iteration_rows: list[tuple[int | list[int], ...]] = []
        self.decision_rows: Rows = []

    def requests(self, rows: Rows) -> None:
        self.request_rows += rows

    def iterations(self, rows: list[tuple[int | list[int], ...]]) -> None:
        self.iteration_rows += rows

    def decisions(self, rows: Rows) -> None:
        self.decision_rows += rows

    def steps(self, rows: Rows) -> None: ...
    def gaps(self, gaps_ps: list[int]) -> None: ...
    def rollouts(self, rows: Rows) -> None: ...
    def samples(self, rows: Rows) -> None: ...

    def observed(self) -> Observed:
        """Return the iterations as a fit takes them, the first of each row."""
        return observed(tuple(row[place] for place in _SHAPE) for row in self.iteration_rows)  # type: ignore[misc]

    def batches(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return how many decodes and how many prefill chunks each iteration had, both [n]."""
        decodes = [row[_ITERATION["decodes"]] for row in self.iteration_rows]
        chunks = [len(row[_ITERATION["chunk_new"]]) for row in self.iteration_rows]  # type: ignore[arg-type]
        return np.array(decodes, dtype=np.int64), np.array(chunks, dtype=np.int64)

    def durations_ps(self) -> dict[tuple[int, int], list[int]]:
        """Return how long the iterations of each (instance, lane) took, one after the other."""
        found: dict[tuple[int, int], list[int]] = {}
        places = [_ITERATION[name] for name in ("instance", "lane", "first_ps")]
        for row in self.iteration_rows:
            instance, lane, took_ps = (row[place] for place in places)
            found.setdefault((instance, lane), []).append(took_ps)  # type: ignore[arg-type]
        return found

    def latencies(self) -> dict[str, Seconds]:
        """Return TTFT, TPOT and E2EL of the requests that finished, [n] each, by request; TPOT of one token is NaN."""
        finished = STATES.index("finished")
        rows = sorted(row for row in self.request_rows if row[_REQUEST["state"]] == finished)
        columns = ("request", "arrival_ps", "first_token_ps", "finished_ps", "output_tokens")
        table = np.array([[row[_REQUEST[name]] for name in columns] for row in rows], dtype=np.int64)
        request, arrival, first, last, output = table.reshape(-1, len(columns)).T
        gaps = np.where(output > 1, output - 1, np.nan)
        return {
            "request": request.astype(np.float64),
            "ttft": (first - arrival) / PS_PER_S,
            "tpot": (last - first) / PS_PER_S / gaps,
            "e2el": (last - arrival) / PS_PER_S,
        }
