"""Slow faults: links that keep a part of their bandwidth or none, and stragglers. Every iteration takes 10 ms."""

from simcore.simulator import Fault
from tests.property.draw import Flat
from tests.simulator.failing import HAND_ON, handing_on, to_first_up
from tests.simulator.harness import MS
from tests.simulator.watcher import run_both

# -- links ------------------------------------------------------------------------------------------------------------


def test_a_link_keeps_a_part_of_its_bandwidth_for_a_while():
    ran = run_both([(0, 8, 3)], handing_on(), faults=(Fault("link", "pcie_out:0", 0.02, 0.02, 0.5),), **HAND_ON)
    # 10 bytes by 20 ms, 10 more by 40 ms, and the other 30 by 70 ms.
    assert ran.tokens[0] == [10, 80, 90]


def test_copies_stand_still_while_a_link_is_down():
    ran = run_both([(0, 8, 3)], handing_on(), faults=(Fault("link", "pcie_out:0", 0.02, 0.02, 0.0),), **HAND_ON)
    assert ran.tokens[0] == [10, 90, 100]


def test_a_link_that_stays_down_ends_the_run_with_what_waits_for_it():
    ran = run_both(
        [(0, 8, 3)],
        handing_on(),
        faults=(Fault("link", "pcie_out:0", 0.02),),
        report_s=0.1,
        sample_s=0.1,
        **HAND_ON,
    )
    assert (ran.outcome.unfinished, len(ran.samples)) == (1, 4)


def test_of_two_faults_of_a_link_the_worse_one_counts():
    faults = (Fault("link", "pcie_out:0", 0.02, 0.04, 0.5), Fault("link", "pcie_out:0", 0.03, 0.02, 0.0))
    ran = run_both([(0, 8, 3)], handing_on(), faults=faults, **HAND_ON)
    # 10 bytes by 20 ms, 5 by 30, none by 50, 5 by 60, and 30 by 90 ms.
    assert ran.tokens[0] == [10, 100, 110]


# -- stragglers -------------------------------------------------------------------------------------------------------


def test_a_straggler_s_iterations_that_start_meanwhile_take_longer():
    ran = run_both([(0, 8, 8)], to_first_up, faults=(Fault("straggler", 0, 0.025, 0.04, 2.5),))
    # At 25 ms an iteration is under way; those that start at 30 and 55 ms take 25 ms each.
    assert ran.tokens[0] == [10, 20, 30, 55, 80, 90, 100, 110]


def test_an_iteration_that_starts_when_the_fault_does_is_slow_and_one_when_it_ends_is_not():
    ran = run_both([(0, 8, 5)], to_first_up, faults=(Fault("straggler", 0, 0.02, 0.06, 3.0),))
    assert ran.tokens[0] == [10, 20, 50, 80, 90]


def test_of_two_faults_of_a_straggler_the_worse_one_counts():
    faults = (Fault("straggler", 0, 0.0, 0.06, 2.0), Fault("straggler", 0, 0.02, 0.02, 3.0))
    ran = run_both([(0, 8, 5)], to_first_up, faults=faults)
    assert ran.tokens[0] == [20, 50, 70, 80, 90]


def test_durations_of_a_straggler_are_rounded_down_to_a_picosecond():
    ran = run_both([(0, 8, 2)], to_first_up, cost=Flat(7, 0, 0, 0), faults=(Fault("straggler", 0, 0.0, None, 1.5),))
    assert ran.tokens[0] == [10 / MS, 20 / MS]
