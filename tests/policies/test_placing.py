"""Every router that places requests one by one holds them back while no instance is up."""

import pytest

from policies.cache_aware import CacheAware
from policies.least_loaded import LeastLoaded
from policies.power_of_two import PowerOfTwo
from policies.prefix_aware import PrefixAware
from policies.round_robin import RoundRobin
from policies.session_sticky import SessionSticky
from simcore.contract import Arrived, Dispatch, InstanceUp, PlacingRouter
from tests.policies.views import Ask, Cluster, Server, answer

ROUTERS = [RoundRobin, LeastLoaded, PowerOfTwo, SessionSticky, PrefixAware, CacheAware]


@pytest.mark.parametrize("router", ROUTERS)
def test_a_request_that_arrives_while_everything_is_down_is_sent_once_an_instance_comes_up(router):
    policy, servers = router(), [Server(0, state="down"), Server(1, state="starting")]
    view = Cluster(servers, Ask(7), Ask(5))
    assert answer(policy.on_arrived(view, Arrived(7))) == []
    assert answer(policy.on_arrived(view, Arrived(5))) == []
    servers[1].state = "up"
    assert answer(policy.on_instance_up(view, InstanceUp(1))) == [Dispatch(5, 1), Dispatch(7, 1)], "in order of ids"


@pytest.mark.parametrize("router", ROUTERS)
def test_an_instance_that_comes_up_gets_no_request_that_is_routed_already(router):
    view = Cluster([Server(0), Server(1)], Ask(1, state="running"), Ask(2, state="waiting"), Ask(3, state="paused"))
    assert answer(router().on_instance_up(view, InstanceUp(1))) == []


@pytest.mark.parametrize("router", ROUTERS)
def test_only_instances_that_are_up_get_requests(router):
    policy, servers = router(), [Server(0, state="down"), Server(1), Server(2, state="draining")]
    view = Cluster(servers, *map(Ask, range(5)))
    assert [answer(policy.on_arrived(view, Arrived(r)))[0] for r in range(5)] == [Dispatch(r, 1) for r in range(5)]


def test_a_router_that_does_not_say_where_requests_go_is_told_so():
    with pytest.raises(TypeError, match="Undecided does not say where"):
        type("Undecided", (PlacingRouter,), {})().on_arrived(Cluster([Server(0)], Ask(0)), Arrived(0))
