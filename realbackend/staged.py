"""Staged: which blocks of a request are copied when, so that it decodes on while all but the last of them travel.

The rule of `simcore.simulator.migration` (multistage; Llumnix, arXiv:2406.03243) for a request that is driven by hand.
"""

from collections.abc import Iterator
from typing import Protocol

from realbackend.completion import Completion, wait_for
from realbackend.decoding import Decoding


class Refused(Exception):
    """A migration cannot go on; says why. The request is where it was."""


class Way(Protocol):
    """From the engine of a request to another one, in this process or elsewhere."""

    def reserve(self, blocks: int) -> None:
        """Have room for so many of its blocks there. Raises Refused."""

    def copy(self, first: int, until: int) -> Completion | None:
        """Start to copy its blocks first .. until - 1, as it numbers them."""


def stages(request: Decoding, way: Way, *, last_blocks: int = 1, most: int = 8) -> Iterator[int]:
    """Copy the blocks of a request; yield the number of the stage under way, again and again, while it may decode on.

    At the end all its KV is there, and it must not decode here any more.

    Args:
        last_blocks: blocks left to copy from which on it pauses.
        most: stages.

    Raises Refused without room there, or if it never catches up; what copies raise.
    """
    sent = 0
    for stage in range(1, most + 1):
        needed = request.blocks_for(request.computed)
        way.reserve(needed + 1)
        if needed - sent <= last_blocks:
            wait_for(way.copy(sent, needed))
            return
        full = request.computed // request.block_tokens
        copy = way.copy(sent, full)
        sent = full
        while True:
            yield stage
            if copy is None or copy.done():
                break
    raise Refused("too slow")
