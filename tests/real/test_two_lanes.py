"""Two lanes of one instance on engines: no block is shared, lost or stale, in virtual time and from two threads."""

import random
import time
from typing import Any

import pytest

from realbackend.emulated import EmulatedPartition
from realbackend.wall import WallCluster
from simcore.contract import Dispatch, Router, Shape, SplitSMs, WakeAt
from simcore.simulator.settings import Mechanisms
from tests.real.drawn import check
from tests.real.hash_engine import HashEngine
from tests.real.runs import cluster, requests, same_as_alone, settings
from tests.simulator.harness import at, to_zero
from tests.simulator.two_lanes import Shared


@pytest.mark.parametrize("group", range(4))
def test_drawn_lanes_decide_as_simulated_and_never_share_or_lose_a_block(group):
    """Splits are switched in all four ways, pools are tight, requests are stopped and instances fail."""
    for seed in range(300 + group, 316, 4):
        check(seed, frozenset({"lanes", "swap", "prefix", "failures"}))


class Slow(HashEngine):
    """Takes up to a millisecond an iteration, so that lanes meet in every order; notes where it was to run."""

    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.kept_to: list[int] = []
        self.random = random.Random(1)

    def keep_to(self, share_pct):
        self.kept_to.append(share_pct)

    def run(self, work):
        time.sleep(self.random.random() / 1000)
        return super().run(work)


class Beside(Slow):
    """A second engine over the KV of another."""

    def __init__(self, engine):
        super().__init__(0, engine.size, 0)
        self.kv, self.host = engine.kv, engine.host


def switching(*dates_s):
    shares = iter([(30, 100), (100, 30), (50, 50)] * len(dates_s))

    def on_woke(self, view, fact):
        return () if view.instances[0].sm_switching else (SplitSMs(0, *next(shares)),)

    own = {"on_arrived": to_zero, "on_start": at(*dates_s), "on_woke": on_woke}
    return type("Switching", (Router,), {"emits": frozenset({Dispatch, WakeAt, SplitSMs}), **own})


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("sm_switch", ["delayed_async", "delayed_sync", "restart"])
def test_lanes_in_threads_of_their_own_share_a_pool_and_nothing_else(seed, sm_switch):
    rnd = random.Random(seed)
    rows = [(rnd.randrange(20), rnd.randrange(1, 16), rnd.randrange(1, 16)) for _ in range(40)]
    traffic = requests(*sorted(rows))
    swaps: dict[str, Any] = {"preemption": "swap", "swap": "async", "host_blocks": 20} if seed % 2 else {}
    lanes = Mechanisms(sm_split=(60, 60), sm_switch=sm_switch, sm_switch_s=0.002, **swaps)
    dates_s = [0.005 * i for i in range(1, 8)]
    given = settings(mechanisms=lanes, instances=1, kv_blocks=10, block_tokens=4, make_router=switching(*dates_s))
    run = cluster(WallCluster, given, traffic, engine=Slow, make_beside=Beside)
    outcome = run.run()
    assert outcome.finished == len(rows)
    assert same_as_alone(run)
    run.instances[0].check()
    prefill, decode = run.engines
    assert prefill.kv is decode.kv
    assert prefill.kept_to
    assert set(prefill.kept_to + decode.kept_to) <= {60, 30, 100, 50}
    assert outcome.counters["sm_switches"] > 0


class Measured:
    def timed(self, shape, compute):
        compute()
        return 1200


def test_an_emulated_share_takes_longer_by_what_the_cost_model_says():
    """Of `Shared`, an iteration takes 600 ms on one percent: on half of the SMs twice what it takes on all."""
    computed: list[int] = []
    pace = EmulatedPartition(Measured(), Shared())
    took = [pace.timed(Shape(decodes=1, sm_pct=share), lambda: computed.append(1)) for share in (100, 50, 25)]
    assert took == [1200, 2400, 4800]
    assert len(computed) == 3
