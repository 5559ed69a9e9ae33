"""Closed forms: where theory gives the answer, the simulator gives it too."""

import numpy as np
import pytest
from scipy import stats

from policies.vllm_v1 import VllmV1
from simcore.contract import Shape
from tests.property.draw import Flat
from tests.simulator.harness import MS, run

PS = 10**12


def one_at_a_time() -> VllmV1:
    return VllmV1(max_num_seqs=1, max_num_batched_tokens=1 << 20)


def queue_of(outputs: np.ndarray, load: float, seed: int, step_ps: int = PS // 100) -> np.ndarray:
    """Return waits in seconds of a single server that takes `outputs` steps a request, Poisson arrivals."""
    mean_service_s = outputs.mean() * step_ps / PS
    gaps = np.random.default_rng(seed).exponential(mean_service_s / load, len(outputs))
    arrivals = [(int(t * PS), 1, int(n)) for t, n in zip(np.cumsum(gaps), outputs, strict=True)]
    done = run(arrivals, cost=Flat(step_ps, 0, 0, 0), make_scheduler=one_at_a_time, kv_blocks=10**6)
    return np.array([(r["scheduled"] - r["arrival"]) / PS for _, r in sorted(done["requests"].items())])


def test_a_server_of_one_with_constant_service_waits_as_an_md1_queue():
    load, service_s, n = 0.7, 0.2, 6_000
    waits = [queue_of(np.full(n, 20), load, seed)[n // 10 :].mean() for seed in range(8)]
    expected = load * service_s / (2 * (1 - load))
    half = stats.t.ppf(0.995, 7) * np.std(waits, ddof=1) / np.sqrt(8)
    assert abs(np.mean(waits) - expected) < half
    assert half < 0.25 * expected


def test_a_server_of_one_with_geometric_service_waits_as_a_queue_with_that_variance():
    """Pollaczek-Khinchine; with a mean of 200 steps a geometric service is all but exponential: M/M/1."""
    load, n, mean_steps = 0.6, 6_000, 200
    waits = []
    for seed in range(8):
        outputs = np.random.default_rng(1000 + seed).geometric(1 / mean_steps, n)
        waits.append(queue_of(outputs, load, seed)[n // 10 :].mean())
    service_s = mean_steps * 0.01
    mm1 = load * service_s / (1 - load)
    half = stats.t.ppf(0.995, 7) * np.std(waits, ddof=1) / np.sqrt(8)
    assert abs(np.mean(waits) - mm1) < half + 0.005 * mm1  # the geometric's variance is (1 - 1/200) of the limit
    assert half < 0.3 * mm1


def test_a_lone_request_takes_the_time_of_its_iterations_to_the_picosecond():
    cost = Flat(7 * MS, 30_000_000, 10_000_000, 40_000)
    done = run([(123_456_789, 100, 5)], cost=cost)
    request = done["requests"][0]
    prefill = cost.line(Shape(chunks=[(100, 0)]))[0]
    decodes = [cost.line(Shape(1, 100 + i))[0] for i in range(1, 5)]
    assert request["first"] - request["arrival"] == prefill
    assert request["finished"] - request["arrival"] == prefill + sum(decodes)
    assert np.diff(done["tokens"][0]).tolist() == decodes


def test_a_long_prompt_is_prefilled_in_chunks_of_the_budget():
    cost = Flat(MS, 1_000_000, 0, 500)
    done = run([(0, 200, 2)], cost=cost, make_scheduler=lambda: VllmV1(max_num_batched_tokens=64, max_num_seqs=4))
    chunks = [(64, 0), (64, 64), (64, 128), (8, 192)]
    assert done["requests"][0]["first"] == sum(cost.line(Shape(chunks=[chunk]))[0] for chunk in chunks)


def test_tokens_are_conserved_and_a_saturated_server_is_never_idle():
    rng = np.random.default_rng(3)
    arrivals = [(0, int(p), int(o)) for p, o in zip(rng.integers(1, 300, 50), rng.integers(1, 80, 50), strict=True)]
    cost = Flat(MS, 10_000, 100_000, 7)
    done = run(arrivals, cost=cost, kv_blocks=60)
    rows = done["rows"]
    assert [len(done["tokens"][i]) for i in range(50)] == [o for _, _, o in arrivals]
    busy = sum(k * first + increment * (k * (k - 1) // 2) for _, _, _, _, k, first, increment, *_ in rows["iterations"])
    assert busy == done["outcome"].end_ps
    assert done["outcome"].preemptions > 0


@pytest.mark.parametrize("order", [1, -1])
def test_two_lone_servers_share_nothing(order):
    """Two instances under round robin are two independent servers."""
    arrivals = [(i * 3 * MS, 10 + i, 20 + i) for i in range(10)]
    both = run(arrivals, instances=2)
    alone = [run(arrivals[i::2], instances=1) for i in (0, 1)]
    for i in range(10)[::order]:
        assert both["requests"][i]["finished"] == alone[i % 2]["requests"][i // 2]["finished"]
