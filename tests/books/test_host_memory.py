"""Host memory: what of a copy is valid, what a swap adds to it, and whose copy is overwritten. Blocks of 16 tokens."""

from simcore.books.client import Client
from simcore.books.host_memory import HostMemory
from simcore.books.prefix_cache import OPEN
from simcore.books.request import SWAPPED, Request
from simcore.books.store import Held


def memory(blocks: int = 100, priorities: dict[int, int] | None = None) -> HostMemory:
    host = HostMemory(blocks, 16, keep=True)
    host.priority = lambda request: (priorities or {}).get(request.id, 0)
    return host


def swapped(number: int, tokens: int, program: int = -1, stream: int | None = None) -> Request:
    """A request with so many computed tokens, of a program or on its own."""
    one = Request(number, 0, tokens, 10)
    one.held = Held((((number if stream is None else stream), OPEN),))
    one.computed, one.generated, one.state = tokens, 1, SWAPPED
    if program >= 0:
        one.client = Client(program)
    return one


def test_a_second_swap_copies_only_what_is_new():
    host, one = memory(), swapped(0, 40 * 16)
    assert host.write(one) == 0
    host.release(one)
    one.computed = 52 * 16
    assert host.write(one) == 40
    assert (host.free, host.valid(one)) == (48, 52 * 16)


def test_a_block_that_was_copied_in_part_is_copied_again_and_a_copy_that_is_whole_is_not():
    host, one = memory(), swapped(0, 40)
    host.write(one)
    host.release(one)
    assert host.write(one) == 3  # nothing is new
    host.release(one)
    one.computed = 41
    assert host.write(one) == 2


def test_without_keeping_a_copy_goes_when_nobody_needs_it():
    host = HostMemory(10, 16)
    one = swapped(0, 100)
    host.write(one)
    assert host.free == 3
    host.release(one)
    assert (host.free, host.valid(one)) == (10, 0)


def test_the_next_turn_finds_full_blocks_but_never_its_last():
    host, first = memory(), swapped(0, 40, program=3, stream=9)
    host.write(first)
    host.release(first)
    longer, equal = (swapped(1, tokens, program=3, stream=9) for tokens in (100, 32))
    for turn in (longer, equal):
        turn.computed = turn.generated = 0
    assert (host.prefix(longer), host.prefix(equal)) == (32, 16)


def test_a_turn_with_another_beginning_finds_what_the_two_share():
    host, first = memory(), swapped(0, 64, program=3)
    first.held = Held(((7, 40), (9, OPEN)))
    host.write(first)
    host.release(first)
    second = swapped(1, 100, program=3)
    second.held = Held(((7, 40), (8, 50), (9, OPEN)))
    assert host.valid(second) == 40
    assert host.write(second) == 2
    assert host.valid(first) == 40


def test_copies_nobody_needs_are_overwritten_from_their_end_the_lowest_priority_then_the_longest_unused_first():
    host = memory(10, priorities={0: 1, 1: 2, 2: 2})
    for number in range(3):
        one = swapped(number, 48, program=number)
        assert host.write(one) == 0
        host.release(one)
    assert host.write(swapped(3, 80)) == 0  # five blocks; one is empty
    assert [copy.blocks for copy in host.copies.values()] == [3, 2, 5]
    host.check()


def test_a_copy_that_is_needed_is_overwritten_only_by_a_more_urgent_request_that_gets_all_it_wants():
    host = memory(6, priorities={0: 1, 1: 1, 2: 0, 3: 0})
    low = swapped(0, 64)
    host.write(low)
    assert host.write(swapped(1, 48)) is None  # no more urgent
    assert host.write(swapped(2, 112)) is None  # more than all there is
    assert host.overwritten == []
    assert host.write(swapped(3, 48)) == 0
    assert host.overwritten == [low]
    assert (host.valid(low), host.free) == (48, 3)
    assert low.held is not None
    assert low.held.host_blocks == 0
    host.check()


def test_a_copy_under_way_is_not_overwritten():
    host = memory(4, priorities={0: 1})
    low = swapped(0, 64)
    host.write(low)
    assert low.held is not None
    low.held.copies = 1
    assert host.write(swapped(1, 16)) is None


def test_a_copy_that_is_read_for_a_prompt_stays_until_it_has_been():
    host, first = memory(4), swapped(0, 64, program=3)
    host.write(first)
    host.release(first)
    assert host.free == 4
    host.need(first)
    assert host.free == 0
    assert host.write(swapped(1, 16)) is None
    host.forget(first)
    assert (host.free, host.copies) == (4, {})
