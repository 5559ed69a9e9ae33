"""Rows of requests by hand: what a test does not say is zero, and there is no program."""

from pathlib import Path
from typing import Any

from simcore.results import STATES, CellWriter, finish_cell
from simcore.simulator.settings import Outcome

MS = 10**9
S = 10**12
NEVER = -1


def row(
    request: int,
    *,
    state: str = "finished",
    request_class: int = 0,
    arrival: int = 0,
    scheduled: int | None = None,
    first: int | None = None,
    left: int | None = None,
    output: int = 1,
    cached: int = 0,
    program: int = -1,
    turn: int = 0,
) -> tuple[int, ...]:
    """Return a row; dates in picoseconds. A finished request starts on arrival, its only token comes when it leaves."""
    done = state == "finished"
    scheduled = scheduled if scheduled is not None else arrival if done else NEVER
    left = left if left is not None else NEVER
    first = first if first is not None else left if done else NEVER
    code = STATES.index(state)
    return (request, request_class, 0, code, arrival, scheduled, first, left, 10, output, 0, cached, program, turn)


def finished_cell(
    directory: Path,
    rows: list[tuple[int, ...]],
    *,
    classes: tuple[str, ...] = ("default",),
    counters: dict[str, int] | None = None,
    slo: dict[str, float] | None = None,
    **how: Any,
) -> dict[str, Any]:
    """Return what `cell.json` says of a run with these rows."""
    with CellWriter(directory, classes=classes) as sink:
        sink.requests(rows)
    counts: dict[str, int] = {name: [row[3] for row in rows].count(code) for code, name in enumerate(STATES)}
    outcome = Outcome(arrived=len(rows), counters=counters or {}, **counts)  # type: ignore[arg-type]
    return finish_cell(directory, outcome=outcome, slo=slo or {}, classes=classes, meta={}, **how)
