"""Prompts: the groups of a workload, drawn one by one as a rollout needs them; dates of arrival do not count."""

from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING

from simcore.books.request import Request
from simcore.contract import Workload
from simcore.simulator.clients import with_clients

if TYPE_CHECKING:
    from simcore.simulator.simulator import Simulator


class Prompts:
    """The samples of each prompt, in the order of the workload.

    Args:
        simulator: whose requests may have to know their contents.
        workload: groups of samples.
        max_tokens: cap of a response; None: the workload's.
    """

    def __init__(self, simulator: "Simulator", workload: Workload, max_tokens: int | None) -> None:
        self._simulator = simulator
        self._max_tokens = max_tokens
        self._rows = self._read(workload)
        self._first: list[Request] | None = None
        self.size = 0
        """Samples that the workload has of a prompt."""

    def open(self) -> None:
        """Look at the first prompt. Raises ValueError for a workload without groups."""
        self._first = next(self._rows, None)
        self.size = 0 if self._first is None else len(self._first)

    def draw(self) -> list[Request] | None:
        """Return the samples of the next prompt; None: there is none left."""
        rows, self._first = self._first or next(self._rows, None), None
        return rows

    def _read(self, workload: Workload) -> Iterator[list[Request]]:
        cap, read = self._max_tokens, 0
        for piece in workload.pieces():
            if piece.group is None or piece.program is not None or piece.cancel_ps is not None:
                raise ValueError("rollout: the workload must be groups of samples, without sessions or cancellations")
            numbers = range(read, read + len(piece))
            read += len(piece)
            output = piece.output_tokens if cap is None else piece.output_tokens.clip(max=cap)
            columns = (piece.at_ps.tolist(), piece.prompt_tokens.tolist(), output.tolist())
            requests: Iterator[Request] = map(Request, numbers, *columns)
            if self._simulator.contents:
                requests = with_clients(requests, piece, contents=True)
            for _, rows in groupby(zip(piece.group.tolist(), requests, strict=True), key=lambda row: row[0]):
                yield [request for _, request in rows]
