"""Mechanisms of a system: those of the study and its own together, checked against its policies and its cluster."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from simcore.contract import Migrate, Policy, Router, Scheduler, SetRole, SplitSMs
from simcore.study.errors import Path
from simcore.study.schema_cluster import ClusterSpec, MechanismSpec

if TYPE_CHECKING:
    from simcore.simulator.settings import Mechanisms


def to_mechanisms(
    spec: MechanismSpec, host_blocks: int, sm_shares: tuple[tuple[int, int, int, int], ...] = ()
) -> "Mechanisms":
    """Return what the simulator is told; what the study leaves open is the simulator's default.

    sm_shares: the table that `contention` names, if it names one.
    """
    from simcore.simulator.settings import Mechanisms

    said = {key: value for key, value in spec.said.items() if value != "off"}
    if str(said.get("contention")).endswith(".csv"):
        said |= {"contention": "table", "sm_shares": sm_shares}
    return Mechanisms(**said, host_blocks=host_blocks)


def conflicts(
    cluster: ClusterSpec, mechanisms: "Mechanisms", router: type[Policy], scheduler: type[Policy], block_bytes: int
) -> Iterator[tuple[Path, str]]:
    """Yield what does not go together, as (path below the system, message).

    block_bytes: of a KV block over all GPUs of an instance.
    """
    roles = frozenset(cluster.roles)
    if mechanisms.preemption == "swap" and not mechanisms.host_blocks:
        rule = f"swap needs cluster.host_memory_gib to hold a KV block of {block_bytes / 2**20:g} MiB or more"
        yield ("mechanism", "preemption"), f"{rule}, got {cluster.host_memory_gib:g}"
    yield from _beside_the_host_tier(cluster, mechanisms, router, block_bytes)
    if mechanisms.sm_split and roles - {"mixed"}:
        rule = "two lanes do the work of both roles; cluster.roles must all be mixed"
        yield ("mechanism", "sm_split"), f"{rule}, got {sorted(roles - {'mixed'})[0]}"
    if mechanisms.sm_split and mechanisms.schedule_ahead and mechanisms.sm_switch in ("restart", "delayed_sync"):
        rule = "both lanes stop for it, which schedule_ahead cannot; must be delayed_async or green_ladder"
        yield ("mechanism", "sm_switch"), f"{rule}, got {mechanisms.sm_switch}"
    split = mechanisms.sm_split
    if split and mechanisms.sm_switch == "green_ladder" and split not in mechanisms.sm_ladder:
        rungs = ", ".join(str(list(rung)) for rung in mechanisms.sm_ladder) or "which is empty"
        yield ("mechanism", "sm_split"), f"must be a rung of sm_ladder, {rungs}, got {list(split)}"
    if "prefill" in roles and router.on_prefilled is Router.on_prefilled:  # type: ignore[attr-defined]
        rule = "cluster.roles has prefill instances, so a router must dispatch what they have prefilled"
        yield ("router",), f"{rule} (`on_prefilled`), and {router.__name__} does not"
    if mechanisms.sm_split and SetRole in router.emits:
        yield ("router",), f"{router.__name__} emits SetRole, and the two lanes of mechanism.sm_split have no role"
    for role, policy in (("router", router), ("scheduler", scheduler)):
        if SplitSMs in policy.emits and not mechanisms.sm_split:
            yield (role,), f"{policy.__name__} emits SplitSMs, which needs mechanism.sm_split"
    if mechanisms.migration != "none":
        for key in _beyond_migration(cluster, mechanisms, router):
            yield ("mechanism", "migration"), f"does not go with {key} yet, got {mechanisms.migration}"
    elif Migrate in router.emits:
        rule = "which needs mechanism.migration: multistage, two_stage, blocking or recompute"
        yield ("router",), f"{router.__name__} emits Migrate, {rule}"
    yield from _context_switches(cluster, mechanisms, router)
    beyond = _beyond_whole_batches(cluster, mechanisms, router)
    if beyond and scheduler.batch is not Scheduler.batch:  # type: ignore[attr-defined]
        yield (
            ("scheduler",),
            f"{scheduler.__name__} builds whole batches, which do not run with {', '.join(beyond)} yet",
        )


def _beyond_mixed(cluster: ClusterSpec, router: type[Policy]) -> dict[str, bool]:
    """Return by what an instance may come to be other than mixed, and whether it may."""
    return {
        "cluster.roles": bool(set(cluster.roles) - {"mixed"}),
        f"a router that sets roles ({router.__name__})": SetRole in router.emits,
    }


def _beyond_migration(cluster: ClusterSpec, mechanisms: "Mechanisms", router: type[Policy]) -> list[str]:
    """Return what is switched on that migrations do not go with."""
    switched_on = {
        **_beyond_mixed(cluster, router),
        "mechanism.schedule_ahead": mechanisms.schedule_ahead,
        "mechanism.sm_split": mechanisms.sm_split,
    }
    return [key for key, on in switched_on.items() if on]


def _beside_the_host_tier(
    cluster: ClusterSpec, mechanisms: "Mechanisms", router: type[Policy], block_bytes: int
) -> Iterator[tuple[Path, str]]:
    """Yield what the host tier lacks, or does not go with yet."""
    if not mechanisms.offload:
        return
    at = ("mechanism", "offload")
    if mechanisms.prefix_cache is None:
        yield at, "the host tier needs mechanism.prefix_cache, by which what was copied is found"
    if not mechanisms.host_blocks:
        rule = f"the host tier needs cluster.host_memory_gib to hold a KV block of {block_bytes / 2**20:g} MiB or more"
        yield at, f"{rule}, got {cluster.host_memory_gib:g}"
    beside = {
        "mechanism.preemption: swap": mechanisms.preemption == "swap",
        "mechanism.sm_split": mechanisms.sm_split,
        **_beyond_mixed(cluster, router),
        "mechanism.migration": mechanisms.migration != "none",
    }
    for key in (key for key, on in beside.items() if on):
        yield at, f"the host tier does not run with {key} yet"


def _beyond_whole_batches(cluster: ClusterSpec, mechanisms: "Mechanisms", router: type[Policy]) -> list[str]:
    """Return what is switched on that a lane of whole batches does not do."""
    switched_on = {
        **_beyond_mixed(cluster, router),
        "mechanism.prefix_cache": mechanisms.prefix_cache,
        "mechanism.preemption: swap": mechanisms.preemption == "swap",
        "mechanism.schedule_ahead": mechanisms.schedule_ahead,
        "mechanism.sm_split": mechanisms.sm_split,
        "mechanism.migration": mechanisms.migration != "none",
    }
    return [key for key, on in switched_on.items() if on]


def _context_switches(
    cluster: ClusterSpec, mechanisms: "Mechanisms", router: type[Policy]
) -> Iterator[tuple[Path, str]]:
    """Yield what does not go together with block groups, adaptive swap and host copies that stay."""
    on = {
        "allocator": mechanisms.allocator == "groups",
        "swap": mechanisms.swap == "adaptive",
        "host_copy": mechanisms.host_copy == "keep",
    }
    others = {
        "mechanism.prefix_cache": mechanisms.prefix_cache,
        "mechanism.sm_split": mechanisms.sm_split,
        "mechanism.schedule_ahead": mechanisms.schedule_ahead,
        **_beyond_mixed(cluster, router),
        "mechanism.migration": mechanisms.migration != "none",
        "mechanism.offload": mechanisms.offload,
    }
    beside = ", ".join(key for key, is_on in others.items() if is_on)
    for key in (key for key, is_on in on.items() if is_on):
        said = f"{key}: {getattr(mechanisms, key)}"
        if not mechanisms.host_blocks:
            yield ("mechanism", key), f"{said} needs cluster.host_memory_gib to hold a KV block or more"
        if beside:
            yield ("mechanism", key), f"{said} does not run with {beside} yet"
    if mechanisms.host_prealloc_blocks and not (on["allocator"] and on["host_copy"]):
        rule = "needs allocator: groups and host_copy: keep"
        yield ("mechanism", "host_prealloc_blocks"), f"{rule}, got {mechanisms.host_prealloc_blocks}"
