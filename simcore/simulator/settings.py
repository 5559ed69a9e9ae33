"""What a run needs to know, what it leaves behind, and where its rows go."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from simcore.contract import CostModel, Router, Scheduler

Rows = list[tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Settings:
    """One run of one system.

    Args:
        instances: number of identical instances, >= 1.
        kv_blocks: KV blocks of each instance, >= 1.
        block_tokens: tokens per KV block.
        cost: how long iterations take.
        make_router: builds the cluster's router.
        make_scheduler: builds the scheduler of one instance; called once per instance.
        oracle: hidden truths that policies may read.
        seed: the study's seed; with `replication` it keys every random draw.
        replication: number of this replication, from 0.
        per_iteration: one event per iteration instead of macro-steps: slow, and bit for bit the same.
        block_ids: keep the identity of every KV block, not only counts: slow, and the same decisions.
        sample_s: seconds between rows of the instances' time series; None: no time series.
        record_iterations: write the iteration log.
        record_decisions: write facts and actions.
    """

    instances: int
    kv_blocks: int
    cost: CostModel
    make_router: Callable[[], Router]
    make_scheduler: Callable[[], Scheduler]
    block_tokens: int = 16
    oracle: frozenset[str] = frozenset()
    seed: int = 0
    replication: int = 0
    per_iteration: bool = False
    block_ids: bool = False
    sample_s: float | None = None
    record_iterations: bool = False
    record_decisions: bool = False


@dataclass(slots=True)
class Outcome:
    """Totals of a run. `arrived == finished + rejected + cancelled + unfinished` always holds."""

    end_ps: int = 0
    arrived: int = 0
    finished: int = 0
    rejected: int = 0
    cancelled: int = 0
    unfinished: int = 0
    preemptions: int = 0
    iterations: int = 0
    steps: int = 0
    cuts: int = 0
    counters: dict[str, int] = field(default_factory=dict)
    """What mechanisms count, by the name it has among the metrics."""


class Sink(Protocol):
    """Where rows go, in pieces of at most some ten thousand. Row layouts: `simcore.results.schema`."""

    def requests(self, rows: Rows) -> None: ...
    def steps(self, rows: Rows) -> None: ...
    def gaps(self, gaps_ps: list[int]) -> None: ...
    def samples(self, rows: Rows) -> None: ...
    def iterations(self, rows: "list[tuple[int | list[int], ...]]") -> None: ...
    def decisions(self, rows: Rows) -> None: ...
