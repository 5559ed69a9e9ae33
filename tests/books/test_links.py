"""Links: max-min fair rates in whole bytes per second, and work that no update changes."""

from fractions import Fraction
from random import Random

import pytest

from simcore.books.links import Flow, Link, fair_rates, tied
from simcore.contract import PS_PER_S


def flows(*paths: tuple[Link, ...]) -> list[Flow]:
    entered = [Flow(path, 1) for path in paths]
    for flow in entered:
        flow.enter(0)
    return entered


def rates(*paths: tuple[Link, ...]) -> list[int]:
    """Return the rates of one flow on each path, in their order."""
    entered = flows(*paths)
    found = fair_rates(dict.fromkeys(link for path in paths for link in path))
    return [found[flow] for flow in entered]


def raised_together(paths: list[tuple[Link, ...]]) -> list[Fraction]:
    """Return exact max-min rates another way: raise all rates alike; those on a link that fills up stay."""
    found = [Fraction(0)] * len(paths)
    rising = set(range(len(paths)))
    while rising:
        room = {}
        for link in {link for i in rising for link in paths[i]}:
            used = sum((found[i] for i, path in enumerate(paths) if link in path), Fraction(0))
            room[link] = (link.capacity - used) / sum(link in paths[i] for i in rising)
        step = min(room.values())
        for i in rising:
            found[i] += step
        rising = {i for i in rising if all(room[link] > step for link in paths[i])}
    return found


def drawn(draw: Random) -> list[tuple[Link, ...]]:
    """Return the paths of some flows over a few links of odd bandwidths, one of them perhaps down."""
    links = [Link(f"l{i}", draw.randint(10**9, 10**11)) for i in range(draw.randint(1, 6))]
    draw.choice(links).scale(draw.choice([0, 1, 500, 1000]))
    return [tuple(draw.sample(links, draw.randint(1, len(links)))) for _ in range(draw.randint(1, 12))]


def test_a_flow_alone_gets_the_narrowest_link_of_its_path():
    assert rates((Link("a", 10), Link("b", 7), Link("c", 9))) == [7]


def test_flows_on_one_link_share_it_evenly_and_the_rest_stays_unused():
    one = Link("one", 11)
    assert rates((one,), (one,), (one,)) == [3, 3, 3]


def test_three_flows_over_two_links_get_the_textbook_answer():
    # One crosses both; on the narrow link it leaves half to its neighbour, on the wide one all that it cannot use.
    narrow, wide = Link("narrow", 10), Link("wide", 30)
    assert rates((narrow, wide), (narrow,), (wide,)) == [5, 5, 25]


def test_a_flow_on_a_link_that_is_down_leaves_its_other_links_to_others():
    down, up = Link("down", 10), Link("up", 10)
    down.scale(0)
    assert rates((down, up), (up,)) == [0, 10]


def test_more_flows_than_bytes_per_second_still_move_but_not_over_a_link_that_is_down():
    thin, down = Link("a", 2), Link("b", 10)
    down.scale(0)
    assert rates((thin,), (thin,), (thin, down)) == [1, 1, 0]


def test_a_scaled_link_keeps_its_share_of_the_bandwidth_and_at_least_a_byte():
    link = Link("a", 999)
    capacities = []
    for permille in (500, 1, 0, 1000):
        link.scale(permille)
        capacities.append(link.capacity)
    assert capacities == [499, 1, 0, 999]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda: Link("a", 0), "a: bandwidth must be at least 1 byte per second, got 0"),
        (lambda: Link("a", 1, -1), "a: latency must not be negative, got -1 ps"),
        (lambda: Link("a", 1).scale(1001), "a: capacity must be 0 to 1000 permille of its bandwidth, got 1001"),
    ],
)
def test_a_link_out_of_bounds_is_refused(wrong, said):
    with pytest.raises(ValueError, match=said):
        wrong()


