"""Rollouts on an engine: the simulator's decisions, and the tokens of responses that nobody interrupted."""

import pytest

from tests.real.torch_here import sharpen

from policies.april import April  # isort: skip
from policies.least_loaded import LeastLoaded  # isort: skip
from policies.staleness_gate import StalenessGate  # isort: skip
from policies.synchronous_rollout import SynchronousRollout  # isort: skip
from policies.vllm_v1 import VllmV1  # isort: skip
from realbackend.run import Bench, RealSettings  # isort: skip
from simcore.simulator import RolloutSettings, Settings  # isort: skip
from simcore.simulator.learning import TimedTrainer  # isort: skip
from simcore.simulator.simulator import Simulator  # isort: skip
from tests.property.draw import Flat  # isort: skip
from tests.simulator.rollouts import Prompts, S, Verdicts  # isort: skip

LENGTHS = [[3 + (7 * group + 5 * sample) % 23 for sample in range(2)] for group in range(40)]


@pytest.fixture(scope="module")
def bench() -> Bench:
    bench = Bench(RealSettings(clock="model"))
    sharpen(bench.decoder)
    return bench


def settings(kind) -> Settings:
    rollout = RolloutSettings(kind, TimedTrainer(lambda _tokens: 1.0), Verdicts(), steps=4, groups=3)
    return Settings(2, 200, Flat(S, 0, 0, 0), LeastLoaded, VllmV1, record_decisions=True, rollout=rollout)


def test_an_engine_decides_as_the_simulator_and_interrupted_responses_have_the_same_tokens(bench):
    generated = []
    for kind in (SynchronousRollout, April, StalenessGate):
        simulated, real = Prompts(LENGTHS, prompt=6), Prompts(LENGTHS, prompt=6)
        Simulator(settings(kind), simulated, simulated).run()
        generated.append(bench.run(settings(kind), real, real).generated)
        assert real.kept["decisions"] == simulated.kept["decisions"]
        assert real.kept["rollouts"] == simulated.kept["rollouts"]
    undisturbed, *interrupted = generated
    for tokens in interrupted:
        shared = undisturbed.keys() & tokens.keys()
        assert len(shared) >= 20
        assert all(tokens[request] == undisturbed[request] for request in shared)
