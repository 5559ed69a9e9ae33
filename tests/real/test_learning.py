"""Learning: a model that trains on its own samples gets better, whoever rolls out; and nothing it was given is lost."""

from typing import Any

import numpy as np
import pytest

from tests.real.torch_here import CPU, torch

from policies.april import April  # isort: skip
from policies.synchronous_rollout import SynchronousRollout  # isort: skip
from realbackend.learning import Learning  # isort: skip
from realbackend.model.weights import places  # isort: skip
from realbackend.model.whole_texts import log_probs_of, padded  # isort: skip
from realbackend.training.settings import Training  # isort: skip
from realbackend.training.task import Task  # isort: skip
from simcore.contract import Arrivals  # isort: skip
from tests.real.rollouts import CAP, Prompts, is_conserved, prompts, settings  # isort: skip

ONLY_A_LITTLE: dict[str, Any] = {"warm_start": 3, "examples": 32, "held_out": 20, "filter": "none"}


def april():
    return April(over_provision=2)


def learning(policy=april, *, steps=3, groups=4, known=400, reward=None, kind=Learning, cluster=None, **how):
    given = settings(policy, steps, groups, **(cluster or {}))
    return kind(given, prompts(known), Training(**(ONLY_A_LITTLE | how)), reward=reward)


def digits(prompt, answer):
    """A reward that even a model that knows nothing earns now and then."""
    return float(len(answer) % 2)


class Remembering(Learning):
    """Learning that remembers weights by version, and what it trained on."""

    def __init__(self, *given, **named):
        super().__init__(*given, **named)
        self.versions = [self._decoder()]
        self.seen = []
        train, publish = self.trainer.train, self.trainer.publish
        for name, weights in places(self.versions[0]).items():
            weights.copy_(places(self.trainer.decoder)[name].detach())

        def remember(step, groups):
            for group in groups:
                for sample in group.samples:
                    said = self.transcript.of(sample)
                    self.seen.append((step, sample, self.task.prompt(group.id, sample.prompt_tokens), said))
            return train(step, groups)

        def keep(version):
            bytes_ = publish(version)
            kept = self._decoder()
            for name, weights in places(kept).items():
                weights.copy_(places(self.trainer.decoder)[name].detach())
            self.versions.append(kept)
            return bytes_

        self.trainer.train, self.trainer.publish = remember, keep  # type: ignore[method-assign]


@pytest.fixture(scope="module")
def run():
    """Six steps of APRIL whose weights change much from one to the next."""
    taught = learning(steps=6, kind=Remembering, reward=digits, learning_rate=3e-3)
    sink = prompts(0)
    taught.outcome = taught.run(sink)
    return taught


def test_every_token_is_as_likely_as_the_weights_it_carries_say(run):
    mixed = 0
    for _, sample, prompt, said in run.seen:
        text, at = padded([prompt + said.tokens], CPU), 0
        assert sum(tokens for _, tokens in sample.spans) == len(said.tokens)
        for version, tokens in sample.spans:
            with torch.no_grad():
                found = log_probs_of(run.versions[version], text)[0, len(prompt) - 1 :]
            assert found[at : at + tokens].tolist() == pytest.approx(said.log_probs[at : at + tokens], abs=1e-4)
            at += tokens
        mixed += len(sample.spans) > 1
    assert mixed > 10, "responses of several weights are what this is about"


def test_tokens_of_older_weights_are_counted_and_have_become_less_likely_or_more(run):
    for lesson in run.lessons[1:]:
        seen = [sample for step, sample, _, _ in run.seen if step == lesson.step.step]
        older = sum(tokens for sample in seen for version, tokens in sample.spans if version < lesson.step.step)
        assert lesson.step.stale_tokens == older
        assert lesson.step.fresh_shift < 1e-4
        assert lesson.step.stale_shift > 0.01 or not older
    assert sum(lesson.step.stale_tokens for lesson in run.lessons[1:]) > 50


