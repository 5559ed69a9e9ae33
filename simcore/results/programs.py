"""Programs: how long whole jobs took, from the first turn's arrival to the last token of the last one."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simcore.contract import PS_PER_S, to_ps
from simcore.results.columns import RequestColumns, WarmUp
from simcore.results.schema import STATES
from simcore.results.totals import Metrics

PERCENTILES = (50.0, 90.0, 95.0, 99.0)

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Programs:
    """One entry per program, by number. `complete`: all its turns finished. Request: that of its first turn."""

    first_arrival_ps: Ints
    first_request: Ints
    last_finish_ps: Ints
    complete: NDArray[np.bool_]


def program_metrics(columns: RequestColumns, warm_up: WarmUp) -> Metrics:
    """Return how many programs completed and their completion times; None where there are no programs.

    Args:
        columns: all requests, those of the warm-up too.
        warm_up: a program whose first turn is in it does not count.
    """
    programs = _gather(columns)
    if programs is None:
        return {"programs_completed": None, **_completion_times(np.empty(0))}
    counted = programs.complete & (programs.first_arrival_ps >= to_ps(warm_up.seconds))
    counted &= programs.first_request >= warm_up.requests
    taken_ps = programs.last_finish_ps[counted] - programs.first_arrival_ps[counted]
    return {"programs_completed": int(np.count_nonzero(counted)), **_completion_times(taken_ps / PS_PER_S)}


def _completion_times(seconds: NDArray[np.float64]) -> Metrics:
    name = "job_completion_time_s"
    keys = (f"{name}_mean", f"{name}_median", *(f"{name}_p{percentile:g}" for percentile in PERCENTILES[1:]))
    if not len(seconds):
        return dict.fromkeys(keys)
    return dict(zip(keys, [float(seconds.mean()), *np.percentile(seconds, PERCENTILES).tolist()], strict=True))


def _gather(columns: RequestColumns) -> Programs | None:
    """Read the turns, a row group at a time; None if there are none."""
    pieces = [np.unique(program[program >= 0]) for (program,) in columns.pieces("program", state=None)]
    numbers = np.unique(np.concatenate(pieces)) if pieces else np.empty(0, np.int64)
    if not len(numbers):
        return None
    size = len(numbers)
    latest = np.iinfo(np.int64).max
    found = Programs(np.full(size, latest), np.full(size, latest), np.zeros(size, np.int64), np.ones(size, np.bool_))
    names = ("program", "request", "state", "arrival_ps", "finished_ps")
    for rows in columns.pieces(*names, state=None):
        program, request, state, arrival, finished = (column[rows[0] >= 0] for column in rows)
        place = np.searchsorted(numbers, program)
        np.minimum.at(found.first_arrival_ps, place, arrival)
        np.minimum.at(found.first_request, place, request)
        np.maximum.at(found.last_finish_ps, place, finished)
        found.complete[place[state != STATES.index("finished")]] = False
    return found
