"""Real runs in virtual time decide as the simulator does, and no KV is ever lost, stale or swapped for another's."""

from collections import Counter

import pytest

from tests.real.drawn import check
from tests.real.hash_engine import HashEngine

SEEDS = 48
GROUPS = 12


@pytest.mark.parametrize("group", range(GROUPS))
def test_drawn_clusters_decide_as_simulated_and_generate_the_tokens_of_each_request_alone(group):
    for seed in range(group, SEEDS, GROUPS):
        check(seed)


STORM = frozenset({"migration", "links", "failures", "link_faults", "fleet", "prefix", "swap", "clients"})


@pytest.mark.parametrize("group", range(4))
def test_storms_of_migrations_with_failures_lose_no_kv(group):
    for seed in range(1000 + group, 1012, 4):
        check(seed, STORM)


def test_the_drawn_set_swaps_hands_on_shares_moves_and_loses_kv():
    names = {
        "swap": ("preemptions", "swap_ins"),
        "roles": ("handoffs",),
        "prefix": ("prefix_hit_tokens",),
        "failures": ("requests_requeued",),
        "migration": ("migrations", "migrated_blocks"),
    }
    for only, counted in names.items():
        met: Counter[str] = Counter()
        for seed in range(60):
            met.update(check(seed, frozenset({only})))
            if all(met[name] for name in counted):
                break
        assert all(met[name] for name in counted), met


class NoCopyOut(HashEngine):
    def copy_out(self, blocks, host):
        pass


class NoCopyIn(HashEngine):
    def copy_in(self, host, blocks):
        pass


class NoFetch(HashEngine):
    def fetch(self, source, theirs, blocks):
        pass


class OneBlockLess(HashEngine):
    """Its last block is another one's: two owners."""

    def run(self, work):
        blocks = len(self.kv)
        return super().run([each._replace(blocks=[min(b, blocks - 2) for b in each.blocks]) for each in work])


@pytest.mark.parametrize(
    ("broken", "only"),
    [(NoCopyOut, "swap"), (NoCopyIn, "swap"), (NoFetch, "roles"), (NoFetch, "migration"), (OneBlockLess, "prefix")],
)
def test_an_engine_that_mistreats_kv_is_noticed(broken, only):
    with pytest.raises(AssertionError, match=r"tokens|gave"):
        check_all(range(60), broken, frozenset({only}))


def check_all(seeds, engine, only):
    for seed in seeds:
        check(seed, only, engine)
