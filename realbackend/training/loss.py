"""Loss: what a group of samples says about each token: group-relative advantages, clipped ratios (GRPO and DAPO).

Sources: GRPO, arXiv:2402.03300; two clips, token average and dynamic filter of DAPO, arXiv:2503.14476.
"""

from collections.abc import Sequence
from math import sqrt
from typing import Literal, NamedTuple

import torch
from torch import Tensor

_SAME = 1e-6


def advantages(rewards: Sequence[float]) -> list[float]:
    """Return how much better than its group each sample is, in standard deviations; 0 where all are the same.

    >>> advantages([1.0, 0.0, 0.0, 1.0])
    [1.0, -1.0, -1.0, 1.0]
    """
    mean = sum(rewards) / len(rewards)
    deviation = sqrt(sum((reward - mean) ** 2 for reward in rewards) / len(rewards))
    return [(reward - mean) / deviation if deviation > _SAME else 0.0 for reward in rewards]


def teaches(rewards: Sequence[float]) -> bool:
    """Return whether a group has anything to teach: the dynamic filter."""
    return max(rewards) - min(rewards) > _SAME


class Loss(NamedTuple):
    """A scalar to descend, and the share of tokens whose ratio was clipped."""

    value: Tensor
    clipped: float


def clipped_loss(
    new: Tensor,
    old: Tensor,
    advantage: Tensor,
    counts: Tensor,
    *,
    low: float,
    high: float,
    average: Literal["token", "sample"],
) -> Loss:
    """Return minus the clipped objective.

    new, old: [b, t] log-probabilities of tokens. advantage: [b]. counts: [b, t] bool, the tokens that count.
    """
    ratio = (new - old).exp()
    gain = advantage.unsqueeze(1)
    bounded = ratio.clamp(1 - low, 1 + high)
    lost = -torch.minimum(ratio * gain, bounded * gain) * counts
    each = counts.sum(1).clamp(min=1)
    value = lost.sum() / counts.sum().clamp(min=1) if average == "token" else (lost.sum(1) / each).mean()
    outside = ((bounded * gain < ratio * gain) & counts).sum() / counts.sum().clamp(min=1)
    return Loss(value, float(outside))
