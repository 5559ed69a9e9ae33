"""Network: transfers as events take what the closed forms say, whatever else happens on their links."""

from collections.abc import Callable
from fractions import Fraction
from functools import partial
from random import Random

import pytest

from simcore.books.links import Link
from simcore.simulator.clock import ARRIVALS, LANES, Alarm, Clock
from simcore.simulator.network import Network, Transfer

S = 10**12
"""A second in picoseconds; links of `GB` bytes per second make round times."""
GB = 10**9


class Copies:
    """A network on a clock, driven to its end; `ends` holds (name, time) in the order of `done`."""

    over = False

    def __init__(self, *links: Link, launch_ps: int = 0) -> None:
        self.clock = Clock()
        self.network = Network(self.clock, links, launch_ps)
        self.ends: list[tuple[object, int]] = []
        self.transfers: dict[object, Transfer] = {}

    def at(self, time_ps: int, do: Callable[[], object], priority: int = ARRIVALS) -> None:
        def ring(_: Alarm) -> None:
            do()

        Alarm(self.clock, time_ps - self.clock.now, ring, priority)

    def start(self, name: object, path: str, bytes_: int, launches: int = 0, after: Callable[[], object] = int) -> None:
        def done() -> None:
            self.ends.append((name, self.clock.now))
            after()

        self.transfers[name] = self.network.start(path.split(), bytes_, launches, done)

    def cancel(self, name: object) -> bool:
        return self.network.cancel(self.transfers[name])

    def drive(self) -> dict[object, int]:
        self.clock.drive(self)
        return dict(self.ends)


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


class Traffic:
    """Random links, transfers, faults and cancellations, and how long a plain simulation in fractions takes.

    jobs: (start, path, bytes, launches), by name. faults: (time, link, permille). cancelled: name -> time.
    """

    LAUNCH_PS = 10**6

    def __init__(self, seed: int) -> None:
        draw = Random(seed)
        names = "abcd"[: draw.randint(1, 4)]
        self.bandwidth = {name: draw.randint(10 * GB, 99 * GB) for name in names}
        self.latency = {name: draw.choice([0, 700_000]) for name in names}
        times = [draw.randint(0, 10**9) for _ in range(4)]
        self.jobs = {
            name: (
                draw.choice(times),
                draw.sample(names, draw.randint(1, len(names))),
                draw.randint(1, 10**7),
                draw.randint(0, 2),
            )
            for name in range(draw.randint(1, 12))
        }
        down = draw.choice(names)
        self.faults = [(draw.choice(times), down, 0), (2 * 10**9, down, 1000), (10**8, draw.choice(names), 400)]
        self.faults.sort()
        self.cancelled = {name: draw.randint(start, 10**9) for name, (start, *_) in self.jobs.items() if not name % 5}

    def run(self, names: list[int]) -> tuple[Copies, dict[object, int]]:
        """Run on the network, starting the transfers of one instant in the order of `names`."""
        links = (Link(name, rate, self.latency[name]) for name, rate in self.bandwidth.items())
        copies = Copies(*links, launch_ps=self.LAUNCH_PS)
        for time_ps, link, permille in self.faults:
            copies.at(time_ps, partial(copies.network.scale, link, permille))
        for name in names:
            start_ps, path, bytes_, launches = self.jobs[name]
            copies.at(start_ps, partial(copies.start, name, " ".join(path), bytes_, launches))
        for name, time_ps in self.cancelled.items():
            copies.at(time_ps, partial(copies.cancel, name), LANES)
        return copies, copies.drive()

    def expected(self) -> dict[int, Fraction]:
        """Step from change to change, all rates found anew each time by raising them together."""
        joins = {
            name: start + sum(self.latency[link] for link in path) + launches * self.LAUNCH_PS
            for name, (start, path, _, launches) in self.jobs.items()
        }
        left = {name: Fraction(job[2] * S) for name, job in self.jobs.items()}
        changes = sorted({0, *joins.values(), *self.cancelled.values(), *(time for time, _, _ in self.faults)})
        capacity = {name: Fraction(rate) for name, rate in self.bandwidth.items()}
        ends: dict[int, Fraction] = {}
        now = Fraction(0)
        while True:
            for time, link, permille in self.faults:
                if time == now:
                    capacity[link] = Fraction(self.bandwidth[link] * permille, 1000)
            flowing = [
                name
                for name, join in joins.items()
                if join <= now and name not in ends and self.cancelled.get(name, now + 1) > now
            ]
            rates = self.shares(flowing, capacity)
            dates = [now + left[name] / rates[name] for name in flowing if rates[name]]
            dates += [Fraction(time) for time in changes if time > now]
            if not dates:
                return ends
            later = min(dates)
            for name in flowing:
                left[name] -= rates[name] * (later - now)
                if not left[name]:
                    ends[name] = later
            now = later

    def shares(self, flowing: list[int], capacity: dict[str, Fraction]) -> dict[int, Fraction]:
        rates = dict.fromkeys(flowing, Fraction(0))
        rising = set(flowing)
        while rising:
            room = {}
            for link in {link for name in rising for link in self.jobs[name][1]}:
                used = sum((rates[name] for name in flowing if link in self.jobs[name][1]), Fraction(0))
                room[link] = (capacity[link] - used) / sum(link in self.jobs[name][1] for name in rising)
            step = min(room.values())
            for name in rising:
                rates[name] += step
            rising = {name for name in rising if all(room[link] > step for link in self.jobs[name][1])}
        return rates


@pytest.mark.parametrize("seed", range(60))
def test_random_traffic_ends_when_a_plain_simulation_in_fractions_says(seed: int):
    traffic = Traffic(seed)
    _, ends = traffic.run(list(traffic.jobs))
    expected = traffic.expected()
    assert set(ends) == set(expected)
    for name, exact in expected.items():
        # Rates in whole bytes per second, of 1e9 and more, cost a few picoseconds in the milliseconds these take.
        assert abs(ends[name] - exact) <= 20, name


@pytest.mark.parametrize("seed", range(20))
def test_the_order_of_starts_at_one_instant_changes_no_time(seed: int):
    traffic = Traffic(seed)
    assert traffic.run(list(traffic.jobs))[1] == traffic.run(list(reversed(traffic.jobs)))[1]


@pytest.mark.parametrize("seed", range(20))
def test_links_carried_the_bytes_of_the_transfers_that_ended(seed: int):
    traffic = Traffic(seed)
    traffic.cancelled.clear()
    copies, ends = traffic.run(list(traffic.jobs))
    assert set(ends) == set(traffic.jobs)
    for name, link in copies.network.links.items():
        assert link.carried_bytes == sum(bytes_ for _, path, bytes_, _ in traffic.jobs.values() if name in path)


@pytest.mark.parametrize("seed", range(20))
def test_rates_worked_out_again_and_again_change_no_end(seed: int):
    traffic = Traffic(seed)
    _, ends = traffic.run(list(traffic.jobs))
    draw = Random(seed)
    for _ in range(50):
        time_ps, link = draw.randint(0, 2 * 10**9), draw.choice(list(traffic.bandwidth))
        in_force = [1000, *(permille for at, name, permille in traffic.faults if name == link and at <= time_ps)]
        traffic.faults = sorted([*traffic.faults, (time_ps, link, in_force[-1])], key=lambda fault: fault[0])
    assert traffic.run(list(traffic.jobs))[1] == ends
