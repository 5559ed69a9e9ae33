"""Store: what a request finds, holds and leaves behind, in blocks of 16 tokens, checked by hand."""

from simcore.books.client import Client
from simcore.books.pool import KvPool, Tables
from simcore.books.prefix_cache import OPEN, Content
from simcore.books.request import Request
from simcore.books.store import HERE, HOST, Held, KvStore


def store(blocks: int = 10, *, cached: bool = True, host_blocks: int = 0) -> KvStore:
    return KvStore(KvPool(blocks, 16), cached, host_blocks)


def request(number: int, prompt: int, *segments: tuple[int, int], program: int = -1) -> Request:
    """A request whose prompt begins with these segments and goes on in a stream of its own."""
    one = Request(number, 0, prompt, 10)
    one.held = Held(content(number, *segments))
    if program >= 0:
        one.client = Client(program)
    return one


def content(number: int, *segments: tuple[int, int]) -> Content:
    return (*segments, (-1 - number, OPEN))


def held(one: Request) -> Held:
    assert one.held is not None
    return one.held


def tables(kv: KvStore) -> Tables:
    assert kv.pool.tables is not None
    return kv.pool.tables


def compute(kv: KvStore, one: Request, tokens: int) -> None:
    """Let a request compute its first `tokens` tokens, as a lane does."""
    one.computed = kv.hits(one)
    blocks = kv.pool.blocks_for(tokens) - one.blocks
    kv.pool.free -= tables(kv).grow(one, tokens, blocks)
    one.blocks += blocks
    one.computed = tokens


def test_what_was_computed_is_found_while_it_is_held_and_after():
    kv = store()
    first, second = request(0, 40, (7, 40)), request(1, 40, (7, 40))
    assert kv.hits(second) == 0
    compute(kv, first, 40)
    assert (kv.pool.free, kv.hits(second), kv.need(held(second).content, 40)) == (7, 32, 1)
    kv.release(first)
    assert (kv.pool.free, kv.hits(second), kv.need(held(second).content, 40)) == (10, 32, 3)
    kv.check()


def test_the_last_token_of_a_target_is_never_found():
    kv = store()
    first, second = request(0, 32, (7, 32)), request(1, 32, (7, 32))
    compute(kv, first, 32)
    assert kv.hits(second) == 16
    second.generated = 1
    assert kv.hits(second) == 32


def test_what_a_cache_holds_of_a_request_does_not_depend_on_where_else_its_kv_is():
    kv = store()
    first, second = request(0, 40, (7, 40)), request(1, 40, (7, 40))
    compute(kv, first, 40)
    for where in (HERE, HOST):
        held(second).where = where
        assert kv.hits(second) == 32


def test_without_a_cache_blocks_are_only_counted():
    kv = store(cached=False)
    one = request(0, 40)
    one.computed = 40
    assert kv.match(held(one).content, 2) == (0, 0)
    assert kv.need(held(one).content, 40) == 3
    assert kv.reserve(one, 41) == 0
    assert (one.blocks, kv.pool.free) == (3, 7)
    kv.release(one)
    assert (one.blocks, kv.pool.free) == (0, 10)


def test_a_reservation_holds_what_is_cached_and_takes_the_rest():
    kv = store()
    compute(kv, request(0, 40, (7, 40)), 40)
    other = request(1, 40, (7, 40))
    other.computed = 48
    assert kv.reserve(other, 49) == 2
    assert (other.blocks, kv.pool.free) == (4, 5)
    kv.release(other)
    assert kv.pool.free == 7
    kv.check()


def test_what_was_copied_in_is_found_once_it_was_given_back():
    kv = store()
    one = request(0, 40, (7, 40))
    one.computed = 40
    kv.reserve(one, 40)
    assert kv.match(held(one).content, 2) == (0, 0)
    kv.release(one)
    assert kv.match(held(one).content, 3) == (2, 2)
    assert kv.pool.free == 10


def test_two_who_filled_the_same_blocks_leave_one_copy():
    kv = store()
    pair = [request(number, 40, (7, 40)) for number in (0, 1)]
    for one in pair:
        one.computed = 40
        kv.reserve(one, 40)
    assert kv.pool.free == 4
    for one in pair:
        kv.release(one)
    assert kv.pool.free == 10
    tables(kv).decode((), 0, 0, 8)
    kv.pool.free -= 8
    assert kv.match(held(pair[0]).content, 2) == (2, 2)
    kv.check()


def test_a_prompt_that_grows_into_cached_blocks_gives_its_own_back():
    """24 tokens in two blocks; the second is full only with 32, and by then somebody else has cached it."""
    kv = store()
    slow, fast = request(0, 32, (7, 32)), request(1, 33, (7, 32))
    compute(kv, slow, 24)
    assert kv.pool.free == 8
    compute(kv, fast, 33)
    assert kv.pool.free == 6  # shares one, computes one, and one more for its last token
    blocks = 0
    kv.pool.free -= tables(kv).grow(slow, 32, blocks)
    assert kv.pool.free == 7
    kv.check()


def test_a_pin_holds_full_cached_blocks_until_it_is_given_up():
    kv = store()
    one = request(0, 40, (7, 40))
    compute(kv, one, 40)
    kv.release(one)
    pin = kv.pin(3, held(one).content, 40, until_ps=50)
    assert (pin.chain.blocks, kv.pinned_blocks, kv.pool.free) == (2, 2, 8)
    assert kv.unpin(3)
    assert not kv.unpin(3)
    assert (kv.pinned_blocks, kv.pool.free) == (0, 10)


def test_pins_expire_by_date_and_a_replaced_one_does_not():
    kv = store()
    for key, until_ps in ((1, 30), (2, 20), (1, 40), (3, 20)):
        kv.pin(key, content(key), 16, until_ps)
    assert kv.expired(19) == []
    assert kv.expired(20) == [2, 3]
    assert kv.expired(39) == []
    assert kv.expired(40) == [1]
    assert not kv.pins


def test_a_program_leaves_its_last_turn_behind_and_a_request_of_none_nothing():
    kv, ended = store(), {}
    kv.remembers = True
    for number, program in ((0, 5), (1, -1), (2, 5), (3, 6)):
        one = request(number, 16, program=program)
        one.computed = 16
        kv.note_end(one, ended)
        assert (ended[number].key, ended[number].computed) == (program if program >= 0 else -1 - number, 16)
    assert list(kv.tails) == [2, 3]


def test_a_store_that_nobody_may_pin_in_remembers_nothing():
    kv, ended = store(), {}
    kv.note_end(request(0, 16, program=5), ended)
    assert not ended
    assert not kv.tails


def test_a_cleared_store_is_as_new():
    kv = store(host_blocks=5)
    one = request(0, 40, (7, 40), program=1)
    compute(kv, one, 40)
    kv.remembers = True
    kv.note_end(one, {})
    kv.pin(1, held(one).content, 40, 50)
    kv.host.free, kv.reserved = 2, 3
    kv.clear()
    assert (kv.pool.free, kv.host_free, kv.reserved, kv.pinned_blocks) == (10, 5, 0, 0)
    assert not kv.tails
    assert kv.expired(99) == []
    assert kv.match(held(one).content, 2) == (0, 0)
    kv.check()
