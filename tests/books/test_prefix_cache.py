"""Prefix cache: by runs of blocks it decides what block by block would."""

from random import Random

import pytest

from simcore.books.prefix_cache import OPEN, Chain, Content, PrefixCache
from tests.books.plain_cache import PlainCache, PlainChain


class Twins:
    """Both caches, told the same; after each word they must agree on all that can be seen."""

    def __init__(self, draw: Random) -> None:
        self.draw = draw
        blocks, size = draw.randint(1, 24), draw.choice([1, 2, 4, 7])
        self.runs, self.plain = PrefixCache(blocks, size), PlainCache(blocks, size)
        self.contents = [self.content(3 * size) for _ in range(draw.randint(1, 7))]
        self.holders: list[tuple[Chain, PlainChain]] = []
        self.longest = blocks + 2
        self.loose = 0
        """Anonymous blocks held, of whoever."""

    def content(self, longest: int) -> Content:
        """Few keys and ends, so that contents share what they begin with, or a key begins at several places."""
        draw, end, segments = self.draw, 0, []
        for _ in range(draw.randint(1, 4)):
            end += draw.randint(1, draw.choice([2, longest]))
            segments.append((draw.randint(1, 2), end))
        segments[-1] = (segments[-1][0], draw.choice([end, OPEN]))
        return tuple(segments)

    def act(self) -> None:
        draw, runs, plain = self.draw, self.runs, self.plain
        word = draw.choice(["open", "grow", "grow", "grow", "take", "give", "release", "release"])
        if draw.random() < 0.005:
            word = "clear"
        if word == "clear":
            runs.clear()
            plain.clear()
            self.holders, self.loose = [], 0
        elif word == "open" and len(self.holders) < 6:
            content = draw.choice(self.contents)
            self.holders.append((runs.open(content), plain.open(content)))
        elif word == "grow" and self.holders:
            self.grow(*draw.choice(self.holders))
        elif word == "take":
            blocks = draw.randint(0, min(runs.free, draw.choice([1, 3, 99])))
            runs.take(blocks)
            plain.take(blocks)
            self.loose += blocks
        elif word == "give":
            blocks = draw.randint(0, self.loose)
            runs.give(blocks)
            plain.give(blocks)
            self.loose -= blocks
        elif word == "release" and self.holders:
            position, anonymous = draw.randrange(len(self.holders)), draw.randint(0, self.loose)
            mine, theirs = self.holders.pop(position) if draw.random() < 0.8 else self.holders[position]
            assert runs.release(mine, anonymous) == plain.release(theirs, anonymous)
            self.loose -= anonymous
        self.agree()

    def grow(self, mine: Chain, theirs: PlainChain) -> None:
        held = mine.blocks
        blocks = held + self.draw.randint(0, self.draw.choice([1, 2, self.longest]))
        own = self.draw.randint(0, min(blocks - held, self.loose))
        while True:  # what does not fit is not asked for
            hits = self.plain.hits(mine.content, blocks)[held:]
            idle = self.plain.match(mine.content, blocks)[1]
            need = idle + sum(not hit for hit in hits[own:]) - sum(hits[:own])
            if idle <= self.runs.free and need <= self.runs.free:
                break
            blocks -= 1
            own = min(own, blocks - held)
        self.loose -= own
        assert self.runs.grow(mine, blocks, own) == self.plain.grow(theirs, blocks, own) == need

    def agree(self) -> None:
        self.runs.check()
        assert (self.runs.free, self.runs.evicted) == (len(self.plain.queue), self.plain.evicted)
        assert [mine.blocks for mine, _ in self.holders] == [len(theirs.held) for _, theirs in self.holders]
        for content in self.contents:
            hits = self.plain.hits(content, self.longest)
            assert hits == sorted(hits, reverse=True), "block by block, too, no cached block stands after a hole"
            blocks = self.draw.randint(0, self.longest)
            assert self.runs.match(content, blocks) == self.plain.match(content, blocks)


@pytest.mark.parametrize("seed", range(40))
def test_runs_decide_what_block_by_block_would(seed):
    twins = Twins(Random(seed))
    for _ in range(100):
        twins.act()
    while twins.runs.free:  # the order of the whole queue
        twins.runs.take(1)
        twins.plain.take(1)
        twins.agree()


def cache_of(blocks: int) -> PrefixCache:
    return PrefixCache(blocks, 16)


def filled(cache: PrefixCache, content: Content, blocks: int) -> Chain:
    chain = cache.open(content)
    cache.grow(chain, blocks)
    return chain


def test_two_samples_share_the_blocks_of_their_prompt_and_no_others():
    cache = cache_of(100)
    filled(cache, ((7, 512), (9, OPEN)), 40)
    assert cache.match(((7, 512), (8, OPEN)), 40) == (32, 0)
    assert filled(cache, ((7, 512), (8, OPEN)), 40).blocks == 40
    assert cache.free == 100 - 32 - 8 - 8


