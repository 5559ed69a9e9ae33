"""Heads: building the shared beginnings of prompts, ragged rows of segments in flat columns."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from simcore.contract.traffic import Column, Heads


def of_blocks(keys: Column, counts: Column, prompt_tokens: Column, block_tokens: int) -> Heads:
    """Return heads of one segment per `block_tokens` tokens; the last of a row ends with its prompt.

    keys: [m] int64, row after row; counts: [n] int64, how many are of each row.

    >>> heads = of_blocks(np.array([7, 8, 7]), np.array([2, 1]), np.array([600, 512]), 512)
    >>> heads.offsets.tolist(), heads.keys.tolist(), heads.ends.tolist()
    ([0, 2, 3], [7, 8, 7], [512, 600, 512])
    """
    offsets = _offsets(counts)
    row = np.repeat(np.arange(len(counts)), counts)
    ends = (np.arange(len(keys)) - offsets[row] + 1) * block_tokens
    return Heads(offsets, keys, np.minimum(ends, prompt_tokens[row]))


def of_one_segment(keys: Column, tokens: int) -> Heads:
    """Return [n] heads of one segment of `tokens` tokens each."""
    return Heads(np.arange(len(keys) + 1, dtype=np.int64), keys, np.full(len(keys), tokens, np.int64))


def first(heads: Heads, n: int) -> Heads:
    """Return the first `n` rows."""
    end = heads.offsets[n]
    return Heads(heads.offsets[: n + 1], heads.keys[:end], heads.ends[:end])


def where(heads: Heads, keep: NDArray[np.bool_]) -> Heads:
    """Return the rows that are kept. keep: [n].

    >>> where(of_blocks(np.array([7, 8, 9]), np.array([2, 1]), np.array([600, 512]), 512), np.array([False, True])).keys
    array([9])
    """
    counts = np.diff(heads.offsets)
    segments = np.repeat(keep, counts)
    return Heads(_offsets(counts[keep]), heads.keys[segments], heads.ends[segments])


def joined(parts: Sequence[tuple[Heads | None, int]]) -> Heads:
    """Return parts, each with its number of rows, one below the other; a part without heads has empty ones.

    >>> joined([(None, 1), (of_one_segment(np.array([3, 4]), 16), 2)]).offsets.tolist()
    [0, 0, 1, 2]
    """
    counts = [np.zeros(n, np.int64) if heads is None else np.diff(heads.offsets) for heads, n in parts]
    some = [heads for heads, _ in parts if heads is not None]
    return Heads(
        _offsets(np.concatenate(counts)),
        np.concatenate([heads.keys for heads in some]),
        np.concatenate([heads.ends for heads in some]),
    )


def _offsets(counts: Column) -> Column:
    return np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
