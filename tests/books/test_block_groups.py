"""Block groups: neighbours together where there is room for it, and never fewer blocks than one by one."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simcore.books.block_groups import BlockGroups, GroupChain, stretches


def groups(blocks: int = 100, **how: int) -> BlockGroups:
    return BlockGroups(blocks, 16, **({"group_blocks": 4} | how))


def holder(memory: BlockGroups, blocks: int = 0) -> GroupChain:
    chain = memory.open(())
    memory.take(blocks, chain)
    return chain


def test_what_is_taken_at_once_lies_together_and_grows_in_its_room():
    memory = groups()
    one, two = holder(memory, 2), holder(memory, 6)
    memory.take(2, one)
    assert (one.ids, two.ids) == ([0, 1, 2, 3], [4, 5, 6, 7, 8, 9])
    memory.take(1, one)  # its room is used up: a new group
    assert one.ids[-1] == 10
    assert memory.free == 100 - 11


def test_the_shortest_run_that_suffices_is_taken_else_the_longest():
    memory = groups(30, group_blocks=1)
    chains = [holder(memory, size) for size in (4, 1, 6, 1, 18)]
    for freed in (0, 2):
        memory.release(chains[freed], len(chains[freed].ids))
    assert holder(memory, 5).ids == [5, 6, 7, 8, 9]
    assert holder(memory, 3).ids == [0, 1, 2]  # of 4 and of 1, the first suffices
    memory.release(chains[4], 18)
    assert holder(memory, 19).ids == [*range(12, 30), 3]  # 18, then one of the two that are left, the lower


def test_without_a_run_the_back_half_of_the_longest_room_is_split_off():
    memory = groups(10, group_blocks=8)
    one, two, three = holder(memory, 1), holder(memory, 2), holder(memory, 2)
    assert (one.ids, two.ids) == ([0], [8, 9])
    assert three.ids == [4, 5]  # `one` had room for 7: 1 to 7; 4 to 7 are its back half
    memory.take(4, one)  # its own 1, 2, 3, then half of 6, 7
    assert one.ids == [0, 1, 2, 3, 7]
    memory.take(1, two)
    assert two.ids[-1] == 6
    assert memory.free == 0
    memory.check()


def test_freed_neighbours_are_one_run_again():
    memory = groups(12)
    chains = [holder(memory, 4) for _ in range(3)]
    for which in (0, 2, 1):
        memory.release(chains[which], 4)
        memory.check()
    assert holder(memory, 12).ids == list(range(12))


def test_giving_the_last_blocks_back_gives_the_room_too():
    memory = groups(10, group_blocks=6)
    one = holder(memory, 3)
    memory.give(1, one)
    assert (one.ids, memory.free) == ([0, 1], 8)
    assert holder(memory, 8).ids == list(range(2, 10))


def test_spare_blocks_are_room_beyond_what_is_taken():
    memory = BlockGroups(20, 16, spare_blocks=3)
    one, two = holder(memory, 4), holder(memory, 4)
    memory.take(3, one)
    assert (one.ids, two.ids) == (list(range(7)), [7, 8, 9, 10])


@pytest.mark.parametrize(("ids", "runs"), [([], 0), (list(range(60)), 1), ([*range(20), *range(40, 60), 7], 3)])
def test_stretches_are_counted_in_the_order_of_the_tokens(ids, runs):
    assert len(stretches(ids)) == runs


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 40),
    st.integers(1, 9),
    st.integers(0, 3),
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 12), st.integers(0, 2)), max_size=60),
)
def test_no_block_has_two_owners_none_is_lost_and_all_that_is_free_can_be_had(blocks, size, spare, steps):
    memory = BlockGroups(blocks, 16, group_blocks=size, spare_blocks=spare)
    chains = [memory.open(()) for _ in range(5)]
    for which, count, what in steps:
        chain = chains[which]
        if what == 0:
            memory.take(min(count, memory.free), chain)  # an allocator of single blocks could give no more
        elif what == 1:
            memory.give(min(count, len(chain.ids)), chain)
        else:
            assert memory.release(chain, len(chain.ids)) >= 0
        memory.check()
        held = [block for chain in chains for block in chain.ids]
        assert len(set(held)) == len(held) == blocks - memory.free
    memory.take(memory.free, chains[0])
    assert sorted(block for chain in chains for block in chain.ids) == list(range(blocks))
