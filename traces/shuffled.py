"""Shuffled: the rows of a table in random order, each once before any comes again.

A table without times has no order worth keeping, and often is sorted. The n-th round through it is a permutation that
depends on (seed, replication, n) alone, so fewer requests are the first of more. The whole table stands in memory, 12
bytes a row, and 8 of the permutation.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simcore.contract.traffic import Arrivals
from traces.draws import BLOCK, Tape, blocks
from traces.survey import Survey


@dataclass(frozen=True, eq=False)
class Shuffled:
    """`requests` rows of a table without times, heads or turns."""

    survey: Survey
    requests: int
    seed: int
    replication: int

    def pieces(self) -> Iterator[Arrivals]:
        """Yield pieces of `traces.draws.BLOCK` requests, all at time 0."""
        columns = self._columns()
        rows = Tape(each.permutation(self.survey.requests) for each in blocks(self.seed, self.replication, "order"))
        for first in range(0, self.requests, BLOCK):
            chosen = rows.take(min(BLOCK, self.requests - first))
            prompt_tokens, output_tokens, request_class = (column[chosen].astype(np.int64) for column in columns)
            at_ps = np.zeros(len(chosen), np.int64)
            classed = request_class if len(self.survey.classes) > 1 else None
            yield Arrivals(at_ps, prompt_tokens, output_tokens, request_class=classed)

    def _columns(self) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
        """Return [rows] prompt tokens, output tokens and class."""
        prompts, outputs, classes = (np.zeros(self.survey.requests, np.int32) for _ in range(3))
        done = 0
        for piece in self.survey.pieces():
            here = slice(done, done + len(piece))
            prompts[here], outputs[here] = piece.prompt_tokens, piece.output_tokens
            classes[here] = 0 if piece.request_class is None else piece.request_class
            done += len(piece)
        return prompts, outputs, classes
