"""Texts: the token ids of every request: its prompt, drawn once, and what it generated since.

A trace says how long prompts are and what they share, not what they say. Here every (key, position) of a content has
a token: equal contents are equal texts. What a turn generated stands in the prompts of the later turns of its stream.
"""

import numpy as np
from numpy.typing import NDArray

from simcore.books.request import Request
from simcore.books.store import Held

_MASK = (1 << 64) - 1


class Texts:
    """Token ids, 0 to `vocabulary` - 1, of the requests of a run.

    Args:
        vocabulary: how many tokens there are.
        seed: chooses the prompts.
    """

    def __init__(self, vocabulary: int, seed: int = 0) -> None:
        self.vocabulary = vocabulary
        self._seed = seed
        self._of: dict[int, list[int]] = {}
        self._streams: dict[int, list[int]] = {}
        """By key of a stream that several requests may have: the longest text known of it."""

    def tokens(self, request: Request, start: int, end: int) -> list[int]:
        """Return the tokens at positions start..end-1."""
        return self.of(request)[start:end]

    def of(self, request: Request) -> list[int]:
        """Return the whole text of a request so far: its prompt, then what it generated."""
        text = self._of.get(request.id)
        if text is None:
            text = self._of[request.id] = self._prompt(request)
        return text

    def add(self, request: Request, position: int, token: int) -> int | None:
        """Note the token generated for a position; return the one that stood there before, if there was one.

        What comes out behind the last token of a request (its lane heard late that it had ended) is dropped.
        """
        text = self.of(request)
        if position >= request.prompt + request.output:
            return None
        before = text[position] if position < len(text) else None
        text[position:] = [token] if before is None or before != token else text[position:]
        return before

    def end(self, request: Request) -> list[int]:
        """Forget a request that has ended; return what it generated. Its stream remembers."""
        text = self._of.pop(request.id, [])
        held = request.held
        key = held.content[-1][0] if held is not None else -1
        if _is_shared(key) and len(text) > len(self._streams.get(key, ())):
            self._streams[key] = text
        return text[request.prompt :]

    # -- prompts ---------------------------------------------------------------------------------------------------

    def _prompt(self, request: Request) -> list[int]:
        held = request.held
        assert isinstance(held, Held), "requests of a real run know their contents"
        text: list[int] = []
        for key, end in held.content:
            end = min(end, request.prompt)
            if _is_shared(key):
                text += self._streams.get(key, [])[len(text) : end]
            if len(text) < end:
                text += self._drawn(key, len(text), end).tolist()
        return text

    def _drawn(self, key: int, start: int, end: int) -> NDArray[np.int64]:
        """Return the tokens that `key` has at positions start..end-1: hashes of both (splitmix64)."""
        mixed = (self._seed * 0x9E3779B97F4A7C15 + (key & _MASK) * 0xD1342543DE82EF95) & _MASK
        with np.errstate(over="ignore"):
            x = np.arange(start, end, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(mixed)
            x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            x ^= x >> np.uint64(31)
        return (x % np.uint64(self.vocabulary)).astype(np.int64)


class RememberedTexts(Texts):
    """Texts that remember every prompt, by request."""

    def __init__(self, vocabulary: int, seed: int = 0) -> None:
        super().__init__(vocabulary, seed)
        self.prompts: dict[int, list[int]] = {}

    def _prompt(self, request: Request) -> list[int]:
        prompt = self.prompts[request.id] = super()._prompt(request)
        return list(prompt)


def _is_shared(key: int) -> bool:
    """Whether the last key of a content is that of a stream several requests may be in (`store.content_of`)."""
    return key < 0 and key % 2 == 0
