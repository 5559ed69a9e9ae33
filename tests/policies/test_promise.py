"""The promise every policy keeps, whatever it decides."""

import copy
import importlib
import inspect
from pathlib import Path
from typing import Any

import pytest

import policies
from policies.round_robin import RoundRobin
from policies.vllm_v1 import VllmV1
from simcore.contract import Policy, Rollout, Router, Scheduler, overrides
from simcore.simulator import ROLLOUT_STARTS, STARTS
from tests.property.draw import draw
from tests.simulator.harness import run
from tests.simulator.rollouts import Verdicts, train

FOLDER = Path(policies.__file__).parent
MODULES = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem not in ("__init__",))
POLICIES = [
    kind
    for name in MODULES
    for _, kind in inspect.getmembers(importlib.import_module(f"policies.{name}"), inspect.isclass)
    if issubclass(kind, Policy) and kind.__module__ == f"policies.{name}"
]
QUESTIONS = ("order", "admit", "victim", "spill", "pick_migrant", "batch")
ORACLES = frozenset({"output_tokens"})


def one_run(kind, seed):
    if issubclass(kind, Rollout):
        return one_training(kind, seed)
    drawn = draw(seed)
    roles = {"make_router": RoundRobin, "make_scheduler": lambda: VllmV1(max_num_batched_tokens=256)}
    roles["make_router" if issubclass(kind, Router) else "make_scheduler"] = kind
    size: dict[str, Any] = {"kv_blocks": max(drawn.kv_blocks, 40), "block_tokens": drawn.block_tokens, "instances": 3}
    if issubclass(kind, Router) and overrides(kind(), "on_prefilled"):
        size["roles"] = ("prefill", "decode", "decode")
    return run(drawn.arrivals, cost=drawn.cost, record_decisions=True, seed=seed, oracle=ORACLES, **size, **roles)


def one_training(kind, seed):
    lengths = [[1 + (seed * group + 5 * sample) % 23 for sample in range(3)] for group in range(60)]
    judge = Verdicts(rejected=frozenset(range(seed, 60, 9)), took_s={seed: 3})
    ran = train(lengths, kind, groups=4, steps=5, judge=judge, instances=2)
    assert ran.rollouts.trained == 5
    return {"rows": {"decisions": ran.decisions}, "outcome": ran.outcome}


def test_every_policy_file_is_found():
    assert len(POLICIES) >= len(MODULES) >= 11


@pytest.mark.parametrize("kind", POLICIES)
def test_a_policy_says_what_it_is_and_where_it_comes_from(kind):
    module = importlib.import_module(kind.__module__)
    for part in ("Source:", "Decides:", "Leaves:"):
        assert part in (module.__doc__ or ""), f"{kind.__module__} does not say {part}"
    assert issubclass(kind, Router | Scheduler | Rollout)
    starts = ROLLOUT_STARTS if issubclass(kind, Rollout) else STARTS
    assert kind.emits <= starts, "the simulator can start what it emits"


@pytest.mark.parametrize("kind", POLICIES)
def test_a_policy_reads_no_private_name_of_anybody_else(kind):
    source = inspect.getsource(importlib.import_module(kind.__module__))
    strangers = [word for word in source.replace("self._", "").replace("super().__init__", "").split() if "._" in word]
    assert not strangers


@pytest.mark.parametrize("kind", POLICIES)
def test_the_same_run_twice_gives_the_same_decisions_and_breaks_no_rule(kind):
    for seed in (3, 5, 8, 13, 21):
        first, second = one_run(kind, seed), one_run(kind, seed)
        assert first["rows"]["decisions"] == second["rows"]["decisions"]
        # What a rollout policy keeps for a step that does not come is left.
        assert first["outcome"].unfinished == 0 or issubclass(kind, Rollout), "everything that arrives ends"


@pytest.mark.parametrize("kind", [kind for kind in POLICIES if issubclass(kind, Scheduler)])
def test_questions_leave_a_policy_unchanged(kind):
    changed = []

    def watch(policy, question):
        ask = getattr(policy, question)

        def asked(*arguments):
            before = copy.deepcopy(vars(policy))
            before.pop(question, None)
            answer = ask(*arguments)
            after = {name: value for name, value in vars(policy).items() if name not in QUESTIONS}
            if {name: value for name, value in before.items() if name not in QUESTIONS} != after:
                changed.append(question)
            return answer

        return asked

    watched = type("Watched", (kind,), {})
    for question in QUESTIONS:
        if overrides(kind(), question):
            setattr(watched, question, lambda self, *a, q=question: watch(super(watched, self), q)(*a))
    for seed in (3, 5, 8):
        one_run(watched, seed)
    assert changed == []
