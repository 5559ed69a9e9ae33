"""Watcher: a router that notes what it is told and does as a script says; its runs, in macro-steps and one by one."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from policies.vllm_v1 import VllmV1
from simcore.contract import Actions, Arrivals, ClusterView, Dispatch, Router, SetRole, WakeAt, Workload
from simcore.simulator import STARTS, Settings
from simcore.simulator.simulator import Simulator
from tests.property.draw import Flat, Rows, itl_gaps, token_times
from tests.simulator.harness import MS

Place = Callable[[ClusterView, int], int | None]


class Watcher(Router):
    """Dispatches by `place` what arrives and by `hand` what is prefilled; None leaves it until an instance is up.

    script: actions by date in milliseconds. then: actions by fact, whenever it is told.
    """

    emits = STARTS - {SetRole}

    def __init__(
        self,
        place: Place = lambda view, request: 0,
        hand: Place = lambda view, request: None,
        script: Mapping[Any, Any] | None = None,
        then: Mapping[Any, Any] | None = None,
    ) -> None:
        self.place, self.hand = place, hand
        self.script, self.then = script or {}, then or {}
        self.told: list[tuple[float, Any]] = []
        """(milliseconds, fact) of all but arrivals by themselves and timers."""
        self.seen: set[int] = set()

    def note(self, view: ClusterView, fact: Any) -> Any:
        self.told.append((round(view.now_s * 1000, 6), fact))
        return self.then.get(fact, ())

    on_first_token = on_finished = on_preempted = on_cancelled = on_rejected = on_instance_down = on_done = note

    def on_start(self, view: ClusterView) -> Actions:
        return [WakeAt(at_ms / 1000, at_ms) for at_ms in self.script]

    def on_woke(self, view: ClusterView, fact: Any) -> Any:
        return self.script[fact.key]

    def on_arrived(self, view: ClusterView, fact: Any) -> Actions:
        if fact.request in self.seen:
            self.note(view, fact)
        self.seen.add(fact.request)
        return self.send(view, self.place, [fact.request])

    def on_prefilled(self, view: ClusterView, fact: Any) -> Actions:
        return [*self.note(view, fact), *self.send(view, self.hand, [fact.request])]

    def on_instance_up(self, view: ClusterView, fact: Any) -> Actions:
        waits = sorted(request.id for request in view.requests.values() if request.state == "unrouted")
        return [*self.note(view, fact), *self.send(view, self.place, waits)]

    def send(self, view: ClusterView, place: Place, requests: list[int]) -> list[Dispatch]:
        chosen = [(request, place(view, request)) for request in requests]
        return [Dispatch(request, instance) for request, instance in chosen if instance is not None]


class RoleSetter(Watcher):
    """The same, and it may set roles, which takes lanes whose KV can be elsewhere."""

    emits = STARTS


def first_up(view: ClusterView, request: int) -> int | None:
    """Place a request on the first instance that is up."""
    return view.up[0].id if view.up else None


@dataclass
class Turns(Rows):
    """Rows with columns of programs and clients."""

    columns: dict[str, list[int]] = field(default_factory=dict)

    def pieces(self) -> Iterator[Arrivals]:
        at, prompt, output = np.array(self.arrivals, dtype=np.int64).reshape(-1, 3).T.copy()
        more: dict[str, Any] = {name: np.array(column, dtype=np.int64) for name, column in self.columns.items()}
        yield Arrivals(at, prompt, output, **more)


@dataclass
class Ran:
    """A run in macro-steps. `tokens`: the milliseconds of each token of each request that finished."""

    simulator: Simulator
    outcome: Any
    told: list[tuple[float, Any]]
    tokens: dict[int, list[float]]
    states: dict[int, int]
    decisions: list[tuple[int, ...]]
    samples: list[tuple[int, ...]]

    def kinds(self, *kinds: int) -> list[tuple[float, int, int, int]]:
        """Return (milliseconds, instance, request, detail) of the decisions of some kinds."""
        return [(at / MS, where, who, more) for at, where, kind, who, more in self.decisions if kind in kinds]

    def facts(self, *types: type) -> list[tuple[float, Any]]:
        """Return what the router was told of some types."""
        return [(at, fact) for at, fact in self.told if isinstance(fact, types)]


def run_both(workload: Rows | list[tuple[int, int, int]], make_router: Callable[[], Router], **settings: Any) -> Ran:
    """Run (at_ms, prompt, output) rows, 10 ms an iteration, in macro-steps and one by one; both must be the same."""
    one_by_one = _run(workload, make_router, per_iteration=True, **settings)
    ran = _run(workload, make_router, **settings)
    assert ran[0] == one_by_one[0]
    return ran[1]


def _run(workload: Any, make_router: Callable[[], Router], **settings: Any) -> tuple[Any, Ran]:
    if isinstance(workload, list):
        workload = Rows([(at * MS, prompt, output) for at, prompt, output in workload])
    rows = type(workload)(**{name: getattr(workload, name) for name in workload.__dataclass_fields__})
    defaults: dict[str, Any] = {
        "instances": 1,
        "kv_blocks": 1000,
        "cost": Flat(10 * MS, 0, 0, 0),
        "make_scheduler": VllmV1,
        "record_decisions": True,
    }
    asked: Workload = rows
    simulator = Simulator(Settings(make_router=make_router, **(defaults | settings)), asked, rows, keep_spans=True)
    outcome = simulator.run()
    for instance in simulator.instances:
        if not simulator.live:
            instance.check()
    tokens = token_times(simulator, rows.kept.get("iterations", []))
    router = simulator.router
    told = router.told if isinstance(router, Watcher) else []
    decisions, samples = rows.kept.get("decisions", []), rows.kept.get("samples", [])
    compared = (
        tokens,
        told,
        decisions,
        samples,
        sorted(rows.kept.get("requests", [])),
        itl_gaps(rows),
        outcome.counters,
        (outcome.end_ps, outcome.iterations, outcome.preemptions, outcome.failed, outcome.finished),
    )
    states = {row[0]: row[3] for row in rows.kept.get("requests", [])}
    in_ms = {request: [at / MS for at in times] for request, times in tokens.items()}
    return compared, Ran(simulator, outcome, told, in_ms, states, decisions, samples)
