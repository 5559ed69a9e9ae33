"""Prefix cache: which full blocks of a KV pool can be found again, kept by runs of blocks instead of one by one.

The rules are those of a cache that names each full block by a hash of all tokens up to its end:

- A block is held, by one or more requests, or free. Free blocks stand in one queue, and whoever needs a block takes
  the front one. A free block can still be found, until it is taken: then it is forgotten.
- A request holds the first so many blocks of its content, always a prefix, and any number of anonymous ones, which
  are not to be found (partly filled, or not yet computed).
- A block is cached once: who fills one that is already cached holds the cached one and gives its own back.
- Who leaves frees its anonymous blocks first, then its prefix from the deepest block to the first; of these, blocks
  that others hold stay held.

A *run* is all blocks that end in the same segment of a content: a node of the tree of keys. Runs are exact, because
the higher of two blocks of a run is never used later than the lower one. Who holds a block holds every block before
it; so the higher one is freed no later than the lower one, and stands before it in the queue. Blocks are taken from
the front; so the higher one is forgotten first. Who adds a block holds all before it; so what is cached of a run has
no holes. A run is therefore three numbers, `first <= held <= cached`, and its free blocks `held`..`cached` stand in
the queue as few spans, the deepest span first, each read from its end: holding more of a run eats its spans from the
shallow side, taking from the queue eats them from the deep side. An operation takes as many steps as it touches runs
and spans, however long they are.
"""

from bisect import bisect_left, insort
from collections import deque

Content = tuple[tuple[int, int], ...]
"""Segments (key, end): the chain of keys up to the segment of token i, and i, say which token it is. `end` is in
tokens from the start of the content and increases; the last segment goes on for ever, whatever its end says."""

OPEN = 1 << 60
"""The end to write in a last segment."""


class Run:
    """Blocks `first`.. of one segment, as far as they are cached.

    Its name among its siblings is (key, first token): the same key from another token on is other tokens.
    """

    __slots__ = ("cached", "children", "extents", "first", "idle", "name", "parent")

    def __init__(self, parent: "Run | None", name: tuple[int, int], first: int) -> None:
        self.parent = parent
        self.name = name
        self.first = self.cached = first
        self.extents = [first]
        """How far each holder holds it, ascending, after one entry for nobody: the last says how far it is held."""
        self.idle: list[Span] = []
        """Its spans in the queue, deepest first."""
        self.children: dict[tuple[int, int], Run] = {}

    def hold(self, old: int, new: int) -> int:
        """One who held it up to `old` (`first`: not at all) holds it up to `new`; return how many were free."""
        extents = self.extents
        held = extents[-1]
        if old > self.first:
            self.drop(old)
        if new <= held:
            insort(extents, new)
            return 0
        extents.append(new)
        free, idle = 0, self.idle
        while idle:
            span = idle[-1]
            if span.high > new:
                if span.low < new:
                    free += new - span.low
                    span.low = new
                break
            free += span.high - span.low
            span.low = span.high  # the queue skips it when it comes to the front
            idle.pop()
        return free

    def drop(self, end: int) -> int:
        """One who held it up to `end` lets go; return how far it is held by others."""
        extents = self.extents
        if extents[-1] == end:
            extents.pop()
        else:
            del extents[bisect_left(extents, end)]
        return extents[-1]


class Span:
    """Free blocks that stand together in the queue: high-1, high-2, …, low of a run, or so many anonymous ones."""

    __slots__ = ("high", "low", "run")

    def __init__(self, run: Run | None, low: int, high: int) -> None:
        self.run = run
        self.low = low
        self.high = high


class Chain:
    """A holder of the first `blocks` full blocks of `content`."""

    __slots__ = ("blocks", "content", "runs")

    def __init__(self, content: Content, root: Run) -> None:
        self.content = content
        self.blocks = 0
        self.runs = [root]
        """The root, then the runs of its segments, down to the one of the last block it holds."""


