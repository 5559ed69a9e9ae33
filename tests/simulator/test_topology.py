"""Topology: which links a copy crosses, and how wide they are."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from simcore.cost import Hardware, load_hardware
from simcore.simulator.clock import Clock
from simcore.simulator.network import Network
from simcore.simulator.topology import Host, Topology

SMALL = Topology(
    instances=5,
    gpus_per_node=2,
    nvlink_bytes_per_s=300,
    pcie_bytes_per_s=20,
    network_bytes_per_s=50,
    nvlink_latency_ps=3,
    pcie_latency_ps=2,
    network_latency_ps=5,
)
"""Instances 0 and 1 on one node, 2 and 3 on the next, 4 on the last."""


def widths(topology: Topology) -> Mapping[str, int]:
    return {link.name: link.bytes_per_s for link in topology.make_links()}


@pytest.mark.parametrize(
    ("src", "dst", "path"),
    [
        (3, Host(3), "pcie_out:3"),
        (Host(3), 3, "pcie_in:3"),
        (Host(2), 3, "pcie_in:3"),
        (2, 3, "nvlink_out:2 nvlink_in:3"),
        (1, 2, "pcie_out:1 network_out:node0 network_in:node1 pcie_in:2"),
        (1, Host(2), "pcie_out:1 network_out:node0 network_in:node1"),
        (Host(1), 2, "network_out:node0 network_in:node1 pcie_in:2"),
        (Host(1), Host(4), "network_out:node0 network_in:node2"),
        (1, 1, ""),
        (Host(0), Host(1), ""),
    ],
)
def test_a_copy_crosses_the_links_between_its_ends(src: int | Host, dst: int | Host, path: str):
    assert SMALL.path(src, dst) == tuple(path.split())


def test_without_nvlink_a_copy_to_a_neighbour_goes_over_pcie_and_contends_with_swaps():
    topology = replace(SMALL, nvlink_bytes_per_s=0)
    assert topology.path(2, 3) == ("pcie_out:2", "pcie_in:3")
    assert not [name for name in widths(topology) if name.startswith("nvlink")]


def test_each_direction_is_a_link_of_its_own_with_bandwidth_and_latency():
    links = {link.name: (link.bytes_per_s, link.latency_ps) for link in SMALL.links_of(2)}
    assert links == {
        "nvlink_out:2": (300, 3),
        "nvlink_in:2": (300, 3),
        "pcie_out:2": (20, 2),
        "pcie_in:2": (20, 2),
        "network_out:node1": (50, 5),
        "network_in:node1": (50, 5),
    }


def test_every_node_has_one_network_link_each_way():
    assert sorted(name for name in widths(SMALL) if name.startswith("network")) == [
        f"network_{way}:node{node}" for way in ("in", "out") for node in range(3)
    ]


def test_an_instance_over_several_gpus_has_their_links_together():
    topology = replace(SMALL, instances=2, tp=4, gpus_per_node=8)
    assert topology.node(1) == 0
    assert (widths(topology)["nvlink_out:1"], widths(topology)["pcie_in:1"]) == (1200, 80)


def test_gpus_that_make_no_whole_instance_stay_idle():
    topology = replace(SMALL, tp=3, gpus_per_node=8)
    assert [topology.node(instance) for instance in range(5)] == [0, 0, 1, 1, 2]


def test_instances_below_one_pcie_switch_share_its_link():
    topology = replace(SMALL, instances=4, gpus_per_node=4, gpus_per_pcie_switch=2)
    assert [topology.path(instance, Host(instance))[0] for instance in range(4)] == [
        "pcie_out:0",
        "pcie_out:0",
        "pcie_out:1",
        "pcie_out:1",
    ]
    assert widths(topology)["pcie_out:1"] == 20


def test_an_instance_over_two_switches_has_both():
    topology = replace(SMALL, instances=2, tp=4, gpus_per_node=8, gpus_per_pcie_switch=2)
    assert (topology.path(1, Host(1)), widths(topology)["pcie_out:1"]) == (("pcie_out:1",), 40)


def test_all_paths_between_instances_are_made_of_the_links_there_are():
    for topology in (SMALL, replace(SMALL, gpus_per_pcie_switch=2), replace(SMALL, nvlink_bytes_per_s=0)):
        ends = [*range(5), *map(Host, range(5))]
        crossed = {link for src in ends for dst in ends for link in topology.path(src, dst)}
        assert crossed <= set(widths(topology))


def test_an_instance_that_is_added_later_brings_its_links():
    network = Network(Clock(), SMALL.make_links())
    before = set(network.links)
    network.ensure(SMALL.links_of(5))
    assert set(network.links) - before == {"nvlink_out:5", "nvlink_in:5", "pcie_out:5", "pcie_in:5"}
    network.ensure(SMALL.links_of(6))
    assert "network_in:node3" in network.links


def test_hardware_gives_what_large_copies_reach_and_nodes_of_eight():
    h100 = load_hardware("h100")
    topology = Topology.of(h100, instances=16)
    assert topology.nvlink_bytes_per_s == round(450e9 * h100.nvlink_copy_share)
    assert topology.pcie_bytes_per_s == round(64e9 * h100.pcie_copy_share)
    assert topology.network_bytes_per_s == round(8 * 50e9 * h100.network_copy_share)
    assert (topology.launch_ps, topology.pcie_latency_ps) == (10_000_000, 700_000)
    assert (topology.node(7), topology.node(8)) == (0, 1)


def test_settings_go_before_the_hardware_in_gb_and_microseconds():
    topology = Topology.of(
        load_hardware("a10"),
        instances=1,
        nvlink_gbs=1.5,
        pcie_gbs=22,
        network_gbs=8,
        nvlink_latency_us=1,
        pcie_latency_us=2,
        network_latency_us=0,
        launch_us=2.5,
    )
    assert topology == Topology(
        instances=1,
        nvlink_bytes_per_s=1_500_000_000,
        pcie_bytes_per_s=22_000_000_000,
        network_bytes_per_s=8_000_000_000,
        nvlink_latency_ps=1_000_000,
        pcie_latency_ps=2_000_000,
        launch_ps=2_500_000,
    )


def test_a_node_is_never_smaller_than_an_instance_unless_it_was_asked_for():
    hardware: Hardware = load_hardware("h100")
    assert Topology.of(hardware, instances=1, tp=16).gpus_per_node == 16
    with pytest.raises(ValueError, match=r"gpus_per_node must be at least tp \(16\), got 8"):
        Topology.of(hardware, instances=1, tp=16, gpus_per_node=8)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"instances": 0}, "instances must be at least 1, got 0"),
        ({"pcie_bytes_per_s": 0}, "pcie_bytes_per_s must be at least 1, got 0"),
        ({"launch_ps": -1}, "launch_ps must be at least 0, got -1"),
        ({"gpus_per_pcie_switch": 3}, r"gpus_per_pcie_switch must divide gpus_per_node \(2\), .*, got 3"),
        (
            {"tp": 3, "gpus_per_node": 8, "gpus_per_pcie_switch": 2},
            r"must divide .* and tp \(3\) or be divided by it, got 2",
        ),
        ({"network_bytes_per_s": 0}, "network_bytes_per_s must be at least 1 between 3 nodes, got 0"),
    ],
)
def test_a_topology_that_cannot_be_is_refused(change: dict[str, Any], said: str):
    with pytest.raises(ValueError, match=said):
        replace(SMALL, **change)


def test_a_node_added_where_there_is_no_network_cannot_be_reached():
    topology = replace(SMALL, instances=2, network_bytes_per_s=0)
    assert topology.path(0, 1) == ("nvlink_out:0", "nvlink_in:1")
    with pytest.raises(ValueError, match="instances 0 and 2 are on two nodes, and network_bytes_per_s is 0"):
        topology.path(0, 2)
