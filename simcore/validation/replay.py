"""Replay: a server's run in the simulator, with the scheduler's settings of the server and any cost model."""

from dataclasses import dataclass, field

import numpy as np

from simcore.contract import PS_PER_S, CostModel
from simcore.simulator import Mechanisms, Settings, simulate
from simcore.simulator.settings import Rows
from simcore.study.registry import find_policy
from simcore.validation.latencies import Latencies, latencies
from simcore.validation.server_run import Counts, Seconds, Series, ServerRun
from simcore.validation.workload import RunWorkload

_SAMPLE_S = 1.0
_ARRIVAL, _SCHEDULED, _FIRST, _LAST, _CACHED = 4, 5, 6, 7, 11


@dataclass(frozen=True, slots=True)
class Replayed:
    """What the simulator did with a run; [n] each, seconds since the first arrival.

    missed_hits: requests whose prefix cache did not find what the server's found: blocks were evicted before.
    """

    arrival_s: Seconds
    scheduled_s: Seconds
    first_s: Seconds
    last_s: Seconds
    output: Counts
    series: Series
    used_blocks: Seconds
    preemptions: int
    missed_hits: int
    iterations: int

    @property
    def latencies(self) -> Latencies:
        return latencies(self.arrival_s, self.first_s, self.last_s, self.output)


def replay(
    run: ServerRun,
    cost: CostModel,
    kv_blocks: int,
    *,
    with_hits: bool = True,
    asynchronous: bool | None = None,
    sample_s: float | None = None,
) -> Replayed:
    """Return what happens to the requests of `run` under `cost` and `kv_blocks` blocks.

    with_hits: False prices every prompt token as computed. asynchronous: None is as the server was. sample_s: between
        rows of the series; None: as in the server's, or a second.

    Raises ValueError when the simulator cannot finish a request that the server finished.
    """
    engine = run.engine
    router, scheduler = find_policy("round_robin", "router"), find_policy("vllm_v1", "scheduler")
    limits = {
        "max_num_batched_tokens": engine.max_num_batched_tokens,
        "max_num_seqs": engine.max_num_seqs,
        "reserve_full_prompt": engine.reserve_full_prompt,
    }
    ahead = engine.asynchronous if asynchronous is None else asynchronous
    settings = Settings(
        instances=1,
        kv_blocks=kv_blocks,
        block_tokens=engine.block_tokens,
        cost=cost,
        make_router=router,  # type: ignore[arg-type]
        make_scheduler=lambda: scheduler(**limits),  # type: ignore[arg-type, return-value]
        sample_s=_period_s(run) if sample_s is None else sample_s,
        mechanisms=Mechanisms(
            prefix_cache="cold" if engine.prefix_caching and with_hits else None, schedule_ahead=1 if ahead else 0
        ),
    )
    rows = _Kept()
    outcome = simulate(settings, RunWorkload(run, with_hits and engine.prefix_caching), rows)
    if outcome.finished != len(run):
        raise ValueError(
            f"the server finished {len(run)} requests, the simulator {outcome.finished} "
            f"({outcome.rejected} need more than {kv_blocks:,} KV blocks)"
        )
    table = np.array(sorted(rows.finished), dtype=np.int64)
    samples = np.array(rows.sampled, dtype=np.int64).reshape(-1, 7)
    hits = run.hits if with_hits and engine.prefix_caching else np.zeros(len(run), dtype=np.int64)
    arrival, scheduled, first, last = (table[:, column] / PS_PER_S for column in (_ARRIVAL, _SCHEDULED, _FIRST, _LAST))
    return Replayed(
        arrival_s=arrival,
        scheduled_s=scheduled,
        first_s=first,
        last_s=last,
        output=run.output,
        series=Series(samples[:, 0] / PS_PER_S, samples[:, 2].astype(np.float64), samples[:, 3].astype(np.float64)),
        used_blocks=samples[:, 4].astype(np.float64),
        preemptions=outcome.preemptions,
        missed_hits=int((table[:, _CACHED] < hits).sum()),
        iterations=outcome.iterations,
    )


def _period_s(run: ServerRun) -> float:
    if run.series is None or len(run.series.at_s) < 2:
        return _SAMPLE_S
    return float(np.median(np.diff(run.series.at_s)))


@dataclass(slots=True)
class _Kept:
    """A sink that keeps requests and samples."""

    finished: Rows = field(default_factory=list)
    sampled: Rows = field(default_factory=list)

    def requests(self, rows: Rows) -> None:
        self.finished += rows

    def samples(self, rows: Rows) -> None:
        self.sampled += rows

    def steps(self, rows: Rows) -> None: ...
    def gaps(self, gaps_ps: list[int]) -> None: ...
    def rollouts(self, rows: Rows) -> None: ...
    def iterations(self, rows: "list[tuple[int | list[int], ...]]") -> None: ...
    def decisions(self, rows: Rows) -> None: ...
