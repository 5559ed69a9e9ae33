"""Affine: a cost model of four numbers, for queueing checks by hand and for tests."""

from simcore.contract import PS_PER_S, UNBOUNDED, Shape


class Affine:
    """An iteration takes `step + token * T + sequence * S + context * C`, in picoseconds.

    T: tokens processed, decodes plus the new tokens of all chunks. S: decodes plus chunks. C: tokens attended to,
    the decodes' `context` plus `before + new` of every chunk. Any whole numbers >= 0 will do.

    >>> Affine(step_ps=100, token_ps=10, context_ps=1).line(Shape(decodes=2, context=7))[:2]
    (127, 2)
    """

    uses_longest = False

    def __init__(self, step_ps: int, token_ps: int = 0, sequence_ps: int = 0, context_ps: int = 0) -> None:
        self.step_ps = _whole("step_ps", step_ps)
        self.token_ps = _whole("token_ps", token_ps)
        self.sequence_ps = _whole("sequence_ps", sequence_ps)
        self.context_ps = _whole("context_ps", context_ps)

    def line(self, shape: Shape) -> tuple[int, int, int]:
        tokens = sequences = shape.decodes
        context = shape.context
        for new, before in shape.chunks:
            tokens += new
            sequences += 1
            context += new + before
        first = self.step_ps + self.token_ps * tokens + self.sequence_ps * sequences + self.context_ps * context
        return first, self.context_ps * tokens, UNBOUNDED

    def terms(self, shape: Shape) -> dict[str, float]:
        tokens = shape.decodes + sum(new for new, _ in shape.chunks)
        context = shape.context + sum(new + before for new, before in shape.chunks)
        return {
            "step": self.step_ps / PS_PER_S,
            "token": self.token_ps * tokens / PS_PER_S,
            "sequence": self.sequence_ps * (shape.decodes + len(shape.chunks)) / PS_PER_S,
            "context": self.context_ps * context / PS_PER_S,
        }

    def describe(self) -> dict[str, object]:
        return {
            "cost": "affine",
            "step_ps": self.step_ps,
            "token_ps": self.token_ps,
            "sequence_ps": self.sequence_ps,
            "context_ps": self.context_ps,
        }


def _whole(name: str, value: int) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"{name} must be a whole number of picoseconds >= 0, got {value!r}")
    return value
