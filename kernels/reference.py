"""Reference: every operation in plain torch: what runs on a CPU, and what the Triton kernels are tested against."""

import torch
from torch import Tensor
from torch.nn import functional

from kernels.ops import Plan, Sampling


class Reference:
    """`kernels.ops.Ops` on any device."""

    def rms_norm(self, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        wide = x.float()
        return (wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + eps)).to(x.dtype) * weight

    def add_rms_norm(self, x: Tensor, residual: Tensor, weight: Tensor, eps: float) -> tuple[Tensor, Tensor]:
        total = x + residual
        return self.rms_norm(total, weight, eps), total

    def rope_and_store(
        self, q: Tensor, k: Tensor, v: Tensor, table: Tensor, positions: Tensor, slots: Tensor, layer: Tensor
    ) -> Tensor:
        cos, sin = table.index_select(0, positions).unsqueeze(1).chunk(2, dim=-1)
        keys, values = _rotated(k, cos, sin), v
        kept = slots >= 0
        if not kept.all():
            keys, values, slots = keys[kept], values[kept], slots[kept]
        size = layer.shape[2]
        block, place = slots // size, slots % size
        layer[block, 0, place] = keys
        layer[block, 1, place] = values
        return _rotated(q, cos, sin)

    def attention(self, q: Tensor, layer: Tensor, plan: Plan, scale: float) -> Tensor:
        out = torch.empty_like(q)
        starts, contexts = plan.starts.tolist(), plan.contexts.tolist()
        for i, context in enumerate(contexts):
            begin, end = starts[i], starts[i + 1]
            keys, values = _gathered(layer, plan.tables[i], context)
            out[begin:end] = _attend(q[begin:end], keys, values, context, scale)
        return out

    def silu_mul(self, gate_up: Tensor) -> Tensor:
        gate, up = gate_up.chunk(2, dim=-1)
        return functional.silu(gate) * up

    def copy_blocks(self, source: Tensor, source_ids: Tensor, target: Tensor, target_ids: Tensor) -> None:
        moved = source.index_select(0, source_ids.to(source.device))
        target.index_copy_(0, target_ids.to(target.device), moved.to(target.device))

    def sample(self, logits: Tensor, how: Sampling | None) -> Tensor:
        if how is None:
            return logits.argmax(dim=-1)
        scaled = logits.float() / how.temperature.clamp(min=1e-6).unsqueeze(1)
        probabilities, order = scaled.softmax(dim=-1).sort(dim=-1, descending=True, stable=True)
        before = probabilities.cumsum(dim=-1) - probabilities
        kept = probabilities.masked_fill(before >= how.top_p.unsqueeze(1), 0.0)
        reached = kept.cumsum(dim=-1)
        drawn = uniform(how.seeds, how.steps).unsqueeze(1) * reached[:, -1:]
        place = (reached <= drawn).sum(dim=-1, keepdim=True).clamp(max=logits.shape[-1] - 1)
        chosen = order.gather(1, place).squeeze(1)
        return torch.where(how.temperature > 0, chosen, logits.argmax(dim=-1))


def uniform(seeds: Tensor, steps: Tensor) -> Tensor:
    """Return [n] float32 in [0, 1): a hash of (seed, step), the same on every device and in any batch."""
    # splitmix64 in signed integers: products wrap, and shifts are made logical by masking what they bring in.
    x = seeds * -7046029254386353131 + steps * -3335678366873096957
    x = (x ^ ((x >> 30) & 0x3FFFFFFFF)) * -4658895280553007687
    x = (x ^ ((x >> 27) & 0x1FFFFFFFFF)) * -7723592293110705685
    x = x ^ ((x >> 31) & 0x1FFFFFFFF)
    return ((x >> 40) & 0xFFFFFF).float() / 16777216.0


def _rotated(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    first, second = x.float().chunk(2, dim=-1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1).to(x.dtype)


def _gathered(layer: Tensor, table: Tensor, context: int) -> tuple[Tensor, Tensor]:
    """Return keys and values [context, g, e] of one sequence."""
    size = layer.shape[2]
    blocks = table[: -(-context // size)].long()
    both = layer.index_select(0, blocks)  # [m, 2, block_tokens, g, e]
    keys, values = both.unbind(1)
    return keys.flatten(0, 1)[:context], values.flatten(0, 1)[:context]


def _attend(q: Tensor, keys: Tensor, values: Tensor, context: int, scale: float) -> Tensor:
    """Return [m, h, e] for the last m queries of a context."""
    m, heads, _ = q.shape
    grouped = heads != keys.shape[1]
    mask = None
    if m > 1:
        positions = torch.arange(context - m, context, device=q.device)
        mask = torch.arange(context, device=q.device) <= positions.unsqueeze(1)
    attended = functional.scaled_dot_product_attention(
        q.transpose(0, 1).unsqueeze(0),
        keys.transpose(0, 1).unsqueeze(0),
        values.transpose(0, 1).unsqueeze(0),
        attn_mask=mask,
        scale=scale,
        enable_gqa=grouped,
    )
    return attended.squeeze(0).transpose(0, 1)
