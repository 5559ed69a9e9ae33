"""`cluster`: roles, reports, topology, host memory; what each becomes, and what is wrong with it where."""

import pytest

from simcore.study.cluster import block_bytes
from simcore.study.plan import Cell
from tests.study.tiny import TINY, cells, problems_of

PD = "cluster: {roles: {prefill: 1, decode: 2}}"
HANDS_ON = '"special.py:HandsOn"'


def first(cluster: str, folder=None, router: str = "round_robin") -> Cell:
    text = TINY.replace("cluster: {instances: 2}", cluster).replace("router: round_robin", f"router: {router}")
    return cells(text, folder)[0]


def wrong(cluster: str) -> list[str]:
    return problems_of(TINY.replace("cluster: {instances: 2}", f"cluster: {cluster}"))


def test_roles_are_a_list_or_counts(tmp_path):
    listed = "cluster: {roles: [prefill, decode, decode]}"
    for text in (PD, listed):
        text = TINY.replace("cluster: {instances: 2}", text).replace(
            "two: {router: {policy: power_of_two, choices: 2}}", f"two: {{router: {HANDS_ON}}}"
        )
        text = text.replace("router: round_robin", f"router: {HANDS_ON}")
        (cell, _) = cells(text, tmp_path)
        assert cell.spec.cluster.roles == ("prefill", "decode", "decode")
        assert cell.spec.cluster.instances == 3


def test_without_roles_there_is_one_instance_and_no_role_is_said():
    cluster = first("cluster: {}").spec.cluster
    assert (cluster.instances, cluster.roles) == (1, ())


def test_a_report_is_of_every_boundary_or_has_a_period():
    assert first("cluster: {report: boundary}").spec.cluster.report_s is None
    assert first("cluster: {report: {period: 0.1}}").spec.cluster.report_s == 0.1


def test_a_kv_block_has_the_bytes_of_all_gpus_of_an_instance():
    # Llama 3.1 8B: 32 layers x 2 x 8 heads x 128 x 2 bytes = 128 KiB a token, however many GPUs share it.
    for tp in (1, 2, 8):
        cell = first(f"cluster: {{tp: {tp}}}")
        assert cell.block_bytes == block_bytes(cell.model, cell.spec.cluster) == 16 * 128 * 1024
    # With 16 GPUs each of the 8 heads is there twice.
    assert first("cluster: {tp: 16}").block_bytes == 2 * 16 * 128 * 1024


def test_host_memory_holds_whole_blocks_of_two_mib():
    assert first("cluster: {host_memory_gib: 1}").mechanisms.host_blocks == 512
    assert first("cluster: {host_memory_gib: 0.00586}").mechanisms.host_blocks == 3
    assert first("cluster: {}").mechanisms.host_blocks == 0


def test_links_are_there_where_kv_may_cross_them():
    assert first("cluster: {}").topology is None
    assert first("cluster: {host_memory_gib: 1}").topology is not None
    assert first("cluster: {host_memory_gib: 1, topology: none}").topology is None


def test_a_topology_is_the_hardwares_but_for_what_is_written():
    plain = first("cluster: {host_memory_gib: 1}").topology
    changed = first("cluster: {host_memory_gib: 1, topology: {pcie_gbs: 10, launch_us: 5}}").topology
    assert plain is not None
    assert changed is not None
    assert changed.pcie_bytes_per_s == 10 * 10**9 != plain.pcie_bytes_per_s
    assert changed.launch_ps == 5 * 10**6
    assert changed.nvlink_bytes_per_s == plain.nvlink_bytes_per_s


@pytest.mark.parametrize(
    ("cluster", "line"),
    [
        ("{instances: 2, roles: [mixed]}",
         "5:25: cluster.roles: must be as many as there are instances (2), got 1"),
        ("{roles: [decode, decode]}",
         "5:11: cluster.roles: needs an instance that prefills (mixed or prefill), got 2 decode"),
        ("{roles: {prefill: 3}}",
         "5:11: cluster.roles: needs an instance that decodes (mixed or decode), got 3 prefill"),
        ("{roles: {prefil: 1, decode: 1}}",
         "5:19: cluster.roles.prefil: must be mixed or prefill or decode, got 'prefil' (did you mean 'prefill'?)"),
        ("{roles: {prefill: -1, decode: 1}}", "5:19: cluster.roles.prefill: must be >= 0, got -1"),
        ("{roles: {prefill: 1.5, decode: 1}}", "5:19: cluster.roles.prefill: must be a whole number, got 1.5"),
        ("{roles: [mixed, decoder]}",
         "5:26: cluster.roles[1]: must be mixed or prefill or decode, got 'decoder' (did you mean 'decode'?)"),
        ("{roles: mixed}", "5:11: cluster.roles: must be a list, got 'mixed'"),
        ("{report: bondary}", "5:11: cluster.report: must be boundary, got 'bondary' (did you mean 'boundary'?)"),
        ("{report: 2}", "5:11: cluster.report: must be boundary, got 2"),
        ("{report: {period: 0}}", "5:20: cluster.report.period: must be > 0, got 0"),
        ("{report: {perod: 1}}", ["5:11: cluster.report.period: is missing",
                                  "5:20: cluster.report.perod: unknown key; have period (did you mean 'period'?)"]),
        ("{topology: nvlink}", "5:11: cluster.topology: must be none, got 'nvlink'"),
        ("{topology: {pcie_gbps: 5}}",
         "5:22: cluster.topology.pcie_gbps: unknown key; have gpus_per_node, gpus_per_pcie_switch, nvlink_gbs, "
         "pcie_gbs, network_gbs, nvlink_latency_us, pcie_latency_us, network_latency_us, launch_us, kv_layout, "
         "half_rate_bytes, launches (did you mean 'pcie_gbs'?)"),
        ("{topology: {pcie_gbs: 0}}", "5:22: cluster.topology.pcie_gbs: must be > 0, got 0"),
        ("{host_memory_gib: 1, tp: 4, topology: {gpus_per_node: 2}}",
         "5:49: cluster.topology.gpus_per_node: must be at least tp (4), got 2"),
        ("{host_memory_gib: -1}", "5:11: cluster.host_memory_gib: must be >= 0, got -1"),
        ("{boot_s: soon}", "5:11: cluster.boot_s: must be a number, got 'soon'"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_cluster_is_named_where_it_is_written(cluster, line):
    lines = [line] if isinstance(line, str) else line
    assert wrong(cluster) == [f"tiny.yaml:{expected}" for expected in lines]


def test_prefill_instances_need_a_router_that_hands_on():
    why = (
        "cluster.roles has prefill instances, so a router must dispatch what they have prefilled (`on_prefilled`), and"
    )
    assert wrong("{roles: {prefill: 1, decode: 1}}") == [
        f"tiny.yaml:14:17: systems.round_robin.router: {why} RoundRobin does not",
        f"tiny.yaml:15:9: systems.two.router: {why} PowerOfTwo does not",
    ]
