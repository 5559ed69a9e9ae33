"""Prefix aware adds up prompt to compute and KV in use, as the formula says."""

from collections import Counter

import pytest

from policies.prefix_aware import PrefixAware
from simcore.contract import Cancelled, FirstToken, InstanceDown, Rejected
from tests.policies.views import Ask, Cluster, Server, sent


def test_the_cost_is_prefill_blocks_plus_blocks_in_use():
    ask = Ask(0, prompt_tokens=160)
    server = Server(0, kv_blocks=100, free_blocks=70, waiting_blocks=5, cached={0: 64})
    assert PrefixAware().cost(server, ask) == (160 - 64) / 16 + 30 + 5
    assert PrefixAware(overlap_weight=2).cost(server, ask) == 2 * 6 + 35
    server.block_tokens = 32
    assert PrefixAware().cost(server, ask) == 3 + 35


@pytest.mark.parametrize(("in_use", "goes_to"), [(4, 1), (9, 1), (11, 0)])
def test_a_cached_prefix_is_worth_as_many_blocks_of_kv_in_use(in_use, goes_to):
    view = Cluster([Server(0), Server(1, free_blocks=1000 - in_use, cached={0: 160})], Ask(0, prompt_tokens=320))
    assert sent(PrefixAware(), view, 0) == goes_to


def test_without_weight_only_kv_counts():
    view = Cluster([Server(0), Server(1, free_blocks=999, cached={0: 160})], Ask(0, prompt_tokens=320))
    assert sent(PrefixAware(overlap_weight=0), view, 0) == 0


def test_a_prompt_under_way_counts_until_its_first_token():
    view = Cluster([Server(0), Server(1, free_blocks=960)], *(Ask(i, prompt_tokens=800) for i in range(3)))
    policy = PrefixAware()
    assert sent(policy, view, 0) == 0, "50 against 90 blocks"
    assert sent(policy, view, 1) == 1, "100 against 90"
    policy.on_first_token(view, FirstToken(0, 0))
    assert sent(policy, view, 2) == 0, "50 against 140"


def test_what_was_cached_when_it_was_sent_is_not_counted_as_prompt_under_way():
    view = Cluster([Server(0, cached={0: 480})], Ask(0, prompt_tokens=800))
    policy = PrefixAware()
    sent(policy, view, 0)
    assert policy.prefill_tokens == {0: 320}


@pytest.mark.parametrize(
    "fact", [FirstToken(0, 0), Cancelled(0, "client"), Rejected(0, "too_long"), InstanceDown(0, "failed")]
)
def test_nothing_is_remembered_of_a_request_that_is_through_or_gone(fact):
    view, policy = Cluster([Server(0)], Ask(0)), PrefixAware()
    sent(policy, view, 0)
    hooks = {FirstToken: policy.on_first_token, Cancelled: policy.on_cancelled, Rejected: policy.on_rejected}
    (hooks | {InstanceDown: policy.on_instance_down})[type(fact)](view, fact)
    assert not policy.prefilling
    assert policy.prefill_tokens.total() == 0


def test_a_request_with_tokens_already_is_not_waited_for():
    view, policy = Cluster([Server(0)], Ask(0, output_tokens=3, first_token_s=1.0)), PrefixAware()
    sent(policy, view, 0)
    assert not policy.prefilling, "its first token does not come twice"


def test_ties_are_drawn_and_every_one_of_the_cheapest_is_hit():
    servers = [Server(0), Server(1), Server(2, free_blocks=999)]
    chosen = Counter(sent(PrefixAware(), Cluster(servers, Ask(i)), i) for i in range(200))
    assert set(chosen) == {0, 1}
    assert min(chosen.values()) > 60


def test_temperature_draws_with_the_weights_of_a_softmax_over_costs_scaled_to_one():
    policy = PrefixAware(temperature=1.0)
    costs = [10.0, 20.0]  # weights 1 and exp(-1): shares 0.731 and 0.269
    assert [policy.pick(costs, draw) for draw in (0.0, 0.73, 0.74, 0.999999)] == [0, 0, 1, 1]
    assert policy.pick([5.0, 5.0, 5.0], 0.5) == 1
    assert PrefixAware().pick(costs, 0.999999) == 0


@pytest.mark.parametrize("argument", [{"overlap_weight": -1.0}, {"temperature": -0.1}])
def test_a_wrong_argument_is_named(argument):
    with pytest.raises(ValueError, match=f"{next(iter(argument))} must be >= "):
        PrefixAware(**argument)
