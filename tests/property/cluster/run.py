"""Run a drawn case on the simulator and on the plain cluster, and compare all that both leave behind.

By hand: `python -m tests.property.cluster.run --n 1000 [--first SEED] [--only swap,prefix] [--jobs N]`.
"""

import argparse
import sys
import time
from collections import Counter
from typing import Any

from joblib import Parallel, delayed

from simcore.simulator.simulator import Simulator
from tests.property.cluster.cluster import Cluster
from tests.property.cluster.draw import MECHANISMS, SWITCHES, Case, draw
from tests.property.cluster.requests import ENDED, PlainRequest
from tests.property.cluster.routers import Reading

KNOWN = (*MECHANISMS, *SWITCHES)
CODES = {"finished": 0, "rejected": 1, "cancelled": 2, "failed": 4}
WAYS: dict[str, dict[str, Any]] = {
    "macro-steps": {},
    "per iteration": {"per_iteration": True},
    "block ids": {"block_ids": True},
}
COUNTED = (
    *("prefix_hit_tokens", "prefix_query_tokens", "prefix_evictions", "programs_abandoned"),
    *("swap_out_blocks", "swap_in_blocks", "reused_host_blocks", "host_prefix_tokens"),
    *("swap_launches", "swap_stall_ps", "swap_conflicts"),
)


def run_plainly(case: Case) -> dict[str, Any]:
    readings: list[Reading] = []
    cluster = Cluster(case.settings(readings), case.sink())
    cluster.run()
    check_books(cluster)
    evictions = sum(instance.evictions + instance.pool.evictions for instance in cluster.instances)
    counters = {**dict.fromkeys(COUNTED, 0), **cluster.counters, "prefix_evictions": evictions}
    came = [request for request in cluster.requests if request.state != "dormant"]
    return {
        "decisions": cluster.decisions,
        "requests": {request.id: row_of(request) for request in came},
        "tokens": {request.id: request.times for request in came if request.state == "finished"},
        "samples": cluster.samples,
        "readings": readings,
        "counters": counters,
        "totals": (
            cluster.arrived,
            cluster.preemptions,
            sum(lane.iterations for instance in cluster.instances for lane in instance.lanes),
        ),
        "live": sorted(cluster.live),
    }


def row_of(request: PlainRequest) -> tuple[int, ...]:
    state = CODES.get(request.state, 3)
    return (
        request.id,
        request.request_class,
        request.instance,
        state,
        request.arrival,
        request.scheduled,
        request.first,
        request.last if state == 0 else -1,
        request.prompt,
        request.generated,
        request.preemptions,
        request.cached,
        request.program,
        request.turn,
    )


def check_books(cluster: Cluster) -> None:
    """Nothing is lost: requests, KV blocks, host blocks."""
    came = [request for request in cluster.requests if request.state != "dormant"]
    assert len(came) == cluster.arrived
    assert all((request.state in ENDED) != (request.id in cluster.live) for request in came)
    assert all(len(request.times) == request.generated for request in came)
    for instance in cluster.instances:
        instance.pool.check()
        lanes = instance.lanes
        if any(lane.asked for lane in lanes):
            continue  # the run ended before a boundary that gives blocks back
        holders: list[list[Any]] = [request.held for request in cluster.live.values() if request.lane in lanes]
        holders += [pin.blocks for pin in instance.pins.values()]
        holders += [kept.blocks for kept in instance.kept]
        holders += [copy.held for lane in lanes for copy in lane.outgoing]
        gone = [request for lane in lanes for request in lane.copying if request.id not in cluster.live]
        holders += [request.held for request in gone]
        gone += [copy.request for lane in lanes for copy in lane.outgoing if copy.request.id not in cluster.live]
        holds = Counter(block for blocks in holders for block in blocks)
        assert all(block.holds == count for block, count in holds.items()), f"instance {instance.id}: holds miscounted"
        assert instance.pool.free + len(holds) == instance.pool.total, f"instance {instance.id}: blocks lost"
        copies = instance.host.copies.values()
        needed = sum(copy.blocks for copy in copies if copy.needed)
        users = {request.conversation for request in [*cluster.live.values(), *gone] if request.lane in lanes}
        assert {copy.owner.conversation for copy in copies if copy.needed} <= users, f"instance {instance.id}"
        assert instance.host_free + needed == cluster.mechanisms.host_blocks, (
            f"instance {instance.id}: host blocks lost"
        )
        assert instance.host.keep or needed == sum(copy.blocks for copy in copies), f"instance {instance.id}"


