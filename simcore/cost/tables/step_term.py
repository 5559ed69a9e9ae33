"""Step term: whole iterations measured end to end, a prefill by its tokens and a decode by its batch."""

import numpy as np

from simcore.contract import UNBOUNDED, Shape, to_ps
from simcore.cost.attention import PrefillAttention
from simcore.cost.hardware import Hardware
from simcore.cost.model_spec import ModelSpec
from simcore.cost.roofline import Roofline
from simcore.cost.tables.surface import linear
from simcore.cost.tables.table import Label, Table, Tables


class MeasuredStep:
    """All of an iteration. With chunks in it: a prefill of all its tokens; else a decode; and what contexts add.

    A token of context costs what it adds to one request alone (the slope of a line through its table), those before a
    chunk what the roofline's attention says. On a share of the SMs all is as much slower as the roofline.
    """

    name = "step"
    uses_longest = False

    def __init__(self, tables: Tables, model: ModelSpec, hardware: Hardware, tp: int) -> None:
        prefill, decode, context = (_one(tables, term, tp) for term in ("step_prefill", "step_decode", "step_context"))
        self._prefill, self._decode = linear(prefill), linear(decode)
        self._measured_at = int(decode.labels["context"])
        self._context_s = _slope(context)
        self._roofline = Roofline(model, hardware, tp)
        self._attention = PrefillAttention(model, hardware, tp)
        self._prefills: dict[int, int] = {}
        self._decodes: dict[int, tuple[int, int]] = {}

    @property
    def outside(self) -> int:
        return self._prefill.outside + self._decode.outside

    def line(self, shape: Shape) -> tuple[int, int, int]:
        decodes, share = shape.decodes, shape.sm_pct
        empty_ps, context_ps = self._decode_ps(decodes, share)
        increment = context_ps * decodes
        if not shape.chunks:
            return empty_ps + context_ps * shape.context, increment, UNBOUNDED
        tokens = decodes + sum(new for new, _ in shape.chunks)
        alone = Shape(chunks=[(new, 0) for new, _ in shape.chunks], sm_pct=share)
        behind, more, iterations = self._attention.line(Shape(chunks=shape.chunks, sm_pct=share))
        first = self._prefill_ps(tokens, share) + behind - self._attention.line(alone)[0]
        return first + context_ps * shape.context, increment + more, iterations

    def _prefill_ps(self, tokens: int, share: int) -> int:
        key = tokens << 7 | share
        if key not in self._prefills:
            slower = self._slowdown(Shape(chunks=[(tokens, 0)]), share)
            self._prefills[key] = to_ps(self._prefill.at(tokens) * slower)
        return self._prefills[key]

    def _decode_ps(self, decodes: int, share: int) -> tuple[int, int]:
        """Return the picoseconds of a decode without context, and of each token of it."""
        key = decodes << 7 | share
        if key not in self._decodes:
            slower = self._slowdown(Shape(max(1, decodes), max(1, decodes) * self._measured_at), share)
            context_ps = to_ps(self._context_s * slower)
            whole_ps = to_ps(self._decode.at(decodes) * slower) if decodes else 0
            self._decodes[key] = max(0, whole_ps - context_ps * decodes * self._measured_at), context_ps
        return self._decodes[key]

    def _slowdown(self, shape: Shape, share: int) -> float:
        if share == 100:
            return 1.0
        part = Shape(shape.decodes, shape.context, shape.longest, shape.chunks, share)
        return self._roofline.line(part)[0] / self._roofline.line(shape)[0]


def _one(tables: Tables, term: str, tp: int) -> Table:
    found = [table for table in tables.tables if table.term == term and table.labels["tp"] == tp]
    if len(found) != 1:
        have: list[Label] = tables.labels(term, "tp")
        raise ValueError(f"tp must be one of {', '.join(map(str, have))}, which the tables have steps for, got {tp}")
    return found[0]


def _slope(context: Table) -> float:
    """Return the seconds a token of context adds, by least squares; never below 0."""
    points, seconds = context.points()
    return max(0.0, float(np.polyfit(points[:, 0], seconds, 1)[0])) if len(seconds) > 1 else 0.0
