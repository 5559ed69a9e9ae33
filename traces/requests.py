"""Requests: a workload row by row, with the ids of its prompts' blocks, for what writes it to a file."""

from collections.abc import Iterator
from typing import NamedTuple

from simcore.contract.traffic import Workload
from traces.blocks import BlockIds


class Request(NamedTuple):
    """One request. Turn > 0 of a program comes `gap_ps` after the turn before it ended."""

    at_ps: int
    prompt_tokens: int
    output_tokens: int
    hash_ids: list[int]
    program: int
    turn: int
    gap_ps: int


def requests_of(workload: Workload, ids: BlockIds | None) -> Iterator[Request]:
    """Yield the requests in order; without `ids` their blocks have none."""
    for piece in workload.pieces():
        n = len(piece)
        zeros = [0] * n
        yield from map(
            Request,
            piece.at_ps.tolist(),
            piece.prompt_tokens.tolist(),
            piece.output_tokens.tolist(),
            ids.of(piece) if ids is not None else [[]] * n,
            piece.program.tolist() if piece.program is not None else [-1] * n,
            piece.turn.tolist() if piece.turn is not None else zeros,
            piece.gap_ps.tolist() if piece.gap_ps is not None else zeros,
        )
