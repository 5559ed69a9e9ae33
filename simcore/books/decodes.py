"""Decodes: the requests of a batch that gain one token per iteration, in closed form.

With its lane at iteration `it`, a decode has `offset + it` tokens in the KV cache, ends when `it == ends`, and
writes the first token of a block in iterations where `(offset + it) % block_tokens == 0`. All of it is affine in
`it`, so sums over the set say what any number of iterations will do, and no request is touched per token.
"""

from collections.abc import Iterable
from heapq import heapify, heappop, heappush

from simcore.books.request import NEVER, Request


class Decodes:
    """Sums over the decodes of one lane. The iteration is the lane's and is passed in."""

    __slots__ = ("block_tokens", "count", "ends", "late", "offsets", "phase")

    def __init__(self, block_tokens: int) -> None:
        self.block_tokens = block_tokens
        self.late = 0
        """Iterations a decode stays after its last token."""
        self.count = 0
        self.offsets = 0
        self.phase = [0] * block_tokens
        """[block_tokens] how many take a block in iterations with `it % block_tokens` equal to the position."""
        self.ends: list[tuple[int, int, Request]] = []
        """Heap of (ends, seq, request), by end, then by admission. Entries of requests that left are skipped."""

    def add(self, request: Request, it: int) -> None:
        """`request`, with `computed` tokens cached and at least one token to go, decodes from iteration `it`."""
        offset = request.computed - it
        request.offset = offset
        request.ends = it + request.output - request.generated + self.late
        heappush(self.ends, (request.ends, request.seq, request))
        self.count += 1
        self.offsets += offset
        self.phase[-offset % self.block_tokens] += 1

    def remove(self, request: Request, it: int) -> int:
        """Take `request` out at iteration `it`, brought up to date; return the blocks it holds."""
        offset = request.offset
        self.count -= 1
        self.offsets -= offset
        self.phase[-offset % self.block_tokens] -= 1
        left = request.ends - it - self.late
        request.generated = request.output - left if left > 0 else request.output
        request.ends = NEVER
        request.computed = computed = offset + it
        return (computed - 1) // self.block_tokens + 1

    def forget(self, request: Request) -> None:
        """Take all entries of `request` off `ends`: it may have the same numbers again, here or on another lane."""
        self.ends = [entry for entry in self.ends if entry[2] is not request]
        heapify(self.ends)

    def pop_end(self) -> Request | None:
        """Take the first entry off `ends`; return its request, or None if it left earlier."""
        end, seq, request = heappop(self.ends)
        return request if request.ends == end and request.seq == seq else None

    def next_end(self) -> int:
        """Return the iteration at which the first of a non-empty set ends."""
        ends = self.ends
        while True:
            end, seq, request = ends[0]
            if request.ends == end and request.seq == seq:
                return end
            heappop(ends)

    def longest(self, running: Iterable[Request], it: int) -> int:
        """Return the longest context a decode among `running` attends to in iteration `it`; 0: none decodes."""
        return max((request.offset + it + 1 for request in running if request.ends >= 0), default=0)

    def blocks_taken(self, it: int, iterations: int) -> int:
        """Return the blocks that iterations it, it+1, … take, so many of them."""
        size, phase = self.block_tokens, self.phase
        cycles, rest = divmod(iterations, size)
        begin = it % size
        end = begin + rest
        if end <= size:
            return cycles * self.count + sum(phase[begin:end])
        return cycles * self.count + sum(phase[begin:]) + sum(phase[: end - size])

    def iterations_that_fit(self, it: int, free: int) -> int:
        """Return how many iterations from `it` on can take their blocks from `free` blocks."""
        if not self.count:
            return 1 << 60
        size, phase = self.block_tokens, self.phase
        cycles, left = divmod(free, self.count)
        fit = cycles * size
        i = it + fit
        while True:  # ends within one cycle: a whole one takes `count` blocks, and fewer are left
            left -= phase[i % size]
            if left < 0:
                return fit
            fit += 1
            i += 1
