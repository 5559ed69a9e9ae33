"""Cache aware follows the cache while loads are level, and the load when they are not."""

import pytest

from policies.cache_aware import CacheAware
from simcore.contract import InstanceDown
from tests.policies.views import Ask, Cluster, Server, sent


@pytest.mark.parametrize(("cached", "goes_to"), [(31, 1), (30, 0)])
def test_the_longest_prefix_wins_if_more_than_the_threshold_of_the_prompt_is_cached(cached, goes_to):
    view = Cluster([Server(0, cached={0: 20}), Server(1, running=64, cached={0: cached})], Ask(0, prompt_tokens=100))
    assert sent(CacheAware(), view, 0) == goes_to


@pytest.mark.parametrize(("loads", "goes_to"), [((0, 64), 1), ((0, 65), 0), ((140, 210), 1), ((140, 211), 0)])
def test_the_least_loaded_wins_when_both_thresholds_are_crossed(loads, goes_to):
    servers = [Server(0, running=loads[0]), Server(1, waiting=loads[1], cached={0: 100})]
    assert sent(CacheAware(), Cluster(servers, Ask(0, prompt_tokens=100)), 0) == goes_to


def test_new_prompts_go_where_the_fewest_new_tokens_were_sent():
    asks = [Ask(0, prompt_tokens=100), Ask(1, prompt_tokens=60), Ask(2, prompt_tokens=30), Ask(3, prompt_tokens=5)]
    view, policy = Cluster([Server(0), Server(1)], *asks), CacheAware()
    assert [sent(policy, view, request) for request in range(4)] == [0, 1, 1, 1]
    assert policy.new_tokens == {0: 100, 1: 95}


def test_cached_tokens_are_not_new():
    view, policy = Cluster([Server(0, cached={0: 80})], Ask(0, prompt_tokens=100)), CacheAware()
    sent(policy, view, 0)
    assert policy.new_tokens == {0: 20}


def test_an_instance_that_went_down_starts_from_nothing():
    view, policy = Cluster([Server(0), Server(1)], Ask(0)), CacheAware()
    sent(policy, view, 0)
    policy.on_instance_down(view, InstanceDown(0, "failed"))
    policy.on_instance_down(view, InstanceDown(1, "failed"))
    assert not policy.new_tokens


@pytest.mark.parametrize(
    "argument", [{"cache_threshold": 1.1}, {"balance_abs_threshold": -1}, {"balance_rel_threshold": 0.9}]
)
def test_a_wrong_argument_is_named(argument):
    with pytest.raises(ValueError, match=f"{next(iter(argument))} must be "):
        CacheAware(**argument)