def test_weights_are_changed_where_engines_have_them(run):
    newest = places(run.trainer.decoder)
    for engine, decoder in zip(run.cluster.engines, run.engines, strict=True):
        assert engine.decoder is decoder
        for name, weights in places(decoder).items():
            torch.testing.assert_close(weights, newest[name].detach(), rtol=0, atol=0)


def test_while_weights_stay_the_same_a_sample_says_the_same_whoever_rolls_out():
    resumed, whole = learning(learning_rate=1e-30), learning(SynchronousRollout, learning_rate=1e-30)
    for each in (resumed, whole):
        each.run(prompts(0))
    both = resumed.transcript.generated.keys() & whole.transcript.generated.keys()
    assert sum(lesson.step.stale_tokens for lesson in resumed.lessons[1:]) > 20
    assert len(both) > 40
    assert all(resumed.transcript.generated[one] == whole.transcript.generated[one] for one in both)


@pytest.fixture(scope="module")
def usual():
    taught = learning(reward=digits)
    taught.run(prompts(0))
    return taught


def test_masked_tokens_of_older_weights_teach_nothing(usual):
    masked = learning(reward=digits, stale="masked")
    masked.run(prompts(0))
    first, second = usual.lessons[2].step, masked.lessons[2].step
    assert first.stale_tokens == second.stale_tokens > 0, "until then all is the same"
    assert first.loss != second.loss
    assert usual.lessons[1].step.loss == masked.lessons[1].step.loss


@pytest.mark.parametrize("how", [{"old": "rollout"}, {"mini_batches": 2}, {"average": "sample"}], ids=str)
def test_variants_begin_with_the_same_samples_and_train_differently(how, usual):
    other = learning(reward=digits, **how)
    other.run(prompts(0))
    assert usual.lessons[1].reward == other.lessons[1].reward
    assert not torch.equal(usual.trainer.decoder.norm, other.trainer.decoder.norm)


