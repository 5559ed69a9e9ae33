"""Training: how long a step of policy gradient takes, by the arithmetic of the matrices and the optimiser's memory."""

from simcore.cost.hardware import Hardware
from simcore.cost.model_spec import ModelSpec

_FORWARD_FLOPS, _BACKWARD_FLOPS = 2, 4
"""Per active parameter and token."""
_ADAM_BYTES = 28
"""Per parameter: weights, both moments and gradient in 32 bits are read, and the first three written."""


def training_step_s(
    model: ModelSpec, hardware: Hardware, tokens: int, *, gpus: int, mfu: float, extra_forwards: int = 1
) -> float:
    """Return the seconds of a training step over `tokens` tokens, prompts included, on `gpus` GPUs.

    Every token costs 6 FLOPs per active parameter, 2 more for each extra forward pass (log-probabilities under the
    weights of now), at a share `mfu` of the bf16 peak; attention over the context is not counted. Adam moves 28 bytes
    of GPU memory per parameter, sharded over the GPUs. Communication is what `mfu` leaves.
    """
    flops = (_FORWARD_FLOPS * (1 + extra_forwards) + _BACKWARD_FLOPS) * model.active_parameters * tokens
    optimiser_s = _ADAM_BYTES * model.parameters / (gpus * hardware.memory_bytes_per_s)
    return flops / (gpus * hardware.bf16_flops * mfu) + optimiser_s
