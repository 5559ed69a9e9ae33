"""Copy pieces: what launches and small pieces cost, and what neighbours save. Times in ms; a block takes 1 ms."""

import pytest

from tests.simulator.given import both, slow
from tests.simulator.harness import MS
from tests.simulator.swapping import PAIR, SYNC, resumed, swapping


@pytest.mark.parametrize(
    ("allocator", "copy_ms", "launches"), [("paged", 2 + 2 * 4 * 3, 2 * 2 * 4), ("groups", 2 + 4 * 3, 2 * 4)]
)
def test_a_piece_is_a_block_or_a_stretch_of_neighbours_times_the_pieces_of_a_block(allocator, copy_ms, launches):
    """The second of four blocks' owners yields at 170 ms; its two blocks, 2 and 3, are neighbours on the host too."""
    links = slow(block_pieces=4, launch_ps=3 * MS)
    seen = both(PAIR, **SYNC, **links, kv_blocks=4, allocator=allocator)
    assert seen.tokens[0][17] == 170 + copy_ms + 10
    assert seen.counters["swap_launches"] == launches
    assert seen.counters["swap_stall_ps"] == 2 * copy_ms * MS


def test_a_piece_of_the_half_rate_size_takes_twice_its_time():
    seen = both(PAIR, **SYNC, **slow(half_rate_bytes=1000), kv_blocks=4)
    assert seen.tokens[0][17] == 170 + 4 + 10
    assert seen.counters["bytes_pcie_out:0"] == 4000  # as they count on the link


@pytest.mark.parametrize(("serial", "copies_ms"), [(False, 6 + 4), (True, 26)])
def test_launches_of_one_instance_may_wait_for_each_other(serial, copies_ms):
    """Two out and two in, two blocks each: launched side by side, or until 6, 12, 18 and 24 ms."""
    links = slow(launch_ps=3 * MS, serial_launches=serial)
    seen = both(PAIR, lambda notes: swapping(0, 1), **SYNC, **links)
    assert seen.tokens == dict.fromkeys((0, 1), resumed(50 + copies_ms + 10, 5))
