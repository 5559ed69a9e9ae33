"""Rollouts on engines: the decisions of the simulator, and tokens that no pause, no failure and no resume changes."""

from typing import Any

import numpy as np
import pytest

from policies.april import April
from policies.synchronous_rollout import SynchronousRollout
from realbackend.cluster import RealCluster
from realbackend.wall import WallCluster
from simcore.contract import Arrivals
from simcore.simulator.simulator import Simulator
from tests.real import rollouts, runs
from tests.real.hash_engine import HashEngine


def drawn(groups: int, samples: int = 3) -> rollouts.Prompts:
    """Return groups whose samples have lengths of their own: 1 to 40 tokens, most of them short."""
    rows = groups * samples
    lengths = 1 + (np.arange(rows, dtype=np.int64) * 7919 % 41) ** 2 // 41
    return rollouts.Prompts(
        [Arrivals(np.zeros(rows, np.int64), lengths % 5 + 3, lengths, group=np.arange(rows) // samples)]
    )


class Failing(HashEngine):
    """An engine that works for a while, and whose twins go on."""

    made = 0

    def __init__(self, *sizes: int) -> None:
        super().__init__(*sizes)
        Failing.made += 1
        self.left = 25 if Failing.made == 1 else 10**9

    def run(self, work: list[Any]) -> list[int]:
        self.left -= 1
        if self.left < 0:
            raise RuntimeError("out of order")
        return super().run(work)


POLICIES = {"april": lambda: April(over_provision=2), "synchronous": SynchronousRollout}


@pytest.mark.parametrize("policy", POLICIES.values(), ids=list(POLICIES))
def test_under_the_model_clock_engines_take_the_decisions_of_the_simulator(policy):
    given = rollouts.settings(policy, steps=4, groups=3)
    real, simulated = drawn(60), drawn(60)
    run = runs.cluster(RealCluster, given, real)
    outcome, expected = run.run(), Simulator(given, simulated, simulated).run()
    assert real.kept["decisions"] == simulated.kept["decisions"]
    assert real.kept["rollouts"] == simulated.kept["rollouts"]
    assert outcome.counters == expected.counters
    assert rollouts.is_conserved(outcome)


def test_a_sample_that_is_paused_and_resumed_says_what_it_says_undisturbed():
    traffic = drawn(60)
    run = runs.cluster(RealCluster, rollouts.settings(POLICIES["april"], steps=5, groups=3), traffic)
    run.run()
    assert sum(row[13] for row in traffic.kept["rollouts"]) > 3, "samples must have been resumed"
    assert len(run.generated) > 30
    assert runs.same_as_alone(run)


def test_an_engine_that_dies_in_a_rollout_costs_no_token_that_was_reported(capsys):
    Failing.made = 0
    traffic = drawn(60)
    run = runs.cluster(
        RealCluster, rollouts.settings(POLICIES["april"], steps=5, groups=3), traffic, lambda *sizes: Failing(*sizes)
    )
    outcome = run.run()
    assert run.failures == ["instance 0 failed: RuntimeError: out of order"]
    assert outcome.counters["training_steps"] == 5
    assert outcome.counters["requests_requeued"] > 0
    assert outcome.counters["groups_failed"] == 0
    assert rollouts.is_conserved(outcome)
    assert runs.same_as_alone(run)
    assert "out of order" in capsys.readouterr().err


@pytest.mark.parametrize("policy", POLICIES.values(), ids=list(POLICIES))
def test_in_real_time_every_group_is_accounted_for_and_tokens_are_the_same(policy):
    traffic = drawn(40)
    run = runs.cluster(WallCluster, rollouts.settings(policy, steps=3, groups=3), traffic)
    outcome = run.run()
    assert outcome.counters["training_steps"] == 3
    assert rollouts.is_conserved(outcome)
    assert runs.same_as_alone(run)
