"""Schedulers that share out tokens or sink requests by what they were given."""

import pytest

from policies.skip_join_mlfq import SkipJoinMlfq
from policies.vtc import Vtc
from simcore.contract import Arrived, Finished, Preempt, Stepped, Touch, WakeAfter
from tests.policies.views import Ask, Lane, answer


def waits(number, client, prompt=100, arrival_s=0.0):
    return Ask(number, prompt, state="waiting", request_class=client, arrival_s=arrival_s)


def order(policy, *requests):
    """Tell a policy of everybody in turn, and return the queue as it then is."""
    for count in range(1, len(requests) + 1):
        view = Lane(*requests[:count], free_blocks=100)
        asked = answer(policy.on_arrived(view, Arrived(requests[count - 1].id)))
        assert {touch.request for touch in asked if isinstance(touch, Touch)} == set(view.waiting)
    return [request.id for request in sorted(requests, key=policy.order)]


# -- VTC ---------------------------------------------------------------------------------------------------------------


def test_a_burst_of_one_client_does_not_stand_in_the_way_of_another():
    burst = [waits(number, "a", arrival_s=number) for number in range(4)]
    assert order(Vtc(), *burst, waits(9, "b", arrival_s=9)) == [0, 9, 1, 2, 3]


def test_long_prompts_cost_their_client_more():
    mixed = [waits(0, "long", 300), waits(1, "short", 100, 1), waits(2, "short", 100, 2), waits(3, "long", 300, 3)]
    assert order(Vtc(), *mixed) == [0, 1, 2, 3]
    assert order(Vtc(), *mixed, waits(4, "short", 150, 4)) == [0, 1, 2, 4, 3], "350 tokens by then, the other has 300"


def test_tokens_that_came_out_are_charged_twice_as_much():
    policy = Vtc()
    order(policy, waits(0, "a", 10), waits(1, "b", 25))
    view = Lane(waits(1, "b", 25), waits(2, "a"), waits(3, "b"), free_blocks=100)
    answer(policy.on_finished(view, Finished(0, 0, 5)))
    assert policy.counters(view) == {"b": 0.0}, "only who is here has a counter to be compared with"
    answer(policy.on_arrived(view, Arrived(2)))
    assert policy.counters(view) == {"a": 20.0, "b": 0.0}


def test_being_away_saves_nothing_up():
    policy = Vtc()
    served = Ask(0, 100, 50, 149, 15, "running", request_class="a", scheduled_s=0.0)
    order(policy, served)
    view = Lane(served, waits(1, "b"), free_blocks=100)
    answer(policy.on_arrived(view, Arrived(1)))
    assert policy.counters(view) == {"a": 200.0, "b": 200.0}


def test_switching_out_goes_by_counters_too():
    policy = Vtc(switch_every=8, kv="drop")
    served = Ask(0, 80, 15, 94, 10, "running", request_class="a", scheduled_s=0.0)
    other = waits(1, "b", 80)
    view = Lane(served, other, free_blocks=0, kv_blocks=10)
    assert answer(policy.on_start(view)) == [WakeAfter(8)]
    for number in (1, 0):
        answer(policy.on_arrived(view, Arrived(number)))
    assert answer(policy.on_stepped(view, Stepped(0, 0, 8))) == [WakeAfter(8), Touch(1), Preempt(0, "drop")]


# -- skip-join MLFQ ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prompt", "output", "level"),
    [(100, 0, 0), (100, 3, 0), (100, 4, 1), (500, 0, 1), (100, 11, 1), (100, 12, 2), (2000, 0, 2), (100, 999, 2)],
)
def test_a_request_sinks_as_it_is_served_and_a_long_prompt_begins_lower(prompt, output, level):
    """Quanta of 4, 8 and any number of iterations; 100 tokens of a prompt are worth one."""
    policy = SkipJoinMlfq(quantum=4, queues=3, prompt_tokens=100)
    assert policy.level(Ask(0, prompt, output)) == level


def test_who_starved_is_in_the_first_queue_again():
    policy = SkipJoinMlfq(quantum=1, prompt_tokens=10, starved_s=30, switch_every=4)
    long = Ask(0, 1000, state="waiting")
    view = Lane(long, free_blocks=0)
    answer(policy.on_arrived(view, Arrived(0)))
    assert policy.level(long) == 6
    view.now_s = 30.0
    assert answer(policy.on_stepped(view, Stepped(0, 0, 4))) == [WakeAfter(4), Touch(0)]
    assert policy.level(long) == 0


def test_a_short_prompt_switches_out_who_has_sunk():
    policy = SkipJoinMlfq(quantum=4, kv="drop")
    sunk = Ask(0, 50, 30, 79, 8, "running")
    view = Lane(sunk, Ask(1, 50, state="waiting", arrival_s=5.0), free_blocks=2, kv_blocks=10)
    assert answer(policy.on_arrived(view, Arrived(1))) == [Preempt(0, "drop")]


@pytest.mark.parametrize(
    ("kind", "arguments", "message"),
    [
        (Vtc, {"client": "user"}, "client must be class or program, got 'user'"),
        (Vtc, {"output_weight": -1.0}, "weights must be >= 0, got 1.0 and -1.0"),
        (Vtc, {"switch_every": -1}, "switch_every must be >= 0, got -1"),
        (SkipJoinMlfq, {"quantum": 0}, "quantum must be >= 1, got 0"),
        (SkipJoinMlfq, {"starved_s": -1.0}, "starved_s must be >= 0, got -1.0"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(kind, arguments, message):
    with pytest.raises(ValueError, match=message):
        kind(**arguments)
