"""Sampler: how an engine draws its tokens: by a seed of each request and the place of the token, in any batch."""

from collections.abc import Sequence

import torch
from torch import Tensor

from kernels.ops import Ops, Sampling
from realbackend.work import Work


class Sampler:
    """Draws tokens from softmax(logits / temperature). A request that is resumed draws what it would have drawn.

    Args:
        temperature: >= 0; 0 for the most likely tokens.
        top_p: in (0, 1], see `kernels.ops.Sampling`.
        seed: with the number of a request and the position of a token it gives the draw.
        keep: note log-probabilities. A GPU then waits for each iteration before the next is launched.

    Raises ValueError for a temperature or a `top_p` out of range.
    """

    def __init__(self, *, temperature: float = 1.0, top_p: float = 1.0, seed: int = 0, keep: bool = False) -> None:
        if not temperature >= 0:
            raise ValueError(f"temperature must be >= 0, got {temperature}")
        if not 0 < top_p <= 1:
            raise ValueError(f"top_p must be in (0, 1], got {top_p}")
        self.temperature = temperature
        self.top_p = top_p
        self.log_probs: dict[tuple[int, int], float] = {}
        """By request and position: log softmax(logits / temperature) of the token drawn for it last."""
        self._seed = seed
        self._keep = keep

    def sample(self, work: Sequence[Work], logits: Tensor, ops: Ops) -> Tensor:
        """Return tokens [m] int64 for logits [m, vocabulary], a row for each of `work` that gives."""
        gives = [(each.request, each.start + len(each.tokens)) for each in work if each.gives]
        seeds, places = torch.tensor(gives, dtype=torch.int64).reshape(-1, 2).to(logits.device).unbind(1)
        how = Sampling(
            temperature=torch.full((len(gives),), self.temperature, device=logits.device),
            top_p=torch.full((len(gives),), self.top_p, device=logits.device),
            seeds=seeds + (self._seed << 32),
            steps=places,
        )
        tokens = ops.sample(logits, how)
        if self._keep:
            scaled = (logits.float() / (self.temperature or 1.0)).log_softmax(-1)
            drawn = scaled.gather(1, tokens.unsqueeze(1)).squeeze(1)
            self.log_probs.update(zip(gives, drawn.tolist(), strict=True))
        return tokens
