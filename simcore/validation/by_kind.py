"""By kind: where a model's time and a server's differ, by kind of step, and by tokens of steps with prompts."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from simcore.validation.steps import Gaps

_DECODES = (8, 32, 64)
_TILE = 128


@dataclass(frozen=True, slots=True)
class Kind:
    """Steps of one kind.

    steps: how many. took_s, model_s: what they took all together. longer_ms: the median, a step with prompts.
    """

    name: str
    steps: int
    took_s: float
    model_s: float
    longer_ms: float


def kinds(gaps: Gaps, max_num_seqs: int) -> list[Kind]:
    """Return the kinds of steps there were: decodes alone by their number, and steps with prompts."""
    alone, found = gaps.prefills == 0, []
    bounds = [0, *(bound for bound in _DECODES if bound < max_num_seqs), max_num_seqs - 1, max_num_seqs]
    for low, high in pairwise(bounds):
        chosen = alone & (gaps.decodes > low) & (gaps.decodes <= high)
        name = f"{high} decodes" if high == low + 1 else f"{low + 1} to {high} decodes"
        if chosen.any():
            found.append(_kind(name, gaps, chosen))
    for name, chosen in (
        ("with prompts, batch not full", (gaps.decodes > 0) & (gaps.decodes < 0.9 * max_num_seqs)),
        ("with prompts, batch full", gaps.decodes >= 0.9 * max_num_seqs),
    ):
        if (chosen & ~alone).any():
            found.append(_kind(name, gaps, chosen & ~alone))
    return found


def by_tokens(gaps: Gaps) -> list[tuple[int, int, float]]:
    """Return (most tokens, steps, median milliseconds longer than the model) by tokens of a step with prompts.

    By 128 tokens; only of gaps with one such step, and up to two of decodes.
    """
    one = (gaps.prefills == 1) & (gaps.steps <= 3) & (gaps.decodes > 0)
    longer_ms = (gaps.took_s - gaps.model_s) * 1e3
    found = []
    for low in range(0, int(gaps.tokens.max(initial=0)), _TILE):
        chosen = one & (gaps.tokens > low) & (gaps.tokens <= low + _TILE)
        if chosen.any():
            found.append((low + _TILE, int(chosen.sum()), float(np.median(longer_ms[chosen]))))
    return found


def _kind(name: str, gaps: Gaps, chosen: NDArray[np.bool_]) -> Kind:
    took, model = gaps.took_s[chosen], gaps.model_s[chosen]
    counted = np.maximum(gaps.prefills[chosen], 1) if gaps.prefills[chosen].any() else gaps.steps[chosen]
    longer_ms = float(np.median((took - model) / counted)) * 1e3
    return Kind(name, int(gaps.steps[chosen].sum()), float(took.sum()), float(model.sum()), longer_ms)
