"""Two lanes on one pool: a cost that shows the share of the SMs, and a router that splits them anew."""

from typing import Any

from simcore.contract import UNBOUNDED, Abort, Dispatch, Router, Shape, SplitSMs, WakeAt
from tests.simulator.harness import MS, at, to_zero

PREFILL, DECODE = 0, 1


class Shared:
    """An iteration takes 600 ms on one percent of the SMs: 10 ms on 60, 12 ms on 50."""

    uses_longest = False

    def line(self, shape: Shape) -> tuple[int, int, int]:
        return 600 * MS // shape.sm_pct, 0, UNBOUNDED

    def terms(self, shape: Shape) -> dict[str, float]:
        return {}

    def describe(self) -> dict[str, object]:
        return {}


LANES: dict[str, Any] = {"sm_split": (60, 60), "cost": Shared()}


def splitting(*dates_s: float, prefill: int = 30, decode: int = 40, **hooks: Any) -> type[Router]:
    """A router that asks for these shares at these dates."""

    def on_woke(self, view, fact):
        return (SplitSMs(0, prefill, decode),)

    emits = frozenset({Dispatch, WakeAt, Abort, SplitSMs})
    own = {"emits": emits, "on_arrived": to_zero, "on_start": at(*dates_s), "on_woke": on_woke}
    return type("Splitting", (Router,), own | hooks)
