"""Noise: numbers that a seed, a step and a token give, the same on every device and in any batch."""

import torch
from torch import Tensor


def gumbel(seeds: Tensor, steps: Tensor, width: int) -> Tensor:
    """Return [n, width] float32: -log(-log(uniform)) for tokens 0 to width - 1 of each (seed, step) [n] int64.

    The highest of logits / temperature + noise is a draw from their softmax (the Gumbel-max trick). A token's number
    is the one that many places on in the SplitMix64 sequence that starts at a hash of seed and step.
    """
    keys = _mixed(seeds * _GOLDEN + steps * _OTHER)
    counts = torch.arange(1, width + 1, device=seeds.device)
    drawn = _shifted(_mixed(keys.unsqueeze(1) + counts * _GOLDEN), 11)
    uniform = ((drawn.float() + 0.5) * 2.0**-53).clamp(max=1 - 2.0**-24)
    return -torch.log(-torch.log1p(-uniform))


# Unsigned 64-bit constants as signed integers: products wrap to the same bits.
_GOLDEN = 0x9E3779B97F4A7C15 - 2**64
_OTHER = 0xD1B54A32D192ED03 - 2**64


def _mixed(x: Tensor) -> Tensor:
    x = (x ^ _shifted(x, 30)) * (0xBF58476D1CE4E5B9 - 2**64)
    x = (x ^ _shifted(x, 27)) * (0x94D049BB133111EB - 2**64)
    return x ^ _shifted(x, 31)


def _shifted(x: Tensor, bits: int) -> Tensor:
    """Shift right, bringing in zeros."""
    return (x >> bits) & (2 ** (64 - bits) - 1)