def run_simulator(case: Case, **how: Any) -> dict[str, Any]:
    readings: list[Reading] = []
    rows = case.sink()
    simulator = Simulator(case.settings(readings, **how), rows, rows, keep_spans=True)
    outcome = simulator.run()
    given = {"prefix_hit_tokens": 0, **outcome.counters}
    return {
        "decisions": rows.kept.get("decisions", []),
        "requests": {row[0]: ended(row) for row in rows.kept.get("requests", [])},
        "tokens": token_times(simulator, rows.kept.get("iterations", []), case),
        "samples": rows.kept.get("samples", []),
        "readings": readings,
        "counters": {name: given.get(name, 0) for name in COUNTED},
        "totals": (outcome.arrived, outcome.preemptions, outcome.iterations),
        "outcome": outcome,
    }


def ended(row: tuple[int, ...]) -> tuple[int, ...]:
    """A request's row, with the date of its end only if it finished."""
    return row if row[3] == 0 else (*row[:7], -1, *row[8:])


def token_times(simulator: Simulator, iterations: list[tuple[Any, ...]], case: Case) -> dict[int, list[int]]:
    """Expand the iteration log and spans into the time of every token of every request that finished."""
    lanes = 1 if case.numbers["mechanisms"].sm_split is None else 2
    ends: list[list[int]] = [[0] for _ in simulator.lanes]
    for instance, lane, _, started, k, first, increment, *_ in iterations:
        ends[instance * lanes + lane].extend(
            started + j * first + increment * (j * (j - 1) // 2) for j in range(1, k + 1)
        )
    return {
        request.id: [ends[lane][i] for lane, first, last in request.spans or () for i in range(first, last + 1)]
        for request in simulator.ended_requests
    }


def check(seed: int, only: frozenset[str] | None = None) -> Counter[str]:
    """Assert that one drawn run is the same however it is made; raise AssertionError with the seed and what differs."""
    case = draw(seed, only)
    expected = run_plainly(case)
    met: Counter[str] = Counter(dict.fromkeys(sorted(case.names), 1))
    for way, how in WAYS.items():
        got = run_simulator(case, **how)
        where = f"seed {seed} ({case.name}), {way} against the reference"
        for what in ("decisions", "readings", "requests", "samples", "tokens", "counters", "totals"):
            if what == "samples" and expected["live"]:
                continue  # how long a cluster is looked at that stands still is nobody's promise
            assert got[what] == expected[what], f"{where}: {what} differ{first_difference(got[what], expected[what])}"
        if way == "macro-steps":
            met["steps"] += got["outcome"].steps
    arrived, preemptions, iterations = expected["totals"]
    met.update({"arrived": arrived, "preemptions": preemptions, "iterations": iterations, "runs": 1})
    met.update({"unfinished": len(expected["live"])})
    return met


def first_difference(got: Any, expected: Any) -> str:
    if isinstance(got, dict):
        keys = [key for key in [*expected, *got] if got.get(key) != expected.get(key)]
        return f" at {keys[0]}: got {got.get(keys[0])}, expected {expected.get(keys[0])}" if keys else ""
    if isinstance(got, tuple):
        return f": got {got}, expected {expected}"
    for i, (a, b) in enumerate(zip(got, expected, strict=False)):
        if a != b:
            return f" at row {i}: got {a}, expected {b}"
    return f": {len(got)} rows, expected {len(expected)}"


def run(seeds: range, only: frozenset[str] | None) -> tuple[Counter[str], list[str]]:
    totals: Counter[str] = Counter()
    failures = []
    for seed in seeds:
        try:
            totals.update(check(seed, only))
        except Exception as error:  # whatever goes wrong, the seed is what repeats it
            given = "" if only is None else f" --only {','.join(sorted(only))}"
            again = f"python -m tests.property.cluster.run --n 1 --first {seed}{given}"
            failures.append(f"{type(error).__name__}: {error}\n  repeat: {again}")
    return totals, failures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=1000, help="how many random runs")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--only", default=None, help=f"mechanisms that may be drawn, of {','.join(KNOWN)}")
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    only = None if arguments.only is None else frozenset(filter(None, arguments.only.split(",")))
    if only is not None and not only <= set(KNOWN):
        parser.error(f"--only takes {', '.join(KNOWN)}")
    began = time.perf_counter()
    last = arguments.first + arguments.n
    pieces = [range(start, min(start + 25, last)) for start in range(arguments.first, last, 25)]
    totals: Counter[str] = Counter()
    failures: list[str] = []
    for part, failed in Parallel(n_jobs=arguments.jobs)(delayed(run)(piece, only) for piece in pieces):
        totals.update(part)
        failures.extend(failed)
    for failure in failures:
        print(failure)
    equal = arguments.n - len(failures)
    print(f"{equal} of {arguments.n} random runs equal: decisions, readings, requests, samples, token times, counters")
    print(", ".join(f"{name} {count:,}" for name, count in totals.items()), f"in {time.perf_counter() - began:.0f} s")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
