"""Rollouts: groups, their samples and their weights, through aborts, faults, filters and the lack of prompts."""

import json

import pytest

from policies.april import April
from policies.synchronous_rollout import SynchronousRollout
from simcore.contract import (
    Abort,
    Discard,
    IllegalAction,
    Resume,
    RolloutStarved,
    Submit,
    Train,
    UpdateWeights,
    WakeAt,
)
from simcore.simulator import Fault, Topology
from tests.simulator.rollouts import S, Verdicts, train


class Waker(SynchronousRollout):
    """Submits at once, and at given times does what it is told."""

    at_s: tuple[float, ...] = ()

    def on_start(self, view):
        return [WakeAt(time_s, time_s) for time_s in self.at_s]


def test_a_resumed_sample_goes_on_from_its_tokens_and_may_give_as_many_more_as_the_cap_leaves():
    seen = []

    class Stopping(Waker):
        at_s = (10_000.0, 10_007.0)

        def on_woke(self, view, fact):
            if fact.key == 10_000.0:
                yield Abort(0, keep_tokens=True)
            else:
                request = view.requests[0]
                seen.append((request.state, request.output_tokens, request.max_new_tokens, request.group))
                yield Resume(0)

    ran = train([[16_384]], Stopping, groups=1, max_tokens=16_384)
    assert seen == [("paused", 10_000, 6_384, 0)]
    assert ran.steps[0]["train_ps"] == (10_007 + 4 + 6_384) * S, "2,048 tokens an iteration; the fifth gives a token"
    assert ran.steps[0]["resumed_tokens"] == 10_001
    assert ran.steps[0]["truncated"] == 1


def test_a_sample_that_never_ends_is_stopped_by_the_cap():
    ran = train([[10**6, 5]], SynchronousRollout, groups=1, max_tokens=8)
    assert ran.steps[0]["train_ps"] == 8 * S
    assert ran.steps[0]["truncated"] == 1


def test_an_abort_that_meets_a_finished_sample_comes_too_late():
    told = []

    class Late(Waker):
        at_s = (5.0,)

        def on_woke(self, view, fact):
            yield Abort(0, keep_tokens=True)

        def on_done(self, view, fact):
            if isinstance(fact.action, Abort):
                told.append((fact.ok, fact.why))
            return ()

    ran = train([[5]], Late, groups=1)
    assert told == [(False, "not running")]
    assert ran.steps[0]["train_ps"] == 5 * S


def test_fewer_prompts_than_a_step_needs_starve_the_run_and_it_says_so():
    told = []

    class Told(SynchronousRollout):
        def on_rollout_starved(self, view, fact):
            told.append(fact)
            return ()

    ran = train([[3], [4], [5]], Told, groups=4)
    assert told == [RolloutStarved(0, 4, 3)]
    counters = ran.outcome.counters
    assert (counters["rollout_starved"], counters["training_steps"], counters["groups_accepted"]) == (1, 0, 3)


def test_a_starved_policy_may_train_on_what_there_is():
    class Content(SynchronousRollout):
        def on_rollout_starved(self, view, fact):
            return (Train(tuple(self.accepted)),)

    ran = train([[3], [4], [5]], Content, groups=4)
    assert (ran.steps[0]["trained"], ran.outcome.counters["rollout_starved"]) == (3, 0)


def test_a_filter_that_rejects_everything_ends_with_the_prompts():
    ran = train([[3]] * 9, lambda: April(2.0), groups=2, judge=Verdicts(rejected=frozenset(range(9))))
    assert (ran.outcome.counters["groups_rejected"], ran.outcome.counters["rollout_starved"]) == (9, 1)


def test_a_scoring_that_fails_is_tried_again_and_then_the_group_is_given_up():
    judge = Verdicts(failing={0: 2, 2: 3}, took_s={0: 4})
    ran = train([[5, 2], [3, 60], [1, 1]], SynchronousRollout, groups=2, judge=judge)
    assert ran.outcome.counters["scorings_failed"] == 5
    assert ran.rollouts.counts["failed"] == 1, "tried three times"
    assert ran.steps[0]["train_ps"] == (5 + 3 * 4) * S, "the group that failed is replaced, the other one waits longer"


def test_environment_and_scoring_take_their_time_beside_generation():
    ran = train([[5], [9]], SynchronousRollout, groups=2, judge=Verdicts(took_s={0: 6}))
    assert ran.steps[0]["train_ps"] == 11 * S


