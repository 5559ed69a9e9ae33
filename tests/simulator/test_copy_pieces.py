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


@pytest.mark.parametrize(("kilobytes", "gb_s"), [(32, 15.17), (128, 25.05), (320, 28.80), (640, 30.32), (1920, 31.42)])
def test_the_rate_of_a_piece_follows_its_size(kilobytes, gb_s):
    """32 GB/s, half of it at 35.5 KB: at 320 KB 90%. Two blocks go out, and two come in."""
    links = slow(pcie_bytes_per_s=32 * 10**9, half_rate_bytes=35500) | {"block_bytes": kilobytes * 1000}
    stall_s = both(PAIR, **SYNC, **links, kv_blocks=4).counters["swap_stall_ps"] / 1e12
    assert 4 * kilobytes * 1e3 / stall_s / 1e9 == pytest.approx(gb_s, abs=0.005)


@pytest.mark.parametrize(("serial", "copies_ms"), [(False, 6 + 4), (True, 24)])
def test_launches_of_one_instance_may_wait_for_each_other(serial, copies_ms):
    """Two out and two in, two blocks each, 3 ms a launch: side by side; or launched until 6, 12, 18 and 24 ms."""
    links = slow(launch_ps=3 * MS, serial_launches=serial)
    seen = both(PAIR, lambda notes: swapping(0, 1), **SYNC, **links)
    assert seen.tokens == dict.fromkeys((0, 1), resumed(50 + copies_ms + 10, 5))


@pytest.mark.parametrize(("launch_us", "copy_us"), [(3000, 6000), (500, 2500)])
def test_one_thread_that_launches_lets_bytes_flow_from_its_first_launch_on(launch_us, copy_us):
    """Two blocks, 2 ms on the link: as long as the launches, or as the first of them and the bytes."""
    links = slow(launch_ps=launch_us * 10**6, serial_launches=True)
    seen = both(PAIR, **SYNC, **links, kv_blocks=4)
    assert seen.tokens[0][17] == 170 + copy_us / 1000 + 10
