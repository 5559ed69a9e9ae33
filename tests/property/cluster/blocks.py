"""Plain KV blocks: each an object, those nobody holds in one queue, the longest unused first."""

from typing import Any

from tests.property.cluster.groups import Blocks, Groups
from tests.property.cluster.requests import PlainRequest


class Block:
    """One KV block: how many hold it, and which chain of tokens it is the end of (None: nothing known)."""

    __slots__ = ("chain", "holds", "number")

    def __init__(self, number: int) -> None:
        self.number = number
        self.holds = 0
        self.chain: int | None = None


class Pool:
    """The KV blocks of one instance, with or without a prefix cache."""

    def __init__(self, total: int, size: int, cached: bool, names: dict[Any, int]) -> None:
        self.total, self.size, self.cached, self.names = total, size, cached, names
        self.queue: dict[Block, None] = {Block(number): None for number in range(total)}
        self.found: dict[int, Block] = {}
        self.evictions = 0

    @property
    def free(self) -> int:
        return len(self.queue)

    def blocks(self, tokens: int) -> int:
        return -(-tokens // self.size)

    # -- one block ----------------------------------------------------------------------------------------------

    def hold(self, block: Block) -> None:
        if not block.holds:
            del self.queue[block]
        block.holds += 1

    def give(self, block: Block) -> None:
        block.holds -= 1
        assert block.holds >= 0
        if not block.holds:
            self.queue[block] = None

    def take(self) -> Block:
        block = next(iter(self.queue))
        if block.chain is not None:
            del self.found[block.chain]
            block.chain = None
            self.evictions += 1
        self.hold(block)
        return block

    # -- what a request holds -----------------------------------------------------------------------------------

    def hits(self, request: PlainRequest) -> list[Block]:
        """The cached blocks at its beginning, but for its last block."""
        if not self.cached:
            return []
        return self.beginning(request, (request.target - 1) // self.size)

    def beginning(self, request: PlainRequest, most: int) -> list[Block]:
        """The cached blocks at its beginning, `most` at most."""
        found: list[Block] = []
        while len(found) < most:
            block = self.found.get(request.chain(len(found), self.size, self.names))
            if block is None:
                break
            found.append(block)
        return found

    def grow(self, request: PlainRequest, tokens: int) -> None:
        """Give it blocks until `tokens` tokens have room."""
        while len(request.held) < self.blocks(tokens):
            request.held.append(self.take())

    def prefill(self, request: PlainRequest, tokens: int) -> None:
        """The same for a prompt: a block it fills that is already there is taken, and none in its stead."""
        for index in range(len(request.held), tokens // self.size if self.cached else 0):
            there = self.found.get(request.chain(index, self.size, self.names))
            if there is None:
                request.held.append(self.take())
            else:
                self.hold(there)
                request.held.append(there)
        self.grow(request, tokens)
        self.fill(request, tokens)

    def fill(self, request: PlainRequest, tokens: int) -> None:
        """Its first `tokens` tokens can be found from now on; what is there already is not kept twice."""
        if not self.cached:
            return
        for index in range(tokens // self.size):
            own, chain = request.held[index], request.chain(index, self.size, self.names)
            if own.chain is not None:
                assert own.chain == chain
                continue
            there = self.found.get(chain)
            if there is None:
                own.chain = chain
                self.found[chain] = own
            else:
                self.hold(there)
                request.held[index] = there
                self.give(own)

    def release(self, blocks: list[Block]) -> None:
        """Give blocks back, the last first."""
        for block in reversed(blocks):
            self.give(block)
        blocks.clear()

    def warm(self, request: PlainRequest) -> None:
        """Let the full blocks of a prompt go through, if all of them fit."""
        full = request.prompt // self.size
        if full > self.total:
            return
        for block in self.beginning(request, full):
            self.hold(block)
            request.held.append(block)
        self.prefill(request, full * self.size)
        self.release(request.held)
        self.evictions = 0

    def check(self) -> None:
        """Blocks nobody holds are in the queue, and each chain is found in one block."""
        assert all(block.holds == 0 for block in self.queue)
        assert all(block.chain == chain for chain, block in self.found.items())
        assert len(self.queue) <= self.total


class GroupedPool(Pool):
    """The same where neighbours are handed out together."""

    def __init__(self, total: int, size: int, group: int) -> None:
        super().__init__(total, size, cached=False, names={})
        self.groups = Groups(total, group, 0)
        self.by_number = {block.number: block for block in self.queue}

    def grow(self, request: PlainRequest, tokens: int) -> None:
        for number in self.groups.take(request.held, max(0, self.blocks(tokens) - len(request.held))):
            self.hold(self.by_number[number])
            request.held.append(self.by_number[number])

    def release(self, blocks: list[Block]) -> None:
        assert isinstance(blocks, Blocks)
        self.groups.give(blocks, [block.number for block in blocks])
        super().release(blocks)
