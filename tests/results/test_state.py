"""The state of a run: queues of known load."""

import numpy as np
import pytest

from simcore.results.schema import Health
from simcore.results.state import Ints, classify, count_by_part

S = 10**12


def state_of(arrivals_ps: Ints, starts_ps: Ints) -> Health:
    """Return the state of a run from its dates; a request that never started has no start."""
    window = (int(arrivals_ps.min()), int(arrivals_ps.max()))
    return classify(count_by_part([arrivals_ps], *window), count_by_part([starts_ps], *window))


def m_d_1(load: float, requests: int = 4000, seed: int = 0) -> tuple[Ints, Ints]:
    """Arrivals and starts of one server with constant service of a second, in picoseconds."""
    arrivals = np.cumsum(np.random.default_rng(seed).exponential(1 / load, requests))
    starts = []
    free = 0.0
    for arrival in arrivals:
        starts.append(max(free, arrival))
        free = starts[-1] + 1.0
    return (arrivals * S).astype(np.int64), (np.array(starts) * S).astype(np.int64)


@pytest.mark.parametrize("seed", range(20))
def test_a_queue_at_70_percent_is_stable_and_at_120_percent_overloaded(seed: int) -> None:
    assert state_of(*m_d_1(0.7, seed=seed)) == "STABLE"
    assert state_of(*m_d_1(1.2, seed=seed)) == "OVERLOADED"


def test_a_queue_slightly_over_capacity_is_backlogged() -> None:
    # 1000 arrivals, one a second; each takes 1.03 s: 30 are left when the last one arrives.
    arrivals = np.arange(1000) * S
    assert state_of(arrivals, (np.arange(1, 1001) * 1.03 * S).astype(np.int64)) == "BACKLOGGED"


def test_a_burst_at_the_end_that_did_not_drain_is_a_backlog() -> None:
    steady = np.arange(1000) * S
    burst = np.full(40, 955 * S)
    arrivals = np.concatenate([steady, burst])
    starts = np.concatenate([steady + S // 2, np.full(40, 1100 * S)])
    assert state_of(arrivals, starts) == "BACKLOGGED"


def test_a_burst_that_drained_before_the_end_leaves_the_run_stable() -> None:
    steady = np.arange(1000) * S
    burst = np.full(40, 500 * S)
    arrivals = np.concatenate([steady, burst])
    starts = np.concatenate([steady + S // 2, np.full(40, 600 * S)])
    assert state_of(arrivals, starts) == "STABLE"


def test_a_constant_wait_is_not_overload() -> None:
    # 100 requests wait from a tenth of the window on: each for 100 s of 1000 s.
    arrivals = np.arange(1000) * S
    assert state_of(arrivals, arrivals + 100 * S) == "STABLE"


def test_everything_at_once_is_a_backlog_and_a_single_request_is_not() -> None:
    at_once = np.zeros(10, np.int64)
    assert state_of(at_once, at_once + S) == "BACKLOGGED"
    assert state_of(at_once[:1], at_once[:1] + S) == "STABLE"


def test_requests_that_never_start_overload() -> None:
    arrivals = np.arange(1000) * S
    assert state_of(arrivals, arrivals[:0]) == "OVERLOADED"
