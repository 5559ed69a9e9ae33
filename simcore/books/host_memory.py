"""Host memory: the copies of KV that the host of one instance holds, one of each conversation, and who needs them.

The rules are on the page docs/mechanisms.md. KV is only ever added to at its end, so what was copied once stays valid,
from the beginning up to where the contents of two turns part or the copy was overwritten.
"""

from collections.abc import Callable, Iterable
from typing import Any

from simcore.books.block_cache import BlockCache
from simcore.books.block_groups import BlockGroups
from simcore.books.prefix_cache import OPEN, Content
from simcore.books.priority_trace import conversation_of
from simcore.books.request import SWAPPED, Request


class HostCopy:
    """The KV of the first `tokens` tokens of a content, in `blocks` blocks, as `request` left it."""

    __slots__ = ("blocks", "chain", "content", "needed", "request", "tokens", "used")

    def __init__(self, request: Request) -> None:
        assert request.held is not None
        self.request = request
        self.content = request.held.content
        self.tokens = self.blocks = self.used = 0
        self.needed = False
        """It is the only one, or is being read."""
        self.chain: Any = None


class HostMemory:
    """Copies by conversation.

    Args:
        blocks: of the memory.
        keep: whether a copy that nobody needs stays.
        ids: who knows the ids of its blocks, if anybody does.
    """

    def __init__(
        self, blocks: int, block_tokens: int, *, keep: bool = False, ids: BlockCache | BlockGroups | None = None
    ) -> None:
        self.blocks = self.free = blocks
        """Free are those that nobody needs."""
        self.block_tokens = block_tokens
        self.keep = keep
        self.ids = ids
        self.copies: dict[int, HostCopy] = {}
        self.priority: Callable[[Request], int] = lambda _: 0
        """Of a conversation's last request: lower is more urgent."""
        self.overwritten: list[Request] = []
        """Who waited for a copy that was overwritten; whoever keeps the queue takes them from here."""
        self._uses = 0
        self._empty = blocks
        """Blocks in no copy."""

    def clear(self) -> None:
        """Forget everything."""
        self.free = self._empty = self.blocks
        self.copies.clear()
        if self.ids is not None:
            self.ids.clear()

    # -- reading -------------------------------------------------------------------------------------------

    def valid(self, request: Request) -> int:
        """Return how many tokens of `request` have valid KV here."""
        copy = self.copies.get(conversation_of(request)) if self.copies else None
        if copy is None:
            return 0
        assert request.held is not None
        return min(copy.tokens, shared_tokens(copy.content, request.held.content))

    def prefix(self, request: Request) -> int:
        """Return the tokens that `request` need not compute: those of full blocks here, but never its last."""
        size = self.block_tokens
        return min(self.valid(request), request.prompt + request.generated - 1) // size * size

    def ids_of(self, request: Request, first: int, last: int) -> list[int]:
        """Return the ids of blocks `first` to `last` - 1 of a conversation's copy; none where they have no ids."""
        chain = self.copies[conversation_of(request)].chain
        return [] if chain is None else chain.ids[first:last]

    # -- copies come and go --------------------------------------------------------------------------------

    def write(self, request: Request) -> int | None:
        """Let the KV of `request` be copied here, which then needs it; return how many blocks need no copying.

        None: there is no room, and nothing has changed.
        """
        tokens, key = request.computed, conversation_of(request)
        wanted = -(-tokens // self.block_tokens)
        lower = self._lower(request, wanted - self.free)
        if lower is None:
            return None
        valid = min(self.valid(request), tokens)
        copy = self.copies.get(key)
        if copy is None:
            copy = self.copies[key] = HostCopy(request)
        if copy.blocks > wanted:
            self._trim(copy, wanted)
        unneeded = [other for other in self.copies.values() if not other.needed and other is not copy]
        self._overwrite(wanted - copy.blocks - self._empty, unneeded)
        lost = self._overwrite(wanted - copy.blocks - self._empty, lower)
        self.overwritten += [other.request for other in lost]
        self._add(copy, wanted - copy.blocks)
        assert request.held is not None
        copy.request, copy.content, copy.tokens = request, request.held.content, tokens
        self.need(request)
        return wanted if valid == tokens else valid // self.block_tokens

    def need(self, request: Request) -> None:
        """The copy of a conversation must stay: it is the only one, or is about to be read."""
        copy, held = self.copies[conversation_of(request)], request.held
        assert held is not None
        assert not copy.needed
        copy.needed = True
        self.free -= copy.blocks
        held.host_blocks = copy.blocks
        self.use(request)

    def use(self, request: Request) -> None:
        """The copy of a conversation is written or read."""
        self._uses += 1
        self.copies[conversation_of(request)].used = self._uses

    def release(self, request: Request) -> None:
        """`request` does not need its copy any more, if it did."""
        assert request.held is not None
        if request.held.host_blocks:
            self._unneed(request)
            if not self.keep:
                self._remove(request)

    def forget(self, request: Request) -> None:
        """Nobody will ask for the copy of this conversation again."""
        self.release(request)
        if conversation_of(request) in self.copies:
            self._remove(request)

    # -- overwriting ---------------------------------------------------------------------------------------

    def _lower(self, request: Request, missing: int) -> list[HostCopy] | None:
        """Return whose needed copies may be overwritten for the `missing` blocks that are not free; None: too few."""
        if missing <= 0:
            return []
        mine = self.priority(request) if self.keep else 0
        lower = [copy for copy in self.copies.values() if self.keep and copy.needed and self._may_lose(copy, mine)]
        return lower if sum(copy.blocks for copy in lower) >= missing else None

    def _may_lose(self, copy: HostCopy, priority: int) -> bool:
        held = copy.request.held
        waits = copy.request.state == SWAPPED and held is not None and not held.copies
        return waits and self.priority(copy.request) > priority

    def _overwrite(self, blocks: int, copies: Iterable[HostCopy]) -> list[HostCopy]:
        """Take so many blocks from the ends of copies, as far as they have them; return those that lost some."""
        lost = []
        if blocks > 0:
            for copy in sorted(copies, key=lambda copy: (-self.priority(copy.request), copy.used)):
                lost.append(copy)
                taken = min(blocks, copy.blocks)
                if copy.needed:
                    self._unneed(copy.request)
                self._trim(copy, copy.blocks - taken)
                if not copy.blocks:
                    del self.copies[conversation_of(copy.request)]
                blocks -= taken
                if not blocks:
                    break
        return lost

    def _unneed(self, request: Request) -> None:
        copy, held = self.copies[conversation_of(request)], request.held
        assert held is not None
        if copy.needed:
            copy.needed = False
            self.free += copy.blocks
        held.host_blocks = 0

    def _add(self, copy: HostCopy, blocks: int) -> None:
        copy.blocks += blocks
        self._empty -= blocks
        if self.ids is not None:
            if copy.chain is None:
                copy.chain = self.ids.open(copy.content)
            self.ids.take(blocks, copy.chain)

    def _trim(self, copy: HostCopy, blocks: int) -> None:
        """Leave a copy its first `blocks` blocks."""
        if self.ids is not None:
            self.ids.give(copy.blocks - blocks, copy.chain)
        self._empty += copy.blocks - blocks
        copy.blocks = blocks
        copy.tokens = min(copy.tokens, blocks * self.block_tokens)

    def _remove(self, request: Request) -> None:
        copy = self.copies.pop(conversation_of(request))
        self._trim(copy, 0)

    # -- for tests -----------------------------------------------------------------------------------------

    def check(self) -> None:
        """Assert that copies fit the memory, and that no block has two owners."""
        used = sum(copy.blocks for copy in self.copies.values())
        assert used + self._empty == self.blocks, f"{used} blocks in copies, {self._empty} empty, {self.blocks} there"
        assert self.free == self.blocks - sum(copy.blocks for copy in self.copies.values() if copy.needed)
        for copy in self.copies.values():
            assert copy.tokens <= copy.blocks * self.block_tokens
        if self.ids is not None:
            assert self.ids.free == self.blocks - used
            ids = [block for copy in self.copies.values() if copy.chain is not None for block in copy.chain.ids]
            assert len(set(ids)) == len(ids) == used
            self.ids.check()


def shared_tokens(one: Content, other: Content) -> int:
    """Return for how many tokens two contents agree.

    >>> shared_tokens(((7, 64), (1, OPEN)), ((7, 64), (2, OPEN)))
    64
    >>> shared_tokens(((7, 48), (1, OPEN)), ((7, 64), (1, OPEN)))
    48
    """
    i = j = end = 0
    while end < OPEN and one[i][0] == other[j][0]:
        end = min(one[i][1], other[j][1])
        i, j = i + (one[i][1] == end), j + (other[j][1] == end)
    return end
