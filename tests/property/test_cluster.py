"""All mechanisms together: macro-steps and one iteration at a time give the run of the plain cluster, bit for bit."""

import pytest

from tests.property.cluster.draw import APART, MECHANISMS, draw
from tests.property.cluster.run import check

SEEDS = 144
GROUPS = 12


@pytest.mark.parametrize("group", range(GROUPS))
def test_drawn_clusters_with_any_mechanisms_equal_the_plain_one(group):
    for seed in range(group, SEEDS, GROUPS):
        check(seed)


def test_the_drawn_set_meets_every_mechanism_and_every_pair_of_them():
    drawn = [draw(seed).names for seed in range(SEEDS)]
    pairs = {(a, b) for a in MECHANISMS for b in MECHANISMS if a < b}
    pairs -= {tuple(sorted((a, b))) for a, others in APART.items() for b in others}
    assert all(any({a, b} <= names for names in drawn) for a, b in pairs)
