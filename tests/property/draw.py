"""Draw: a random cluster, workload, cost model and system from one seed; run it four ways; compare everything."""

import random
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from simcore.contract import UNBOUNDED, Arrivals, Patience, Shape, to_s
from simcore.simulator import Outcome, Settings
from simcore.simulator.simulator import Simulator
from tests.property.reference import Reference
from tests.property.systems import Reading, System, combine, router, scheduler

ROUTERS = ("round_robin", "least_requests", "least_waiting_tokens", "power_of_two", "most_free", "gateway")
SCHEDULERS = ("vllm_v1", "vllm_v1", "shortest_job_first", "largest_yields", "choosy", "meddler", "prefill_or_decode")


@dataclass
class Rows:
    """A sink that keeps everything, and a workload that holds everything."""

    arrivals: list[tuple[int, int, int]]
    name: str = "drawn"
    source: str = "drawn"
    classes: tuple[str, ...] = ("default",)
    priorities: tuple[int, ...] = (0,)
    tools: tuple[str, ...] = ()
    patience: tuple[Patience, ...] = ()
    request_class: list[int] | None = None
    rate: float = 1.0

    def __post_init__(self) -> None:
        self.kept: dict[str, list[Any]] = {}

    def pieces(self) -> Iterator[Arrivals]:
        columns = np.array(self.arrivals, dtype=np.int64).reshape(-1, 3)
        half = len(columns) // 2  # two pieces: ids and ties run across them
        for part in (slice(None, half), slice(half, None)):
            classes = None if self.request_class is None else np.array(self.request_class[part], dtype=np.int64)
            yield Arrivals(columns[part, 0], columns[part, 1], columns[part, 2], classes)

    def __getattr__(self, name: str) -> Any:
        if name in ("requests", "steps", "gaps", "samples", "iterations", "decisions"):
            return lambda rows: self.kept.setdefault(name, []).extend(rows)
        raise AttributeError(name)


