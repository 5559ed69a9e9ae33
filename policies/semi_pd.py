"""Semi-PD: prefill and decode share a GPU by percentages of its SMs, steered towards the SLO window by window.

Source: semi-PD (arXiv:2504.19867): `variant: paper` is its Algorithm 1 with the inverse-linear model of section 4.3,
`variant: code` is `DynamicPartitioner` of its public code (infinigence/Semi-PD@17bbab4,
`distserve/single_stage_engine.py`). They differ in model, memory and in what they do when both phases fail.

Decides:  the shares (prefill, decode) of each instance, each 1..100, in sum also more; the least loaded instance takes
          a request.
Leaves:   admission and order to the schedulers of the two lanes; how a switch happens to `mechanism.sm_switch`.
Differs:  the paper gives no window, step, number of steps and floor: those of the code are the defaults of both. Nor
          how the arrival rate enters its fit: here it is what a window saw. The code's P90 is not one, and overflows:
          here it is the nearest rank.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import ceil, inf
from statistics import fmean
from typing import Literal, NamedTuple, Protocol, TypeVar, get_args

from simcore.contract import (
    Actions,
    Cancelled,
    ClusterView,
    Finished,
    FirstToken,
    InstanceId,
    InstanceView,
    PlacingRouter,
    RequestId,
    SplitSMs,
)

Sample = TypeVar("Sample")
Variant = Literal["paper", "code"]
Split = tuple[int, int]
"""Percent of the SMs: prefill, decode."""


class SemiPd(PlacingRouter):
    """Args:
    variant: whose controller.
    ttft_ms, tpot_ms: the SLO.
    percentile: of a window's samples that is to meet it, 0..1.
    window: finished requests after which an instance is looked at again.
    step: percentage points of one step. max_step: most steps at once. floor: no share is lowered below it.
    """

    emits = PlacingRouter.emits | {SplitSMs}

    def __init__(
        self,
        *,
        variant: Variant = "paper",
        ttft_ms: float = 500.0,
        tpot_ms: float = 100.0,
        percentile: float = 0.9,
        window: int = 400,
        step: int = 2,
        max_step: int = 3,
        floor: int = 80,
    ) -> None:
        if variant not in get_args(Variant):
            raise ValueError(f"variant must be one of {', '.join(get_args(Variant))}, got {variant!r}")
        if not 0 < percentile <= 1:
            raise ValueError(f"percentile must be > 0 and <= 1, got {percentile}")
        for name, value, most in (("window", window, inf), ("step", step, 99), ("max_step", max_step, 99)):
            if not 1 <= value <= most:
                raise ValueError(f"{name} must be 1 or more, up to {most}, got {value}")
        if not 1 <= floor <= 100:
            raise ValueError(f"floor must be 1..100, got {floor}")
        self.slo = Slo(ttft_ms, tpot_ms)
        self.steps = Steps(step, max_step, floor)
        self.percentile, self.window = percentile, window
        self.make_plan: type[Plan] = ByCode if variant == "code" else ByPaper
        self.plans: dict[InstanceId, Plan] = {}
        self.windows: dict[InstanceId, Window] = {}
        self.began: dict[RequestId, float] = {}
        """When the first token of a request came, seconds, until it ends."""

    def place(self, view: ClusterView, request: RequestId) -> InstanceId:
        return view.least("requests")

    def on_first_token(self, view: ClusterView, fact: FirstToken) -> Actions:
        self.began[fact.request] = view.now_s
        request = view.requests.get(fact.request)
        if request is not None and request.scheduled_s is not None and steady(view.instances[fact.instance]):
            waited_ms = (request.scheduled_s - request.arrival_s) * 1e3
            took_ms = (view.now_s - request.scheduled_s) * 1e3
            self.window_of(view, fact.instance).firsts.append(First(waited_ms + took_ms, waited_ms, took_ms))
        return ()

    def on_cancelled(self, view: ClusterView, fact: Cancelled) -> Actions:
        self.began.pop(fact.request, None)
        return ()

    def on_finished(self, view: ClusterView, fact: Finished) -> Actions:
        began_s, instance = self.began.pop(fact.request, None), view.instances[fact.instance]
        if began_s is None or fact.output_tokens < 2 or not steady(instance):
            return ()
        window = self.window_of(view, fact.instance)
        window.tpots_ms.append((view.now_s - began_s) / (fact.output_tokens - 1) * 1e3)
        if len(window.tpots_ms) < self.window:
            return ()
        del self.windows[fact.instance]
        assert instance.sm_split is not None
        plan = self.plans.setdefault(fact.instance, self.make_plan())
        split = plan.replan(instance.sm_split, window.seen(self.percentile, view.now_s), self.slo, self.steps)
        return () if split == instance.sm_split else (SplitSMs(fact.instance, *split),)

    def window_of(self, view: ClusterView, instance: InstanceId) -> "Window":
        if instance not in self.windows:
            self.windows[instance] = Window(view.now_s)
        return self.windows[instance]


def steady(instance: InstanceView) -> bool:
    """Return whether what happens now is a sample of the shares in force."""
    return instance.state != "down" and instance.sm_split is not None and not instance.sm_switching


# -- what a window says ----------------------------------------------------------------------------------------------


class Slo(NamedTuple):
    ttft_ms: float
    tpot_ms: float


class Steps(NamedTuple):
    """How far one plan may go: `most` steps of `points` each, no share below `floor`."""

    points: int
    most: int
    floor: int


class First(NamedTuple):
    """A first token: its TTFT is what the request waited and what computing its prompt took."""

    ttft_ms: float
    waited_ms: float
    took_ms: float


class Seen(NamedTuple):
    """A window: a percentile of TPOT, and the first token at that percentile of TTFT (None: none came).

    demand: rate of first tokens x mean time of their prompts, r x l(x): the share of time that prompts take as it is.
    """

    tpot_ms: float
    first: First | None
    demand: float = 0.0


@dataclass
class Window:
    """Samples since `since_s`."""

    since_s: float
    tpots_ms: list[float] = field(default_factory=list)
    firsts: list[First] = field(default_factory=list)

    def seen(self, percentile: float, now_s: float) -> Seen:
        tpot_ms = ranked(sorted(self.tpots_ms), percentile)
        if not self.firsts or now_s <= self.since_s:
            return Seen(tpot_ms, None)
        busy_s = len(self.firsts) * fmean(first.took_ms for first in self.firsts) / 1e3
        return Seen(tpot_ms, ranked(sorted(self.firsts), percentile), busy_s / (now_s - self.since_s))


def ranked(ordered: Sequence[Sample], percentile: float) -> Sample:
    """Return the sample at a percentile by nearest rank.

    >>> ranked([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 0.9)
    9
    """
    return ordered[max(0, ceil(percentile * len(ordered) - 1e-9) - 1)]


class Plan(Protocol):
    """A controller of one instance."""

    def replan(self, split: Split, seen: Seen, slo: Slo, steps: Steps) -> Split:
        """Return the shares that a window of the shares in force calls for."""


# -- the code's controller -------------------------------------------------------------------------------------------

TPOT_SCALE = 1.1
"""What an observed TPOT is multiplied by before it is held against the SLO."""


def scale_tpot(share: float) -> float:
    """Return the code's curve of decode time by share; it jumps to 1 at 100, where the fit says 1.02522."""
    return 1.0 if share == 100 else 0.6099164 * 100 / share + 0.4153061


def scale_waiting(share: float) -> float:
    """Return the code's curve of waiting by share. It is least at 88.9: more SMs beyond predict longer waits."""
    z = 100 / share
    return 1.0 if share == 100 else 1.4046466 * z * z - 3.1593546 * z + 2.8734660


def scale_latency(share: float) -> float:
    """Return the code's curve of prefill time by share."""
    return 1.0 if share == 100 else 0.7324350 * 100 / share + 0.3185253


class ByCode:
    """Fixed curves, no memory. With the floor of 80 both phases nearly always overlap: a priority by caps."""

    def replan(self, split: Split, seen: Seen, slo: Slo, steps: Steps) -> Split:
        """Both fail: everything to both, unless one has it. One fails: it rises; at 100 the other sinks."""
        prefill, decode = split
        decode_fails = seen.tpot_ms * TPOT_SCALE > slo.tpot_ms
        prefill_fails = seen.first is not None and seen.first.ttft_ms > slo.ttft_ms

        def ttft_ms(share: int) -> float:
            if seen.first is None:
                return 0.0
            waited = scale_waiting(share) / scale_waiting(prefill) * seen.first.waited_ms
            return waited + scale_latency(share) / scale_latency(prefill) * seen.first.took_ms

        def tpot_ms(share: int) -> float:
            return scale_tpot(share) / scale_tpot(decode) * seen.tpot_ms

        if decode_fails and prefill_fails:
            return (100, 100) if prefill != 100 and decode != 100 else split
        if decode_fails and decode < 100:
            return prefill, _raised(decode, steps, lambda share: tpot_ms(share) <= slo.tpot_ms)
        if decode_fails:
            return _lowered(prefill, steps, lambda share: ttft_ms(share) <= slo.ttft_ms), decode
        if prefill_fails and prefill < 100:
            return _raised(prefill, steps, lambda share: ttft_ms(share) <= slo.ttft_ms), decode
        if prefill_fails:
            return prefill, _lowered(decode, steps, lambda share: tpot_ms(share) <= slo.tpot_ms)
        return split


def _raised(share: int, steps: Steps, enough: Callable[[int], bool]) -> int:
    for _ in range(steps.most):
        share = min(100, share + steps.points)
        if share == 100 or enough(share):
            break
    return share


def _lowered(share: int, steps: Steps, bearable: Callable[[int], bool]) -> int:
    for _ in range(steps.most):
        lower = max(steps.floor, share - steps.points)
        if lower >= share or not bearable(lower):
            break
        share = lower
    return share


# -- the paper's controller ------------------------------------------------------------------------------------------


class InverseLinear(NamedTuple):
    """A latency by share, a fraction of 1: `slope / (share - demand) + rest`."""

    slope: float
    rest: float
    demand: float = 0.0

    def at(self, share: float) -> float:
        """Return the latency. Raises ValueError at a share that does not carry the demand."""
        if share <= self.demand:
            raise ValueError(f"share must be > {self.demand:g}, the demand, got {share:g}")
        return self.slope / (share - self.demand) + self.rest


PUBLISHED_TTFT = InverseLinear(0.6809, 0.022)
PUBLISHED_TPOT = InverseLinear(0.6284, 0.3818)
"""Normalised fits of Llama-3-8B on ShareGPT: their proportions stand in until two shares have been seen."""

WINDOWS = 8
"""Windows a fit remembers."""

Point = tuple[float, float]
"""A share, a fraction of 1, and the milliseconds seen there."""


def refit(points: Sequence[Point], published: InverseLinear, demand: float) -> InverseLinear:
    """Return the model of these points, the newest last: least squares over 1 / (share - demand).

    Of one share alone, or if more SMs seem to slow it down, the published proportions through the newest point.
    """
    demand = min(demand, 0.9 * min(share for share, _ in points))
    inverse = [1 / (share - demand) for share, _ in points]
    seen = [value for _, value in points]
    middle, mean = fmean(inverse), fmean(seen)
    spread = sum((each - middle) ** 2 for each in inverse)
    slope = 0.0
    if max(inverse) - min(inverse) > 1e-9:
        slope = sum((each - middle) * (value - mean) for each, value in zip(inverse, seen, strict=True)) / spread
    if slope > 0:
        return InverseLinear(slope, mean - slope * middle, demand)
    scale = seen[-1] / (published.slope * inverse[-1] + published.rest)
    return InverseLinear(published.slope * scale, published.rest * scale, demand)


class ByPaper:
    """Algorithm 1, over shares x / (x + y): a model refitted from the last windows. Both fail: nothing changes."""

    def __init__(self) -> None:
        self.ttfts: deque[Point] = deque(maxlen=WINDOWS)
        self.tpots: deque[Point] = deque(maxlen=WINDOWS)

    def replan(self, split: Split, seen: Seen, slo: Slo, steps: Steps) -> Split:
        """One fails: it rises, or the other sinks where it is at 100, until the model says that it is enough."""
        prefill, decode = (share / sum(split) for share in split)
        if seen.first is not None:
            self.ttfts.append((prefill, seen.first.ttft_ms))
        self.tpots.append((decode, seen.tpot_ms))
        ttft_fails = seen.first is not None and seen.first.ttft_ms > slo.ttft_ms
        tpot_fails = seen.tpot_ms > slo.tpot_ms
        if ttft_fails and not tpot_fails:
            model = refit(self.ttfts, PUBLISHED_TTFT, seen.demand * prefill)
            return _helped(split, 0, model, slo.ttft_ms, steps)
        if tpot_fails and not ttft_fails:
            return _helped(split, 1, refit(self.tpots, PUBLISHED_TPOT, 0.0), slo.tpot_ms, steps)
        return split


def _helped(split: Split, phase: int, model: InverseLinear, limit_ms: float, steps: Steps) -> Split:
    """Return a split that gives a phase (0: prefill, 1: decode) more, by as many steps as the model asks for."""
    shares = list(split)
    for _ in range(steps.most):
        if model.at(shares[phase] / sum(shares)) <= limit_ms:
            break
        if shares[phase] < 100:
            shares[phase] = min(100, shares[phase] + steps.points)
        else:
            shares[1 - phase] = min(shares[1 - phase], max(steps.floor, shares[1 - phase] - steps.points))
    return shares[0], shares[1]
