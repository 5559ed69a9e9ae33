"""Plain cache: the prefix cache as its rules read, one block at a time, to hold the one by runs to."""

from dataclasses import dataclass, field

from simcore.books.prefix_cache import Content


@dataclass
class PlainChain:
    content: Content
    held: list[int] = field(default_factory=list)


class PlainCache:
    """Block ids, a list of the free ones in order, and a dict from the name of a block to its id."""

    def __init__(self, blocks: int, block_tokens: int) -> None:
        self.total = blocks
        self.size = block_tokens
        self.evicted = 0
        self.known: dict[tuple[int, tuple[object, ...]], int] = {}
        self.clear()

    def clear(self) -> None:
        self.queue = list(range(self.total))
        self.anonymous: list[int] = []
        self.cached: dict[int, int] = {}
        self.holders = [0] * self.total

    def names(self, content: Content, blocks: int) -> list[int]:
        """Number the first blocks by (number of the block before, tokens in it): equal only if all tokens are."""
        names, before, segment = [], -1, 0
        tokens: list[object] = []
        for i in range(blocks * self.size):
            if segment < len(content) - 1 and i >= content[segment][1]:
                segment += 1
            tokens.append((tuple(key for key, _ in content[: segment + 1]), i))
            if len(tokens) == self.size:
                before = self.known.setdefault((before, tuple(tokens)), len(self.known))
                names.append(before)
                tokens = []
        return names

    def hits(self, content: Content, blocks: int) -> list[bool]:
        return [name in self.cached for name in self.names(content, blocks)]

    def match(self, content: Content, blocks: int) -> tuple[int, int]:
        found = []
        for name in self.names(content, blocks):
            if name not in self.cached:
                break
            found.append(self.cached[name])
        return len(found), sum(not self.holders[block] for block in found)

    def open(self, content: Content) -> PlainChain:
        return PlainChain(content)

    def grow(self, chain: PlainChain, blocks: int, own: int = 0) -> int:
        free = len(self.queue)
        names = self.names(chain.content, blocks)[len(chain.held) :]
        mine: list[int | None] = [self.anonymous.pop() if p < own else None for p in range(len(names))]
        for p, name in enumerate(names):
            if name in self.cached:
                block = self.cached[name]
                if not self.holders[block]:
                    self.queue.remove(block)
                self.holders[block] += 1
                chain.held.append(block)
                spare = mine[p]
                if spare is not None:
                    self.queue.append(spare)
        for p, name in enumerate(names):
            if name not in self.cached:
                filled = mine[p]
                block = self.pop() if filled is None else filled
                self.cached[name] = block
                self.holders[block] = 1
                chain.held.append(block)
        return free - len(self.queue)

    def pop(self) -> int:
        block = self.queue.pop(0)
        for name in [name for name, cached in self.cached.items() if cached == block]:
            del self.cached[name]
            self.evicted += 1
        return block

    def take(self, blocks: int) -> None:
        self.anonymous += [self.pop() for _ in range(blocks)]

    def give(self, blocks: int) -> None:
        self.queue += [self.anonymous.pop() for _ in range(blocks)]

    def release(self, chain: PlainChain, anonymous: int) -> int:
        free = len(self.queue)
        self.give(anonymous)
        for block in reversed(chain.held):
            self.holders[block] -= 1
            if not self.holders[block]:
                self.queue.append(block)
        chain.held = []
        return len(self.queue) - free