class Bent:
    """A cost with kinks: a piecewise linear function of context, a floor from compute, steps in tokens."""

    uses_longest = False

    def __init__(self, knots: list[int], slopes: list[int], base: int, per_token: int, tile: int) -> None:
        self.knots, self.slopes, self.per_token, self.tile = knots, slopes, per_token, tile
        self.values = [base]
        for i in range(1, len(knots)):
            self.values.append(self.values[-1] + slopes[i - 1] * (knots[i] - knots[i - 1]))

    def line(self, shape: Shape) -> tuple[int, int, int]:
        tokens = shape.decodes + sum(new for new, _ in shape.chunks)
        context = shape.context + sum(new + before for new, before in shape.chunks)
        i = bisect_right(self.knots, context) - 1
        memory, slope = self.values[i] + self.slopes[i] * (context - self.knots[i]), self.slopes[i]
        exact = UNBOUNDED if i + 1 == len(self.knots) else -(-(self.knots[i + 1] - context) // tokens)
        compute = self.per_token * (-(-tokens // self.tile) * self.tile)
        if memory >= compute:
            return memory, slope * tokens, exact
        if slope:
            exact = min(exact, -(-(compute - memory) // (slope * tokens)))
        return compute, 0, exact

    def terms(self, shape: Shape) -> dict[str, float]:
        return {"iteration": to_s(self.line(shape)[0])}

    def describe(self) -> dict[str, object]:
        return {"kind": "bent"}


class Flat:
    """Duration affine in tokens, sequences and context; `step` alone makes ties common."""

    uses_longest = False

    def __init__(self, step: int, token: int, sequence: int, context: int) -> None:
        self.step, self.token, self.sequence, self.context = step, token, sequence, context

    def line(self, shape: Shape) -> tuple[int, int, int]:
        tokens = shape.decodes + sum(new for new, _ in shape.chunks)
        context = shape.context + sum(new + before for new, before in shape.chunks)
        sequences = shape.decodes + len(shape.chunks)
        first = self.step + self.token * tokens + self.sequence * sequences + self.context * context
        return first, self.context * tokens, UNBOUNDED

    def terms(self, shape: Shape) -> dict[str, float]:
        return {"iteration": to_s(self.line(shape)[0])}

    def describe(self) -> dict[str, object]:
        return {"kind": "flat"}


@dataclass
class Drawn:
    seed: int
    instances: int
    kv_blocks: int
    block_tokens: int
    arrivals: list[tuple[int, int, int]]
    cost: Flat | Bent
    system: System
    sample_ps: int | None


def draw(seed: int) -> Drawn:
    rnd, rng = random.Random(seed), np.random.default_rng(seed)
    n = rnd.choice([1, 5, 30, 80])
    instances = rnd.choice([1, 1, 1, 2, 5])
    size = rnd.choice([16, 16, 1, 4])
    kv_tokens = rnd.choice([320, 640, 1280, 4800, 32000])
    kv_blocks = kv_tokens // size
    budget = rnd.choice([64, 128, 512, 2048])
    limits = {
        "max_num_batched_tokens": budget,
        "max_num_seqs": min(budget, rnd.choice([1, 4, 16, 64])),
        "reserve_full_prompt": rnd.random() < 0.5,
    }
    prompts = 1 + rng.geometric(1 / rnd.choice([8, 60, 200, 600]), n)
    outputs = rng.geometric(1 / rnd.choice([1, 10, 60, 200]), n)
    if rnd.random() < 0.9:  # else some can never fit, and are rejected
        prompts = np.minimum(prompts, max(1, kv_tokens // 2))
        outputs = np.minimum(outputs, np.maximum(1, kv_tokens - prompts))
    rate = rnd.choice([0, 1, 10, 100, 1000])
    times = np.zeros(n) if rate == 0 else np.cumsum(rng.exponential(1 / rate, n))
    grid = 10**10 if rnd.random() < 0.3 else 1
    at = (times * 1e12).astype(np.int64) // grid * grid
    arrivals = list(zip(at.tolist(), prompts.tolist(), outputs.tolist(), strict=True))
    kind = rnd.random()
    cost: Flat | Bent
    if kind < 0.25:
        cost = Flat(10**10, 0, 0, 0)  # with times on a grid, boundaries and arrivals coincide
    elif kind < 0.5:
        cost = Flat(7 * 10**9, 3 * 10**7, 10**7, rnd.choice([0, 4 * 10**4, 4 * 10**6]))
    elif kind < 0.75:
        cost = Flat(rnd.randrange(1, 10**10), rnd.randrange(0, 10**8), rnd.randrange(0, 10**8), rnd.randrange(0, 10**7))
    else:
        knots = [0, *sorted(rnd.sample(range(1, 4000), rnd.randrange(1, 8)))]
        slopes = sorted(rnd.randrange(0, 10**7) for _ in knots)
        cost = Bent(knots, slopes, 5 * 10**9, rnd.choice([0, 10**7, 3 * 10**8]), rnd.choice([1, 16, 64]))
    period = rnd.choice([0.05, 0.1, 0.03])
    routing = rnd.choice(ROUTERS)
    scheduling = rnd.choice(SCHEDULERS)
    system = combine(
        router(routing, seed, period, rnd.choice([0, 2, 5])),
        scheduler(scheduling, limits, rnd.choice([1, 3, 17, 100]), rnd.choice([0, kv_blocks // 3])),
        f"{routing}+{scheduling}",
    )
    sample = rnd.choice([None, 5 * 10**10, 3 * 10**10 + 1])
    return Drawn(seed, instances, kv_blocks, size, arrivals, cost, system, sample)


def run_simulator(drawn: Drawn, **how: Any) -> dict[str, Any]:
    rows, readings = Rows(drawn.arrivals), list[Reading]()
    settings = Settings(
        instances=drawn.instances,
        kv_blocks=drawn.kv_blocks,
        cost=drawn.cost,
        make_router=lambda: drawn.system.make_router(readings),
        make_scheduler=drawn.system.make_scheduler,
        block_tokens=drawn.block_tokens,
        oracle=drawn.system.oracle,
        seed=drawn.seed,
        sample_s=None if drawn.sample_ps is None else drawn.sample_ps / 1e12,
        record_decisions=True,
        **how,
    )
    simulator = Simulator(settings, rows, rows, keep_spans=True)
    outcome = simulator.run()
    for instance in simulator.instances:
        if not simulator.live:
            instance.check()
    return {
        "tokens": token_times(simulator, rows.kept.get("iterations", [])),
        "requests": {row[0]: (row[2], row[3], row[5], row[9], row[10]) for row in rows.kept.get("requests", [])},
        "decisions": rows.kept.get("decisions", []),
        "samples": rows.kept.get("samples", []),
        "readings": readings,
        "gaps": itl_gaps(rows),
        "outcome": outcome,
    }


def token_times(simulator: Simulator, iterations: list[tuple[Any, ...]]) -> dict[int, list[int]]:
    """Expand steps and spans into the time of every token of every request that finished."""
    ends: list[list[int]] = [[0] for _ in simulator.lanes]
    for row in iterations:
        instance, lane, _, started, k, first, increment = row[:7]
        ends[instance * simulator.lanes_each + lane].extend(
            started + j * first + increment * (j * (j - 1) // 2) for j in range(1, k + 1)
        )
    return {
        request.id: [ends[lane][i] for lane, first, last in request.spans or () for i in range(first, last + 1)]
        for request in simulator.ended_requests
    }


def itl_gaps(rows: Rows) -> list[int]:
    """Expand the gaps between tokens from steps and single gaps, as results do."""
    expanded = list(rows.kept.get("gaps", []))
    for _, _, first, increment, k, decodes in rows.kept.get("steps", []):
        for j in range(k):
            expanded.extend([first + j * increment] * decodes)
    return sorted(expanded)


def run_reference(drawn: Drawn) -> dict[str, Any]:
    readings: list[Reading] = []
    rules = drawn.system.rules(readings)
    ref = Reference(drawn.instances, drawn.kv_blocks, drawn.block_tokens, drawn.cost, rules, drawn.sample_ps)
    ref.run(drawn.arrivals)
    codes = {"finished": 0, "rejected": 1, "cancelled": 2}
    return {
        "tokens": {r.id: r.times for r in ref.requests if r.state == "finished"},
        "requests": {
            r.id: (r.instance, codes.get(r.state, 3), r.scheduled, r.generated, r.preemptions) for r in ref.requests
        },
        "decisions": ref.decisions,
        "samples": ref.samples,
        "readings": readings,
        "gaps": sorted(b - a for r in ref.requests for a, b in zip(r.times, r.times[1:], strict=False)),
        "iterations": sum(i.iterations for i in ref.instances),
        "preemptions": ref.preemptions,
    }


def check(seed: int) -> Outcome:
    """Assert that one drawn run is the same four ways; raise AssertionError with the seed and what differs."""
    drawn = draw(seed)
    expected = run_reference(drawn)
    ways: dict[str, dict[str, Any]] = {"macro-steps": {}, "per iteration": {"per_iteration": True}}
    if seed % 4 == 0:
        ways["block ids"] = {"block_ids": True}
    first: Outcome | None = None
    for way, how in ways.items():
        got = run_simulator(drawn, **how)
        where = f"seed {seed} ({drawn.system.name}), {way} against the reference"
        for what in ("decisions", "requests", "samples", "readings", "tokens"):
            assert got[what] == expected[what], f"{where}: {what} differ{first_difference(got[what], expected[what])}"
        if not any(state == 2 for _, state, *_ in expected["requests"].values()):
            assert got["gaps"] == expected["gaps"], f"{where}: inter-token gaps differ"
        outcome = got["outcome"]
        assert (outcome.iterations, outcome.preemptions) == (expected["iterations"], expected["preemptions"]), where
        first = first or outcome
    assert first is not None
    return first


def first_difference(got: Any, expected: Any) -> str:
    if isinstance(got, dict):
        for key in expected:
            if got.get(key) != expected[key]:
                return f" at {key}: got {got.get(key)}, expected {expected[key]}"
        return ""
    for i, (a, b) in enumerate(zip(got, expected, strict=False)):
        if a != b:
            return f" at row {i}: got {a}, expected {b}"
    return f": {len(got)} rows, expected {len(expected)}"
