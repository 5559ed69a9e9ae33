"""Rollout of a study: what the simulator is told of training, and what a rollout cannot be combined with."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path as FilePath
from typing import TYPE_CHECKING

from simcore.contract import Policy, Role, Rollout, Scheduler, SetRole
from simcore.cost.training import training_step_s
from simcore.study.errors import Path
from simcore.study.lookup import Lookup
from simcore.study.registry import find_policy
from simcore.study.schema import StudySpec
from simcore.study.traffic import open_workload

if TYPE_CHECKING:
    from simcore.simulator.rollout_settings import RolloutSettings
    from simcore.simulator.settings import Mechanisms
    from simcore.study.plan import Cell


def rollout_settings(cell: "Cell") -> "RolloutSettings | None":
    """Return what the simulator needs to know of the training of a cell; None: it does not train."""
    from simcore.simulator.learning import HashJudge, TimedTrainer
    from simcore.simulator.rollout_settings import RolloutSettings

    spec, use = cell.spec.rollout, cell.rollout
    if spec is None or use is None:
        return None
    reward, weights = spec.reward, spec.weights
    size = cell.model.weight_bytes(cell.spec.cluster.tp) * cell.spec.cluster.tp
    return RolloutSettings(
        make_rollout=lambda: _policy(cell),
        trainer=TimedTrainer(_step_s(cell), size if weights.bytes == "model" else weights.bytes, weights.load_s),
        judge=HashJudge(
            seed=cell.seed,
            always=reward.always,
            never=reward.never,
            seconds=reward.seconds,
            spread=reward.spread,
            fails=reward.fails,
            filter=spec.filter,
        ),
        steps=spec.steps,
        groups=spec.groups,
        max_tokens=spec.max_tokens or _cap(cell.spec),
        attempts=reward.attempts,
        pause_for_weights=weights.pause,
    )


def _policy(cell: "Cell") -> Rollout:
    assert cell.rollout is not None
    rollout = find_policy(cell.rollout.reference, "rollout")(**cell.rollout.arguments)
    assert isinstance(rollout, Rollout), "the registry checks roles"
    return rollout


def _step_s(cell: "Cell") -> Callable[[int], float]:
    assert cell.spec.rollout is not None
    trainer = cell.spec.rollout.trainer
    if trainer.seconds is not None:
        seconds = trainer.seconds
        return lambda _tokens: seconds
    gpus = trainer.gpus or cell.spec.cluster.instances * cell.spec.cluster.tp
    return lambda tokens: training_step_s(
        cell.model, cell.hardware, tokens, gpus=gpus, mfu=trainer.mfu, extra_forwards=trainer.extra_forwards
    )


def _cap(spec: StudySpec) -> int | None:
    """Return the length cap of the workload, if it is written there."""
    groups = spec.workload.groups or {}
    output = groups.get("output_tokens")
    cap = output.get("max") if isinstance(output, dict) else None
    return cap if isinstance(cap, int) else None


def check_rollout(lookup: Lookup, spec: StudySpec, trace_file: FilePath | None) -> None:
    """Check that the workload has groups, and that the trainer is said once."""
    assert spec.rollout is not None
    trainer = spec.rollout.trainer
    if trainer.seconds is not None and trainer.gpus is not None:
        lookup.wrong(("rollout", "trainer"), "says seconds and gpus; leave one of the two out")
    workload = lookup.attempt(("workload",), lambda: open_workload(spec, trace_file, 0))
    first = None if workload is None else next(iter(workload.pieces()), None)
    if first is not None and first.group is None:
        lookup.wrong(("workload",), "must be groups of samples, as with `workload.groups`, for a study with `rollout`")


_SAID: dict[Path, str] = {
    ("mechanism", "preemption"): "mechanism.preemption: swap",
    ("router",): "a router that sets roles",
    ("scheduler",): "a scheduler that builds whole batches",
}
"""What is meant where the key alone does not say it."""


def rollout_conflicts(
    roles: Sequence[Role], mechanisms: "Mechanisms", router: type[Policy], scheduler: type[Policy]
) -> Iterator[tuple[Path, str]]:
    """Yield what rollouts do not run with yet, as (path below the system, message)."""
    switched_on: dict[Path, bool] = {
        ("mechanism", "prefix_cache"): mechanisms.prefix_cache is not None,
        ("mechanism", "preemption"): mechanisms.preemption == "swap",
        ("mechanism", "schedule_ahead"): mechanisms.schedule_ahead > 0,
        ("mechanism", "sm_split"): mechanisms.sm_split is not None,
        ("mechanism", "migration"): mechanisms.migration != "none",
        ("cluster", "host_memory_gib"): mechanisms.host_blocks > 0,
        ("cluster", "roles"): bool(set(roles) - {"mixed"}),
        ("router",): SetRole in router.emits,
        ("scheduler",): scheduler.batch is not Scheduler.batch,  # type: ignore[attr-defined]
    }
    for path, on in switched_on.items():
        if on:
            yield path, f"rollouts do not run with {_SAID.get(path) or '.'.join(map(str, path))} yet"
