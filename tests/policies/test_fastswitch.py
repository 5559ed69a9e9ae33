"""FastSwitch: the longest prefix of the priority order that fits runs, the rest is switched out. Ten-token blocks."""

import pytest

from policies.fastswitch import FastSwitch
from simcore.contract import Arrived, Done, Preempt, PriorityChanged
from tests.policies.views import Ask, Lane, answer


def runs(number, priority, blocks, **more):
    """A decode that holds `blocks`, its next token included."""
    tokens = 10 * blocks - 5
    return Ask(number, tokens, 1, tokens, blocks, "running", priority=priority, **more)


def waits(number, priority, blocks, **more):
    return Ask(number, 10 * blocks - 5, state="waiting", priority=priority, **more)


def changed(policy, *requests, host_free_blocks=100, kv_blocks=10):
    view = Lane(*requests, free_blocks=0, kv_blocks=kv_blocks)
    view.host_free_blocks = host_free_blocks
    return answer(policy.on_priority_changed(view, PriorityChanged(1)))


def test_who_is_smaller_further_back_does_not_jump_in():
    """Of 10 blocks the two most urgent take 4 and 5; the third needs 3, and the last, which needs 1, may not stay."""
    asked = changed(FastSwitch(), runs(3, 4, 1), runs(2, 3, 3), waits(1, 2, 5), waits(0, 1, 4))
    assert asked == [Preempt(3, "swap"), Preempt(2, "swap")], "the least urgent first"


def test_who_fits_stays():
    assert changed(FastSwitch(), runs(0, 5, 4), runs(1, 1, 5), waits(2, 9, 1)) == []


def test_places_are_scarce_as_well():
    policy = FastSwitch(max_num_seqs=1)
    assert changed(policy, runs(0, 5, 1), waits(1, 1, 1)) == [Preempt(0, "swap")]


def test_nobody_is_asked_twice_to_go():
    policy, crowd = FastSwitch(), (runs(0, 5, 8), waits(1, 1, 8))
    assert changed(policy, *crowd) == [Preempt(0, "swap")]
    assert changed(policy, *crowd) == []
    view = Lane(*crowd, free_blocks=0, kv_blocks=10)
    assert answer(policy.on_done(view, Done(Preempt(0, "swap"), ok=False))) == []
    assert changed(policy, *crowd) == [Preempt(0, "swap")], "it stayed, and may be asked again"


@pytest.mark.parametrize(
    ("policy", "host_free_blocks", "kv"),
    [
        (FastSwitch(), 8, "swap"),
        (FastSwitch(), 7, "drop"),
        (FastSwitch(kv="drop"), 100, "drop"),
        (FastSwitch(recompute_below_tokens=76), 100, "drop"),
        (FastSwitch(recompute_below_tokens=75), 100, "swap"),
    ],
)
def test_kv_is_computed_again_where_it_is_short_or_the_host_has_no_room(policy, host_free_blocks, kv):
    assert changed(policy, runs(0, 5, 8), waits(1, 1, 8), host_free_blocks=host_free_blocks) == [Preempt(0, kv)]


def test_an_arrival_switches_only_if_somebody_less_urgent_runs():
    policy = FastSwitch(kv="drop")
    same = Lane(runs(0, 5, 8), waits(1, 5, 8, arrival_s=1.0), free_blocks=2, kv_blocks=10)
    assert answer(policy.on_arrived(same, Arrived(1))) == []
    urgent = Lane(runs(0, 5, 8), waits(1, 4, 8, arrival_s=1.0), free_blocks=2, kv_blocks=10)
    assert answer(policy.on_arrived(urgent, Arrived(1))) == [Preempt(0, "drop")]


def test_the_least_urgent_yields_when_kv_runs_out():
    view = Lane(runs(0, 5, 4), runs(1, 7, 4), runs(2, 1, 4), free_blocks=0)
    assert FastSwitch().victim(view) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"kv": "keep"}, "kv must be swap or drop, got 'keep'"), ({"recompute_below_tokens": -1}, "must be >= 0, got -1")],
)
def test_arguments_that_make_no_sense_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        FastSwitch(**arguments)
