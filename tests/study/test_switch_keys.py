"""Keys of context switches: what they become, and what they do not go with."""

import pytest

from simcore.simulator.settings import Mechanisms, Priorities
from simcore.simulator.topology import Topology
from simcore.study.cell import settings_of
from tests.study.test_mechanism_keys import with_study
from tests.study.tiny import TINY, cells, problems_of

HOSTED = TINY.replace("instances: 2", "instances: 2, host_memory_gib: 1")
EPOCHS = "  requests: 30\n  priorities: {pattern: markov, levels: 3, stay: 0.5, every_iterations: 50}\n"


def links(text: str) -> Topology:
    topology = cells(text)[0].topology
    assert topology is not None
    return topology


def test_every_key_reaches_the_simulator():
    written = "{swap: adaptive, allocator: groups, group_blocks: 30, host_copy: keep, host_prealloc_blocks: 8}"
    assert cells(with_study(written, HOSTED))[0].mechanisms == Mechanisms(
        swap="adaptive",
        host_blocks=512,
        allocator="groups",
        group_blocks=30,
        host_copy="keep",
        host_prealloc_blocks=8,
    )


@pytest.mark.parametrize(
    ("topology", "pieces"), [("{}", 1), ("{kv_layout: block_major}", 1), ("{kv_layout: layer_major}", 2 * 32)]
)
def test_a_block_has_a_piece_or_two_of_each_layer(topology, pieces):
    text = HOSTED.replace("instances: 2", f"instances: 2, topology: {topology}")
    assert links(text).block_pieces == pieces


def test_launches_and_small_pieces_cost_what_is_written():
    text = HOSTED.replace("instances: 2", "instances: 2, topology: {launches: serial, half_rate_bytes: 35500}")
    topology = links(text)
    assert (topology.serial_launches, topology.half_rate_bytes) == (True, 35500)
    plain = links(HOSTED)
    assert (plain.serial_launches, plain.half_rate_bytes) == (False, 0)


def test_priorities_that_change_reach_the_simulator():
    cell = cells(TINY.replace("  requests: 30\n", EPOCHS))[0]
    assert settings_of(cell, 1.0).priorities == Priorities("markov", levels=3, stay=0.5, every_iterations=50)
    assert settings_of(cells()[0], 1.0).priorities is None


def test_a_workload_has_priorities_of_classes_or_ones_that_change():
    both = EPOCHS + "  classes: {calm: {share: 1, priority: 2}}\n"
    assert problems_of(TINY.replace("  requests: 30\n", both)) == [
        "tiny.yaml:12:3: workload.priorities: classes have priorities of their own; leave one of the two out"
    ]


@pytest.mark.parametrize(("key", "value"), [("allocator", "groups"), ("swap", "adaptive"), ("host_copy", "keep")])
def test_what_makes_switches_cheap_needs_a_host_and_a_mixed_lane_without_a_prefix_cache(key, value):
    said = f"tiny.yaml:2:13: mechanism.{key}: {key}: {value}"
    assert problems_of(with_study(f"{{{key}: {value}}}")) == [
        f"{said} needs cluster.host_memory_gib to hold a KV block or more"
    ]
    more = "prefix_cache: cold, sm_split: [50, 50], schedule_ahead: 1"
    assert problems_of(with_study(f"{{{key}: {value}, {more}}}", HOSTED)) == [
        f"{said} does not run with mechanism.prefix_cache, mechanism.sm_split, mechanism.schedule_ahead yet"
    ]


def test_room_behind_host_copies_is_for_groups_of_copies_that_stay():
    assert problems_of(with_study("{allocator: groups, host_prealloc_blocks: 8}", HOSTED)) == [
        "tiny.yaml:2:32: mechanism.host_prealloc_blocks: needs allocator: groups and host_copy: keep, got 8"
    ]