def test_a_block_belongs_to_the_segment_of_its_last_token():
    cache = cache_of(10)
    filled(cache, ((7, 24), (9, OPEN)), 3)
    assert cache.match(((7, 24), (8, OPEN)), 3) == (1, 0), "block 1 ends at token 31, in the second segment"
    assert cache.match(((7, OPEN),), 3) == (1, 0)
    assert cache.match(((7, 24), (9, 26), (5, OPEN)), 3) == (1, 0)


def test_a_segment_without_the_end_of_a_block_still_tells_what_follows_apart():
    cache = cache_of(10)
    filled(cache, ((7, 18), (9, 24), (5, OPEN)), 3)
    assert cache.match(((7, 18), (9, 24), (5, OPEN)), 3) == (3, 0)
    assert cache.match(((7, 18), (8, 24), (5, OPEN)), 3) == (1, 0)


def test_a_key_that_begins_at_another_token_is_other_tokens():
    cache = cache_of(10)
    filled(cache, ((7, 20), (9, OPEN)), 3)
    assert cache.match(((7, 21), (9, OPEN)), 3) == (1, 0)


def test_the_last_segment_has_no_end():
    cache = cache_of(10)
    filled(cache, ((7, 16),), 4)
    assert cache.match(((7, 1),), 5) == (4, 0)


def test_blocks_never_used_go_first_then_the_least_recently_freed_each_from_its_deepest_block():
    cache = cache_of(10)
    first, second = filled(cache, ((1, OPEN),), 4), filled(cache, ((2, OPEN),), 4)
    cache.release(second, 0)
    cache.release(first, 0)
    cached = []
    for _ in range(10):
        cache.take(1)
        cached.append((cache.match(((1, OPEN),), 9)[0], cache.match(((2, OPEN),), 9)[0]))
    assert cached == [(4, 4), (4, 4), (4, 3), (4, 2), (4, 1), (4, 0), (3, 0), (2, 0), (1, 0), (0, 0)]
    assert (cache.free, cache.evicted) == (0, 8)


def test_who_leaves_frees_anonymous_blocks_before_cached_ones():
    cache = cache_of(3)
    chain = filled(cache, ((1, OPEN),), 2)
    cache.take(1)
    assert cache.release(chain, 1) == 3
    cache.take(1)
    assert (cache.match(((1, OPEN),), 2), cache.evicted) == ((2, 2), 0)


def test_what_another_still_holds_stays_held():
    cache = cache_of(10)
    long, short = filled(cache, ((1, OPEN),), 6), filled(cache, ((1, OPEN),), 2)
    assert cache.free == 4
    assert cache.release(long, 0) == 4
    assert cache.match(((1, OPEN),), 6) == (6, 4)
    assert cache.release(short, 0) == 2


def test_who_fills_a_cached_block_takes_it_and_gives_its_own_back():
    cache = cache_of(10)
    first, second = cache.open(((1, OPEN),)), cache.open(((1, OPEN),))
    cache.take(6)
    assert cache.grow(first, 3, own=3) == 0
    assert cache.grow(second, 5, own=3) == -3 + 2, "three given back, and two more from the queue"
    assert cache.free == 4 + 3 - 2


def test_a_block_in_use_again_moves_to_the_end_of_the_queue_when_freed_again():
    cache = cache_of(4)
    first, second = filled(cache, ((1, OPEN),), 2), filled(cache, ((2, OPEN),), 2)
    cache.release(first, 0)
    cache.release(second, 0)
    assert cache.grow(first, 2) == 2
    cache.release(first, 0)
    cache.take(2)
    assert (cache.match(((1, OPEN),), 2), cache.match(((2, OPEN),), 2)) == ((2, 2), (0, 0))


def test_taking_more_than_is_free_is_our_own_fault():
    cache = cache_of(4)
    chain = filled(cache, ((1, OPEN),), 3)
    with pytest.raises(AssertionError, match="2 blocks to take, 1 free"):
        cache.take(2)
    with pytest.raises(AssertionError, match="2 blocks to take, 1 free"):
        cache.grow(chain, 5)


def test_after_a_clear_nothing_is_cached_and_older_chains_are_void():
    cache = cache_of(4)
    chain = filled(cache, ((1, OPEN),), 3)
    cache.clear()
    assert (cache.free, cache.evicted, cache.match(((1, OPEN),), 3)) == (4, 0, (0, 0))
    with pytest.raises(AssertionError, match="before everything was forgotten"):
        cache.release(chain, 0)


def test_books_stay_small_when_the_same_blocks_come_and_go():
    cache = cache_of(20)
    chain = cache.open(((1, OPEN),))
    for _ in range(500):
        cache.grow(chain, 4)
        cache.release(chain, 0)
        cache.check()


def test_books_stay_small_when_contents_come_and_never_return():
    cache = cache_of(20)
    kept = filled(cache, ((1, OPEN),), 4)
    for program in range(500):
        cache.release(filled(cache, ((1, 32), (program + 2, 64), (3, OPEN)), 8), 0)
        cache.release(kept, 0)
        cache.grow(kept, 4)
        cache.check()
    assert cache.evicted == 500 * 6 - 16, "two blocks of the eight are shared, and what does not fit beside the 4 goes"
