"""Decisions: every policy decides on a real engine what it decides in the simulator, and no token is another's."""

from dataclasses import replace
from typing import Any

import pytest

from tests.real.torch_here import CPU, alone, engine_of, sharpen, torch

import traces  # isort: skip
from policies.cache_aware import CacheAware  # isort: skip
from policies.disaggregated import Disaggregated  # isort: skip
from policies.least_loaded import LeastLoaded  # isort: skip
from policies.power_of_two import PowerOfTwo  # isort: skip
from policies.prefill_first import PrefillFirst  # isort: skip
from policies.prefix_aware import PrefixAware  # isort: skip
from policies.priority import Priority  # isort: skip
from policies.round_robin import RoundRobin  # isort: skip
from policies.session_sticky import SessionSticky  # isort: skip
from policies.shortest_job_first import ShortestJobFirstOracle  # isort: skip
from policies.vllm_v1 import VllmV1  # isort: skip
from realbackend.cluster import RealCluster  # isort: skip
from realbackend.model.weights import load_decoder  # isort: skip
from realbackend.pace import ModelPace  # isort: skip
from simcore.contract import Preempt  # isort: skip
from simcore.cost import Affine  # isort: skip
from simcore.simulator import simulate  # isort: skip
from simcore.simulator.settings import Fault, Mechanisms, Priorities, Settings  # isort: skip
from tests.property.cluster.traffic import Traffic  # isort: skip
from tests.real.runs import MS, Remembering  # isort: skip
from tests.simulator.balancing import Balancing, NewestLeaves  # isort: skip

ROUTERS = [RoundRobin, LeastLoaded, PowerOfTwo, SessionSticky, PrefixAware, CacheAware]
SCHEDULERS: list[Any] = [VllmV1, ShortestJobFirstOracle, Priority, PrefillFirst]


@pytest.fixture(scope="module")
def decoder():
    return sharpen(load_decoder("random:nano", device=CPU, dtype=torch.float32, seed=5))


def lengths(mean, most):
    return {"kind": "lognormal", "mean": mean, "sigma": 0.8, "max": most}


def burst(seed=0):
    """Requests of no common origin, faster than they are served."""
    return traces.synthetic(
        arrivals={"kind": "gamma", "cv": 2},
        prompt_tokens=lengths(40, 150),
        output_tokens=lengths(12, 40),
        rate=60,
        requests=24,
        seed=seed,
        replication=0,
    )


def chats(seed=0):
    """Sessions whose turns extend each other's text behind one of two system prompts."""
    return traces.programs(
        sessions={
            "turns": {"kind": "uniform", "min": 2, "max": 5},
            "think_s": {"kind": "lognormal", "mean": 0.1, "sigma": 0.5},
            "first_prompt_tokens": lengths(30, 60),
            "turn_tokens": lengths(10, 30),
            "output_tokens": lengths(10, 30),
            "system_prompt_tokens": 35,
            "system_prompts": 2,
        },
        arrivals={"kind": "poisson"},
        rate=20,
        requests=24,
        seed=seed,
    )


TRAFFIC = {"burst": burst, "chats": chats}


