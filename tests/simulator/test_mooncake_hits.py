"""Mooncake's conversations: a cache without bounds finds what the trace itself says there is to find."""

from pathlib import Path

import pytest

from policies.round_robin import RoundRobin
from policies.vllm_v1 import VllmV1
from simcore.simulator import Settings, simulate
from simcore.simulator.settings import Mechanisms
from tests.property.draw import Flat
from traces import open_trace, prefix_hit_share

TRACE = Path(__file__).parents[3] / "shared" / "traces" / "mooncake" / "conversation_trace.jsonl.gz"


class Nothing:
    """A sink that keeps nothing."""

    def __getattr__(self, name):
        return lambda rows: None


@pytest.fixture(scope="module")
def workload():
    if not TRACE.exists():
        pytest.skip("the shared Mooncake trace is not here")
    return open_trace(TRACE)


def test_an_unbounded_cache_finds_all_that_the_trace_repeats(workload):
    """An iteration takes a nanosecond, and a batch has room for any prompt: requests run one after the other."""
    settings = Settings(
        instances=1,
        kv_blocks=1 << 40,
        cost=Flat(1000, 0, 0, 0),
        make_router=RoundRobin,
        make_scheduler=lambda: VllmV1(max_num_batched_tokens=1 << 20),
        mechanisms=Mechanisms(prefix_cache="cold"),
    )
    counters = simulate(settings, workload, Nothing()).counters
    share = counters["prefix_hit_tokens"] / counters["prefix_query_tokens"]
    assert share == prefix_hit_share(workload, block_tokens=16)
    assert round(share, 3) == 0.358
    assert counters["prefix_evictions"] == 0
