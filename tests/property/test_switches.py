"""Context switches together: block groups, host copies, adaptive swap, pieces and epochs equal the plain cluster."""

import pytest

from tests.property.cluster.draw import SWITCHES, draw
from tests.property.cluster.run import check

WITH = frozenset({*SWITCHES, "links", "programs", "clients", "failures", "fleet", "reports", "stragglers"})
SEEDS = 60
GROUPS = 6


@pytest.mark.parametrize("group", range(GROUPS))
def test_drawn_context_switches_equal_the_plain_ones(group):
    for seed in range(group, SEEDS, GROUPS):
        check(seed, WITH)


def test_the_drawn_set_meets_every_mechanism_of_context_switches_and_every_pair():
    drawn = [draw(seed, WITH).names for seed in range(SEEDS)]
    assert all(any({a, b} <= names for names in drawn) for a in SWITCHES for b in SWITCHES)
