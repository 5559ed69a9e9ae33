"""APRIL begins more than it needs, stops at the target, and goes on with what it stopped."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from policies.april import April
from policies.staleness_gate import StalenessGate
from policies.synchronous_rollout import SynchronousRollout
from simcore.contract import GroupCompleted, IllegalAction, RolloutOpened, RolloutView, Submit
from tests.simulator.rollouts import Verdicts, train

EMPTY = cast(RolloutView, SimpleNamespace(groups={}, now_s=0.0))


def opened(policy: Any, groups: int) -> list[Any]:
    return list(policy.on_rollout_opened(EMPTY, RolloutOpened(0, groups, 1)))


def rejects(policy: Any, group: int) -> list[Any]:
    return list(policy.on_group_completed(EMPTY, GroupCompleted(group, accepted=False)))


def test_a_step_ends_with_the_group_that_completes_it_and_the_others_go_on_in_the_next_one():
    ran = train([[3], [5], [7], [9], [1], [1]], lambda: April(2.0), groups=2, steps=2)
    first, second = ran.steps
    assert first["train_ps"] == 5 * 10**12
    assert (first["submitted"], first["trained"], first["buffered_groups"]) == (4, 2, 2)
    assert (second["resumed_samples"], second["submitted"]) == (2, 2), "two of the buffer, two fresh"
    assert ran.rollouts.counts["discarded"] == 0


def test_a_rejected_group_is_made_up_for_by_as_many_as_are_submitted_at_a_time():
    policy = April(1.0)
    assert opened(policy, 2) == [Submit(2, 1)]
    assert rejects(policy, 0) == [Submit(2, 1)]
    assert policy.under_way == 3


def test_more_groups_begin_only_when_fewer_than_the_target_are_under_way():
    policy = April(2.0)
    assert opened(policy, 32) == [Submit(64, 1)]
    assert [rejects(policy, group) for group in range(32)] == [[]] * 32
    assert policy.under_way == 32
    assert rejects(policy, 32) == [Submit(64, 1)]
    assert policy.under_way == 95


@pytest.mark.parametrize("judge", [None, Verdicts(took_s={1: 3, 4: 2})])
def test_without_over_provision_and_filter_it_is_the_synchronous_system_event_for_event(judge):
    lengths = [[3, 5], [5, 9], [7, 2], [9, 4], [1, 1], [20, 2]]
    ran = [
        train(lengths, kind, groups=2, steps=3, judge=judge)
        for kind in (lambda: April(1.0), SynchronousRollout, lambda: StalenessGate(eta=0))
    ]
    assert ran[0].decisions == ran[1].decisions == ran[2].decisions
    assert ran[0].steps == ran[1].steps == ran[2].steps
    assert len(ran[0].steps) == 3


def test_of_two_groups_complete_in_one_wake_up_the_first_is_accepted_and_the_other_kept_or_dropped():
    lengths = [[5], [5], [8], [8]]
    kept = train(lengths, lambda: April(2.0), groups=1, steps=2)
    assert kept.times("train_ps") == [5.0, 15.0], "the second step finds a complete group in the buffer"
    assert kept.rollouts.counts["discarded"] == 0
    dropped = train(lengths, lambda: April(2.0, variant="ap"), groups=1, steps=2)
    assert dropped.times("train_ps") == [5.0, 23.0]
    assert dropped.rollouts.counts["discarded"] == 2, "one in each step"


def test_the_fate_of_surplus_groups_can_be_said_whatever_the_variant():
    assert April(variant="ap", surplus="buffer").surplus == "buffer"
    assert April(variant="sl").surplus == "buffer"


def test_a_group_that_lacks_one_sample_waits_whole_and_generates_only_that_one():
    lengths = [[4] * 8, [2] * 7 + [9], [30] * 8]
    ran = train(lengths, lambda: April(2.0), groups=1, steps=2)
    first, second = ran.steps
    assert (first["train_ps"], first["buffered_groups"]) == (4 * 10**12, 1)
    assert second["resumed_samples"] == 1
    assert second["samples"] == 8, "seven wait with their rewards"
    assert second["versions_1"] == 7
    assert second["versions_2"] == 1


def test_a_sample_that_goes_on_twice_has_three_versions_and_only_its_last_span_is_on_policy():
    ran = train([[12], [3], [4], [30]], lambda: April(2.0, order="oldest"), groups=1, steps=3)
    assert [step["response_tokens"] for step in ran.steps] == [3, 4, 12]
    last = ran.steps[2]
    assert (last["max_versions"], last["versions_3"], last["max_lag"]) == (3, 1, 2)
    assert last["off_policy_tokens"] == 3 + 4, "what the first two steps generated of it"


def test_the_oldest_groups_go_on_first_if_asked():
    lengths = [[9], [9], [1], [1], [9], [9], [1], [1]]
    policies = []

    def keep(**given: Any) -> April:
        policies.append(April(2.0, **given))
        return policies[-1]

    train(lengths, lambda: keep(order="oldest"), groups=2)
    assert policies[0].buffer == [0, 1]


def test_of_more_groups_than_needed_those_with_the_most_varied_rewards_are_chosen():
    judge = Verdicts(rewards={0: 1.0, 1: 1.0, 2: 1.0, 3: 0.0})
    ran = train([[2, 2], [9, 9]], lambda: April(2.0, choose="varied"), groups=1, judge=judge)
    assert ran.steps[0]["train_ps"] == 9 * 10**12, "it waits for both"
    assert ran.steps[0]["response_tokens"] == 18
    assert ran.rollouts.counts["discarded"] == 1


def test_over_sampling_without_recycling_throws_away_what_it_stops():
    ran = train([[3], [5], [7], [9], [1], [1], [2], [2]], lambda: SynchronousRollout(2.0), groups=2, steps=2)
    assert ran.times("train_ps") == [5.0, 16.0]
    assert ran.rollouts.counts["discarded"] == 4
    assert ran.steps[0]["dropped_tokens"] == 5 + 5


@pytest.mark.parametrize("kind", [April, SynchronousRollout])
def test_fewer_groups_than_needed_cannot_be_asked_for(kind):
    with pytest.raises(ValueError, match=r"over_provision must be at least 1, got 0\.5"):
        kind(over_provision=0.5)


def test_words_it_does_not_know_are_said():
    with pytest.raises(ValueError, match="order must be one of fifo, oldest, got 'newest'"):
        April(order=cast(Any, "newest"))


def test_a_group_has_at_least_one_sample():
    class Empty(SynchronousRollout):
        def on_rollout_opened(self, view, fact):
            return (Submit(1, 0),)

    with pytest.raises(IllegalAction, match=r"samples 1\.\.1"):
        train([[3]], Empty, groups=1)


def test_the_buffer_outlives_an_interruption():
    policy = April()
    policy.buffer = [4, 7]
    again = April()
    again.restore(policy.state())
    assert again.buffer == [4, 7]


@pytest.mark.parametrize(
    ("eta", "trained", "accepted", "running", "capacity"),
    [(0, 0, 0, 0, 32), (0, 0, 0, 32, 0), (2, 0, 0, 96, 0), (2, 3, 96, 20, 76), (4, 0, 0, 0, 128), (2, 3, 200, 0, -8)],
)
def test_the_gate_of_areal_lets_in_as_many_as_its_code(eta, trained, accepted, running, capacity):
    gate = StalenessGate(eta, max_running=4.0)
    gate.target, gate.accepted, gate.running = 32, accepted, running
    assert gate.capacity(trained) == capacity


def test_an_asynchronous_system_generates_while_the_trainer_trains():
    lengths = [[5]] * 8
    synchronous = train(lengths, SynchronousRollout, groups=2, steps=4)
    ahead = train(lengths, lambda: StalenessGate(eta=1), groups=2, steps=4)
    assert synchronous.steps[-1]["closed_ps"] == 4 * 15 * 10**12
    assert ahead.steps[-1]["closed_ps"] == (5 + 4 * 10) * 10**12, "only the first step waits for its groups"
    assert ahead.steps[1]["off_policy_tokens"] == 10
