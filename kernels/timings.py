"""Timings: the operations of a decoder, timed one after the other, each a row of times and rates."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.attention.bias import causal_lower_right
from torch.nn.functional import scaled_dot_product_attention

from kernels.cases import draw
from kernels.ops import Ops, Sampling
from kernels.shapes import Batch, Model

Run = Callable[[], object]
OpsRun = Callable[[Ops], object]

LARGE_TOKENS = 65536
"""From this much KV on, decode attention should be as fast as memory; rows with less are named small."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line: how long, and at what rate: bytes that must be read and written, or two operations a product.

    theirs_ms: the same in torch, where that can be captured. of_copy: share of the bandwidth of a copy.
    """

    kernel: str
    model: str
    shape: str
    ms: float
    gb_s: float | None = None
    tflop_s: float | None = None
    theirs_ms: float | None = None
    of_copy: float | None = None


@dataclass(frozen=True, slots=True)
class Timings:
    """What is timed, where, and by which clock, which returns the milliseconds of a run."""

    name: str
    device: torch.device
    dtype: torch.dtype
    ours: Ops
    theirs: Ops
    clock: Callable[[Run], float]
    models: tuple[Model, ...]
    decodes: tuple[Batch, ...]
    prefills: tuple[Batch, ...]
    tokens: tuple[int, ...]
    copied_bytes: int

    def copy_gb_s(self) -> float:
        """Return what torch's copy moves in a second, bytes read and bytes written."""
        source = torch.empty(self.copied_bytes, dtype=torch.uint8, device=self.device)
        target = torch.empty_like(source)
        return 2 * self.copied_bytes / self.clock(lambda: target.copy_(source)) / 1e6

    def rows(self) -> Iterator[Row]:
        """Yield all rows, attention once for all models that have the same heads."""
        seen = set()
        for model in self.models:
            heads = (model.heads, model.kv_heads, model.head_dim)
            if heads not in seen:
                seen.add(heads)
                yield from (self.decode(model, batch) for batch in self.decodes)
                yield from (self.prefill(model, batch) for batch in self.prefills)
            for tokens in self.tokens:
                yield from self.elementwise(model, tokens)
                yield from self.sampling(model, tokens)
            yield self.block_copy(model)

    def decode(self, model: Model, batch: Batch) -> Row:
        """Decode attention against the bytes of keys, values, queries and results."""
        case = draw(model, batch, dtype=self.dtype, device=self.device)
        ms = self.clock(lambda: self.ours.attention(case.q, case.layer, case.plan, case.scale))
        numbers = 2 * batch.kv_tokens * model.kv_heads * model.head_dim + 2 * case.q.numel()
        kernel = "decode" if batch.kv_tokens >= LARGE_TOKENS else "decode, small"
        return Row(kernel, model.name, batch.name, ms, gb_s=self.rate(numbers, ms))

    def prefill(self, model: Model, batch: Batch) -> Row:
        """Prefill attention beside torch's, which has keys and values in one piece; ragged batches have no equal."""
        case = draw(model, batch, dtype=self.dtype, device=self.device)
        ms = self.clock(lambda: self.ours.attention(case.q, case.layer, case.plan, case.scale))
        theirs_ms = self.clock(self.dense(model, batch)) if len(batch.sequences) == 1 else None
        operations = 4 * batch.pairs * model.heads * model.head_dim
        return Row("prefill", model.name, batch.name, ms, tflop_s=operations / ms / 1e9, theirs_ms=theirs_ms)

    def dense(self, model: Model, batch: Batch) -> Run:
        """Return torch's attention over one sequence whose keys and values are not paged."""
        ((new, context),) = batch.sequences
        q = self.drawn(1, model.heads, new, model.head_dim)
        k, v = (self.drawn(1, model.kv_heads, context, model.head_dim) for _ in range(2))
        if new == context:
            return lambda: scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        # With queries at the end of a context it wants as many KV heads as heads.
        k, v = (each.repeat_interleave(model.heads // model.kv_heads, 1) for each in (k, v))
        mask = causal_lower_right(new, context)
        return lambda: scaled_dot_product_attention(q, k, v, attn_mask=mask)

    def elementwise(self, model: Model, tokens: int) -> Iterator[Row]:
        """Norms, rope and activation, beside plain torch."""
        h, g, e = model.heads, model.kv_heads, model.head_dim
        x, residual = self.drawn(tokens, model.hidden), self.drawn(tokens, model.hidden)
        weight = self.drawn(model.hidden)
        gate_up = self.drawn(tokens, 2 * model.intermediate)
        packed = self.drawn(tokens, (h + 2 * g) * e)
        q, k, v = (each.unflatten(-1, (-1, e)) for each in packed.split([h * e, g * e, g * e], dim=-1))
        layer = torch.zeros((-(-tokens // 16), 2, 16, g, e), dtype=self.dtype, device=self.device)
        table = torch.randn((tokens, e), device=self.device)
        places = torch.arange(tokens, device=self.device)

        def row(name: str, numbers: int, run: OpsRun, *, beside: bool = True) -> Row:
            ms, theirs_ms = self.both(run, beside=beside)
            return Row(name, model.name, f"{tokens} tokens", ms, gb_s=self.rate(numbers, ms), theirs_ms=theirs_ms)

        yield row("rms_norm", 2 * x.numel(), lambda ops: ops.rms_norm(x, weight, 1e-5))
        yield row("add_rms_norm", 4 * x.numel(), lambda ops: ops.add_rms_norm(x, residual, weight, 1e-5))
        yield row("silu_mul", 3 * tokens * model.intermediate, lambda ops: ops.silu_mul(gate_up))
        yield row(
            "rope_and_store",
            2 * packed.numel(),
            lambda ops: ops.rope_and_store(q, k, v, table, places, places, layer),
            beside=False,  # torch asks the GPU which slots are real, and cannot be captured
        )

    def sampling(self, model: Model, tokens: int) -> Iterator[Row]:
        """The most likely tokens, and tokens drawn with top-p, of at most 256 rows: one a sequence."""
        rows = min(tokens, 256)
        logits = self.drawn(rows, model.vocabulary) * 3
        ids = torch.arange(rows, device=self.device)
        most = torch.full((rows,), 0.9, device=self.device)

        def row(name: str, how: Sampling | None) -> Row:
            # Torch's way to top-p sorts, and is no goal.
            ms, theirs_ms = self.both(lambda ops: ops.sample(logits, how), beside=how is None)
            return Row(name, model.name, f"{rows} rows", ms, gb_s=self.rate(logits.numel(), ms), theirs_ms=theirs_ms)

        yield row("greedy", None)
        yield row("top-p", Sampling(most, most, ids, ids))

    def block_copy(self, model: Model) -> Row:
        """Blocks of all layers from anywhere in one pool to anywhere in another."""
        each = (model.layers, 2, 16, model.kv_heads, model.head_dim)
        count = max(2, self.copied_bytes // 4 // torch.zeros(each, dtype=self.dtype).nbytes)
        source = torch.zeros((count, *each), dtype=self.dtype, device=self.device)
        target = torch.empty_like(source)
        ids, others = torch.randperm(count, device=self.device), torch.randperm(count, device=self.device)
        ms, theirs_ms = self.both(lambda ops: ops.copy_blocks(source, ids, target, others))
        rate = self.rate(2 * source.numel(), ms)
        return Row("copy_blocks", model.name, f"{count} blocks", ms, gb_s=rate, theirs_ms=theirs_ms)

    def both(self, run: OpsRun, *, beside: bool = True) -> tuple[float, float | None]:
        """Return milliseconds in Triton and, if wanted, in torch."""
        return self.clock(lambda: run(self.ours)), self.clock(lambda: run(self.theirs)) if beside else None

    def rate(self, numbers: int, ms: float) -> float:
        """Return GB/s of so many numbers of this dtype."""
        return numbers * int(self.dtype.itemsize) / ms / 1e6

    def drawn(self, *size: int) -> Tensor:
        """Return normal numbers."""
        return torch.randn(size, device=self.device, dtype=self.dtype)
