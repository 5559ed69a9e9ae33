"""Reference: every operation in plain torch: what runs on a CPU, and what the Triton kernels are tested against."""

import torch
from torch import Tensor
from torch.nn import functional

from kernels.noise import gumbel
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
        keys, values = rotated(k, cos, sin), v
        kept = slots >= 0
        if not kept.all():
            keys, values, slots = keys[kept], values[kept], slots[kept]
        size = layer.shape[2]
        block, place = slots // size, slots % size
        layer[block, 0, place] = keys
        layer[block, 1, place] = values
        return rotated(q, cos, sin)

    def attention(self, q: Tensor, layer: Tensor, plan: Plan, scale: float) -> Tensor:
        # One sequence at a time: results depend on it alone, and nothing is padded to the longest.
        out = torch.empty(q.shape, dtype=q.dtype, device=q.device)
        starts, sides = plan.starts.tolist(), layer.unbind(1)
        for i, context in enumerate(plan.contexts.tolist()):
            mine = slice(starts[i], starts[i + 1])
            if context:
                blocks = plan.tables[i, : -(-context // layer.shape[2])]
                keys, values = (side.index_select(0, blocks).flatten(0, 1)[:context] for side in sides)
                _attend(out[mine], q[mine], keys, values, scale)
            else:
                out[mine] = 0
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
        probabilities, order = scaled.softmax(dim=-1).sort(dim=-1, descending=True)
        before = probabilities.cumsum(dim=-1) - probabilities
        last = (before < how.top_p.unsqueeze(1)).sum(dim=-1, keepdim=True).clamp(min=1) - 1
        cut = scaled.gather(1, order.gather(1, last))
        cut = cut.masked_fill(how.top_p.unsqueeze(1) >= 1, -torch.inf)
        noisy = scaled + gumbel(how.seeds, how.steps, logits.shape[1])
        chosen = noisy.masked_fill(scaled < cut, -torch.inf).argmax(dim=-1)
        return torch.where(how.temperature > 0, chosen, logits.argmax(dim=-1))


def rotated(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Return x [..., e] with its halves rotated by angles whose cosines and sines are broadcast to [..., e / 2]."""
    first, second = x.float().chunk(2, dim=-1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1).to(x.dtype)


def _attend(out: Tensor, q: Tensor, keys: Tensor, values: Tensor, scale: float) -> None:
    """Write [m, h, e] for the last m queries of a context, given its keys and values [context, g, e].

    Heads of a group share keys and values that are not repeated for them.
    """
    (m, heads, e), (context, kv_heads, _) = q.shape, keys.shape
    keys, values = keys.transpose(0, 1), values.transpose(0, 1)
    grouped = q.reshape(m, kv_heads, heads // kv_heads, e)
    if m == 1:  # the heads of a group as queries of one head
        attended = functional.scaled_dot_product_attention(grouped, keys[None], values[None], scale=scale)
        out.copy_(attended.view(1, heads, e))
        return
    mask = None
    if m < context:
        positions = torch.arange(context - m, context, device=q.device)
        mask = torch.arange(context, device=q.device) <= positions.unsqueeze(1)
    shared = (kv_heads, heads // kv_heads, context, e)
    attended = functional.scaled_dot_product_attention(
        grouped.permute(1, 2, 0, 3),
        keys.unsqueeze(1).expand(shared),
        values.unsqueeze(1).expand(shared),
        attn_mask=mask,
        is_causal=mask is None,
        scale=scale,
    )
    out.copy_(attended.permute(2, 0, 1, 3).flatten(1, 2))
