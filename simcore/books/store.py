"""Store: the KV of one instance beyond its pool of blocks: what is cached, pinned, on the host, or being copied.

The lanes of an instance share it. Counts of free blocks stay in the pool, so that a lane's closed forms are the same
with and without a store.
"""

from collections.abc import Iterable
from heapq import heappop, heappush
from typing import NamedTuple

from simcore.books.block_cache import BlockCache, BlockChain
from simcore.books.block_groups import BlockGroups, GroupChain
from simcore.books.caches import Cache, Holder
from simcore.books.host_memory import HostMemory
from simcore.books.pool import KvPool, in_turn
from simcore.books.prefix_cache import OPEN, Content, PrefixCache
from simcore.books.request import Request

HERE, NOWHERE, HOST, REMOTE = range(4)


class Held:
    """Where a request's KV is; `computed` and `blocks` of the request say how much of it, in how many blocks here."""

    __slots__ = ("cached", "chain", "content", "copies", "host_blocks", "source", "where")

    def __init__(self, content: Content) -> None:
        self.content = content
        self.where = NOWHERE
        self.chain: Holder | None = None
        """The cached blocks it holds, or all, if blocks have ids; None while it holds none, or without a cache."""
        self.cached = -1
        """Tokens the prefix cache held when it first ran; -1: it did not run yet."""
        self.host_blocks = 0
        """Blocks of host memory that it needs."""
        self.source: object = None
        """The lane that has its KV, if that is REMOTE."""
        self.copies = 0
        """Copies of its KV under way."""


class Tail(NamedTuple):
    """What a request left behind: the key of its pin, its content, and how many tokens of it have KV."""

    key: int
    content: Content
    computed: int


class Pin:
    """Blocks of a program (or of one request) that stay until a date."""

    __slots__ = ("chain", "until_ps")

    def __init__(self, chain: Holder, until_ps: int) -> None:
        self.chain = chain
        self.until_ps = until_ps


