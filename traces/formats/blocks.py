"""Blocks: hash ids of the blocks of a prompt, one per `block_tokens` tokens, the last block possibly partial."""

from collections.abc import Sequence

import numpy as np

from simcore.contract.traffic import Column, Heads
from traces import heads


def heads_of(counts: Sequence[int], ids: Sequence[int], prompt_tokens: Column, block_tokens: int) -> Heads:
    """Return the heads of prompts with so many `ids` each, row after row; ValueError if some do not fit.

    prompt_tokens: [n] int64.
    """
    blocks = np.fromiter(counts, np.int64, len(counts))
    if (blocks != -(-prompt_tokens // block_tokens)).any():
        raise ValueError("hash ids of another block size")
    try:
        keys = np.array(ids, dtype=np.int64)
    except OverflowError as error:
        raise ValueError("a hash id out of range") from error
    if len(keys) and keys.min() < 0:
        raise ValueError("a hash id below 0")
    return heads.of_blocks(keys, blocks, prompt_tokens, block_tokens)


def block_fault(ids: Sequence[int], prompt_tokens: int, block_tokens: int) -> str | None:
    """Return what is wrong with the ids of a prompt, or None.

    >>> block_fault([1, 2], 600, 512) is None
    True
    >>> block_fault([1] * 7, 600, 512)
    'must hold one id per 512-token block, 2 for 600 tokens, got 7: wrong block size?'
    """
    if ids and max(ids) >= 2**63:
        return f"must be whole numbers >= 0 and below 2^63, got {max(ids)}"
    wanted = -(-prompt_tokens // block_tokens)
    if len(ids) == wanted:
        return None
    fits = sizes_that_fit(len(ids), prompt_tokens)
    guess = f" (that many would be {fits[0]}-token blocks: block_tokens: {fits[0]})" if fits else ""
    return (
        f"must hold one id per {block_tokens}-token block, {wanted} for {prompt_tokens} tokens, "
        f"got {len(ids)}: wrong block size?{guess}"
    )


def sizes_that_fit(ids: int, prompt_tokens: int) -> list[int]:
    """Return the usual block sizes with which a prompt has so many ids.

    >>> sizes_that_fit(2, 600), sizes_that_fit(0, 600)
    ([512], [])
    """
    return [size for size in (2**power for power in range(3, 13)) if -(-prompt_tokens // size) == ids]
