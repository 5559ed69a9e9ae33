"""Network: transfers as events take what the closed forms say, whatever else happens on their links."""

import pytest

from simcore.books.links import Link
from simcore.simulator.clock import LANES
from tests.simulator.copies import GB, Copies, S


def test_a_transfer_alone_takes_latencies_launches_and_its_bytes_at_the_narrowest_link():
    copies = Copies(Link("a", 3 * GB, 500), Link("b", 7 * GB, 200), launch_ps=10)
    copies.start("x", "a b", 10**6, launches=4)
    assert copies.drive() == {"x": 700 + 40 + -(-(10**6) * S // (3 * GB))}


def test_two_equal_transfers_on_one_link_take_twice_as_long():
    copies = Copies(Link("a", GB))
    copies.start("x", "a", GB)
    copies.start("y", "a", GB)
    assert copies.drive() == {"x": 2 * S, "y": 2 * S}


def test_the_longer_of_two_transfers_has_the_link_to_itself_once_the_shorter_ended():
    copies = Copies(Link("a", GB))
    copies.start("short", "a", GB)
    copies.start("long", "a", 3 * GB)
    assert copies.drive() == {"short": 2 * S, "long": 4 * S}


def test_three_transfers_over_two_links_take_their_max_min_shares():
    copies = Copies(Link("narrow", GB), Link("wide", 3 * GB))
    copies.start("both", "narrow wide", GB)
    copies.start("narrow", "narrow", GB)
    copies.start("wide", "wide", 5 * GB)
    # Half a GB/s on the narrow link for two seconds, and 2.5 GB/s left on the wide one.
    assert copies.drive() == {"both": 2 * S, "narrow": 2 * S, "wide": 2 * S}


def test_a_transfer_that_joins_half_way_slows_the_first_from_then_on():
    copies = Copies(Link("a", GB))
    copies.start("first", "a", 2 * GB)
    copies.at(S, lambda: copies.start("second", "a", 2 * GB))
    assert copies.drive() == {"first": 3 * S, "second": 4 * S}


def test_a_transfer_takes_no_bandwidth_during_its_fixed_delay():
    copies = Copies(Link("a", GB), launch_ps=S)
    copies.start("first", "a", GB)
    copies.start("second", "a", GB, launches=1)
    assert copies.drive() == {"first": S, "second": 2 * S}


def test_the_two_directions_of_a_link_do_not_contend():
    copies = Copies(Link("pcie_out:0", GB), Link("pcie_in:0", GB))
    copies.start("out", "pcie_out:0", GB)
    copies.start("in", "pcie_in:0", GB)
    assert copies.drive() == {"out": S, "in": S}


def test_a_link_that_goes_down_stalls_its_transfers_until_it_is_back():
    copies = Copies(Link("a", GB), Link("b", GB))
    copies.start("stalled", "a b", 2 * GB)
    copies.start("freed", "b", 2 * GB)
    copies.at(S, lambda: copies.network.scale("a", 0))
    copies.at(5 * S, lambda: copies.network.scale("a", 1000))
    # Half each for a second; then 1.5 GB over b alone, and 1.5 GB over both after the fault.
    assert copies.drive() == {"freed": 5 * S // 2, "stalled": 13 * S // 2}


def test_a_link_at_half_its_bandwidth_takes_twice_as_long():
    copies = Copies(Link("a", GB))
    copies.network.scale("a", 500)
    copies.start("x", "a", GB)
    assert copies.drive() == {"x": 2 * S}


def test_a_transfer_still_stalled_when_nothing_else_happens_stays_in_flight():
    copies = Copies(Link("a", GB))
    copies.network.scale("a", 0)
    copies.start("x", "a", GB)
    assert copies.drive() == {}
    assert list(copies.network.transfers) == [copies.transfers["x"]]


def test_a_fault_that_is_over_at_the_same_instant_changes_nothing():
    copies = Copies(Link("a", 3 * GB))
    copies.start("x", "a", GB)

    def blink() -> None:
        for permille in (0, 500, 1000):
            copies.network.scale("a", permille)

    copies.at(S // 7, blink)
    assert copies.drive() == {"x": -(-GB * S // (3 * GB))}


def test_a_cancelled_transfer_frees_its_share_and_is_never_done():
    copies = Copies(Link("a", GB))
    copies.start("x", "a", 2 * GB)
    copies.start("y", "a", 2 * GB)
    copies.at(2 * S, lambda: copies.cancel("x"))
    assert copies.drive() == {"y": 3 * S}
    assert copies.network.links["a"].carried_bytes == 3 * GB


def test_a_transfer_can_be_cancelled_before_it_flows_and_only_while_it_is_in_flight():
    copies = Copies(Link("a", GB, latency_ps=S))
    copies.start("x", "a", GB)
    assert copies.cancel("x")
    assert not copies.cancel("x")
    copies.start("y", "a", GB)
    assert copies.drive() == {"y": 2 * S}
    assert not copies.cancel("y")


def test_done_may_cancel_a_transfer_that_would_end_at_the_same_instant():
    copies = Copies(Link("a", GB))
    copies.start("x", "a", GB, after=lambda: copies.cancel("y"))
    copies.start("y", "a", GB)
    assert copies.drive() == {"x": 2 * S}


def test_no_bytes_and_no_links_take_the_fixed_delay_in_an_event_of_their_own():
    copies = Copies(Link("a", GB, latency_ps=5), launch_ps=10)
    copies.start("no bytes", "a", 0, launches=2)
    copies.start("no links", "", GB, launches=1)
    copies.start("nothing", "", 0)
    assert copies.ends == []
    copies.drive()
    assert copies.ends == [("nothing", 0), ("no links", 10), ("no bytes", 25)]


def test_transfers_that_end_together_are_done_in_the_order_of_their_start():
    copies = Copies(Link("a", GB), Link("b", 2 * GB))
    for name, path, bytes_ in (("z", "b", 2 * GB), ("a", "a", GB), ("m", "", 0)):
        copies.start(name, path, bytes_, launches=0)
    copies.at(S, lambda: copies.start("k", "", 0))
    copies.drive()
    assert copies.ends == [("m", 0), ("z", S), ("a", S), ("k", S)]


def test_done_may_start_the_next_transfer_which_flows_from_that_instant():
    copies = Copies(Link("a", GB))
    copies.start("first", "a", GB, after=lambda: copies.start("second", "a", GB))
    copies.start("long", "a", 2 * GB)
    assert copies.drive() == {"first": 2 * S, "long": 4 * S, "second": 4 * S}


def test_a_transfer_ends_before_the_boundaries_of_its_instant():
    copies = Copies(Link("a", GB))
    copies.at(S, lambda: copies.ends.append(("boundary", S)), LANES)
    copies.start("x", "a", GB)
    copies.drive()
    assert [name for name, _ in copies.ends] == ["x", "boundary"]


def test_a_link_is_busy_from_the_first_flow_on_it_to_the_last():
    link = Link("a", GB, latency_ps=S)
    copies = Copies(link)
    copies.start("x", "a", GB)
    copies.at(5 * S, lambda: copies.start("y", "a", 3 * GB))
    copies.drive()
    assert link.busy_ps(copies.clock.now) == 4 * S


def test_links_may_be_added_later_and_known_ones_stay():
    copies = Copies(Link("a", GB))
    copies.network.ensure([Link("a", 1), Link("b", GB)])
    copies.start("x", "a b", GB)
    assert copies.drive() == {"x": S}


@pytest.mark.parametrize(
    ("path", "bytes_", "launches", "said"),
    [
        ("pcie_out:0", -1, 0, "bytes must not be negative, got -1"),
        ("pcie_out:0", 1, -2, "launches must not be negative, got -2"),
        ("pcie_uot:0", 1, 0, r"unknown link 'pcie_uot:0' \(did you mean pcie_out:0\?\)"),
        ("wifi", 1, 0, "unknown link 'wifi'; have pcie_out:0"),
        ("pcie_out:0 pcie_out:0", 1, 0, "a path must cross a link once, got pcie_out:0, pcie_out:0"),
    ],
)
def test_a_wrong_transfer_is_refused(path: str, bytes_: int, launches: int, said: str):
    copies = Copies(Link("pcie_out:0", GB))
    with pytest.raises(ValueError, match=said):
        copies.start("x", path, bytes_, launches)
    assert not copies.network.transfers


def test_a_fault_on_an_unknown_link_names_the_nearest():
    with pytest.raises(ValueError, match=r"unknown link 'network_out:1' \(did you mean network_out:node1\?\)"):
        Copies(Link("network_out:node1", GB)).network.scale("network_out:1", 0)