def test_accuracy_rises():
    """A cut run, over two digits to copy; docs/training.md has whole ones."""
    given = settings(lambda: April(over_provision=1.5), steps=10, groups=16)
    at, tokens, cap = (np.full(12_000, number, np.int64) for number in (0, 3, 4))
    easy = Prompts([Arrivals(at, tokens, cap, group=np.arange(12_000) // 8)])
    how = Training(warm_start=16, examples=256, held_out=100, learning_rate=1e-3, mini_batches=2, evaluate_every=5)
    taught = Learning(given, easy, how)
    taught.run(prompts(0))
    known = [lesson.accuracy for lesson in taught.lessons if lesson.accuracy is not None]
    assert known[0] < 0.1
    assert known[-1] > 0.25


# -- what goes wrong -----------------------------------------------------------------------------------------------


def test_a_reward_that_raises_costs_its_group_and_training_goes_on(capsys):
    def reward(prompt, answer):
        if prompt[0] == 3:
            raise ZeroDivisionError("no answer for threes")
        return digits(prompt, answer)

    taught = learning(reward=reward)
    outcome = taught.run(prompts(0))
    threes = {number for number in range(30) if Task("copy").prompt(number, 3 + number % 5)[0] == 3}
    assert outcome.counters["training_steps"] == 3
    assert outcome.counters["groups_failed"] > 0
    assert outcome.counters["scorings_failed"] == 3 * outcome.counters["groups_failed"]
    assert is_conserved(outcome)
    failed = {int(cause.split("group ")[1].split(":")[0]) for cause in taught.judge.failures}
    assert failed <= threes
    assert "ZeroDivisionError: no answer for threes" in capsys.readouterr().err


@pytest.mark.parametrize("policy", [april, SynchronousRollout], ids=["april", "synchronous"])
def test_a_target_beyond_the_prompts_that_are_left_ends_the_run_with_counts(policy):
    taught = learning(policy, steps=5, groups=4, known=6)
    outcome = taught.run(prompts(0))
    assert outcome.counters["rollout_starved"] == 1
    assert outcome.counters["groups_submitted"] == 6
    assert outcome.counters["training_steps"] == len(taught.lessons) - 1 == 1
    assert is_conserved(outcome)


def test_a_filter_that_turns_all_groups_away_ends_the_run_with_counts():
    taught = learning(reward=lambda prompt, answer: 1.0, filter="dynamic", known=20)
    outcome = taught.run(prompts(0))
    assert (outcome.counters["groups_rejected"], outcome.counters["rollout_starved"]) == (20, 1)
    assert is_conserved(outcome)


def test_answers_end_where_the_model_ends_them_or_at_the_cap():
    taught = learning()
    taught.run(prompts(0))
    answers = taught.transcript.generated.values()
    assert {len(answer) for answer in answers} >= {2, CAP}
    assert all(answer[-1] == 12 or len(answer) == CAP for answer in answers)
    assert all(12 not in answer[:-1] for answer in answers)


def test_numbers_out_of_range_are_refused_by_name():
    for how, message in (
        ({"mini_batches": 0}, "mini_batches must be >= 1, got 0"),
        ({"clip_low": 1.0}, r"clip_low must be in \[0, 1\), got 1.0"),
        ({"learning_rate": 0.0}, "learning_rate must be > 0, got 0.0"),
    ):
        with pytest.raises(ValueError, match=message):
            Training(**how)


# -- an interruption -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", [april, SynchronousRollout], ids=["april", "synchronous"])
def test_an_interrupted_run_goes_on_as_if_nothing_had_happened(policy, tmp_path):
    undisturbed = learning(policy, steps=5, reward=digits)
    undisturbed.run(prompts(0))

    def begun():
        given = settings(policy, 5, 4)
        how = Training(**ONLY_A_LITTLE)
        return Learning(given, prompts(400), how, reward=digits, checkpoint=tmp_path / "run.pt")

    interrupted = begun()
    train = interrupted.trainer.train

    def interrupt(step, groups):
        if step == 3:
            raise KeyboardInterrupt
        return train(step, groups)

    interrupted.trainer.train = interrupt
    with pytest.raises(KeyboardInterrupt):
        interrupted.run(prompts(0))
    assert not (tmp_path / "run.pt.partial").exists()
    resumed = begun()
    outcome = resumed.run(prompts(0))
    assert len(resumed.lessons) == len(undisturbed.lessons) == 6
    for one, other in zip(resumed.lessons, undisturbed.lessons, strict=True):
        assert (one.trained, one.accuracy, one.reward, one.scored) == other[:4]
        assert one.virtual_s == pytest.approx(other.virtual_s)
        assert (one.step or [0])[:-1] == (other.step or [0])[:-1]
    for name, weights in places(resumed.trainer.decoder).items():
        assert torch.equal(weights, places(undisturbed.trainer.decoder)[name])
    said = undisturbed.transcript.generated
    assert all(said[request] == tokens for request, tokens in resumed.transcript.generated.items())
    assert outcome.counters["groups_submitted"] == undisturbed.cluster.rollouts.counts["submitted"]
    assert is_conserved(outcome)


def test_a_checkpoint_of_another_run_and_a_broken_one_are_refused(tmp_path):
    file = tmp_path / "run.pt"
    given = settings(april, 1, 4)
    Learning(given, prompts(400), Training(**ONLY_A_LITTLE), reward=digits, checkpoint=file).run(prompts(0))
    with pytest.raises(ValueError, match=r"run\.pt is of a run with other training or another model"):
        Learning(given, prompts(400), Training(**ONLY_A_LITTLE, task="sort"), checkpoint=file)
    file.write_bytes(b"nothing of the kind")
    with pytest.raises(ValueError, match=r"checkpoint: .*run\.pt cannot be read"):
        Learning(given, prompts(400), Training(**ONLY_A_LITTLE), checkpoint=file)
