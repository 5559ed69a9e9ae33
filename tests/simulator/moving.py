"""Moving: routers that migrate by a script; iterations take 10 ms, a block 1 ms over a link."""

from collections.abc import Mapping
from typing import Any

from policies.vllm_v1 import VllmV1
from simcore.contract import Abort, Dispatch, Drain, Migrate, Router, Terminate, WakeAt
from tests.simulator.given import Row, Seen, both, slow

TWO: dict[str, Any] = {"instances": 2, **slow(2)}


def by_script(
    script: Mapping[Any, Any], notes: list[Any], homes: Mapping[int, int] | None = None, **hooks: Any
) -> dict[str, Any]:
    """Arrivals go home (to 0 if none is given); at these dates, ms, the router does what the script says.

    Notes (ms, request or None, why) of each `Done` of a migration, "" if it went well.
    """
    homes = homes or {}

    def on_done(self, view, fact):
        if isinstance(fact.action, Migrate):
            notes.append((round(view.now_s * 1000, 6), fact.action.request, fact.why))
            assert fact.ok == (not fact.why)
        return ()

    def on_arrived(self, view, fact):
        home = homes.get(fact.request, 0)
        return (Dispatch(fact.request, home if view.instances[home].state == "up" else view.up[0].id),)

    own = {
        "emits": frozenset({Dispatch, WakeAt, Migrate, Abort, Drain, Terminate}),
        "on_start": lambda self, view: [WakeAt(at_ms / 1000, at_ms) for at_ms in script],
        "on_woke": lambda self, view, fact: script[fact.key],
        "on_arrived": on_arrived,
        "on_done": on_done,
    }
    return {"make_router": type("Scripted", (Router,), own | hooks)}


def move(rows: list[Row], script: Mapping[Any, Any], kind: Any = "multistage", **settings: Any) -> Seen:
    """Run two instances, requests going home to 0, under a script of the router."""
    homes, left = settings.pop("homes", None), settings.pop("left", 0)
    settings = {**TWO, "migration": kind, **settings}
    return both(rows, lambda notes: by_script(script, notes, homes), left=left, **settings)


def rows_of(seen: Seen, *kinds: str) -> list[tuple[float, str, int, int]]:
    """Return (ms, kind, instance, detail) of the decisions of these kinds."""
    return [(at, kind, where, detail) for at, kind, where, _, detail in seen.log if kind in kinds]


def picking(number: int | None) -> type[VllmV1]:
    """Return a scheduler that names this request."""
    return type("Picking", (VllmV1,), {"pick_migrant": lambda self, view: number})
