"""What the benchmarks run: the model, GPU and traffic of DESIGN's speed table, at a given load."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import traces
from policies.least_loaded import LeastLoaded
from policies.round_robin import RoundRobin
from policies.vllm_v1 import VllmV1
from simcore.contract import Arrivals, Patience, Rollout, Router
from simcore.cost import Roofline, kv_blocks, load_hardware, load_model
from simcore.simulator import Outcome, RolloutSettings, Settings, simulate
from simcore.simulator.learning import HashJudge, TimedTrainer
from tests.property.reference import Reference, RefInstance, RefRequest, Rules

AZURE = Path(__file__).parents[3] / "shared" / "traces" / "azure" / "AzureLLMInferenceTrace_conv.csv"
ROUTERS: dict[str, type[Router]] = {"round_robin": RoundRobin, "least_loaded": LeastLoaded}


@dataclass
class Traffic:
    """Requests in memory, so that a benchmark times the simulator and not the reading of a file."""

    columns: np.ndarray
    name: str = "benchmark"
    source: str = "benchmark"
    classes: tuple[str, ...] = ("default",)
    priorities: tuple[int, ...] = (0,)
    tools: tuple[str, ...] = ()
    patience: tuple[Patience, ...] = ()
    rate: float = 1.0
    group_size: int = 0
    """Requests in a row that are samples of one prompt; 0: none are."""

    def pieces(self) -> Iterator[Arrivals]:
        group = np.arange(len(self.columns)) // self.group_size if self.group_size else None
        yield Arrivals(self.columns[:, 0], self.columns[:, 1], self.columns[:, 2], group=group)


@dataclass
class Counting:
    """A sink that only counts rows."""

    rows: dict[str, int] = field(default_factory=dict)

    def __getattr__(self, name: str) -> Callable[[list[Any]], None]:
        def count(rows: list[Any]) -> None:
            self.rows[name] = self.rows.get(name, 0) + len(rows)

        return count


@cache
def machine() -> tuple[Roofline, int]:
    """Return Llama-3.1-8B on an H200: its cost model and KV blocks."""
    model, hardware = load_model("llama-3.1-8b"), load_hardware("h200")
    return Roofline(model, hardware), kv_blocks(model, hardware)


def settings(instances: int = 1, router: str = "round_robin", **more: Any) -> Settings:
    cost, blocks = machine()
    return Settings(instances, blocks, cost, ROUTERS[router], VllmV1, **more)


@cache
def saturation_rate() -> float:
    """Return the requests per second one instance completes when all of 2,000 arrive at once."""
    piece = next(traces.open_trace("azure_conv_2023", requests=2000).pieces())
    columns = np.stack([np.zeros(2000, np.int64), piece.prompt_tokens, piece.output_tokens], axis=1)
    return 2000 / (simulate(settings(), Traffic(columns), Counting()).end_ps / 1e12)


def azure_conv(instances: int = 1, load: float = 0.7, requests: int | None = None) -> Traffic:
    """Return the Azure conversation trace (or, where it is absent, its fit), scaled to `load` of saturation."""
    source = str(AZURE) if AZURE.exists() else "azure_conv_2023"
    workload = traces.open_trace(source, rate=load * saturation_rate() * instances, requests=requests)
    parts = [np.stack([p.at_ps, p.prompt_tokens, p.output_tokens], axis=1) for p in workload.pieces()]
    return Traffic(np.concatenate(parts))


def rollouts(requests: int = 2000) -> Traffic:
    """Return an RL batch at time zero: prompts ~500 tokens, outputs ~2,000, both lognormal."""
    workload = traces.synthetic(
        arrivals={"kind": "all_at_once"},
        prompt_tokens={"kind": "lognormal", "mean": 500, "sigma": 0.77, "max": 8000},
        output_tokens={"kind": "lognormal", "mean": 2000, "sigma": 0.77, "max": 16000},
        rate=None,
        requests=requests,
    )
    piece = next(workload.pieces())
    return Traffic(np.stack([piece.at_ps, piece.prompt_tokens, piece.output_tokens], axis=1))


def training(make_rollout: Callable[[], Rollout], *, groups: int, steps: int) -> RolloutSettings:
    """Return training that takes no time, so that a benchmark times rollouts."""
    return RolloutSettings(make_rollout, TimedTrainer(lambda _tokens: 0.0), HashJudge(), steps, groups)


def least_requests(cluster: Reference, request: RefRequest) -> int:
    def load(instance: RefInstance) -> tuple[int, int]:
        return len(instance.waiting) + len(instance.running), instance.index

    return min(cluster.instances, key=load).index


def reference_seconds(traffic: Traffic, instances: int = 1, router: str = "round_robin") -> tuple[float, int]:
    """Return (CPU seconds, iterations) of the plain reference on the same run."""
    cost, blocks = machine()
    rules = Rules(route=least_requests if router == "least_loaded" else lambda c, r: r.id % instances)
    reference = Reference(instances, blocks, 16, cost, rules, None)
    rows = [tuple(row) for row in traffic.columns.tolist()]
    began = time.process_time()
    reference.run(rows)
    return time.process_time() - began, sum(i.iterations for i in reference.instances)


def report(name: str, outcome: Outcome, seconds: float, reference_s: float | None) -> str:
    """Return one line of figures."""
    n = outcome.arrived
    line = f"{name}: {seconds / n * 1e6:.1f} us/request, {n / seconds:,.0f} requests per CPU-second, "
    line += f"{outcome.iterations / n:.1f} iterations and {outcome.steps / n:.2f} steps each"
    if reference_s is not None:
        line += f"; reference {reference_s / n * 1e6:.0f} us, {reference_s / seconds:.1f}x"
    return line
