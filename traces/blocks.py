"""Blocks: prompts cut into blocks of equal size, each with an id, chained: equal leading ids are a shared prefix.

This is how Mooncake's traces, and the tools that replay them, write what prompts have in common.
"""

from collections.abc import Iterator
from itertools import chain

from simcore.contract.traffic import Arrivals

Segment = tuple[bool, int, int, int]
"""Whether it is the request's stream, its key, and the tokens of the prompt it begins at and ends before."""

Ids = dict[tuple[object, ...], int]


class BlockIds:
    """Gives ids from 0, in the order blocks come, to the blocks of a workload's prompts.

    Two blocks have one id if all tokens up to their end are the same, and there are equally many: an id stands for the
    same number of tokens wherever it comes, as tools that keep a text for each id need it. Blocks that no other prompt
    can have are numbered and forgotten; of the others one entry each is kept.
    """

    def __init__(self, block_tokens: int) -> None:
        if block_tokens < 1:
            raise ValueError(f"block_tokens: must be >= 1, got {block_tokens}")
        self.block_tokens = block_tokens
        self._next = 0
        self._shared: Ids = {}
        self._of_program: Ids = {}
        self._program = -1

    @property
    def given(self) -> int:
        """How many ids there are."""
        return self._next

    def new(self, tokens: int) -> list[int]:
        """Return ids of the blocks of so many tokens that nobody shares."""
        first = self._next
        self._next += -(-tokens // self.block_tokens)
        return list(range(first, self._next))

    def of(self, piece: Arrivals) -> Iterator[list[int]]:
        """Yield each prompt's ids, one per `block_tokens` tokens, the last one perhaps of fewer."""
        prompts = piece.prompt_tokens.tolist()
        programs = piece.program.tolist() if piece.program is not None else [-1] * len(piece)
        streams = piece.stream.tolist() if piece.stream is not None else programs
        offsets = piece.head.offsets.tolist() if piece.head is not None else [0] * (len(piece) + 1)
        keys = piece.head.keys.tolist() if piece.head is not None else []
        ends = piece.head.ends.tolist() if piece.head is not None else []
        # A program's own stream ends with the program, whose turns are consecutive rows.
        own = self._of_program if piece.stream is None else self._shared
        for row, (prompt, stream) in enumerate(zip(prompts, streams, strict=True)):
            if piece.stream is None and stream != self._program:
                self._of_program.clear()
                self._program = stream
            content: list[Segment] = []
            start = 0
            for index in range(offsets[row], offsets[row + 1]):
                content.append((False, keys[index], start, ends[index]))
                start = ends[index]
            if stream >= 0 and start < prompt:
                content.append((True, stream, start, prompt))
            yield self._chained(content, prompt, own)

    def _chained(self, content: list[Segment], prompt: int, own: Ids) -> list[int]:
        """Return the ids of a prompt; tokens behind its content are its own alone."""
        size = self.block_tokens
        shared = content[-1][3] if content else 0
        ids: list[int] = []
        here = 0
        for start in range(0, prompt, size):
            end = min(start + size, prompt)
            if end > shared:
                return ids + self.new(prompt - start)
            while content[here][3] <= start:
                here += 1
            before = ids[-1] if ids else -1
            last = here
            while content[last][3] < end:
                last += 1
            if last == here:
                is_stream, key, begin, _ = content[here]
                what: tuple[object, ...] = (before, end - start, is_stream, key, begin)
            else:
                parts = ((is_stream, key, begin) for is_stream, key, begin, _ in content[here : last + 1])
                what = (before, end - start, *chain.from_iterable(parts))
                is_stream = content[last][0]
            known = own if is_stream else self._shared
            found = known.get(what)
            if found is None:
                found = known[what] = self._next
                self._next += 1
            ids.append(found)
        return ids