def test_the_samples_of_a_dead_instance_go_on_elsewhere_with_their_tokens():
    dies = Fault("instance", 1, at_s=3.5)
    ran = train([[6], [6]], SynchronousRollout, groups=2, instances=2, faults=(dies,))
    assert ran.outcome.counters["requests_requeued"] == 1
    assert ran.steps[0]["train_ps"] == 7 * S, "three tokens given, from second 4 on three more"
    assert ran.steps[0]["response_tokens"] == 12


def test_a_sample_that_is_lost_for_good_takes_its_group_with_it():
    from simcore.simulator import Mechanisms

    dies = Fault("instance", 1, at_s=3.5)
    lost = Mechanisms(lost="failed")
    ran = train([[6, 6], [2, 2]], SynchronousRollout, groups=1, instances=2, faults=(dies,), mechanisms=lost)
    assert ran.rollouts.counts["failed"] == 1
    assert ran.rollouts.counts["trained"] == 1
    assert ran.outcome.failed == 1


def test_an_instance_that_dies_while_its_samples_are_stopped_leaves_partials_and_the_drain_ends():
    dies = Fault("instance", 1, at_s=5.25)

    class Stopping(April):
        def on_start(self, view):
            return (WakeAt(5.125, "stop"),)

        def on_woke(self, view, fact):
            yield Abort(1, keep_tokens=True)

        def on_done(self, view, fact):
            if fact.action == Abort(1, keep_tokens=True):
                told.append((view.now_s, fact.ok, fact.kept))
                yield Resume(1)

    told: list[tuple[float, bool, int]] = []
    ran = train([[9], [9]], lambda: Stopping(1.0), groups=2, instances=2, faults=(dies,))
    assert told == [(5.25, True, 5)], "the boundary at 6 never comes"
    assert ran.steps[0]["response_tokens"] == 18


def test_weights_cross_the_network_while_instances_stand_still():
    links = Topology(instances=2, pcie_bytes_per_s=10**9, nvlink_bytes_per_s=0, network_bytes_per_s=10**9)
    ran = train(
        [[5]] * 4, SynchronousRollout, groups=2, steps=2, instances=2,
        topology=links, weight_bytes=3 * 10**9, load_s=0.5,
    )  # fmt: skip
    assert ran.times("trained_ps") == [15.0, 33.5]
    assert ran.times("closed_ps") == [18.5, 37.0], "three seconds on the wire, half a second to load"
    assert ran.steps[0]["idle_sync_ps"] == 2 * 3.5 * S
    assert ran.simulator.network.links["network_in:node0"].carried_bytes == 6 * 10**9


class InPlace(SynchronousRollout):
    """Trains on one group while the other goes on, and publishes under it."""

    def on_group_completed(self, view, fact):
        if fact.group == 0 or view.trained:
            yield Train((fact.group,))


@pytest.mark.parametrize(("pause", "ends_s"), [(True, 33.0), (False, 30.0)])
def test_weights_that_come_under_a_running_sample_split_its_tokens_at_a_boundary(pause, ends_s):
    links = Topology(instances=1, pcie_bytes_per_s=10**9, nvlink_bytes_per_s=0, network_bytes_per_s=10**9)
    ran = train(
        [[5], [30]], InPlace, groups=2, steps=2, topology=links, weight_bytes=3 * 10**9, pause=pause
    )  # fmt: skip
    last = ran.steps[1]
    assert last["train_ps"] == ends_s * S
    assert last["versions_2"] == 1
    assert last["off_policy_tokens"] == (15 if pause else 18), "those of the first fifteen seconds, or eighteen"


def test_idle_time_has_a_cause():
    lengths = [[3], [9]]
    ran = train(lengths, SynchronousRollout, groups=2, instances=2, load_s=2.0)
    step = ran.steps[0]
    assert step["idle_tail_ps"] == 6 * S, "the one that was done after 3 s waits for the other"
    assert step["idle_train_ps"] == 2 * 10 * S
    assert step["idle_sync_ps"] == 2 * 2 * S
    assert step["idle_drain_ps"] == 0


def test_what_a_group_given_up_still_generates_is_stopped_and_told_once():
    told = []

    class Giving(Waker):
        at_s = (4.0,)

        def on_woke(self, view, fact):
            yield Discard(0)

        def on_done(self, view, fact):
            if isinstance(fact.action, Discard):
                told.append(fact.action)
                yield Submit(1, 2)

    ran = train([[9, 2], [3, 3]], Giving, groups=1)
    assert told == [Discard(0)]
    assert ran.rollouts.counts["discarded"] == 1
    assert ran.outcome.cancelled == 1


