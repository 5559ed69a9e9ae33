"""Given: prompts that share tokens, turns of programs, and runs that must be the same at any step length."""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from policies.round_robin import RoundRobin
from policies.vllm_v1 import VllmV1
from simcore.contract import Arrivals, Heads, Patience, Scheduler
from simcore.contract import decisions as log
from simcore.simulator import Settings
from simcore.simulator.settings import Mechanisms
from simcore.simulator.simulator import Simulator
from simcore.simulator.topology import Topology
from tests.property.draw import Flat, itl_gaps, token_times
from tests.simulator.harness import MS

KB = 1000
"""Bytes of a block in these runs: over a link of `SLOW`, it takes a millisecond."""
SLOW = 10**6
EVERY = [10.0 * i for i in range(1, 41)]
"""The tokens of a request that is never disturbed, ms."""

STATES = ("finished", "rejected", "cancelled", "unfinished", "failed")


class Row(NamedTuple):
    """A request; times in ms, `head` as (key, end in tokens) of each segment."""

    at: float
    prompt: int
    output: int
    head: tuple[tuple[int, int], ...] = ()
    program: int = -1
    turn: int = 0
    gap: float = 0
    stream: int = -1
    cancel: float = -1


class Given:
    """A workload of one piece, and a sink that keeps everything."""

    name = source = "given"
    classes, priorities, rate = ("default",), (0,), 1.0
    tools: tuple[str, ...] = ()
    patience: tuple[Patience, ...] = ()

    def __init__(self, rows: list[Row]) -> None:
        self.rows = rows
        self.kept: dict[str, list[Any]] = {}

    def pieces(self) -> Iterator[Arrivals]:
        rows = self.rows

        def column(values: Any) -> np.ndarray[Any, Any]:
            return np.array(list(values), dtype=np.int64)

        segments = [segment for row in rows for segment in row.head]
        head = Heads(
            column(np.cumsum([0, *(len(row.head) for row in rows)])),
            column(key for key, _ in segments),
            column(end for _, end in segments),
        )
        yield Arrivals(
            column(row.at * MS for row in rows),
            column(row.prompt for row in rows),
            column(row.output for row in rows),
            program=column(row.program for row in rows),
            turn=column(row.turn for row in rows),
            gap_ps=column(row.gap * MS for row in rows),
            stream=column(row.stream if row.stream >= 0 else row.program for row in rows),
            head=head,
            cancel_ps=column(row.cancel * MS if row.cancel >= 0 else -1 for row in rows),
        )

    def __getattr__(self, name: str) -> Any:
        if name in ("requests", "steps", "gaps", "samples", "iterations", "decisions"):
            return lambda rows: self.kept.setdefault(name, []).extend(rows)
        raise AttributeError(name)


class Seen:
    """What happened in a run, times in ms.

    tokens: times of all tokens of each request that finished.
    states, finished, cached, preemptions: by request; dates of those that finished, tokens found at their first start.
    log: (ms, kind, instance, request, detail) of each decision.
    iterations: (instance, lane, start, end, tokens of decodes, chunks as (new, before), SM percent), one by one.
    notes: what hooks wrote down.
    """

    def __init__(self, simulator: Simulator, given: Given, notes: list[Any]) -> None:
        kept = given.kept
        rows = kept.get("iterations", [])
        self.simulator = simulator
        self.notes = notes
        self.counters = simulator.outcome.counters
        self.tokens = {i: [t / MS for t in times] for i, times in token_times(simulator, rows).items()}
        self.gaps = itl_gaps(given)  # type: ignore[arg-type]  # reads `kept`
        self.states = {row[0]: STATES[row[3]] for row in kept["requests"]}
        self.finished = {row[0]: row[7] / MS for row in kept["requests"] if row[3] == 0}
        self.cached = {row[0]: row[11] for row in kept["requests"]}
        self.preemptions = {row[0]: row[10] for row in kept["requests"]}
        self.log = [
            (at / MS, log.KINDS[kind], where, who, detail) for at, where, kind, who, detail in kept["decisions"]
        ]
        self.iterations = [one for row in rows for one in _one_by_one(row)]

    def when(self, kind: str, request: int | None = None) -> list[float]:
        """Return the dates of all decisions of a kind, of one request or of all."""
        return [row[0] for row in self.log if row[1] == kind and request in (None, row[3])]

    def details(self, kind: str, request: int) -> list[int]:
        return [row[4] for row in self.log if row[1] == kind and row[3] == request]

    def prefills(self) -> list[tuple[int, int]]:
        """Return (new, before) of each chunk, in order."""
        return [chunk for *_, chunks, _ in self.iterations for chunk in chunks]


def _one_by_one(row: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    instance, lane, _, started, k, first, increment, decodes, _, _, sm_pct, new, before = row
    start = started
    for j in range(k):
        end = started + (j + 1) * first + increment * ((j + 1) * j // 2)
        chunks = [(n, b + n * j) for n, b in zip(new, before, strict=True)]
        yield instance, lane, start / MS, end / MS, decodes, chunks, sm_pct
        start = end


def slow(instances: int = 1, **how: Any) -> dict[str, Any]:
    """Return settings under which a block takes a millisecond over any link."""
    links = {"nvlink_bytes_per_s": SLOW, "pcie_bytes_per_s": SLOW, "network_bytes_per_s": SLOW}
    return {"topology": Topology(instances=instances, **(links | how)), "block_bytes": KB}


def limited(kind: Callable[..., Scheduler] = VllmV1, **limits: int) -> dict[str, Any]:
    """Return settings under which schedulers are of this kind, with these limits."""
    return {"make_scheduler": lambda: kind(**limits)}


def both(
    rows: list[Row], build: Callable[[list[Any]], dict[str, Any]] = lambda notes: {}, *, left: int = 0, **settings: Any
) -> Seen:
    """Run with macro-steps and per iteration, 10 ms each; assert that all is equal and no block is lost.

    build: makes settings that write to a list of notes.
    left: requests that must be unfinished when the run ends.
    settings: those of `Settings`, or of `Mechanisms`.
    """
    names = Mechanisms.__dataclass_fields__
    mechanisms = Mechanisms(**{name: settings.pop(name) for name in list(settings) if name in names})
    seen = []
    for per_iteration in (False, True):
        given, notes = Given(rows), list[Any]()
        defaults: dict[str, Any] = {
            "instances": 1,
            "kv_blocks": 1000,
            "cost": Flat(10 * MS, 0, 0, 0),
            "make_router": RoundRobin,
            "make_scheduler": VllmV1,
            "mechanisms": mechanisms,
            "record_decisions": True,
            "record_iterations": True,
        }
        how = Settings(**(defaults | settings | build(notes)), per_iteration=per_iteration)
        simulator = Simulator(how, given, given, keep_spans=True)
        outcome = simulator.run()
        assert outcome.unfinished == left
        for instance in simulator.instances:
            instance.check()
        seen.append(Seen(simulator, given, notes))
    macro, plain = seen
    for what in ("log", "tokens", "gaps", "notes", "counters", "states", "cached", "preemptions"):
        assert getattr(macro, what) == getattr(plain, what), f"{what} differ between step lengths"
    if set(macro.states.values()) == {"finished"}:
        gaps = [round((b - a) * MS) for times in macro.tokens.values() for a, b in pairwise(times)]
        assert macro.gaps == sorted(gaps), "gaps are those between tokens"
    return macro
