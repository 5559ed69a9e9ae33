"""Lost KV: an instance fails whose KV is being copied, on the host, pinned or cached. Every iteration takes 10 ms."""

from functools import partial

import pytest

from policies.vllm_v1 import VllmV1
from simcore.contract import Abort, Arrived, Dispatch, InstanceDown, PinKV, Prefilled
from simcore.contract import decisions as log
from simcore.simulator import Fault, Mechanisms
from tests.simulator.failing import HAND_ON, LOST_AT_35, handing_on, to_first_up
from tests.simulator.harness import MS, scheduler
from tests.simulator.watcher import Turns, Watcher, run_both


def test_if_the_source_fails_during_the_copy_the_prompt_is_computed_where_it_waits():
    ran = run_both([(0, 8, 3)], handing_on(), faults=LOST_AT_35, **HAND_ON)
    # Prefilled at 10 ms, copied until 60 ms; its source fails at 35 ms.
    assert ran.tokens[0] == [10, 45, 55]
    assert ran.facts(Arrived) == []
    assert ran.kinds(log.ADMITTED) == [(0, 0, 0, 8), (35, 1, 0, 9)]


def test_if_the_source_fails_before_the_copy_what_waits_is_computed_where_it_waits():
    # Instance 1 has no room for 17 tokens until its first request has ended, at 80 ms.
    ran = run_both(
        [(0, 16, 3), (0, 16, 3)],
        handing_on(),
        faults=(Fault("instance", 0, 0.065),),
        make_scheduler=lambda: VllmV1(max_num_seqs=1, max_num_batched_tokens=32),
        **HAND_ON | {"kv_blocks": 2, "block_bytes": 50},
    )
    assert ran.tokens == {0: [10, 70, 80], 1: [20, 90, 100]}
    assert ran.kinds(log.ADMITTED)[-1] == (80, 1, 1, 17)


def test_if_the_source_fails_after_the_copy_nothing_is_lost():
    ran = run_both([(0, 8, 3)], handing_on(), faults=(Fault("instance", 0, 0.061),), **HAND_ON)
    assert ran.tokens[0] == [10, 70, 80]


def test_if_the_destination_fails_its_requests_arrive_again_and_the_source_gives_their_blocks_back():
    script = {50: (Dispatch(0, 0),)}
    make = partial(Watcher, lambda view, request: None if view.now_s else 0, lambda view, request: 1, script=script)
    ran = run_both([(0, 8, 3)], make, faults=(Fault("instance", 1, 0.035, 0.015),), **HAND_ON)
    # Computed again on 0 from 50 ms, copied from 60 to 110 ms.
    assert ran.facts(InstanceDown, Arrived, Prefilled) == [
        (10, Prefilled(0, 0)),
        (35, InstanceDown(1, "failed")),
        (35, Arrived(0)),
        (60, Prefilled(0, 0)),
    ]
    assert ran.tokens[0] == [10, 60, 120]


def test_what_was_prefilled_and_waits_for_a_dispatch_is_lost_with_its_instance():
    ran = run_both([(0, 8, 3)], to_first_up, faults=LOST_AT_35, **HAND_ON)
    assert ran.facts(InstanceDown, Arrived) == [(35, InstanceDown(0, "failed")), (35, Arrived(0))]
    assert ran.outcome.unfinished == 1


@pytest.mark.parametrize("way", ["sync", "async"])
def test_copies_on_the_host_are_gone_with_the_instance(way):
    # Both run until KV is short at 40 ms; the newer one goes to the host, and is lost there.
    ran = run_both(
        [(0, 4, 9), (0, 4, 9)],
        lambda: Watcher(lambda view, request: None if view.now_s else 0, script={70: (Abort(0), Abort(1))}),
        kv_blocks=14,
        block_tokens=1,
        faults=(Fault("instance", 0, 0.055, 0.005),),
        mechanisms=Mechanisms(preemption="swap", swap=way, host_blocks=14),
    )
    assert ran.outcome.counters["swap_outs"] == 1
    assert [row[3] for row in ran.kinds(log.LOST)] == [5, 4]
    store = ran.simulator.instances[0].store
    assert store is not None
    assert store.host_free == 14


def test_pins_and_cache_are_gone_with_the_instance():
    local = scheduler(on_finished=lambda s, v, f: (PinKV(f.request, 10.0),))
    turns = {"program": [0, 0], "turn": [0, 1], "gap_ps": [0, 40 * MS]}
    settings = {"make_scheduler": local, "mechanisms": Mechanisms(prefix_cache="cold")}
    rows = [(0, 64, 2), (0, 96, 2)]
    hits = {}
    for name, faults in (("whole", ()), ("failed", (Fault("instance", 0, 0.035, 0.005),))):
        ran = run_both(Turns(rows, columns=turns), to_first_up, faults=faults, **settings)
        hits[name] = ran.outcome.counters["prefix_hit_tokens"]
        assert ran.outcome.finished == 2
    assert hits == {"whole": 64, "failed": 0}
