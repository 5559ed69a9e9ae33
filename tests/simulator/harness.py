"""Harness: run a handful of requests on a small cluster, and read off what happened."""

from typing import Any

from policies.round_robin import RoundRobin
from policies.vllm_v1 import VllmV1
from simcore.contract import Abort, Actions, ClusterView, CostModel, Dispatch, Fact, Reject, Router, WakeAt
from simcore.contract import decisions as log
from simcore.simulator import Settings
from simcore.simulator.simulator import Simulator
from tests.property.draw import Flat, Rows, token_times

MS = 10**9
STEP = 10 * MS
"""Every iteration of the default cost takes this long, picoseconds."""


def router(**hooks: Any) -> type[Router]:
    """Return a router class with these hooks."""
    return type("Drawn", (Router,), {"emits": frozenset({Dispatch, Reject, WakeAt, Abort}), **hooks})


def scheduler(**hooks: Any) -> type[VllmV1]:
    """Return a scheduler class with these hooks and answers."""
    return type("Drawn", (VllmV1,), hooks)


def to_zero(self: Router, view: ClusterView, fact: Any) -> Actions:
    """An `on_arrived` that sends everything to instance 0."""
    return (Dispatch(fact.request, 0),)


def at(*times_s: float) -> Any:
    """Return an `on_start` that sets a timer for each time."""
    return lambda self, view: [WakeAt(t, t) for t in times_s]


def noting(notes: list[Any], what: Any) -> Any:
    """Return a hook that notes something of the fact and asks for nothing."""

    def hook(self: Any, view: Any, *fact: Fact) -> Actions:
        notes.append(what(*fact))
        return ()

    return hook


def admissions(done: dict[str, Any]) -> list[tuple[int, int]]:
    """Return (iteration, request) of each admission of a run that kept its decisions."""
    return [(row[0] // STEP, row[3]) for row in done["rows"]["decisions"] if row[2] == log.ADMITTED]


def run(arrivals: list[tuple[int, int, int]], **settings: Any) -> dict[str, Any]:
    """Run (at_ps, prompt, output) rows; return the simulator, rows by kind, rows by request, token times."""
    rows = Rows(arrivals)
    cost: CostModel = settings.pop("cost", Flat(10 * MS, 0, 0, 0))
    defaults: dict[str, Any] = {
        "instances": 1,
        "kv_blocks": 1000,
        "cost": cost,
        "make_router": RoundRobin,
        "make_scheduler": VllmV1,
    }
    simulator = Simulator(Settings(**(defaults | settings)), rows, rows, keep_spans=True)
    outcome = simulator.run()
    names = ("id", "class", "instance", "state", "arrival", "scheduled", "first", "finished", "prompt", "output")
    by_id = {
        row[0]: dict(zip((*names, "preemptions", "cached", "program", "turn"), row, strict=True))
        for row in rows.kept.get("requests", [])
    }
    return {
        "simulator": simulator,
        "outcome": outcome,
        "rows": rows.kept,
        "requests": by_id,
        "tokens": token_times(simulator, rows.kept.get("iterations", [])),
    }
