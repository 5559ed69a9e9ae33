"""Run one cell: build what it names, simulate, leave its files in a folder."""

from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from simcore.contract import CostModel, Router, Scheduler, Workload
from simcore.study.backends import default_dtype
from simcore.study.faults import schedule
from simcore.study.plan import Cell
from simcore.study.registry import find_policy
from simcore.study.rollout import rollout_settings
from simcore.study.traffic import open_workload
from simcore.study.training import learned_metrics, learning_of, write_lessons

if TYPE_CHECKING:
    from realbackend.run import RealSettings
    from simcore.simulator.settings import Outcome, Settings, Sink


def run_cell(cell: Cell, directory: Path) -> None:
    """Simulate a cell and write its files into `directory`, which is made. Raises whatever goes wrong."""
    from simcore.results import CellWriter, finish_cell
    from simcore.results.cell import Training

    spec, options = cell.spec, cell.options
    workload = open_workload(spec, cell.trace_file, cell.seed)
    settings = settings_of(cell, workload.lasts_s)
    with CellWriter(
        directory,
        classes=workload.classes,
        iterations=options.iterations,
        decisions=options.decisions,
        rollouts=spec.rollout is not None,
    ) as sink:
        ran = _run(settings, workload, sink, cell)
    if ran.lessons:
        write_lessons(directory, ran.lessons)
    rollout, cluster = spec.rollout, spec.cluster
    training = None
    if rollout is not None:
        gpus = cluster.instances * cluster.tp
        training = Training(rollout.steps, cluster.instances, gpus, rollout.warm_up_steps)
    finish_cell(
        directory,
        outcome=ran.outcome,
        slo=spec.slo.limits,
        class_slo=spec.slo.class_limits,
        classes=workload.classes,
        roles=cell.roles or (("mixed",) * spec.cluster.instances if cell.mechanisms.sm_split else ()),
        warm_up_s=spec.warm_up.seconds,
        warm_up_requests=spec.warm_up.requests,
        training=training,
        learned=learned_metrics(ran.lessons) if ran.lessons else {},
        meta={
            "hash": cell.hash,
            "workload": workload.name,
            "source": workload.source,
            "rate": workload.rate if isfinite(workload.rate) else None,
            "kv_blocks": cell.kv_blocks,
            **ran.meta,
            **_outside(settings.cost),
        },
    )


def _outside(cost: CostModel) -> dict[str, str]:
    """Return what a cost model has to say about where it was asked, if it has."""
    warning = cost.warning() if isinstance(cost, Warns) else None
    return {} if warning is None else {"cost_warning": warning}


@runtime_checkable
class Warns(Protocol):
    """A cost model that knows where its measurements end."""

    def warning(self) -> str | None:
        """Return what to tell the user at the end of a run, if anything."""


def settings_of(cell: Cell, lasts_s: float) -> "Settings":
    """Return the settings of a run; `lasts_s`: how long its requests keep arriving."""
    from simcore.simulator import Settings
    from simcore.simulator.settings import Priorities

    spec, options = cell.spec, cell.options
    priorities = spec.workload.priorities
    return Settings(
        instances=spec.cluster.instances,
        kv_blocks=cell.kv_blocks,
        block_tokens=spec.cluster.block_tokens,
        cost=cost_of(cell),
        make_router=lambda: _router(cell),
        make_scheduler=lambda: _scheduler(cell),
        oracle=frozenset(spec.oracle),
        seed=cell.seed,
        per_iteration=options.per_iteration,
        sample_s=spec.sample_s,
        record_iterations=options.iterations,
        record_decisions=options.decisions,
        mechanisms=cell.mechanisms,
        roles=cell.roles,
        report_s=spec.cluster.report_s,
        topology=cell.topology,
        block_bytes=cell.block_bytes,
        boot_s=spec.cluster.boot_s,
        faults=schedule(spec, cell.seed, lasts_s),
        priorities=None if priorities is None else Priorities(**priorities.model_dump()),
        rollout=rollout_settings(cell),
    )


def cost_of(cell: Cell) -> CostModel:
    """Return how long iterations take: by the profile or the roofline, and by the curve of SM shares."""
    from simcore.cost import Roofline
    from simcore.cost.by_share import any_by_share, roofline_by_share

    tp, curve = cell.spec.cluster.tp, cell.sm_curve
    if cell.profile is None:
        if curve is not None:
            return roofline_by_share(cell.model, cell.hardware, tp, curve)
        return Roofline(cell.model, cell.hardware, tp)
    cost = cell.profile.cost(cell.model, cell.hardware, tp)
    return cost if curve is None else any_by_share(cost, curve)


def real_settings(cell: Cell) -> "RealSettings":
    """Return what the real engine needs to know of a cell beside its settings."""
    from realbackend.run import RealSettings

    backend, real = cell.options.backend, cell.spec.real
    assert backend.device
    dtype = real.dtype or default_dtype(backend.device)
    return RealSettings(real.weights, dtype, backend.device, backend.clock, real.seed, real.stop)


@dataclass(frozen=True, slots=True)
class _Ran:
    outcome: "Outcome"
    meta: dict[str, str] = field(default_factory=dict)
    lessons: list[dict[str, Any]] = field(default_factory=list)


def _run(settings: "Settings", workload: "Workload", sink: "Sink", cell: Cell) -> _Ran:
    backend = cell.options.backend
    if backend.name == "sim" and backend.clock == "model":
        from simcore.simulator import simulate

        return _Ran(simulate(settings, workload, sink))
    if backend.name == "sim":
        from simcore.simulator.mock import mock

        return _Ran(mock(settings, workload, sink))
    if cell.spec.rollout is not None and cell.spec.real.training is not None:
        learning = learning_of(cell, settings, workload)
        outcome = learning.run(sink)
        return _Ran(outcome, {"token_hash": learning.digest}, [lesson.row() for lesson in learning.lessons])
    from realbackend.run import run_real

    done = run_real(settings, workload, sink, real_settings(cell))
    return _Ran(done.outcome, {"token_hash": done.digest})


def _router(cell: Cell) -> Router:
    router = find_policy(cell.router.reference, "router")(**cell.router.arguments)
    assert isinstance(router, Router), "the registry checks roles"
    return router


def _scheduler(cell: Cell) -> Scheduler:
    scheduler = find_policy(cell.scheduler.reference, "scheduler")(**cell.scheduler.arguments)
    assert isinstance(scheduler, Scheduler), "the registry checks roles"
    return scheduler
