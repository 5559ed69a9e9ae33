"""`faults`: lines of a study as what goes wrong when."""

from itertools import pairwise

import pytest

from simcore.simulator.settings import Fault
from simcore.study.faults import schedule
from simcore.study.plan import Cell
from tests.study.tiny import TINY, cells, problems_of

RATE = "{every: instance, mtbf_s: 100, mttr_s: 10}"


def with_faults(*lines: str) -> str:
    return TINY + f"faults: [{', '.join(lines)}]\n"


def of(cell: Cell, lasts_s: float = 1000.0) -> list[Fault]:
    return list(schedule(cell.spec, cell.seed, lasts_s))


def test_lines_become_faults_in_the_order_of_the_file():
    text = with_faults(
        "{instance: 1, at_s: 60, for_s: 30}",
        "{link: 'pcie_out:0', factor: 0.1, at_s: 10, for_s: 20}",
        "{straggler: 0, slowdown: 1.5, at_s: 5}",
        "{router: down, at_s: 90, for_s: 10}",
    )
    assert of(cells(text)[0]) == [
        Fault("instance", 1, 60, 30),
        Fault("link", "pcie_out:0", 10, 20, 0.1),
        Fault("straggler", 0, 5, None, 1.5),
        Fault("router", 0, 90, 10),
    ]


def test_a_fault_of_a_link_needs_the_links():
    assert cells(TINY)[0].topology is None
    assert cells(with_faults("{link: 'pcie_out:0', factor: 0, at_s: 10}"))[0].topology is not None


def test_outages_come_and_go_at_their_rates_until_twice_the_traffics_length():
    drawn = of(cells(with_faults(RATE))[0], 50_000.0)
    assert {fault.target for fault in drawn} == {0, 1}
    for instance in (0, 1):
        mine = [fault for fault in drawn if fault.target == instance]
        # 100,000 s of 100 s up and 10 s down: some 909 outages, their number within 4 sqrt(909).
        assert abs(len(mine) - 909) < 120
        assert sum(fault.for_s or 0 for fault in mine) / len(mine) == pytest.approx(10, rel=0.15)
        assert all(a.at_s + (a.for_s or 0) <= b.at_s for a, b in pairwise(mine))
        assert 90_000 < mine[-1].at_s < 100_000


def test_an_instance_is_up_again_only_when_it_has_booted():
    slow = with_faults(RATE).replace("instances: 2", "instances: 2, boot_s: 40")
    mine = [fault for fault in of(cells(slow)[0]) if fault.target == 0]
    assert len(mine) > 5
    assert all(a.at_s + (a.for_s or 0) + 40 <= b.at_s for a, b in pairwise(mine))


def test_every_system_and_point_meets_the_same_outages_and_every_seed_others():
    swept = cells(with_faults(RATE) + "sweep: {workload.rate: [10, 20]}\nseeds: 2\n")
    drawn = {cell.seed: of(cell) for cell in swept}
    assert drawn[0] != drawn[1]
    assert all(of(cell) == drawn[cell.seed] for cell in swept)
    # A longer run goes on where the shorter one ends, and another instance changes nothing.
    cell = swept[0]
    assert of(cell, 100.0) == [fault for fault in drawn[0] if fault.at_s < 200]
    more = cells(with_faults(RATE).replace("instances: 2", "instances: 3"))[0]
    assert [fault for fault in of(more) if fault.target != 2] == drawn[0]


def test_until_is_when_no_more_is_drawn():
    drawn = of(cells(with_faults(RATE.replace("}", ", until_s: 300}")))[0])
    assert drawn
    assert max(fault.at_s for fault in drawn) < 300


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{at_s: 1}", "faults[0]: needs one of instance, link, straggler, every, router; got none"),
        ("{instance: 0, straggler: 1, at_s: 1}",
         "faults[0]: needs one of instance, link, straggler, every, router; got instance and straggler"),
        ("{instance: 0}", "faults[0].at_s: is missing"),
        ("{instance: 2, at_s: 1}", "faults[0].instance: must be one of the 2 instances, 0 to 1, got 2"),
        ("{straggler: 7, slowdown: 2, at_s: 1}",
         "faults[0].straggler: must be one of the 2 instances, 0 to 1, got 7"),
        ("{straggler: 1, at_s: 1}", "faults[0].slowdown: is missing"),
        ("{straggler: 1, slowdown: 0.5, at_s: 1}", "faults[0].slowdown: must be >= 1, got 0.5"),
        ("{instance: 0, at_s: 1, factor: 0.5}",
         "faults[0].factor: does not go with instance, which takes at_s, for_s"),
        ("{link: 'pcie_out:9', factor: 0.5, at_s: 1}", "faults[0].link: unknown link 'pcie_out:9'; have "
         "nvlink_out:0, nvlink_in:0, pcie_out:0, pcie_in:0, network_out:node0, network_in:node0, nvlink_out:1, "
         "nvlink_in:1, pcie_out:1, pcie_in:1 (did you mean 'pcie_out:1'?)"),
        ("{link: 'pcie_out:0', factor: 1.5, at_s: 1}", "faults[0].factor: must be <= 1, got 1.5"),
        ("{every: link, mtbf_s: 1, mttr_s: 1}", "faults[0].every: must be instance, got 'link'"),
        ("{every: instance, mtbf_s: 1}", "faults[0].mttr_s: is missing"),
        ("{every: instance, mtbf_s: 0, mttr_s: 1}", "faults[0].mtbf_s: must be > 0, got 0"),
        ("{instance: 0, at_s: -1}", "faults[0].at_s: must be >= 0, got -1"),
        ("{instance: 0, at: 1}",
         "faults[0].at: unknown key; have instance, link, straggler, every, at_s, for_s, factor, slowdown, mtbf_s, "
         "mttr_s, until_s, router (did you mean 'at_s'?)"),
        ("5", "faults[0]: must be a mapping of keys, got 5"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_fault_is_named_where_it_is_written(line, said):
    (found,) = problems_of(with_faults(line))
    place, _, message = found.partition(": ")
    assert place.startswith("tiny.yaml:16:")
    assert message == said


def test_links_that_are_not_there_do_not_fail():
    text = with_faults("{link: 'pcie_out:0', factor: 0, at_s: 1}").replace("instances: 2", "topology: none")
    (found,) = problems_of(text)
    assert found.endswith("faults[0].link: there are no links, got 'pcie_out:0'")


def test_a_rate_needs_a_length_to_be_drawn_over():
    at_once = TINY.replace("kind: poisson", "kind: all_at_once").replace("  rate: 20\n", "")
    (found,) = problems_of(at_once + f"faults: [{RATE}]\n")
    assert found.endswith(
        "faults[0].until_s: is missing: the requests arrive all at once, so the run has no expected length"
    )


def test_faults_are_checked_beside_other_mistakes():
    text = with_faults("{instance: 2, at_s: 1}", "{link: 'pcie_out:0', factor: 0, at_s: 1}", RATE)
    found = problems_of(text.replace("h100", "h1000").replace("kind: poisson", "kind: posson"))
    assert [line.split(": ")[1] for line in found] == ["hardware", "workload.arrivals.kind", "faults[0].instance"]
