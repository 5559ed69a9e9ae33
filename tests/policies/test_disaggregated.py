"""Disaggregated sends prompts to prefill instances and prefilled requests to decode instances, as roles stand now."""

from typing import cast

import pytest

from policies.disaggregated import DecodeBy, Disaggregated
from simcore.contract import Arrived, Cancelled, Dispatch, InstanceUp, Prefilled
from tests.policies.views import Ask, Cluster, Server, answer


def servers():
    return [
        Server(0, role="prefill", waiting_tokens=500),
        Server(1, role="prefill", waiting_tokens=300, waiting=7),
        Server(2, role="decode", running=3, free_blocks=900),
        Server(3, role="decode", running=2, free_blocks=990, waiting_blocks=100),
    ]


def test_a_prompt_goes_to_the_prefill_instance_with_the_fewest_waiting_tokens():
    assert answer(Disaggregated().on_arrived(Cluster(servers(), Ask(0)), Arrived(0))) == [Dispatch(0, 1)]


@pytest.mark.parametrize(("decode_by", "goes_to"), [("requests", 3), ("free_kv", 4)])
def test_a_prefilled_request_goes_to_the_least_loaded_decode_instance(decode_by, goes_to):
    policy = Disaggregated(decode_by=decode_by)
    view = Cluster([*servers(), Server(4, role="decode", running=9, free_blocks=950, waiting_blocks=20)], Ask(0))
    assert answer(policy.on_prefilled(view, Prefilled(0, 1))) == [Dispatch(0, goes_to)], "900, 890 or 930 blocks left"
    assert not policy.held


def test_roles_are_those_of_the_moment():
    view = Cluster(servers(), Ask(0))
    view.instances[1].role, view.instances[3].role = "decode", "prefill"
    policy = Disaggregated()
    assert answer(policy.on_arrived(view, Arrived(0))) == [Dispatch(0, 3)]
    assert answer(policy.on_prefilled(view, Prefilled(0, 3))) == [Dispatch(0, 2)]


def test_with_no_decode_instance_up_prefilled_requests_wait_for_one():
    view = Cluster(servers(), Ask(4, state="paused"), Ask(5, state="paused"))
    view.instances[2].state = view.instances[3].state = "down"
    policy = Disaggregated()
    assert answer(policy.on_prefilled(view, Prefilled(5, 0))) == []
    assert answer(policy.on_prefilled(view, Prefilled(4, 1))) == []
    view.instances[2].state = "up"
    assert answer(policy.on_instance_up(view, InstanceUp(2))) == [Dispatch(5, 2), Dispatch(4, 2)], "first come"
    assert answer(policy.on_instance_up(view, InstanceUp(2))) == []


def test_with_no_prefill_instance_up_prompts_wait_for_one():
    view = Cluster(servers(), Ask(1), Ask(0), Ask(2, state="waiting"))
    view.instances[0].state = view.instances[1].state = "down"
    policy = Disaggregated()
    assert answer(policy.on_arrived(view, Arrived(0))) == []
    view.instances[0].state = "up"
    assert answer(policy.on_instance_up(view, InstanceUp(0))) == [Dispatch(0, 0), Dispatch(1, 0)]


def test_a_prefilled_request_that_is_cancelled_or_lost_while_it_waits_is_not_handed_on():
    view = Cluster(servers(), Ask(0), Ask(1))
    view.instances[2].state = view.instances[3].state = "down"
    policy = Disaggregated()
    policy.on_prefilled(view, Prefilled(0, 0))
    policy.on_prefilled(view, Prefilled(1, 0))
    policy.on_cancelled(view, Cancelled(0, "timeout"))
    view.instances[0].state = "down"
    assert answer(policy.on_arrived(view, Arrived(1))) == [Dispatch(1, 1)], "computed again elsewhere"
    view.requests = {}
    view.instances[2].state = "up"
    assert answer(policy.on_instance_up(view, InstanceUp(2))) == []


def test_a_wrong_argument_is_named():
    with pytest.raises(ValueError, match="decode_by must be one of requests, free_kv, got 'kv'"):
        Disaggregated(decode_by=cast(DecodeBy, "kv"))
