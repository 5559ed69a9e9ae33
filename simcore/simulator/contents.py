"""Contents: which blocks of texts that come from outside are equal, in the words of the prefix cache.

A trace says what prompts share; here it is found. A block is known by a hash of the whole text up to its end. The
first request to have it names it after itself, and later requests with an equal beginning take over the name, so that
the content of a text is a few segments, however long it is. Only full blocks are shared, as in vLLM.
"""

from array import array
from collections import OrderedDict
from collections.abc import Sequence
from hashlib import blake2b

from simcore.books.prefix_cache import OPEN, Content

KEPT = 1 << 18
"""Blocks whose names are remembered; the one longest not asked for goes first. Forgetting one costs hits, no more."""


class Contents:
    """The names of blocks of `block_tokens` tokens.

    >>> contents = Contents(block_tokens=2)
    >>> contents.of(7, contents.hashes([5, 5, 6, 6, 9]))
    ((-15, 1152921504606846976),)
    >>> contents.of(8, contents.hashes([5, 5, 6, 6, 8, 8]))  # two blocks of request 7's text, then its own
    ((-15, 4), (-17, 1152921504606846976))
    """

    def __init__(self, block_tokens: int, kept: int = KEPT) -> None:
        self.block_tokens = block_tokens
        self._kept = kept
        self._names: OrderedDict[bytes, int] = OrderedDict()

    def hashes(self, text: Sequence[int], known: Sequence[bytes] = ()) -> list[bytes]:
        """Return a hash of `text` up to the end of each full block. May be called from any thread.

        known: those of its first blocks, which are not computed again.
        """
        size, found = self.block_tokens, list(known)
        before = found[-1] if found else b""
        numbers = array("q", text)
        for end in range(size * (len(found) + 1), len(text) + 1, size):
            before = blake2b(numbers[end - size : end].tobytes(), digest_size=16, key=before).digest()
            found.append(before)
        return found

    def of(self, request_id: int, hashes: Sequence[bytes]) -> Content:
        """Return the content of a request whose prompt has these hashes; name the blocks that are new after it."""
        names, own = self._names, -2 * request_id - 1
        segments: list[tuple[int, int]] = []
        end = 0
        for block in hashes:
            name = names.get(block)
            if name is None:
                break
            names.move_to_end(block)
            end += self.block_tokens
            if segments and segments[-1][0] == name:
                segments[-1] = (name, end)
            else:
                segments.append((name, end))
        self.name(request_id, hashes)
        return (*segments, (own, OPEN))

    def name(self, request_id: int, hashes: Sequence[bytes]) -> None:
        """Name the blocks of a request's text that have no name yet after it."""
        names, own = self._names, -2 * request_id - 1
        for block in hashes:
            names.setdefault(block, own)
        while len(names) > self._kept:
            names.popitem(last=False)
