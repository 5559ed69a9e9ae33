"""Common random numbers: what a request gets depends on seed, replication, purpose and its id, nothing else."""

from typing import Any

import numpy as np

from tests.traces.written import whole
from traces import synthetic
from traces.draws import BLOCK

LENGTHS = {"kind": "lognormal", "mean": 500, "sigma": 1.0}


def generated(**changes):
    given: dict[str, Any] = {
        "arrivals": {"kind": "poisson"},
        "prompt_tokens": LENGTHS,
        "output_tokens": LENGTHS,
        "rate": 4.0,
        "requests": 100,
        "seed": 7,
    }
    return whole(synthetic(**(given | changes)))


def same(a, b):
    return (
        np.array_equal(a.at_ps, b.at_ps)
        and np.array_equal(a.prompt_tokens, b.prompt_tokens)
        and np.array_equal(a.output_tokens, b.output_tokens)
    )


def test_the_first_requests_of_a_longer_workload_are_the_short_one():
    short, long = generated(requests=100), generated(requests=10_000)
    assert np.array_equal(short.at_ps, long.at_ps[:100])
    assert np.array_equal(short.prompt_tokens, long.prompt_tokens[:100])
    assert np.array_equal(short.output_tokens, long.output_tokens[:100])


def test_twice_the_rate_is_the_same_traffic_in_half_the_time():
    slow, fast = generated(requests=10_000), generated(requests=10_000, rate=8.0)
    assert np.abs(slow.at_ps - 2 * fast.at_ps).max() <= 1
    assert np.array_equal(slow.prompt_tokens, fast.prompt_tokens)


def test_other_lengths_leave_the_arrivals_and_the_other_lengths_alone():
    plain, changed = generated(), generated(prompt_tokens={"kind": "fixed", "tokens": 9})
    assert np.array_equal(plain.at_ps, changed.at_ps)
    assert np.array_equal(plain.output_tokens, changed.output_tokens)


def test_other_arrivals_leave_the_lengths_alone():
    plain, changed = generated(), generated(arrivals={"kind": "gamma", "cv": 3})
    assert not np.array_equal(plain.at_ps, changed.at_ps)
    assert np.array_equal(plain.prompt_tokens, changed.prompt_tokens)


def test_seeds_and_replications_and_purposes_differ():
    plain = generated()
    assert same(plain, generated())
    assert not same(plain, generated(seed=8))
    assert not same(plain, generated(replication=1))
    assert not np.array_equal(generated(seed=7, replication=8).at_ps, generated(seed=8, replication=7).at_ps)
    assert not np.array_equal(plain.prompt_tokens, plain.output_tokens)


def test_blocks_of_requests_differ_and_time_goes_on_across_them():
    long = generated(requests=2 * BLOCK + 5)
    assert len(long) == 2 * BLOCK + 5
    assert (np.diff(long.at_ps) >= 0).all()
    assert not np.array_equal(long.prompt_tokens[:BLOCK], long.prompt_tokens[BLOCK : 2 * BLOCK])


def test_the_first_draws_stay_these_from_version_to_version():
    first = generated(requests=3)
    assert first.at_ps.tolist() == [0, 106_328_396_340, 229_569_085_555]
    assert first.prompt_tokens.tolist() == [651, 48, 589]
    assert first.output_tokens.tolist() == [56, 35, 38]
