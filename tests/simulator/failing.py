"""Failing: the fault, the routers and the cluster that tests of faults share. Every iteration takes 10 ms."""

from typing import Any

from simcore.simulator import Fault, Topology
from tests.simulator.watcher import Watcher, first_up

LOST_AT_35 = (Fault("instance", 0, 0.035),)

TWO_NODES = Topology(
    instances=2,
    tp=1,
    gpus_per_node=1,
    gpus_per_pcie_switch=1,
    nvlink_bytes_per_s=0,
    pcie_bytes_per_s=1000,
    network_bytes_per_s=1000,
    nvlink_latency_ps=0,
    pcie_latency_ps=0,
    network_latency_ps=0,
    launch_ps=0,
)
"""A copy of 50 bytes takes 50 ms."""
HAND_ON: dict[str, Any] = {"instances": 2, "roles": ("prefill", "decode"), "topology": TWO_NODES, "block_bytes": 50}


def to_first_up():
    return Watcher(first_up)


def handing_on(to=1, **more):
    """Prefill on 0, go on elsewhere; what is lost goes to the last instance that is up."""

    def hand(view, request):
        return to if view.instances[to].state == "up" else None

    return lambda: Watcher(lambda view, request: 0 if view.instances[0].state == "up" else None, hand, **more)
