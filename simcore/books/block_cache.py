"""Block cache: a prefix cache that knows the id of every block, one block at a time.

It follows the rules of `simcore.books.prefix_cache`, with the same decisions; what it costs grows with the blocks
touched, not with the runs. Engines with real memory use it: a chain says which block holds which tokens.
"""

from collections import OrderedDict
from hashlib import blake2b

from simcore.books.prefix_cache import Content

_SEED = b"root"
_KEPT_CONTENTS = 4096


class BlockChain:
    """A holder of blocks: `ids` in the order of its tokens, the first `blocks` of them cached, the others its own."""

    __slots__ = ("blocks", "content", "ids")

    def __init__(self, content: Content) -> None:
        self.content = content
        self.blocks = 0
        self.ids: list[int] = []


class BlockCache:
    """The blocks of one KV pool by their ids, 0 to `blocks` - 1, at first all free with nothing in them.

    Args:
        find: whether what is cached can be found; if not, nothing ever matches, and blocks only have owners.

    >>> cache = BlockCache(blocks=4, block_tokens=16)
    >>> one = cache.open(((7, 64),))
    >>> cache.grow(one, 2), one.ids
    (2, [0, 1])
    >>> cache.release(one, anonymous=0)
    2
    >>> two = cache.open(((7, 64),))
    >>> cache.grow(two, 3), two.ids  # two of them were found again
    (3, [0, 1, 2])
    """

    __slots__ = ("_cached", "_find", "_holders", "_known", "_name_of", "_queue", "block_tokens", "evicted", "total")

    def __init__(self, blocks: int, block_tokens: int, find: bool = True) -> None:
        self.total = blocks
        self.block_tokens = block_tokens
        self.evicted = 0
        """Cached blocks that were taken for something else."""
        self._find = find
        self._known: OrderedDict[Content, list[bytes]] = OrderedDict()
        """Names of the first blocks of contents asked for lately."""
        self.clear()

    def clear(self) -> None:
        """Forget everything: all blocks are free, and chains opened before are void."""
        self._queue: OrderedDict[int, None] = OrderedDict.fromkeys(range(self.total))
        self._cached: dict[bytes, int] = {}
        self._name_of: dict[int, bytes] = {}
        self._holders = [0] * self.total

    @property
    def free(self) -> int:
        """Blocks that nobody holds, cached or not."""
        return len(self._queue)

    # -- cached blocks --------------------------------------------------------------------------------------

    def match(self, content: Content, blocks: int) -> tuple[int, int]:
        """Return how many of the first `blocks` blocks of `content` are cached, and how many of those are free now."""
        have = idle = 0
        if self._find:
            for name in self._names(content, blocks):
                block = self._cached.get(name)
                if block is None:
                    break
                have += 1
                idle += not self._holders[block]
        return have, idle

    def open(self, content: Content) -> BlockChain:
        """Return a holder of nothing yet."""
        return BlockChain(content)

    def grow(self, chain: BlockChain, blocks: int, own: int = 0) -> int:
        """Hold the first `blocks` blocks of the chain's content as cached ones; return how many fewer are free.

        The first `own` of the extension are blocks it has and has filled. Those that turn out to be cached already are
        given back, before any is taken.
        """
        free, start = self.free, chain.blocks
        mine, rest = chain.ids[start : start + own], chain.ids[start + own :]
        assert len(mine) == own <= blocks - start, f"{own} own blocks for {blocks - start} more"
        assert not rest or own == blocks - start, "blocks to come stand behind those it has"
        names = self._names(chain.content, blocks)[start:] if self._find else [b""] * (blocks - start)
        found = [self._cached.get(name) for name in names]
        for position, block in enumerate(found):
            if block is not None:
                if not self._holders[block]:
                    del self._queue[block]
                self._holders[block] += 1
                if position < own:
                    self._free(mine[position])
        held = []
        for position, (name, block) in enumerate(zip(names, found, strict=True)):
            if block is None:
                block = mine[position] if position < own else self._pop()
                if self._find:
                    self._cached[name] = block
                    self._name_of[block] = name
            held.append(block)
        chain.ids[start:] = held + rest
        chain.blocks = blocks
        return free - self.free

    def release(self, chain: BlockChain, anonymous: int) -> int:
        """Free all that a holder has, the `anonymous` last of them its own; return how many became free."""
        assert len(chain.ids) - chain.blocks == anonymous, f"{chain.ids}, {chain.blocks} cached, {anonymous} own"
        free = self.free
        self.give(anonymous, chain)
        for block in reversed(chain.ids):
            self._holders[block] -= 1
            if not self._holders[block]:
                self._queue[block] = None
        chain.ids = []
        chain.blocks = 0
        return self.free - free

    # -- the queue of free blocks ---------------------------------------------------------------------------

    def take(self, blocks: int, chain: BlockChain) -> None:
        """Give a holder the first so many free blocks as its own: what was cached in them is forgotten."""
        assert 0 <= blocks <= self.free, f"{blocks} blocks to take, {self.free} free"
        chain.ids += [self._pop() for _ in range(blocks)]

    def give(self, blocks: int, chain: BlockChain) -> None:
        """Free the last so many blocks of a holder, its own."""
        for _ in range(blocks):
            self._free(chain.ids.pop())

    def _pop(self) -> int:
        block, _ = self._queue.popitem(last=False)
        self._holders[block] = 1
        name = self._name_of.pop(block, None)
        if name is not None:
            del self._cached[name]
            self.evicted += 1
        return block

    def _free(self, block: int) -> None:
        self._holders[block] = 0
        self._queue[block] = None

    # -- names ----------------------------------------------------------------------------------------------

    def _names(self, content: Content, blocks: int) -> list[bytes]:
        """Name the first blocks of a content: equal names, equal tokens up to the end of the block."""
        names = self._known.get(content)
        if names is None:
            names = self._known[content] = []
            if len(self._known) > _KEPT_CONTENTS:
                self._known.popitem(last=False)
        if len(names) < blocks:
            self._name_more(names, content, blocks)
        return names[:blocks]

    def _name_more(self, names: list[bytes], content: Content, blocks: int) -> None:
        size, segment, start = self.block_tokens, 0, 0
        last = len(content) - 1
        for block in range(len(names), blocks):
            begin, end = block * size, (block + 1) * size
            while segment < last and content[segment][1] <= begin:
                start = content[segment][1]
                segment += 1
            pieces, piece, first = [], segment, start
            while True:
                pieces.append((content[piece][0], first))
                if piece == last or content[piece][1] >= end:
                    break
                first = content[piece][1]
                piece += 1
            before = names[-1] if names else _SEED
            names.append(blake2b(repr(pieces).encode(), digest_size=16, key=before).digest())

    # -- for tests ------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Assert that no block was lost, and that the names of cached blocks agree both ways."""
        assert set(self._queue) == {block for block, held in enumerate(self._holders) if not held}
        assert self._cached == {name: block for block, name in self._name_of.items()}
