"""By share: a cost model whose iterations take so many times as long on a share of the SMs, as a curve says.

A roofline is slowed by slowing every rate and fixed time of its hardware, so that its lines stay exact: their
coefficients are rounded once. Any other model is asked iteration by iteration, which is slower and as exact.
"""

from collections.abc import Callable
from dataclasses import asdict, replace

from simcore.contract import CostModel, Shape
from simcore.cost.hardware import Hardware
from simcore.cost.model_spec import ModelSpec
from simcore.cost.roofline import Roofline
from simcore.cost.sm_curve import SmCurve

_RATES = ("memory_bytes_per_s", "bf16_flops", "fp8_flops", "link_bytes_per_s")
_TIMES = ("matmul_s", "prefill_attention_s", "decode_attention_s", "kernel_s", "allreduce_s", "step_s")


class ByShare:
    """The cost of all SMs, times the factor of a curve.

    Args:
        slowed: makes the model whose iterations take so many times as long as `slowed(1.0)`'s.
        curve: the factor by share, of iterations with and without a prompt.
    """

    def __init__(self, slowed: Callable[[float], CostModel], curve: SmCurve) -> None:
        self._slowed = slowed
        self._curve = curve
        self._models: dict[float, CostModel] = {}
        self._whole = self._model(1.0)
        self.uses_longest = self._whole.uses_longest

    def line(self, shape: Shape) -> tuple[int, int, int]:
        share = shape.sm_pct
        model = self._model((self._curve.prefill if shape.chunks else self._curve.decode)[share])
        shape.sm_pct = 100  # the curve is all that the share changes
        try:
            return model.line(shape)
        finally:
            shape.sm_pct = share

    def terms(self, shape: Shape) -> dict[str, float]:
        factor = (self._curve.prefill if shape.chunks else self._curve.decode)[shape.sm_pct]
        whole = shape.after(0)
        whole.sm_pct = 100
        return self._model(factor).terms(whole)

    def describe(self) -> dict[str, object]:
        return {**self._whole.describe(), "sm_curve": asdict(self._curve)}

    def _model(self, factor: float) -> CostModel:
        model = self._models.get(factor)
        if model is None:
            model = self._models[factor] = self._slowed(factor)
        return model


def roofline_by_share(model: ModelSpec, hardware: Hardware, tp: int, curve: SmCurve) -> ByShare:
    """Return the roofline of a model, slowed as a curve says."""
    return ByShare(lambda factor: Roofline(model, slow(hardware, factor), tp), curve)


def any_by_share(cost: CostModel, curve: SmCurve) -> ByShare:
    """Return any cost model, slowed as a curve says."""
    return ByShare(lambda factor: cost if factor == 1.0 else Slowed(cost, factor), curve)


def slow(hardware: Hardware, factor: float) -> Hardware:
    """Return a GPU on which everything takes `factor` times as long."""
    rates = {name: getattr(hardware, name) / factor for name in _RATES}
    times = {name: getattr(hardware, name) * factor for name in _TIMES}
    return replace(hardware, **rates, **times)


class Slowed:
    """A cost model times a factor, in thousandths; each iteration is a line of its own, since rounding bends it."""

    def __init__(self, cost: CostModel, factor: float) -> None:
        self._cost = cost
        self._permille = round(factor * 1000)
        self.uses_longest = cost.uses_longest

    def line(self, shape: Shape) -> tuple[int, int, int]:
        return max(1, self._cost.line(shape)[0] * self._permille // 1000), 0, 1

    def terms(self, shape: Shape) -> dict[str, float]:
        return {name: took_s * self._permille / 1000 for name, took_s in self._cost.terms(shape).items()}

    def describe(self) -> dict[str, object]:
        return {**self._cost.describe(), "slowed_permille": self._permille}
