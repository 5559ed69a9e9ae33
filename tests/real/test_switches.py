"""Switches on engines: requests come and go between device and host all the time, and no token changes."""

from collections import Counter
from functools import partial
from typing import Any

import numpy as np
import pytest

from policies.vllm_v1 import VllmV1
from realbackend.cluster import RealCluster
from realbackend.transport import runs_of
from realbackend.wall import WallCluster
from simcore.contract import Arrivals, Preempt
from simcore.simulator.settings import Fault, Mechanisms, Priorities
from tests.property.cluster.draw import SWITCHES
from tests.property.cluster.traffic import Traffic
from tests.real.drawn import check
from tests.real.hash_engine import HashEngine
from tests.real.runs import MS, cluster, same_as_alone, settings

WITH = frozenset({*SWITCHES, "links", "programs", "clients", "failures"})
KEEP: dict[str, Any] = {"preemption": "swap", "host_copy": "keep", "host_blocks": 60}


class Switching(VllmV1):
    """Every few iterations all that are not urgent leave the batch."""

    def order(self, request):
        return request.priority

    def on_priority_changed(self, view, fact):
        return [Preempt(r, kv="swap") for r in view.running if view.requests[r].priority and r % 5 != fact.epoch % 5]


def chats(turns=3, programs=10):
    """Programs whose turns extend each other by 9 tokens, 7 tokens each."""
    rows = [(program, turn) for program in range(programs) for turn in range(turns)]
    column = partial(np.array, dtype=np.int64)
    part = Arrivals(
        column([program * MS for program, _ in rows]),
        column([6 + program % 3 + 16 * turn for program, turn in rows]),
        column([7 for _ in rows]),
        program=column([program for program, _ in rows]),
        turn=column([turn for _, turn in rows]),
        gap_ps=column([5 * MS * (turn > 0) for _, turn in rows]),
    )
    return Traffic([part])


def switching(**given):
    how = {"instances": 1, "kv_blocks": 24, "block_tokens": 4, "make_scheduler": Switching}
    return settings(**how, **({"priorities": Priorities("random", every_iterations=3)} | given))


@pytest.mark.parametrize("group", range(4))
def test_drawn_switches_decide_as_simulated_and_generate_the_tokens_of_each_request_alone(group):
    met = Counter()
    for count, seed in enumerate(range(group, 60, 4)):
        met.update(check(seed, WITH))
        if count >= 3 and met["swap_ins"]:
            return
    raise AssertionError("nobody was swapped in")


class EverySecondOut(HashEngine):
    """Loses every second copy out: mostly what is added to an older one."""

    out = 0

    def copy_out(self, blocks, host):
        self.out += 1
        if self.out % 2:
            super().copy_out(blocks, host)


class NoCopyIn(HashEngine):
    def copy_in(self, host, blocks):
        pass


@pytest.mark.parametrize("broken", [EverySecondOut, NoCopyIn])
def test_an_engine_that_loses_a_part_of_a_host_copy_is_noticed(broken):
    run = cluster(RealCluster, switching(mechanisms=Mechanisms(**KEEP)), chats(), engine=broken)
    run.run()
    assert not same_as_alone(run)


@pytest.mark.parametrize("swap", ["sync", "async", "adaptive"])
@pytest.mark.parametrize("allocator", ["paged", "groups"])
@pytest.mark.parametrize("kind", [RealCluster, WallCluster])
def test_turns_go_on_from_their_host_copies_with_their_own_tokens(kind, swap, allocator):
    mechanisms = Mechanisms(**KEEP, swap=swap, allocator=allocator, group_blocks=6)
    run = cluster(kind, switching(mechanisms=mechanisms), chats())
    outcome = run.run()
    assert outcome.finished == 30
    assert same_as_alone(run)
    assert outcome.counters["host_prefix_tokens"] > 0
    assert outcome.counters["reused_host_blocks"] > 0


def test_a_host_that_is_full_costs_time_and_no_token():
    run = cluster(RealCluster, switching(mechanisms=Mechanisms(**(KEEP | {"host_blocks": 9}))), chats())
    assert run.run().finished == 30
    assert same_as_alone(run)


def test_requests_on_the_host_of_an_instance_that_dies_generate_the_same():
    mechanisms = Mechanisms(**KEEP, swap="async", allocator="groups", group_blocks=6)
    fault = Fault("instance", 0, 0.02, 0.01)
    run = cluster(RealCluster, switching(mechanisms=mechanisms, faults=(fault,)), chats())
    outcome = run.run()
    assert outcome.finished == 30
    assert outcome.counters["requests_requeued"] > 0
    assert same_as_alone(run)


class Counting(HashEngine):
    """Counts in how many memory copies its blocks could be moved."""

    runs = blocks = 0

    def copy_out(self, blocks, host):
        type(self).runs += len(runs_of(blocks, host))
        type(self).blocks += len(blocks)
        super().copy_out(blocks, host)

    def copy_in(self, host, blocks):
        type(self).runs += len(runs_of(host, blocks))
        type(self).blocks += len(blocks)
        super().copy_in(host, blocks)


def test_the_launches_of_the_books_are_the_memory_copies_of_an_engine():
    Counting.runs = Counting.blocks = 0
    mechanisms = Mechanisms(**KEEP, allocator="groups", group_blocks=6, host_prealloc_blocks=3)
    run = cluster(RealCluster, switching(mechanisms=mechanisms), chats(), engine=Counting)
    launches = run.run().counters["swap_launches"]
    assert launches == Counting.runs < Counting.blocks
