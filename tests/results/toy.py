"""Toy runs: a few lines of continuous batching that make plausible rows, and keep the token dates to check against."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from simcore.contract import PS_PER_MS, PS_PER_S
from simcore.results import STATES, CellResult, CellWriter, finish_cell
from simcore.simulator.settings import Outcome

Row = tuple[int, ...]


@dataclass
class Toy:
    requests: list[Row] = field(default_factory=list)
    steps: list[Row] = field(default_factory=list)
    gaps: list[int] = field(default_factory=list)
    samples: list[Row] = field(default_factory=list)
    tokens: dict[int, list[int]] = field(default_factory=dict)

    def outcome(self) -> Outcome:
        states = [row[3] for row in self.requests]
        counts = {str(name): states.count(code) for code, name in enumerate(STATES)}
        return Outcome(arrived=len(states), counters={}, **counts)  # type: ignore[arg-type]


def toy_run(*, rate: float, requests: int, seed: int = 0, slots: int = 8, slow: float = 1.0) -> Toy:
    """One instance with `slots` places; every 40th request is rejected, every 50th is preempted at its third token.

    An iteration lasts 10 ms, 1 ms for each request that joins, and 1 us for each token of context.
    """
    rng = np.random.default_rng(seed)
    arrival = np.cumsum(rng.exponential(PS_PER_S / rate, requests)).astype(np.int64).tolist()
    output = rng.geometric(1 / 20, requests).tolist()
    prompt = rng.integers(10, 200, requests).tolist()
    toy = Toy()
    waiting: list[int] = []
    running: list[int] = []
    scheduled: dict[int, int] = {}
    preempted: set[int] = set()
    upcoming = 0
    now = 0
    sampled = 0
    while upcoming < requests or waiting or running:
        if not waiting and not running:
            now = max(now, arrival[upcoming])
        while upcoming < requests and arrival[upcoming] <= now:
            if upcoming % 40 == 39:
                toy.requests.append(
                    (upcoming, 0, -1, 1, arrival[upcoming], -1, -1, -1, prompt[upcoming], 0, 0, 0, -1, 0)
                )
            else:
                waiting.append(upcoming)
            upcoming += 1
        victims = [r for r in running if r % 50 == 7 and len(toy.tokens[r]) == 3 and r not in preempted]
        preempted.update(victims)
        running = [r for r in running if r not in victims]
        joining = waiting[: slots - len(running)]
        waiting = waiting[len(joining) :] + victims
        if not running and not joining:
            continue
        context = sum(prompt[r] + len(toy.tokens[r]) for r in running)
        duration = round(slow * (10 + len(joining)) * PS_PER_MS) + context * 1_000_000
        if running:
            _add_step(toy.steps, now, duration, len(running))
        end = now + duration
        for r in joining:
            scheduled.setdefault(r, now)
            if r in toy.tokens:
                toy.gaps.append(end - toy.tokens[r][-1])
        if now // PS_PER_S > sampled:
            sampled = now // PS_PER_S
            toy.samples.append((now, 0, len(running), len(waiting), len(running) * 10, slots * 12, context))
        running += joining
        for r in running:
            toy.tokens.setdefault(r, []).append(end)
        for r in [r for r in running if len(toy.tokens[r]) == output[r]]:
            running.remove(r)
            dates = (arrival[r], scheduled[r], toy.tokens[r][0], end)
            toy.requests.append((r, 0, 0, 0, *dates, prompt[r], output[r], int(r in preempted), 0, -1, 0))
        now = end
    return toy


def _add_step(steps: list[Row], start: int, duration: int, decodes: int) -> None:
    """Append an iteration, as part of the last step where it goes on in line."""
    if steps:
        _, begin, first, increment, iterations, before = steps[-1]
        end = begin + iterations * first + increment * (iterations * (iterations - 1) // 2)
        if before == decodes and end == start and iterations == 1:
            steps[-1] = (0, begin, first, duration - first, 2, decodes)
            return
        if before == decodes and end == start and duration == first + iterations * increment:
            steps[-1] = (0, begin, first, increment, iterations + 1, decodes)
            return
    steps.append((0, start, duration, 0, 1, decodes))


def write_toy(directory: Path, toy: Toy) -> None:
    """Write a run's rows in small pieces, as a simulator would."""
    with CellWriter(directory, classes=("default",)) as sink:
        for begin in range(0, len(toy.requests), 100):
            sink.requests(toy.requests[begin : begin + 100])
        sink.steps(toy.steps)
        sink.gaps(toy.gaps)
        sink.samples(toy.samples)


SLO = {"ttft_ms": 200.0, "tpot_ms": 25.0}


def toy_cell(
    directory: Path,
    toy: Toy,
    *,
    system: str = "first",
    point: Mapping[str, Any] | None = None,
    seed: int = 0,
    slo: Mapping[str, float] = SLO,
    warm_up_s: float = 0.0,
) -> CellResult:
    """Write and finish a cell."""
    write_toy(directory, toy)
    finish_cell(directory, outcome=toy.outcome(), slo=slo, warm_up_s=warm_up_s, meta={})
    return CellResult(system, point or {}, seed, directory)