class KvStore:
    """What the lanes of one instance share.

    Args:
        pool: its blocks.
        cached: whether there is a prefix cache.
        host_blocks: blocks of host memory for swapped KV.
        identities: keep the id of every block.
        groups: hand blocks out in groups of so many, which needs their ids; None: one by one.
        keep_copies: KV that was copied in stays on the host.
        spare_blocks: room behind a copy on the host, with `groups`.
    """

    __slots__ = (
        "_dates",
        "_last_turns",
        "cache",
        "cached",
        "enqueued",
        "host",
        "pins",
        "pool",
        "remembers",
        "reserved",
        "tails",
    )

    def __init__(
        self,
        pool: KvPool,
        cached: bool,
        host_blocks: int,
        identities: bool = False,
        *,
        groups: int | None = None,
        keep_copies: bool = False,
        spare_blocks: int = 0,
    ) -> None:
        self.pool = pool
        self.cached = cached
        self.cache: Cache | None = None
        """Who holds which blocks; without a prefix cache, there only for their ids."""
        size = pool.block_tokens
        host_ids: BlockCache | BlockGroups | None = None
        if groups is not None:
            self.cache = BlockGroups(pool.total, size, group_blocks=groups)
            pool.tables = GroupTables(self.cache, size)
            host_ids = BlockGroups(host_blocks, size, spare_blocks=spare_blocks)
        elif identities:
            self.cache = BlockCache(pool.total, size, find=cached)
            pool.tables = HeldTables(self.cache, size)
            host_ids = BlockCache(host_blocks, size, find=False)
        elif cached:
            self.cache = PrefixCache(pool.total, pool.block_tokens)
            pool.tables = PrefixTables(self.cache, pool.block_tokens)
        self.host = HostMemory(host_blocks, size, keep=keep_copies, ids=host_ids)
        self.reserved = 0
        """Blocks that a copy, in or out, is under way for: neither free nor a running request's."""
        self.pins: dict[int, Pin] = {}
        """By program, or -1 - request, in the order they were made."""
        self._dates: list[tuple[int, int]] = []
        self.remembers = False
        """Somebody may pin what has ended."""
        self.tails: dict[int, Tail] = {}
        """By request: the last turns that ended here, one of each program."""
        self._last_turns: dict[int, int] = {}
        self.enqueued = 0

    @property
    def host_free(self) -> int:
        """Blocks of host memory that nobody needs."""
        return self.host.free

    # -- finding and taking what is cached -------------------------------------------------------------------

    def match(self, content: Content, blocks: int) -> tuple[int, int]:
        """Return how many of the first `blocks` full blocks are cached, and how many of those nobody holds."""
        return self.cache.match(content, blocks) if self.cache is not None else (0, 0)

    def need(self, content: Content, tokens: int) -> int:
        """Return the blocks that must be free for a request to hold its first `tokens` tokens."""
        pool = self.pool
        cached, idle = self.match(content, tokens // pool.block_tokens)
        return pool.blocks_for(tokens) - cached + idle

    def hits(self, request: Request) -> int:
        """Return the tokens that `request` would not have to compute here: cached full blocks, but never its last."""
        held = request.held
        if self.cache is None or held is None:
            return 0
        size = self.pool.block_tokens
        return self.cache.match(held.content, (request.prompt + request.generated - 1) // size)[0] * size

    def reserve(self, request: Request, tokens: int) -> int:
        """Give `request` the blocks for its first `tokens` tokens, cached ones where there are; return those cached."""
        pool, held, cached = self.pool, request.held, 0
        assert held is not None
        blocks = pool.blocks_for(tokens)
        if self.cache is None:
            pool.free -= blocks
        else:
            cached, _ = self.cache.match(held.content, request.computed // pool.block_tokens)
            held.chain = self.cache.open(held.content)
            pool.free -= self.cache.grow(held.chain, cached) + blocks - cached
            self.cache.take(blocks - cached, held.chain)
        request.blocks = blocks
        return cached

    def release(self, request: Request) -> None:
        """Take the blocks of `request` back."""
        held = request.held
        assert held is not None
        chain, held.chain = held.chain, None
        self.give_back(chain, request.blocks, request.computed)
        request.blocks = 0

    def show(self, request: Request) -> None:
        """Let the full blocks of `request`, which has left the batch and holds them still, be found."""
        held, full = request.held, request.computed // self.pool.block_tokens
        assert held is not None
        if held.chain is not None and full > held.chain.blocks:
            own = min(full, request.blocks) - held.chain.blocks
            self.pool.free -= self.cache.grow(held.chain, full, own) if self.cache is not None else 0

    def ids(self, request: Request) -> list[int]:
        """Return the blocks that `request` has here, in the order of its tokens; none where blocks have no ids."""
        chain = None if request.held is None else request.held.chain
        return list(chain.ids) if isinstance(chain, BlockChain | GroupChain) else []

    def give_back(self, chain: Holder | None, blocks: int, computed: int) -> None:
        """Free `blocks` blocks that hold `computed` tokens, the first of them cached ones of `chain`."""
        if self.cache is None:
            self.pool.free += blocks
        else:
            self.pool.free += freed(self.cache, chain, blocks, computed // self.pool.block_tokens)

    def note_end(self, request: Request, ended: dict[int, Tail]) -> None:
        """Remember what a request left behind: with what else `ended`, and as its program's last turn so far."""
        if not self.remembers:
            return
        held, program = request.held, -1 if request.client is None else request.client.program
        assert held is not None
        tail = ended[request.id] = Tail(program if program >= 0 else -1 - request.id, held.content, request.computed)
        if program >= 0:
            before = self._last_turns.get(program)
            if before is not None:
                del self.tails[before]
            self.tails[request.id] = tail
            self._last_turns[program] = request.id

    # -- pins ----------------------------------------------------------------------------------------------------

    def pin(self, key: int, content: Content, tokens: int, until_ps: int) -> Pin:
        """Hold what is cached of the first `tokens` tokens of `content` until a date."""
        assert self.cache is not None
        self.unpin(key)
        chain = self.cache.open(content)
        cached, _ = self.cache.match(content, tokens // self.pool.block_tokens)
        self.pool.free -= self.cache.grow(chain, cached)
        pin = self.pins[key] = Pin(chain, until_ps)
        heappush(self._dates, (until_ps, key))
        return pin

    def unpin(self, key: int) -> bool:
        """Give a pin up; return whether there was one."""
        pin = self.pins.pop(key, None)
        if pin is None:
            return False
        assert self.cache is not None
        self.pool.free += self.cache.release(pin.chain, 0)
        return True

    def expired(self, now: int) -> list[int]:
        """Give up the pins whose date has come; return their keys, by date."""
        gone = []
        while self._dates and self._dates[0][0] <= now:
            until_ps, key = heappop(self._dates)
            pin = self.pins.get(key)
            if pin is not None and pin.until_ps == until_ps:
                self.unpin(key)
                gone.append(key)
        return gone

    @property
    def pinned_blocks(self) -> int:
        return sum(pin.chain.blocks for pin in self.pins.values())

    # -- an instance died ----------------------------------------------------------------------------------------

    def clear(self) -> None:
        """Forget everything: all blocks are free and empty."""
        self.pool.clear()
        self.host.clear()
        self.reserved = 0
        self.pins.clear()
        self._dates.clear()
        self.tails.clear()
        self._last_turns.clear()

    def check(self) -> None:
        """Assert that the cache agrees with the pool."""
        if self.cache is not None:
            assert self.cache.free == self.pool.free, f"{self.cache.free} free in the cache, {self.pool.free} counted"
            self.cache.check()
        self.host.check()


class PrefixTables:
    """`Tables` of a pool with a prefix cache: full blocks of prompts are found while their requests run."""

    __slots__ = ("_cache", "_size")

    def __init__(self, cache: Cache, block_tokens: int) -> None:
        self._cache = cache
        self._size = block_tokens

    def decode(self, running: Iterable[Request], first: int, last: int, blocks: int) -> None:
        self._cache.take(blocks, None)

    def extend(self, request: Request, blocks: int) -> None:
        assert request.held is not None
        self._cache.take(blocks, request.held.chain)

    def grow(self, request: Request, tokens: int, blocks: int) -> int:
        cache, held = self._cache, request.held
        assert held is not None
        if held.chain is None:
            held.chain = cache.open(held.content)
        chain, full = held.chain, tokens // self._size
        own = request.blocks - chain.blocks
        used = min(own, full - chain.blocks)
        taken = cache.grow(chain, full, used) if full > chain.blocks else 0
        more = request.blocks + blocks - full - (own - used)
        if more:
            cache.take(more, chain)
        return taken + more

    def release(self, request: Request, blocks: int) -> int:
        held = request.held
        assert held is not None
        chain, held.chain = held.chain, None
        return freed(self._cache, chain, blocks, request.computed // self._size)

    def clear(self) -> None:
        self._cache.clear()

    def check(self, free: int) -> None:
        assert self._cache.free == free, f"{self._cache.free} free in the cache, {free} counted"
        self._cache.check()


class HeldTables(PrefixTables):
    """The same, where blocks have ids: the chain of a request has those of all its blocks, in order."""

    __slots__ = ()

    def decode(self, running: Iterable[Request], first: int, last: int, blocks: int) -> None:
        for request in in_turn(running, first, last, self._size):
            self.extend(request, 1)


class GroupTables(HeldTables):
    """The same over groups: what a prompt takes at once it takes as one, and nothing of it is found."""

    __slots__ = ()

    def grow(self, request: Request, tokens: int, blocks: int) -> int:
        held = request.held
        assert held is not None
        if held.chain is None:
            held.chain = self._cache.open(held.content)
        self._cache.take(blocks, held.chain)
        return blocks


def freed(cache: Cache, chain: Holder | None, blocks: int, full: int) -> int:
    """Free `blocks` blocks, the first `full` of which are full and stay cached; return how many became free."""
    if chain is None:
        cache.give(blocks, None)
        return blocks
    more = full - chain.blocks
    taken = cache.grow(chain, full, min(more, blocks - chain.blocks)) if more > 0 else 0
    return cache.release(chain, blocks - full) - taken


def content_of(request: Request, head: tuple[tuple[int, int], ...], stream: int) -> Held:
    """Return where a new request's KV is: nowhere; its content is a head, then a stream of its own or a program's."""
    own = -2 * stream - 2 if stream >= 0 else -2 * request.id - 1
    return Held((*head, (own, OPEN)))
