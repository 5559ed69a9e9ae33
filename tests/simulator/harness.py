"""Harness: run a handful of requests on a small cluster, and read off what happened."""

from typing import Any

from policies.round_robin import RoundRobin
from policies.vllm_v1 import VllmV1
from simcore.contract import CostModel
from simcore.simulator import Settings
from simcore.simulator.simulator import Simulator
from tests.property.draw import Flat, Rows, token_times

MS = 10**9


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
    by_id = {row[0]: dict(zip((*names, "preemptions"), row, strict=True)) for row in rows.kept.get("requests", [])}
    return {
        "simulator": simulator,
        "outcome": outcome,
        "rows": rows.kept,
        "requests": by_id,
        "tokens": token_times(simulator, rows.kept.get("iterations", [])),
    }
