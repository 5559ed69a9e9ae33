"""When everything is down for a while, no router loses a request or remembers one that is gone."""

import pytest

from policies.disaggregated import Disaggregated
from policies.prefix_aware import PrefixAware
from simcore.contract import Migrate, Router
from simcore.simulator.settings import Fault, Mechanisms
from tests.policies.test_promise import POLICIES
from tests.simulator.harness import MS, run

ROUTERS = [kind for kind in POLICIES if issubclass(kind, Router)]
ARRIVALS = [(20 * MS * i, 100 + i, 5 + i % 7) for i in range(100)]
OUTAGES = (Fault("instance", 0, at_s=0.30, for_s=0.5), Fault("instance", 1, at_s=0.35, for_s=0.3))


def after_an_outage(router, faults=OUTAGES, **settings):
    mechanisms = Mechanisms(prefix_cache="cold", migration="multistage" if Migrate in router.emits else "none")
    return run(ARRIVALS, make_router=router, faults=faults, boot_s=0.05, mechanisms=mechanisms, **settings)


@pytest.mark.parametrize("router", [router for router in ROUTERS if router is not Disaggregated])
def test_all_requests_finish_though_the_whole_cluster_was_down(router):
    done = after_an_outage(router, instances=2)
    assert done["outcome"].finished == len(ARRIVALS)


def test_all_requests_finish_though_each_role_was_down_in_turn():
    faults = (*OUTAGES[1:], Fault("instance", 2, at_s=0.3, for_s=0.5), Fault("instance", 0, at_s=1.0, for_s=0.2))
    done = after_an_outage(Disaggregated, faults, instances=3, roles=("prefill", "decode", "decode"))
    assert done["outcome"].finished == len(ARRIVALS)
    assert not done["simulator"].router.held


def test_prefix_aware_has_no_prompt_under_way_left_at_the_end():
    router = after_an_outage(PrefixAware, instances=2)["simulator"].router
    assert not router.prefilling
    assert set(router.prefill_tokens.values()) == {0}
