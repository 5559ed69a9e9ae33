"""Wild policies: random legal actions in every hook run the same in macro-steps and one iteration at a time."""

import pytest

from tests.property.wild import check

SEEDS = 320
GROUPS = 8


@pytest.mark.parametrize("group", range(GROUPS))
def test_wild_policies_run_the_same_however_steps_are_split(group):
    for seed in range(group, SEEDS, GROUPS):
        check(seed)
