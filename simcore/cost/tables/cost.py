"""Cost: a step from tables, term by term; what no table measures is the roofline's, and the description says so."""

from collections.abc import Callable, Sequence
from dataclasses import asdict

import numpy as np

from simcore.contract import PS_PER_S, Shape
from simcore.cost.attention import DecodeAttention, PrefillAttention
from simcore.cost.composite import Composite, CountTerm, LineTerm
from simcore.cost.hardware import Hardware
from simcore.cost.matmuls import LayerMatmuls, LmHead, Product
from simcore.cost.model_spec import ModelSpec
from simcore.cost.outside import outside_in_words
from simcore.cost.roofline import AllReduce, Elementwise, Launch
from simcore.cost.tables.attention_terms import MeasuredDecodeAttention, MeasuredPrefillAttention
from simcore.cost.tables.count_terms import Measured, Padded
from simcore.cost.tables.grid import Grid
from simcore.cost.tables.step_term import MeasuredStep
from simcore.cost.tables.surface import Causal, linear
from simcore.cost.tables.table import Table, Tables

_BACKENDS = ("graph", "nccl", "eager")
"""All-reduces in the order of choice: vLLM's own inside CUDA graphs, NCCL's, vLLM's own outside."""


class TableCost(Composite):
    """The cost of `model` on `tp` GPUs of the kind that was measured.

    graph_sizes: token counts CUDA graphs were captured for; steps are padded up to them. Empty: no padding.

    Raises ValueError for another GPU or model than was measured, and a tp the model or whole-step tables do not allow.
    """

    def __init__(
        self, model: ModelSpec, hardware: Hardware, tables: Tables, tp: int = 1, *, graph_sizes: Sequence[int] = ()
    ) -> None:
        model.require_tp(tp)
        tables.require(model, hardware)
        choice = _Choice(model, hardware, tables, tp)
        by_tokens = [Padded(term, graph_sizes) if graph_sizes else term for term in choice.by_tokens]
        super().__init__(
            by_tokens=by_tokens,
            by_sequences=choice.by_sequences,
            lines=choice.lines,
            described={
                "cost": "tables",
                "model": asdict(model),
                "hardware": hardware.name,
                "tp": tp,
                "graph_sizes": list(graph_sizes),
                "terms": choice.sources,
                "provenance": dict(tables.provenance),
                "held_out_error": dict(tables.error),
            },
        )
        self._outside = choice.outside
        self._decode = choice.decode
        self._beside_decode: dict[int, int] = {}

    def line(self, shape: Shape) -> tuple[int, int, int]:
        if shape.chunks or self._decode is None:
            return super().line(shape)
        # Decodes alone, as in half of all steps: only attention depends on more than their number.
        ps, increment, iterations = self._decode.line(shape)
        key = shape.decodes << 7 | shape.sm_pct
        beside_ps = self._beside_decode.get(key)
        if beside_ps is None:
            empty = Shape(shape.decodes, sm_pct=shape.sm_pct)
            beside_ps = self._beside_decode[key] = super().line(empty)[0] - self._decode.line(empty)[0]
        return beside_ps + ps, increment, iterations

    def outside(self) -> dict[str, int]:
        """Return by term how often it was asked outside what was measured so far; terms that never were are left out.

        Terms of a count are asked once for each count.
        """
        counts = {name: count() for name, count in self._outside.items()}
        return {name: count for name, count in counts.items() if count}

    def warning(self) -> str | None:
        """Return what to tell the user at the end of a run: how often the tables did not reach, if ever."""
        return outside_in_words(self.outside())