@pytest.mark.parametrize("seed", range(60))
def test_no_flow_can_be_raised_without_lowering_one_that_has_no_more(seed: int):
    paths = drawn(Random(seed))
    entered = flows(*paths)
    found = fair_rates(dict.fromkeys(link for path in paths for link in path))
    for link in {link for path in paths for link in path}:
        assert sum(found[flow] for flow in link.flows) <= link.capacity
    for flow in entered:
        # On its bottleneck nobody has more, and what is left is less than one byte per second for each.
        assert any(
            all(found[other] <= found[flow] for other in link.flows)
            and link.capacity - sum(found[other] for other in link.flows) < len(link.flows)
            for link in flow.path
        )


@pytest.mark.parametrize("seed", range(60))
def test_whole_rates_are_the_exact_ones_within_a_few_bytes_per_second(seed: int):
    paths = drawn(Random(seed))
    for rate, exact in zip(rates(*paths), raised_together(paths), strict=True):
        assert abs(rate - exact) <= len(paths) ** 2


@pytest.mark.parametrize("seed", range(20))
def test_rates_do_not_depend_on_the_order_of_flows_links_or_groups(seed: int):
    paths = drawn(Random(seed))
    entered = flows(*paths)
    links = list(dict.fromkeys(link for path in paths for link in path))
    found = fair_rates(links)
    alone = [fair_rates(tied([flow.path[0]]))[flow] for flow in entered]
    assert alone == [found[flow] for flow in entered]
    for flow in reversed(entered):
        flow.leave(0)
    for flow in reversed(entered):
        flow.enter(0)
    again = fair_rates(reversed(links))
    assert [again[flow] for flow in entered] == [found[flow] for flow in entered]


def test_links_are_tied_through_the_flows_they_share_and_no_others():
    a, b, c, d = (Link(name, 1) for name in "abcd")
    flows((a, b), (b, c), (d,))
    assert tied([a]) == [a, b, c]
    assert tied([d]) == [d]


def test_a_flow_ends_at_the_first_picosecond_by_which_all_has_moved():
    flow = Flow((), 10)
    flow.enter(1000)
    flow.set_rate(3, 1000)
    # 10 / 3 s, and 10 bytes are not quite there one picosecond earlier.
    assert flow.end_ps() == 1000 + 3_333_333_333_334
    assert [flow.moved_bytes(1000 + it) for it in (0, PS_PER_S, 3_333_333_333_333, 3_333_333_333_334)] == [0, 3, 9, 10]


@pytest.mark.parametrize("seed", range(20))
def test_updates_that_change_no_rate_change_no_end(seed: int):
    draw = Random(seed)
    flow = Flow((), draw.randint(1, 10**9))
    rate = draw.randint(1, 10**10)
    flow.set_rate(rate, 0)
    end_ps = flow.end_ps()
    assert end_ps is not None
    for now_ps in sorted(draw.randint(0, end_ps) for _ in range(50)):
        flow.set_rate(rate, now_ps)
        assert flow.end_ps() == end_ps


def test_a_flow_whose_link_goes_down_as_its_last_byte_arrives_has_ended():
    flow = Flow((), 10)
    flow.set_rate(3, 0)
    end_ps = flow.end_ps()
    assert end_ps is not None
    for rate in (1, 0):
        flow.set_rate(rate, end_ps)
        assert flow.end_ps() == end_ps


def test_a_flow_without_a_rate_has_no_end():
    flow = Flow((), 10)
    flow.set_rate(3, 0)
    flow.set_rate(0, PS_PER_S)
    assert (flow.end_ps(), flow.moved_bytes(5 * PS_PER_S)) == (None, 3)


def test_a_link_is_busy_while_there_is_a_flow_on_it():
    link = Link("a", 1)
    first, second = Flow((link,), 1), Flow((link,), 1)
    first.enter(10)
    second.enter(15)
    first.leave(20)
    assert link.busy_ps(22) == 12
    second.leave(30)
    assert link.busy_ps(50) == 20
    first.enter(60)
    assert link.busy_ps(61) == 21