def check(decoder, workload, *, router=RoundRobin, scheduler=VllmV1, **given):
    """Run a workload simulated and real; return what mechanisms did."""
    scheduled = {"max_num_batched_tokens": 64, "max_num_seqs": 8}
    settings = Settings(
        **{
            "instances": 2,
            "kv_blocks": 24,
            "cost": Affine(3 * MS, MS // 12, MS // 5, MS // 1000),
            "make_router": router,
            "make_scheduler": lambda: scheduler(**scheduled),
            "oracle": frozenset({"output_tokens"}) if scheduler is ShortestJobFirstOracle else frozenset(),
            "record_decisions": True,
            **given,
        }
    )
    simulated, real = Traffic([]), Traffic([])
    simulate(settings, workload, simulated)
    texts = Remembering(decoder.shape.vocabulary)
    run = RealCluster(
        settings,
        workload,
        real,
        make_engine=lambda _: engine_of(decoder, settings.kv_blocks, 16, settings.mechanisms.host_blocks),
        pace=ModelPace(settings.cost),
        texts=texts,
    )
    outcome = run.run()
    assert real.kept["decisions"] == simulated.kept["decisions"]
    assert real.kept["requests"] == simulated.kept["requests"]
    assert outcome.finished > 15
    for request, tokens in run.generated.items():
        assert tokens == alone(decoder, texts.prompts[request], len(tokens)), f"request {request}"
    assert len({token for tokens in run.generated.values() for token in tokens}) > 20
    return outcome


@pytest.mark.parametrize("traffic", TRAFFIC)
@pytest.mark.parametrize("router", ROUTERS, ids=lambda kind: kind.__name__)
def test_each_router_decides_the_same(decoder, router, traffic):
    check(decoder, TRAFFIC[traffic](), router=router, mechanisms=Mechanisms(prefix_cache="cold"))


@pytest.mark.parametrize("traffic", TRAFFIC)
@pytest.mark.parametrize("scheduler", SCHEDULERS, ids=lambda kind: kind.__name__)
def test_each_scheduler_decides_the_same(decoder, scheduler, traffic):
    outcome = check(decoder, TRAFFIC[traffic](), scheduler=scheduler, kv_blocks=16)
    assert outcome.preemptions > 0 or traffic == "chats"


def test_kept_and_handed_on_kv_is_the_same_kv(decoder):
    swapped = check(decoder, burst(), kv_blocks=16, mechanisms=Mechanisms(preemption="swap", host_blocks=32))
    assert swapped.counters["swap_ins"] > 0
    meanwhile = Mechanisms(preemption="swap", swap="async", host_blocks=32)
    assert check(decoder, burst(), kv_blocks=16, mechanisms=meanwhile).counters["swap_ins"] > 0
    found = check(decoder, chats(), mechanisms=Mechanisms(prefix_cache="cold", schedule_ahead=1))
    assert found.counters["prefix_hit_tokens"] > 100
    apart = check(decoder, burst(2), router=Disaggregated, roles=("prefill", "decode"), kv_blocks=40)
    assert apart.counters["handoffs"] > 10
    check(decoder, burst(3), mechanisms=Mechanisms(sm_split=(60, 40)))


@pytest.mark.parametrize("kind", ["recompute", "blocking", "two_stage", "multistage"])
def test_kv_that_moves_while_its_request_runs_is_the_same_kv(decoder, kind):
    """An instance fails on the way; pages of both prompts are found again where they came."""
    mechanisms = Mechanisms(prefix_cache="cold", migration=kind, migration_slots=4, migration_last_blocks=1)
    moved = check(
        decoder,
        chats(1),
        router=lambda: Balancing(period_s=0.02, least_blocks=0),
        scheduler=NewestLeaves,
        mechanisms=mechanisms,
        instances=3,
        faults=(Fault("instance", 2, 0.5, 0.2),),
    )
    assert moved.counters["migrations"] > 5
    assert moved.counters["migrated_blocks"] > 5 or kind == "recompute"


class Epochs(Priority):
    """Whoever is not urgent leaves the batch when priorities change."""

    def on_priority_changed(self, view, fact):
        return [Preempt(r, kv="swap") for r in view.running if view.requests[r].priority]


def test_kv_that_stays_on_the_host_is_the_same_kv_in_the_next_turn(decoder):
    kept_copies = Mechanisms(preemption="swap", host_copy="keep", host_blocks=64)
    grouped = replace(kept_copies, swap="adaptive", allocator="groups", group_blocks=4)
    for mechanisms in (kept_copies, grouped):
        epochs = Priorities("random", every_iterations=5)
        kept = check(decoder, chats(), scheduler=Epochs, mechanisms=mechanisms, priorities=epochs, kv_blocks=40)
        assert kept.counters["host_prefix_tokens"] > 100
        assert kept.counters["reused_host_blocks"] > 0


@pytest.mark.long
@pytest.mark.parametrize("ahead", [0, 1])
@pytest.mark.parametrize("preemption", ["recompute", "swap"])
@pytest.mark.parametrize("scheduler", [VllmV1, ShortestJobFirstOracle, Priority], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("router", ROUTERS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("traffic", TRAFFIC)
def test_the_whole_product_decides_the_same(decoder, traffic, router, scheduler, preemption, ahead):
    mechanisms = Mechanisms(prefix_cache="cold", preemption=preemption, host_blocks=32, schedule_ahead=ahead)
    for seed in range(2):
        check(decoder, TRAFFIC[traffic](seed), router=router, scheduler=scheduler, mechanisms=mechanisms, kv_blocks=20)
