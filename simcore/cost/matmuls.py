"""Matmuls: the weight products of a step, each bound by compute or by bytes, whichever takes longer.

A product of T tokens with a (k, n) matrix does 2*T*k*n operations and moves the matrix, T*k inputs and T*n outputs.
The SM share scales compute; bandwidth it leaves alone, because few SMs already saturate memory.
"""

from dataclasses import dataclass

from simcore.contract import to_ps
from simcore.cost.hardware import Hardware
from simcore.cost.model_spec import DTYPE_BYTES, ModelSpec

ACTIVATION_BYTES = 2
LOGIT_BYTES = 8
"""Moved per logit by sampling: 7.5 measured, LLMServingSim@5daddb21 rtxpro6000 per_sequence.csv, 256 sequences."""
SAMPLER_KERNELS = 10
"""Small kernels in one sampling: 24.7 us at one sequence, same table, over 2.5 us a kernel."""


@dataclass(frozen=True, slots=True)
class Product:
    """One matrix product of a layer on one GPU: inputs of width k, outputs of width n, `experts` such matrices.

    per_token: experts each token meets; 1 of 1 for a dense product.
    """

    k: int
    n: int
    dtype: str
    experts: int = 1
    per_token: int = 1

    def seconds(self, hardware: Hardware, tokens: int, sm_pct: int) -> float:
        rows = tokens * self.per_token
        compute_s = 2 * rows * self.k * self.n / (hardware.matmul_flops(self.dtype) * sm_pct / 100)
        weight_bytes = self.k * self.n * DTYPE_BYTES[self.dtype] * experts_met(self.experts, self.per_token, tokens)
        # Weights in FP8 on a GPU without FP8 units are widened on the way in; the activations stay at two bytes.
        input_bytes = DTYPE_BYTES[self.dtype] if hardware.fp8_flops else ACTIVATION_BYTES
        moved_bytes = weight_bytes + rows * (self.k * input_bytes + self.n * ACTIVATION_BYTES)
        memory_s = moved_bytes / (hardware.memory_bytes_per_s * hardware.weights_share)
        return hardware.matmul_s + max(compute_s, memory_s)


class LayerMatmuls:
    """All weight products of all layers: QKV, output, MLP or experts."""

    name = "matmuls"

    def __init__(self, model: ModelSpec, hardware: Hardware, tp: int) -> None:
        self._hardware = hardware
        attention = _attention(model, tp)
        self._layers = [
            (model.layers - model.moe_layers, attention + _mlp(model, model.intermediate // tp)),
            (model.moe_layers, attention + _experts(model, tp)),
        ]

    def ps(self, count: int, sm_pct: int) -> int:
        if not count:
            return 0
        seconds = [
            layers * sum(product.seconds(self._hardware, count, sm_pct) for product in products)
            for layers, products in self._layers
        ]
        return to_ps(sum(seconds))


class LmHead:
    """The logits of every sequence in the batch, and sampling from them; at two bytes whatever the layers have."""

    name = "lm_head"

    def __init__(self, model: ModelSpec, hardware: Hardware, tp: int) -> None:
        self._hardware = hardware
        self._product = Product(model.hidden, -(-model.vocab // tp), "bf16")
        sampled_bytes_per_s = hardware.memory_bytes_per_s * hardware.weights_share
        self._sample_s = model.vocab * LOGIT_BYTES / sampled_bytes_per_s

    def ps(self, count: int, sm_pct: int) -> int:
        if not count:
            return 0
        sampler_s = SAMPLER_KERNELS * self._hardware.kernel_s + count * self._sample_s
        return to_ps(self._product.seconds(self._hardware, count, sm_pct) + sampler_s)


def experts_met(experts: int, per_token: int, tokens: int) -> float:
    """Return how many distinct experts `tokens` tokens meet on average, if each picks `per_token` at random.

    >>> experts_met(8, 2, 1)
    2.0
    >>> experts_met(8, 2, 2)      # each of the 8 is missed with chance (6/8)^2
    3.5
    """
    return experts * (1.0 - (1.0 - per_token / experts) ** tokens)


def _attention(model: ModelSpec, tp: int) -> tuple[Product, ...]:
    queries = model.heads // tp * model.head_dim
    keys_values = 2 * model.kv_heads_per_gpu(tp) * model.head_dim
    dtype = model.weights_dtype
    return Product(model.hidden, queries + keys_values, dtype), Product(queries, model.hidden, dtype)


def _mlp(model: ModelSpec, width: int) -> tuple[Product, ...]:
    if not width:
        return ()
    return (
        Product(model.hidden, 2 * width, model.weights_dtype),
        Product(width, model.hidden, model.weights_dtype),
    )


def _experts(model: ModelSpec, tp: int) -> tuple[Product, ...]:
    if not model.experts:
        return ()
    width = model.moe_intermediate // tp
    chosen = (model.experts, model.experts_per_token)
    return (
        Product(model.hidden, model.experts, "bf16"),
        Product(model.hidden, 2 * width, model.weights_dtype, *chosen),
        Product(width, model.hidden, model.weights_dtype, *chosen),
        *_mlp(model, model.shared_intermediate // tp),
    )