class _Choice:
    """Each term from its table where there is one, else from the roofline."""

    def __init__(self, model: ModelSpec, hardware: Hardware, tables: Tables, tp: int) -> None:
        self._model, self._hardware, self._tables, self._tp = model, hardware, tables, tp
        self.sources: dict[str, str] = {}
        self.outside: dict[str, Callable[[], int]] = {}
        self.by_tokens: list[CountTerm] = []
        self.by_sequences: list[CountTerm] = []
        self.lines: list[LineTerm] = []
        self.decode: MeasuredDecodeAttention | None = None
        if tables.labels("step_prefill", "tp"):
            step = MeasuredStep(tables, model, hardware, tp)
            self.lines = [step]
            self.sources = {"step": "whole iterations measured; attention to tokens before a chunk: roofline"}
            self.outside = {"step": lambda: step.outside}
            return
        self.by_tokens = [self._launch(), self._matmuls(), self._elementwise(), self._allreduce()]
        self.by_sequences = [self._lm_head()]
        self.lines = [self._decode_attention(), self._prefill_attention()]

    def _launch(self) -> CountTerm:
        self.sources["launch"] = "roofline: step_s of the hardware"
        return Launch(self._hardware)

    def _matmuls(self) -> CountTerm:
        roofline = LayerMatmuls(self._model, self._hardware, self._tp)
        layers = self._tables.find("layer_matmuls", tp=self._tp)
        if layers is not None and not self._model.moe_layers:
            return self._measured(roofline, layers, self._model.layers, f"{layers}")
        table = self._gemm(self._model.weights_dtype)
        products = self._products()
        if table is None or not products:
            return self._roofline(roofline, f"no table of {self._model.weights_dtype} products")
        grid = linear(table)
        curve = _sum_along_m(grid, [(count, product.n, product.k) for count, product in products])
        self._watch("matmuls", curve)
        if not self._model.moe_layers:
            self.sources["matmuls"] = str(table)
            return Measured(roofline, curve.at)

        def seconds(tokens: int) -> float:
            dense = sum(count * product.seconds(self._hardware, tokens, 100) for count, product in products)
            return curve.at(tokens) + roofline.ps(tokens, 100) / PS_PER_S - dense

        self.sources["matmuls"] = f"{table}; experts: roofline"
        return Measured(roofline, seconds)

    def _elementwise(self) -> CountTerm:
        roofline = Elementwise(self._model, self._hardware, self._tp)
        table, embedding = (self._tables.find(term, tp=self._tp) for term in ("layer_elementwise", "embedding"))
        if table is None or embedding is None:
            return self._roofline(roofline, "no table")
        layer, once = linear(table), linear(embedding)
        self.outside["elementwise"] = lambda: layer.outside
        self.sources["elementwise"] = f"{table}; {embedding}"
        layers = self._model.layers
        return Measured(roofline, lambda tokens: layers * layer.at(tokens) + once.at(tokens))

    def _allreduce(self) -> CountTerm:
        roofline = AllReduce(self._model, self._hardware, self._tp)
        if self._tp == 1:
            return self._roofline(roofline, "one GPU reduces nothing")
        found = (self._tables.find("allreduce", gpus=self._tp, backend=backend) for backend in _BACKENDS)
        table = next((table for table in found if table is not None), None)
        if table is None:
            return self._roofline(roofline, f"no table of {self._tp} GPUs")
        grid = linear(table)
        self._watch("allreduce", grid)
        self.sources["allreduce"] = str(table)
        calls, token_bytes = 2 * self._model.layers, 2 * self._model.hidden
        return Measured(roofline, lambda tokens: calls * grid.at(tokens * token_bytes))

    def _lm_head(self) -> CountTerm:
        roofline = LmHead(self._model, self._hardware, self._tp)
        table = self._gemm("bf16")
        if table is None:
            return self._roofline(roofline, "no table of bf16 products")
        product = Product(self._model.hidden, -(-self._model.vocab // self._tp), "bf16")
        curve = _sum_along_m(linear(table), [(1, product.n, product.k)])
        self._watch("lm_head", curve)
        reach = "" if product.n <= max(table.axes["n"]) else f", scaled from n {max(table.axes['n']):g} to {product.n}"
        self.sources["lm_head"] = f"{table}{reach}; sampling: roofline"

        def seconds(sequences: int) -> float:
            sampling_s = roofline.ps(sequences, 100) / PS_PER_S - product.seconds(self._hardware, sequences, 100)
            return curve.at(sequences) + sampling_s

        return Measured(roofline, seconds)

    def _decode_attention(self) -> LineTerm:
        table = self._attention("decode_attention")
        if table is None:
            return DecodeAttention(self._model, self._hardware, self._tp)
        self.decode = term = MeasuredDecodeAttention(linear(table), self._model, self._hardware, self._tp)
        self.outside[term.name] = lambda: term.outside
        return term

    def _prefill_attention(self) -> LineTerm:
        table = self._attention("prefill_attention")
        if table is None:
            return PrefillAttention(self._model, self._hardware, self._tp)
        term = MeasuredPrefillAttention(Causal(table), self._model, self._hardware, self._tp)
        self.outside[term.name] = lambda: term.outside
        return term

    def _attention(self, term: str) -> Table | None:
        """Return the table of attention with these heads, and note where the term comes from."""
        kv_dtype = "fp8" if self._model.kv_dtype == "fp8" else "bf16"
        head_dim, kv_heads = self._model.head_dim, self._model.kv_heads_per_gpu(self._tp)
        table = self._tables.find(term, kv_dtype=kv_dtype, head_dim=head_dim, kv_heads=kv_heads)
        if table is None:
            self.sources[term] = f"roofline: no table of {kv_heads} KV heads of {head_dim}, {kv_dtype}"
        else:
            self.sources[term] = str(table)
        return table

    def _gemm(self, dtype: str) -> Table | None:
        """Return the table of products. FP8 with one scale a block is never taken: it was measured launch by launch."""
        return self._tables.find("gemm", dtype="fp8" if dtype == "fp8" else "bf16")

    def _products(self) -> list[tuple[int, Product]]:
        """Return the dense products of all layers and how many layers have them; experts are left out."""
        model, tp = self._model, self._tp
        dense_layers = model.layers - model.moe_layers
        queries = model.heads // tp * model.head_dim
        keys_values = 2 * model.kv_heads_per_gpu(tp) * model.head_dim
        width = model.intermediate // tp
        dtype = model.weights_dtype
        found = [
            (model.layers, Product(model.hidden, queries + keys_values, dtype)),
            (model.layers, Product(queries, model.hidden, dtype)),
            (dense_layers, Product(model.hidden, 2 * width, dtype)),
            (dense_layers, Product(width, model.hidden, dtype)),
        ]
        return [(count, product) for count, product in found if count]

    def _measured(self, roofline: CountTerm, table: Table, times: int, source: str) -> CountTerm:
        grid = linear(table)
        self._watch(roofline.name, grid)
        self.sources[roofline.name] = source
        return Measured(roofline, lambda count: times * grid.at(count))

    def _roofline(self, term: CountTerm, why: str) -> CountTerm:
        self.sources[term.name] = f"roofline: {why}"
        return term

    def _watch(self, term: str, grid: Grid) -> None:
        self.outside[term] = lambda: grid.outside


def _sum_along_m(grid: Grid, products: Sequence[tuple[int, int, int]]) -> Grid:
    """Return the seconds by m of several (count, n, k) products together: what is linear in m stays so in a sum."""
    points = grid.axes["m"]
    curves = [[count * value for value in grid.along("m", n, k)[1]] for count, n, k in products]
    return Grid({"m": points}, np.sum(curves, axis=0), beyond=grid.beyond)
