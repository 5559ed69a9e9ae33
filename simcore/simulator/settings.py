"""What a run needs to know, what it leaves behind, and where its rows go."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol

from simcore.contract import CostModel, Role, Router, Scheduler
from simcore.simulator.rollout_settings import RolloutSettings
from simcore.simulator.topology import Topology

Rows = list[tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Mechanisms:
    """How the cluster does what policies ask; the rules of each: docs/mechanisms.md.

    Args:
        prefix_cache: "cold" starts empty, "warm" with what the workload's prompts, in order, leave behind; None: off.
        preemption: what becomes of a victim's KV when neither the action nor `Scheduler.spill` says.
        swap: "sync" makes the iteration wait for its copies; "async" lets it run, and holds blocks until copied.
        host_blocks: KV blocks of host memory per instance for swapped KV; 0: none.
        schedule_ahead: 1: facts, and the blocks and places of what ended, reach a lane one boundary late.
        sm_split: (prefill, decode) percent of the SMs: two lanes on one pool in each instance; None: one lane.
        contention: "normalise" scales shares that sum to over 100 while both lanes are busy; "none" does not.
        sm_switch_s: seconds until new shares are in force.
        lost: requests of an instance that went down are "requeued" (they arrive again) or "failed".
        max_waiting: a dispatch to an instance with so many waiting requests is refused; None: never.
    """

    prefix_cache: Literal["cold", "warm"] | None = None
    preemption: Literal["recompute", "swap"] = "recompute"
    swap: Literal["sync", "async"] = "sync"
    host_blocks: int = 0
    schedule_ahead: Literal[0, 1] = 0
    sm_split: tuple[int, int] | None = None
    contention: Literal["normalise", "none"] = "normalise"
    sm_switch_s: float = 0.0
    lost: Literal["requeued", "failed"] = "requeued"
    max_waiting: int | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong at a date and is over after a while.

    Args:
        kind: "instance" goes down, and boots when it is over; "link" keeps `factor` of its bandwidth; "straggler": an
            instance's iterations take `factor` times as long.
        target: the instance, or the name of the link.
        at_s: when, seconds.
        for_s: how long, seconds; None: until the end of the run.
        factor: of a link 0..1, in thousandths; of a straggler, > 0, in thousandths.
    """

    kind: Literal["instance", "link", "straggler"]
    target: int | str
    at_s: float
    for_s: float | None = None
    factor: float = 0.0


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
        mechanisms: how the cluster does what policies ask.
        roles: of each instance; empty: all mixed.
        report_s: period of the reports a router sees, seconds; None: it sees every boundary.
        topology: which links there are, and which a copy crosses; None: every copy takes no time.
        block_bytes: bytes of one KV block, for copies.
        boot_s: seconds from `Scale`, or from the end of an instance's fault, until the instance is up.
        faults: what goes wrong when.
        rollout: the workload is prompts to train on, not requests that arrive by themselves; None: it is not.
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
    mechanisms: Mechanisms = Mechanisms()
    roles: tuple[Role, ...] = ()
    report_s: float | None = None
    topology: Topology | None = None
    block_bytes: int = 0
    boot_s: float = 0.0
    faults: tuple[Fault, ...] = ()
    rollout: RolloutSettings | None = None


@dataclass(slots=True)
class Outcome:
    """Totals of a run. `arrived == finished + rejected + cancelled + failed + unfinished` always holds."""

    end_ps: int = 0
    arrived: int = 0
    finished: int = 0
    rejected: int = 0
    cancelled: int = 0
    failed: int = 0
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
    def rollouts(self, rows: Rows) -> None: ...


def is_tiered(settings: Settings) -> bool:
    """Return whether KV can be anywhere but in the batch of a running request."""
    mechanisms = settings.mechanisms
    return (
        mechanisms.prefix_cache is not None
        or mechanisms.host_blocks > 0
        or mechanisms.schedule_ahead > 0
        or mechanisms.sm_split is not None
        or any(role != "mixed" for role in settings.roles)
    )