class PrefixCache:
    """The prefix cache of one KV pool, at first of `blocks` free blocks with nothing in them.

    >>> cache = PrefixCache(blocks=10, block_tokens=16)
    >>> one = cache.open(((7, 64), (1, OPEN)))  # a prompt of 64 tokens, then what sample 1 generates
    >>> cache.grow(one, 6)
    6
    >>> cache.match(((7, 64), (2, OPEN)), 5)  # sample 2 of the same prompt finds 4 blocks, none of them free
    (4, 0)
    >>> cache.release(one, anonymous=0)
    6
    >>> cache.match(((7, 64), (2, OPEN)), 5)
    (4, 4)
    >>> cache.take(7)  # the four that were never used, then from the deepest of the chain on
    >>> cache.free, cache.evicted, cache.match(((7, 64), (2, OPEN)), 5)
    (3, 3, (3, 3))
    """

    __slots__ = ("_compact_above", "_queue", "_root", "block_tokens", "evicted", "free", "total")

    def __init__(self, blocks: int, block_tokens: int) -> None:
        self.total = blocks
        self.block_tokens = block_tokens
        self.evicted = 0
        """Cached blocks that were taken for something else."""
        self.clear()

    def clear(self) -> None:
        """Forget everything: all blocks are free and anonymous, and chains opened before are void.

        This is no eviction: nobody needed the room.
        """
        self.free = self.total
        """Blocks that nobody holds, cached or not."""
        self._root = Run(None, (0, 0), 0)
        self._queue = deque([Span(None, 0, self.total)] if self.total else [])
        self._compact_above = 64

    # -- cached blocks --------------------------------------------------------------------------------------

    def match(self, content: Content, blocks: int) -> tuple[int, int]:
        """Return how many of the first `blocks` blocks of `content` are cached, and how many of those are free now."""
        size, run = self.block_tokens, self._root
        have = idle = start = 0
        segments = len(content)
        for key, end in content:
            child = run.children.get((key, start))
            if child is None:
                break
            run = child
            segments -= 1
            limit = end // size if segments else blocks
            if limit > blocks:
                limit = blocks
            cached = run.cached
            if cached > limit:
                cached = limit
            if cached > have:
                held = run.extents[-1]
                if cached > held:
                    idle += cached - held
                have = cached
            if have < limit or limit == blocks:
                break
            start = end
        return have, idle

    def open(self, content: Content) -> Chain:
        """Return a holder of nothing yet."""
        assert content, "a content has at least one segment"
        return Chain(content, self._root)

    def grow(self, chain: Chain, blocks: int, own: int = 0) -> int:
        """Hold the first `blocks` blocks of the chain's content; return how many fewer are free (below 0: more).

        First those that are cached are held. The others become cached: the first `own` of the extension are
        anonymous blocks that the holder has filled, the rest is taken from the queue. Own blocks that turn out to
        be cached go to the end of the queue, before any is taken.
        """
        wanted = blocks - chain.blocks
        assert 0 <= own <= wanted, f"{own} own blocks for {wanted} more"
        if not wanted:
            return 0
        idle = self._walk(chain, blocks, create=False)
        self.free -= idle
        missing = blocks - chain.blocks
        found = wanted - missing
        given = own if own < found else found
        if given:
            self.give(given)
        if not missing:
            return idle - given
        new = missing - own + given
        if new:
            self.take(new)
        self._walk(chain, blocks, create=True)
        return idle + new - given

    def _walk(self, chain: Chain, blocks: int, create: bool) -> int:
        """Hold on along the content, as far as it is cached or, if so told, cached now; return how many were free."""
        content, runs, have, size = chain.content, chain.runs, chain.blocks, self.block_tokens
        assert runs[0] is self._root, "a chain from before everything was forgotten"
        depth, segments = len(runs) - 1, len(content)
        run = runs[depth]
        end = content[depth - 1][1] if depth else 0
        idle = 0
        while True:
            limit = end // size if depth < segments else blocks
            if limit > blocks:
                limit = blocks
            if create and run.cached < limit:
                run.cached = limit
            cached = run.cached if run.cached < limit else limit
            if cached > have:
                idle += run.hold(have, cached)
                have = cached
            if have == blocks or cached < limit:
                break
            start = end
            key, end = content[depth]
            name = (key, start)
            child = run.children.get(name)
            depth += 1
            if child is None:
                if not create:
                    break
                assert depth == segments or start < end, f"segment {depth} ends at {end}, where it starts at {start}"
                child = run.children[name] = Run(run, name, have)
            runs.append(child)
            run = child
        chain.blocks = have
        while run.first >= have and run.parent is not None:  # nothing of it is held: it may be forgotten
            runs.pop()
            run = run.parent
        return idle

    def release(self, chain: Chain, anonymous: int) -> int:
        """Free all that a holder has, so many anonymous blocks and its chain; return how many became free.

        The chain then holds nothing, and may grow again.
        """
        runs, queue = chain.runs, self._queue
        assert runs[0] is self._root, "a chain from before everything was forgotten"
        if anonymous:
            self.give(anonymous)
        freed, end = 0, chain.blocks
        for run in reversed(runs):
            if end > run.first:
                held = run.drop(end)
                if held < end:
                    span = Span(run, held, end)
                    run.idle.append(span)
                    queue.append(span)
                    freed += end - held
            end = run.first
        chain.blocks = 0
        chain.runs = runs[:1]
        self.free += freed
        if len(queue) > self._compact_above:
            self._compact()
        return anonymous + freed

    # -- the queue of free blocks ---------------------------------------------------------------------------

    def take(self, blocks: int, chain: Chain | None = None) -> None:
        """Take the first so many free blocks, as anonymous ones: what was cached in them is forgotten.

        chain: whose they become; runs need not know.
        """
        assert 0 <= blocks <= self.free, f"{blocks} blocks to take, {self.free} free"
        self.free -= blocks
        queue = self._queue
        while blocks:
            span = queue[0]
            run, taken = span.run, span.high - span.low
            whole = taken <= blocks
            if whole:
                queue.popleft()
            else:
                taken = blocks
                span.high -= taken
            blocks -= taken
            if run is not None and taken:
                if whole:
                    del run.idle[0]
                run.cached -= taken
                self.evicted += taken
                while run.cached == run.first and not run.children and run.parent is not None:
                    del run.parent.children[run.name]
                    run = run.parent

    def give(self, blocks: int, chain: Chain | None = None) -> None:
        """Free so many anonymous blocks: they go to the end of the queue."""
        assert 0 <= blocks <= self.total - self.free, f"{blocks} blocks to give, {self.total - self.free} held"
        self.free += blocks
        queue = self._queue
        if queue and queue[-1].run is None:
            queue[-1].high += blocks
        elif blocks:
            queue.append(Span(None, 0, blocks))

    def _compact(self) -> None:
        """Drop empty spans from the queue. As many are added before the next time as stay now, or more."""
        self._queue = queue = deque([span for span in self._queue if span.low < span.high])
        self._compact_above = 2 * len(queue) + 64

    # -- for tests ------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Assert that runs, holders and queue agree, and that none of them keeps what is gone."""
        live = [span for span in self._queue if span.low < span.high]
        assert sum(span.high - span.low for span in live) == self.free, "free blocks are those in the queue"
        assert len(self._queue) <= self._compact_above + 1 <= 2 * self.total + 65, "empty spans pile up"
        queued: dict[Run, list[Span]] = {}
        for span in live:
            if span.run is not None:
                queued.setdefault(span.run, []).append(span)
        held, stack = 0, [self._root]
        while stack:
            run = stack.pop()
            assert run.cached > run.first or run.children or run is self._root, "an empty run is forgotten"
            assert run.extents == sorted(run.extents)
            assert run.first == run.extents[0] <= run.extents[-1] <= run.cached
            assert run.idle == queued.pop(run, []), "a run knows its spans, in the order of the queue"
            edge = run.cached
            for span in run.idle:
                assert span.high == edge, "spans cover what is cached and free, from the deepest block on"
                edge = span.low
            assert edge == run.extents[-1]
            held += edge - run.first
            for child in run.children.values():
                assert run.cached >= child.first, "what a cached block goes on from is cached"
                stack.append(child)
        assert not queued, "spans in the queue belong to runs in the tree"
        assert self.free + held <= self.total
