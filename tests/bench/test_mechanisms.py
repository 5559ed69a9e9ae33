"""What each mechanism costs: the same traffic with it on and off, in one run; `make bench` prints a row for each.

No bound is asserted: machines are noisy, and a timed assertion is no test. Bounds of DESIGN 9 are for runs with all of
them off.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

import traces
from policies.disaggregated import Disaggregated
from policies.round_robin import RoundRobin
from simcore.contract import Patience, Workload
from simcore.cost import load_hardware
from simcore.simulator import Fault, Mechanisms, Settings, simulate
from simcore.simulator.topology import Topology
from tests.bench.machines import Counting, Traffic, azure_conv, settings

REQUESTS = 6000
TIGHT_BLOCKS = 1000
"""KV blocks with which requests have to yield."""


@cache
def plain() -> Traffic:
    return azure_conv(requests=REQUESTS)


@cache
def impatient() -> Traffic:
    return replace(plain(), patience=(Patience(10**15, 10**15),))


@cache
def sessions() -> Any:
    return traces.open_trace("chat_sessions", rate=2.0, requests=REQUESTS)


def topology(instances: int) -> Topology:
    return Topology.of(load_hardware("h200"), instances=instances)


def tight(**mechanisms: Any) -> Settings:
    return replace(
        settings(),
        kv_blocks=TIGHT_BLOCKS,
        topology=topology(1),
        block_bytes=2 << 20,
        mechanisms=Mechanisms(**mechanisms),
    )


def with_(**mechanisms: Any) -> Settings:
    return replace(settings(), mechanisms=Mechanisms(**mechanisms))


def handed_on() -> Settings:
    return replace(
        settings(2),
        make_router=Disaggregated,
        roles=("prefill", "decode"),
        topology=topology(2),
        block_bytes=2 << 20,
    )


ROWS: dict[str, tuple[Callable[[], Workload], Settings, Settings]] = {
    "prefix cache, nothing shared": (plain, settings(), with_(prefix_cache="cold")),
    "prefix cache, chat sessions": (sessions, settings(), with_(prefix_cache="cold")),
    "swap, sync, against recompute": (plain, tight(), tight(preemption="swap", host_blocks=10**6)),
    "swap, async, against recompute": (plain, tight(), tight(preemption="swap", swap="async", host_blocks=10**6)),
    "schedule ahead": (plain, settings(), with_(schedule_ahead=1)),
    "two lanes, 80/100": (plain, settings(), with_(sm_split=(80, 100))),
    "hand-off, 1 prefill + 1 decode, against 2 mixed": (plain, settings(2), handed_on()),
    "time-outs": (lambda: impatient(), settings(), settings()),
    "reports every 100 ms, 16 instances": (
        lambda: azure_conv(16, requests=REQUESTS),
        settings(16, "least_loaded"),
        replace(settings(16, "least_loaded"), report_s=0.1),
    ),
    "a failure a minute, 2 instances": (
        lambda: azure_conv(2, requests=REQUESTS),
        replace(settings(2), make_router=RoundRobin),
        replace(settings(2), faults=tuple(Fault("instance", 1, 60.0 * i, 10.0) for i in range(1, 8))),
    ),
}
"""Name: (traffic, off, on)."""


def us_per_request(run: Settings, traffic: Workload) -> float:
    """Return the best of three, in CPU microseconds."""
    best = float("inf")
    for _ in range(3):
        began = time.process_time()
        outcome = simulate(run, traffic, Counting())
        best = min(best, (time.process_time() - began) / outcome.arrived)
    return best * 1e6


@pytest.mark.parametrize("name", ROWS)
def test_what_a_mechanism_costs(benchmark, name):
    make, off, on = ROWS[name]
    traffic = make()
    without = us_per_request(off, plain() if name == "time-outs" else traffic)
    outcome = benchmark.pedantic(lambda: simulate(on, traffic, Counting()), rounds=3, warmup_rounds=1)
    having = float(benchmark.stats.stats.min) / outcome.arrived * 1e6
    steps, yields = outcome.steps / outcome.arrived, outcome.preemptions / outcome.arrived
    figures = f"off {without:.1f}, on {having:.1f} us/request ({having / without:.2f}x)"
    print(f"\n{name}: {figures}, {steps:.2f} steps and {yields:.2f} preemptions each")
