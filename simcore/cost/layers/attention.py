"""Attention: joint times of whole batches, one prefill chunk beside any number of decodes, exact as decodes grow.

Decodes alone have kernels of their own, so a table of their own. A prompt's chunk of one token is a decode to the
kernels, and counts as one here.
"""

from simcore.contract import UNBOUNDED, Shape, to_ps
from simcore.cost.layers.counts import require_all_sms
from simcore.cost.layers.nested import Nested
from simcore.cost.layers.tables import Attention
from simcore.cost.layers.uneven import AlphaBuckets, LongestAlone, Ratios
from simcore.cost.tables.polyline import Polyline

Chunks = list[tuple[int, int]]
Line = tuple[int, int, int]


class BatchAttention:
    """Attention of all layers.

    alphas, alone: corrections for uneven decodes alone. ratios: the same beside a chunk. None: none.
    outside: iterations started where nothing was measured.
    """

    name = "attention"

    def __init__(
        self,
        table: Attention,
        layers: int,
        alphas: AlphaBuckets | None = None,
        alone: LongestAlone | None = None,
        ratios: Ratios | None = None,
    ) -> None:
        self.uses_longest = not (alphas is None and alone is None and ratios is None)
        self.outside = 0
        self._layers = layers
        self._decode, self._mixed = tables_of(table)
        self._alphas, self._alone, self._ratios = alphas, alone, ratios
        self._lines: dict[tuple[int, float], Polyline] = {}

    def line(self, shape: Shape) -> Line:
        require_all_sms(shape.sm_pct)
        decodes, total, longest = shape.decodes, shape.context - shape.decodes, shape.longest - 1
        chunks = shape.chunks
        if chunks:
            single = [before for new, before in chunks if new == 1]
            if single:
                decodes, total, longest = decodes + len(single), total + sum(single), max(longest, *single)
                chunks = [(new, before) for new, before in chunks if new > 1]
            if chunks:
                return self._with_chunks(decodes, total, longest, chunks), 0, 1
        if not decodes:
            return 0, 0, UNBOUNDED
        return self._alone_line(decodes, total, longest)

    def _alone_line(self, decodes: int, total: int, longest: int) -> Line:
        """Return the line of decodes alone, whose histories have `total` tokens, the longest `longest`."""
        if not self._decode.inside(decodes, total / decodes):
            self.outside += 1
        if total >= decodes * longest or not self.uses_longest:
            return self._drawn(decodes, 1.0, decodes, total)
        line = self._blend(decodes, total, longest)
        if self._alone is not None and decodes > self._alone.above:
            ps_a_token = to_ps(self._layers * self._alone.us / 1e6)
            return _larger(line, (ps_a_token * longest, ps_a_token, UNBOUNDED))
        return line

    def _blend(self, decodes: int, total: int, longest: int) -> Line:
        """Return what lies `alpha` of the way from the even batch at the mean to the even one at the longest."""
        if self._alphas is None:
            return self._drawn(decodes, 1.0, decodes, total)
        alpha, iterations = self._alphas.at(decodes, total, longest)
        mean = self._drawn(decodes, 1.0 - alpha, decodes, total)
        most = self._drawn(decodes, alpha, 1, longest)
        return mean[0] + most[0], mean[1] + most[1], min(iterations, mean[2], most[2])

    def _drawn(self, decodes: int, weight: float, requests: int, total: int) -> Line:
        """Return `weight` of the time of `decodes` decodes, by the total history of so many of them."""
        key = (decodes if requests > 1 else -decodes, weight)
        drawn = self._lines.get(key)
        if drawn is None:
            knots = self._decode.points(decodes)
            seconds = [weight * self._layers * self._decode.at(decodes, knot) / 1e6 for knot in knots]
            drawn = self._lines[key] = Polyline(requests, knots, seconds)
        return drawn.at(total)

    def _with_chunks(self, decodes: int, total: int, longest: int, chunks: Chunks) -> int:
        """Return picoseconds of decodes beside chunks; several are taken as one with as many query-key pairs."""
        new, before = as_one(chunks)
        mean = total / decodes if decodes else 0.0
        if not self._mixed.inside(new, decodes, before, mean):
            self.outside += 1
        us = self._mixed.at(new, decodes, before, mean)
        if self._ratios is not None and decodes > 1 and total < decodes * longest:
            us *= self._ratios.at(new, decodes, before, mean, longest)
        return to_ps(self._layers * us / 1e6)


def as_one(chunks: Chunks) -> tuple[int, float]:
    """Return (new, before) of one chunk with the new tokens of all, and with their pairs if it has no fewer of its own.

    >>> as_one([(100, 50), (100, 250)]), as_one([(100, 0), (100, 0)])
    ((200, 100.0), (200, 0.0))
    """
    new = sum(tokens for tokens, _ in chunks)
    keys = sum(tokens * (before + tokens / 2) for tokens, before in chunks) / new
    return new, max(0.0, keys - new / 2)


def tables_of(table: Attention) -> tuple[Nested, Nested]:
    """Return microseconds of one layer: of decodes alone by (decodes, history), and of batches with a chunk by (chunk,
    decodes, before, history)."""
    parts = (table.chunk, table.decodes, table.before, table.history, table.us)
    rows = list(zip(*(part.tolist() for part in parts), strict=True))
    alone = [(decodes, history, us) for chunk, decodes, _, history, us in rows if not chunk]
    return Nested(alone), Nested(row for row in rows if row[0])


def _larger(one: Line, other: Line) -> Line:
    """Return the larger of two lines, for as long as it stays so."""
    if one[0] < other[0]:
        one, other = other, one
    lead, gain = one[0] - other[0], other[1] - one[1]
    iterations = min(one[2], other[2])
    if gain > 0:
        iterations = min(iterations, lead // gain + 1)
    return one[0], one[1], max(1, iterations)