def test_a_sample_that_is_pruned_leaves_its_group_to_the_others():
    class Pruning(Waker):
        at_s = (4.0,)

        def on_woke(self, view, fact):
            yield Abort(0)

        def on_done(self, view, fact):
            return ()

    ran = train([[90, 6]], Pruning, groups=1)
    assert (ran.steps[0]["train_ps"], ran.steps[0]["samples"], ran.steps[0]["dropped_samples"]) == (6 * S, 1, 1)


@pytest.mark.parametrize(
    ("action", "rule"),
    [
        (Train((0,)), "groups must be different ones, at least one, complete and accepted"),
        (Train(()), "at least one"),
        (Resume(0), "must be paused"),
        (Discard(7), "must be open or accepted"),
        (UpdateWeights(1), r"version must be the trainer's \(0\), above 0"),
        (Submit(0, 1), "groups must be >= 1"),
        (Abort(9, keep_tokens=True), "no live request 9"),
    ],
)
def test_what_is_wrong_by_its_own_view_stops_the_run(action, rule):
    class Wrong(Waker):
        at_s = (1.0,)

        def on_woke(self, view, fact):
            yield action

    with pytest.raises(IllegalAction, match=rule):
        train([[5], [5]], Wrong, groups=2)


def test_training_waits_until_the_trainer_asks():
    class Hasty(SynchronousRollout):
        def on_trained(self, view, fact):
            return (Train((1,)),)

    with pytest.raises(IllegalAction, match="the trainer wants no groups now"):
        train([[5], [5]], Hasty, groups=1, steps=2)


@pytest.mark.parametrize("alpha", [1.0, 1.5, 2.0, 3.0])
def test_no_group_is_lost_whatever_happens(alpha):
    lengths = [[1 + (7 * group + 5 * sample) % 23 for sample in range(3)] for group in range(80)]
    judge = Verdicts(frozenset(range(2, 80, 7)), {9: 1, 31: 3}, {4: 2, 50: 1})
    faults = (Fault("instance", 0, at_s=13.5, for_s=30), Fault("instance", 1, at_s=70.25, for_s=5))
    ran = train(lengths, lambda: April(alpha), groups=4, steps=6, judge=judge, instances=2, faults=faults)
    counts, left = ran.rollouts.counts, ran.rollouts.groups
    assert counts["trained"] == 24
    assert counts["submitted"] == sum(counts[end] for end in ("trained", "rejected", "discarded", "failed")) + len(left)
    assert len(left) <= 4 * alpha
    outcome = ran.outcome
    assert outcome.arrived == 3 * counts["submitted"]
    assert outcome.arrived == outcome.finished + outcome.cancelled + outcome.unfinished
    for instance in ran.simulator.instances:
        instance.check()


@pytest.mark.parametrize("policy", [April, SynchronousRollout])
def test_an_interrupted_run_goes_on_from_its_checkpoint_with_its_partial_responses(policy):
    lengths = [[1 + (7 * group + 5 * sample) % 23 for sample in range(3)] for group in range(80)]
    kept = []
    judge = Verdicts(frozenset(range(2, 80, 7)))
    whole = train(lengths, lambda: policy(1.5), groups=4, steps=6, judge=judge, checkpoint=kept.append)
    state = json.loads(json.dumps(kept[3]))
    rest = train(lengths, lambda: policy(1.5), groups=4, steps=6, judge=judge, resume=state)
    assert state["trained"] == 3
    assert rest.rollouts.counts == whole.rollouts.counts
    began = whole.steps[3]["opened_ps"]
    for before, after in zip(whole.steps[3:], rest.steps, strict=True):
        dates = {name: value - began for name, value in before.items() if name.endswith("ed_ps") or name == "train_ps"}
        assert after == before | dates
    assert rest.outcome.arrived == rest.outcome.finished + rest.outcome.cancelled + rest.outcome.unfinished


def test_a_checkpoint_of_more_prompts_than_there_are_is_refused():
    kept = []
    train([[3]] * 8, SynchronousRollout, groups=2, steps=3, checkpoint=kept.append)
    with pytest.raises(ValueError, match="had drawn 4 prompts, the workload has 3"):
        train([[3]] * 3, SynchronousRollout, groups=2, steps=3, resume=kept[2])
