"""Agents on real engines: what is pinned stays where it is, what is reloaded is copied, and no token is another's."""

from collections import defaultdict
from itertools import pairwise
from typing import Any, NamedTuple

import pytest

import traces
from policies.continuum import Continuum
from policies.round_robin import RoundRobin
from realbackend.cluster import RealCluster
from realbackend.pace import ModelPace
from realbackend.texts import Texts
from realbackend.wall import WallCluster
from simcore.cost import Affine
from simcore.simulator import simulate
from simcore.simulator.settings import Mechanisms, Settings
from tests.property.cluster.traffic import Traffic
from tests.real.hash_engine import HashEngine
from tests.real.runs import MS, cluster, same_as_alone

BLOCKS, HOST = 40, 400
WAYS: dict[str, tuple[Any, Mechanisms]] = {
    # blocks are few: without a pin, a history is gone when its program comes back
    "pinned": ("infinite", Mechanisms(prefix_cache="cold")),
    "reloaded": ("zero", Mechanisms(prefix_cache="cold", offload="ended", host_blocks=HOST)),
    "recomputed": ("zero", Mechanisms()),
}


def agents(turns=50):
    """Ten programs of some five turns, on one system prompt, whose tools take longer than a turn."""
    return traces.programs(
        programs={
            "turns": {"kind": "uniform", "min": 3, "max": 7},
            "tool_s": {"kind": "lognormal", "mean": 0.3, "sigma": 0.5},
            "first_prompt_tokens": {"kind": "uniform", "min": 20, "max": 60},
            "turn_tokens": {"kind": "uniform", "min": 5, "max": 30},
            "output_tokens": {"kind": "uniform", "min": 5, "max": 20},
            "system_prompt_tokens": 20,
        },
        arrivals={"kind": "poisson"},
        rate=6,
        requests=turns,
        seed=3,
    )


def settings(way):
    ttl, mechanisms = WAYS[way]
    return Settings(
        instances=1,
        kv_blocks=BLOCKS,
        cost=Affine(3 * MS, MS // 12, MS // 5, MS // 1000),
        make_router=RoundRobin,
        make_scheduler=lambda: Continuum(ttl=ttl, max_num_batched_tokens=64, max_num_seqs=8),
        mechanisms=mechanisms,
        record_decisions=True,
    )


class Noting(HashEngine):
    """Notes the blocks of each request as it first and last ran, and counts what is copied."""

    def __init__(self, *storages: int) -> None:
        super().__init__(*storages)
        self.first: dict[int, list[int]] = {}
        self.last: dict[int, list[int]] = {}
        self.copied = {"out": 0, "in": 0}

    def run(self, work):
        for each in work:
            self.first.setdefault(each.request, list(each.blocks))
            self.last[each.request] = list(each.blocks)
        return super().run(work)

    def copy_out(self, blocks, host):
        self.copied["out"] += len(blocks)
        super().copy_out(blocks, host)

    def copy_in(self, host, blocks):
        self.copied["in"] += len(blocks)
        super().copy_in(host, blocks)


class Ran(NamedTuple):
    """A real run, the rows of its requests, and what mechanisms counted."""

    cluster: Any
    rows: list[tuple[int, ...]]
    counters: dict[str, int]


def real(way, **how):
    """Run simulated and on an engine; return the real run, once decisions and rows are the same."""
    given, simulated = settings(way), Traffic([])
    simulate(given, agents(), simulated)
    kept = Traffic(list(agents().pieces()), tools=agents().tools)
    run = cluster(RealCluster, given, kept, engine=Noting, **how)
    outcome = run.run()
    assert kept.kept["decisions"] == simulated.kept["decisions"]
    assert kept.kept["requests"] == simulated.kept["requests"]
    assert outcome.finished == len(run.generated) == 50
    return Ran(run, kept.kept["requests"], outcome.counters)


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("way", WAYS)
def test_decisions_are_the_simulators_and_tokens_those_of_each_turn_alone(way, late):
    assert same_as_alone(real(way, late_copies=late).cluster)


def test_tokens_are_the_same_whether_kv_was_pinned_reloaded_or_recomputed():
    pinned, reloaded, recomputed = (real(way).cluster.generated for way in WAYS)
    assert pinned == reloaded == recomputed


def histories(ran):
    """Yield, for each later turn, the full blocks that the turn before ended with, and those it began on itself."""
    programs = defaultdict(list)
    for row in ran.rows:
        programs[row[12]].append((row[13], row[0], row[8] + row[9]))
    (engine,) = ran.cluster.engines
    for turns in programs.values():
        for (_, before, tokens), (_, after, _) in pairwise(sorted(turns)):
            full = (tokens - 1) // 16
            yield engine.last[before][:full], engine.first[after][:full]


def test_what_is_pinned_stays_in_its_blocks_unless_the_pin_is_broken():
    ran = real("pinned")
    stayed = [before == after for before, after in histories(ran)]
    assert sum(stayed) > 0.5 * len(stayed)
    assert ran.cluster.engines[0].copied == {"out": 0, "in": 0}


def test_what_is_reloaded_is_copied_both_ways_to_other_blocks():
    ran = real("reloaded")
    assert ran.cluster.engines[0].copied["in"] == ran.counters["reloaded_blocks"] > 20
    assert ran.cluster.engines[0].copied["out"] == ran.counters["offloaded_blocks"] > 100
    assert any(before != after for before, after in histories(ran))


def test_in_real_time_no_token_is_anothers_either():
    given, kept = settings("reloaded"), Traffic(list(agents(20).pieces()), tools=agents().tools)
    run = cluster(WallCluster, given, kept, engine=Noting)
    assert run.run().finished == 20
    assert same_as_alone(run)


def test_a_decoder_says_the_same_whether_kv_was_pinned_reloaded_or_recomputed():
    from realbackend.model.weights import load_decoder
    from tests.real.torch_here import CPU, engine_of, sharpen, torch

    decoder = sharpen(load_decoder("random:nano", device=CPU, dtype=torch.float32, seed=5))

    def said(way):
        given = settings(way)
        run = RealCluster(
            given,
            agents(turns=20),
            Traffic([]),
            make_engine=lambda _: engine_of(decoder, BLOCKS, 16, given.mechanisms.host_blocks),
            pace=ModelPace(given.cost),
            texts=Texts(decoder.shape.vocabulary),
        )
        run.run()
        return run.generated

    pinned, reloaded, recomputed = map(said, WAYS)
    assert pinned == reloaded == recomputed
    assert len({token for tokens in pinned.values() for token in tokens}) > 20
