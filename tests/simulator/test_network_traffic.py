"""Network traffic: random transfers, faults and cancellations end when a plain simulation in fractions says."""

from fractions import Fraction
from functools import partial
from random import Random

import pytest

from simcore.books.links import Link
from simcore.simulator.clock import LANES
from tests.simulator.copies import GB, Copies, S


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
