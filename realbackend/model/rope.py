"""Rope: cosines and sines of rotary positions, for all positions a model may have."""

from math import pi

import torch
from torch import Tensor

from realbackend.model.shape import ModelShape


def rope_table(shape: ModelShape, device: torch.device) -> Tensor:
    """Return [positions, head_dim] float32: the cosines of each position, then its sines."""
    half = torch.arange(0, shape.head_dim, 2, dtype=torch.float32)
    frequencies = _scaled(1.0 / shape.rope_theta ** (half / shape.head_dim), shape)
    angles = torch.outer(torch.arange(shape.positions, dtype=torch.float32), frequencies)
    return torch.cat((angles.cos(), angles.sin()), dim=-1).to(device)


def _scaled(frequencies: Tensor, shape: ModelShape) -> Tensor:
    """Stretch frequencies as Llama 3 does: those with few turns in the original context by the whole factor."""
    scaling = shape.rope_scaling
    if scaling is None:
        return frequencies
    turns = scaling.original_positions * frequencies / (2 * pi)
    smooth = (turns - scaling.low_freq_factor) / (scaling.high_freq_factor - scaling.low_freq_factor)
    smooth = smooth.clamp(0, 1)
    return (1 - smooth) * frequencies / scaling.factor + smooth * frequencies
