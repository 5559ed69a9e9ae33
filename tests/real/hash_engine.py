"""Hash engine: a model whose next token is a hash of all the KV it is given, exact and without torch.

The KV of a token is a hash of the token and its position. The next token is a hash over the KV at positions 0 to the
last, read through the block table. One block that is wrong, stale, lost or not yet copied changes every token after it.
"""

import numpy as np

from realbackend.work import Engine, Work

VOCABULARY = 50_000
_POISON = np.uint64(0xDEADBEEFDEADBEEF)


class HashEngine:
    """`realbackend.work.Engine` over numpy arrays."""

    def __init__(self, blocks: int, block_tokens: int, host_blocks: int) -> None:
        self.size = block_tokens
        self.kv = np.full((blocks, block_tokens), _POISON)
        self.host = np.full((host_blocks, block_tokens), _POISON)

    def run(self, work: list[Work]) -> list[int]:
        for each in work:
            positions = np.arange(each.start, each.start + len(each.tokens))
            blocks = np.array(each.blocks)[positions // self.size]
            self.kv[blocks, positions % self.size] = entries(np.array(each.tokens), positions)
        return [self._next(each) for each in work if each.gives]

    def _next(self, work: Work) -> int:
        context = work.start + len(work.tokens)
        return next_token(self.kv[np.array(work.blocks)].ravel()[:context])

    def copy_out(self, blocks: list[int], host: list[int]) -> None:
        self.host[host] = self.kv[blocks]

    def copy_in(self, host: list[int], blocks: list[int]) -> None:
        self.kv[blocks] = self.host[host]

    def fetch(self, source: Engine, theirs: list[int], blocks: list[int]) -> None:
        assert isinstance(source, HashEngine)
        self.kv[blocks] = source.kv[theirs]


def undisturbed(prompt: list[int], output: int) -> list[int]:
    """Return what a request generates alone, on an engine of its own."""
    kv = entries(np.array(prompt), np.arange(len(prompt)))
    tokens: list[int] = []
    while len(tokens) < output:
        tokens.append(next_token(kv))
        kv = np.append(kv, entries(np.array(tokens[-1:]), np.arange(len(kv), len(kv) + 1)))
    return tokens


def entries(tokens: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Return the KV of tokens at positions, [n] uint64."""
    with np.errstate(over="ignore"):
        x: np.ndarray = tokens.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        x = x ^ (positions.astype(np.uint64) + np.uint64(1)) * np.uint64(0xD1342543DE82EF95)
        return _mixed(x)


def next_token(kv: np.ndarray) -> int:
    with np.errstate(over="ignore"):
        return int(_mixed(kv.sum(dtype=np.uint64)) % np.uint64(VOCABULARY))


def _mixed(x: np.ndarray) -> np.ndarray:
    once: np.ndarray = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    twice: np.ndarray = once ^ (once >> np.uint64(27))
    return twice
