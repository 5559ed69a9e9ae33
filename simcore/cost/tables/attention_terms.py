"""Attention terms: decode and prefill attention from tables, exact lines as contexts grow."""

from simcore.contract import UNBOUNDED, Shape, to_ps
from simcore.cost.attention import DecodeAttention, PrefillAttention
from simcore.cost.hardware import Hardware
from simcore.cost.model_spec import ModelSpec
from simcore.cost.tables.grid import Grid
from simcore.cost.tables.polyline import Polyline
from simcore.cost.tables.surface import Causal


class MeasuredDecodeAttention:
    """Decode attention by batch and mean context; uneven contexts cost what even ones with their sum do.

    outside: iterations started where the table has no measurement.
    """

    name = "decode_attention"
    uses_longest = False

    def __init__(self, grid: Grid, model: ModelSpec, hardware: Hardware, tp: int) -> None:
        self.outside = 0
        self._grid = grid
        self._heads = model.heads // tp
        self._layers = model.layers
        self._roofline = DecodeAttention(model, hardware, tp)
        self._lines: dict[int, tuple[Polyline, int]] = {}

    def line(self, shape: Shape) -> tuple[int, int, int]:
        decodes = shape.decodes
        if not decodes:
            return 0, 0, UNBOUNDED
        key = decodes << 7 | shape.sm_pct
        line, measured = self._lines.get(key) or self._draw(key)
        if shape.context > measured:
            self.outside += 1
        return line.at(shape.context)

    def _draw(self, key: int) -> tuple[Polyline, int]:
        decodes, share = key >> 7, key & 127
        knots, seconds = self._grid.along("context", self._heads, decodes)
        slower = self._layers * self._slowdown(share)
        inside = [knot for knot in knots if self._grid.inside(self._heads, decodes, knot)]
        line = Polyline(decodes, knots, [slower * value for value in seconds])
        self._lines[key] = found = line, round(max(inside, default=0.0)) * decodes
        return found

    def _slowdown(self, sm_pct: int) -> float:
        """Return how many times longer a token of context takes on a share of the SMs, as the roofline has it."""
        whole, part = (self._roofline.line(Shape(1, 1, sm_pct=share))[1] for share in (100, sm_pct))
        return part / whole


class MeasuredPrefillAttention:
    """Prefill attention by batch and new tokens; what lies before a chunk adds pairs, or bytes, at a fixed price each.

    The tables have whole prefills only. A chunk attends to `before` tokens more than a prefill of its own length, and
    its kernel reads their KV: the larger of the table's price of a pair and the roofline's of KV is added for each. So
    lines never bend. Chunks of different lengths each take their part of a batch of chunks of that length.
    """

    name = "prefill_attention"
    uses_longest = False

    def __init__(self, surface: Causal, model: ModelSpec, hardware: Hardware, tp: int) -> None:
        self.outside = 0
        self._surface = surface
        self._heads = model.heads // tp
        self._layers = model.layers
        self._pair_s = surface.pair_s * self._heads * model.layers
        self._kv_s = model.kv_bytes_per_token(tp) / (hardware.memory_bytes_per_s * hardware.kv_share)
        self._roofline = PrefillAttention(model, hardware, tp)
        self._chunks: dict[tuple[int, int, int], tuple[int, int]] = {}

    def line(self, shape: Shape) -> tuple[int, int, int]:
        chunks = shape.chunks
        if not chunks:
            return 0, 0, UNBOUNDED
        batch, share = len(chunks), shape.sm_pct
        first = increment = 0
        for new, before in chunks:
            key = new, batch, share
            own, more = self._chunks.get(key) or self._price(key)
            first += own + more * before
            increment += more * new
        return first, increment, UNBOUNDED

    def _price(self, key: tuple[int, int, int]) -> tuple[int, int]:
        """Return the picoseconds of a chunk in a batch of such chunks, and those of each token before it."""
        new, batch, share = key
        point = self._heads, batch, new
        if not self._surface.inside(*point):
            self.outside += 1
        whole, part = (self._roofline.line(Shape(chunks=[(new, 0)], sm_pct=pct))[0] for pct in (100, share))
        own_s = self._layers * self._surface.at(*point) / batch * part / whole
        more_s = max(self._pair_s * new * 100 / share, self._kv_s)
        self._chunks[key] = found = to_ps(own_s), to_ps(more_s)
        return found
