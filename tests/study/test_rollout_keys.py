"""`rollout`: what each key becomes, what does not go together, and what a run of such a study leaves."""

import json
import re

import pytest

from policies.april import April
from simcore.simulator.learning import HashJudge, TimedTrainer
from simcore.study.cell import settings_of
from tests.study.tiny import cells, problems_of, write_study

ROLLOUT = """\
study: tiny
question: does it train?
model: llama-3.1-8b
hardware: h100
cluster: {instances: 2}
workload:
  arrivals: {kind: all_at_once}
  requests: 120
  groups: {size: 4, prompt_tokens: {kind: fixed, tokens: 20},
           output_tokens: {median: 60, prompt_effect: 0.7, within: 0.3, max: 300}}
rollout: {steps: 3, groups: 4}
systems:
  synchronous: {router: least_loaded}
  april: {router: least_loaded, rollout: {policy: april, over_provision: 1.5}}
"""
WHOLE = (
    "{steps: 5, groups: 8, max_tokens: 100, filter: dynamic, warm_up_steps: 2, reward: {always: 0.1, never: 0.3, "
    "seconds: 2.5, spread: exponential, fails: 0.01, attempts: 5}, trainer: {seconds: 7.5}, "
    "weights: {bytes: 1000, load_s: 0.25, pause: false}}"
)


def with_rollout(written: str, text: str = ROLLOUT) -> str:
    return text.replace("{steps: 3, groups: 4}", written)


def test_every_key_reaches_the_simulator():
    rollout = settings_of(cells(with_rollout(WHOLE))[0], 1.0).rollout
    assert rollout is not None
    assert (rollout.steps, rollout.groups, rollout.max_tokens, rollout.attempts) == (5, 8, 100, 5)
    assert not rollout.pause_for_weights
    judge, trainer = rollout.judge, rollout.trainer
    assert isinstance(judge, HashJudge)
    assert isinstance(trainer, TimedTrainer)
    assert (judge.always, judge.never, judge.seconds, judge.spread) == (0.1, 0.3, 2.5, "exponential")
    assert (judge.fails, judge.filter) == (0.01, "dynamic")
    assert (trainer.step_s(10**6), trainer.weight_bytes, trainer.load_s) == (7.5, 1000, 0.25)


def test_left_out_the_cap_is_the_workloads_and_the_weights_are_the_models():
    synchronous, april = cells(ROLLOUT)
    rollout = settings_of(april, 1.0).rollout
    assert rollout is not None
    policy = rollout.make_rollout()
    assert isinstance(policy, April)
    assert policy.over_provision == 1.5
    assert rollout.max_tokens == 300
    assert isinstance(rollout.trainer, TimedTrainer)
    assert rollout.trainer.weight_bytes == april.model.weight_bytes()
    assert synchronous.hash != april.hash
    assert synchronous.rollout is not None, "the synchronous one"


def test_a_training_step_takes_what_its_arithmetic_says():
    rollout = settings_of(cells(with_rollout("{steps: 1, groups: 1, trainer: {gpus: 4, mfu: 0.5}}"))[0], 1.0).rollout
    assert rollout is not None
    cell = cells(ROLLOUT)[0]
    optimiser_s = 28 * cell.model.parameters / (4 * cell.hardware.memory_bytes_per_s)
    assert isinstance(rollout.trainer, TimedTrainer)
    flops = 8 * cell.model.active_parameters * 10**6
    assert rollout.trainer.step_s(10**6) == pytest.approx(optimiser_s + flops / (4 * cell.hardware.bf16_flops * 0.5))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (ROLLOUT.replace("rollout: {steps: 3, groups: 4}\n", ""), "april.rollout: needs the study to say `rollout:"),
        (with_rollout("{steps: 3}"), "rollout.groups: is missing"),
        (with_rollout("{steps: 3, groups: 4, warm_up_steps: 3}"), r"warm_up_steps must be below steps \(3\), got 3"),
        (with_rollout("{steps: 1, groups: 1, reward: {always: 0.7, never: 0.5}}"), "must be at most 1 together"),
        (with_rollout("{steps: 1, groups: 1, trainer: {seconds: 1, gpus: 2}}"), "leave one of the two out"),
        (ROLLOUT.replace("groups: {size: 4, prompt", "groups: {size: 5, prompt").replace("120", "121"), "whole groups"),
        (ROLLOUT.replace("question:", "mechanism: {prefix_cache: cold}\nquestion:"), "rollouts do not run with"),
        (
            ROLLOUT.replace("question:", "mechanism: {preemption: swap}\nquestion:"),
            "rollouts do not run with mechanism.preemption: swap yet",
        ),
        (ROLLOUT.replace("router: least_loaded}", "router: least_loaded, scheduler: prefill_first}"), "whole batches"),
        (ROLLOUT.replace("policy: april,", "policy: apirl,"), "unknown rollout 'apirl'.*did you mean 'april'"),
        (ROLLOUT.replace("over_provision: 1.5", "over_provision: 0.5"), "over_provision: must be at least 1, got 0.5"),
    ],
)
def test_what_does_not_go_together_is_said(text, problem):
    assert re.search(problem, "\n".join(problems_of(text)), re.DOTALL)


def test_a_workload_without_groups_has_no_prompts_to_train_on():
    text = ROLLOUT[: ROLLOUT.index("workload:")] + "workload: {trace: azure_conv_2023, requests: 10}\n"
    assert "must be groups of samples" in "\n".join(problems_of(text + ROLLOUT[ROLLOUT.index("rollout:") :]))


def test_a_run_leaves_its_training_steps_and_their_metrics(tmp_path):
    import pyarrow.parquet as pq

    from simcore.study.api import Study

    out = tmp_path / "out"
    Study.load(write_study(tmp_path, ROLLOUT)).run(out=out, jobs=1, plots=True)
    rows = pq.read_table(out / "rollouts.parquet").to_pylist()
    assert [(row["system"], row["step"]) for row in rows] == [
        (system, step) for system in ("synchronous", "april") for step in range(3)
    ]
    runs = json.loads((out / "summary.json").read_text())["runs"]
    for run in runs:
        mine, metrics = [row for row in rows if row["system"] == run["system"]], run["metrics"]
        taken_s = [(row["closed_ps"] - row["opened_ps"]) / 1e12 for row in mine]
        assert metrics["perf/step_time"] == pytest.approx(sum(taken_s) / 3)
        assert metrics["perf/trained_tokens_per_sec"] == pytest.approx(
            sum(row["response_tokens"] for row in mine) / sum(taken_s)
        )
        assert (
            metrics["groups_submitted"]
            == metrics["groups_trained"] + metrics["groups_open"] + metrics["groups_accepted"]
        )
        assert run["state"] == "STABLE"
    synchronous, april = (run["metrics"] for run in runs)
    assert synchronous["rollout/off_policy_token_share"] == 0 < april["rollout/off_policy_token_share"]
    assert (out / "plots" / "rollouts.png").exists()
