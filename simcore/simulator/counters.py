"""Counters: what mechanisms did in a run, by the names they have among the metrics."""

from collections import Counter
from typing import TYPE_CHECKING

from simcore.contract import PS_PER_S, to_s
from simcore.simulator.tiered_stepper import SimTieredLane

if TYPE_CHECKING:
    from simcore.simulator.simulator import Simulator


def measure(simulator: "Simulator", measured: dict[str, float | None]) -> None:
    """Add what mechanisms measured."""
    end_ps = simulator.outcome.end_ps
    instances_ps = simulator.fleet.time.total_ps(end_ps)
    if instances_ps and end_ps:
        measured["mean_instances"] = instances_ps / end_ps
    if simulator.settings.mechanisms.migration == "none":
        return
    downtimes = sorted(down for lane in simulator.lanes if isinstance(lane, SimTieredLane) for down in lane.downtimes)
    mean = sum(downtimes) / len(downtimes) / PS_PER_S if downtimes else None
    measured["migration_downtime_s_mean"] = mean
    measured["migration_downtime_s_p99"] = _percentile(downtimes, 0.99)
    measured["migration_downtime_s_max"] = to_s(downtimes[-1]) if downtimes else None


def _percentile(ordered_ps: list[int], share: float) -> float | None:
    """Return a percentile in seconds, linear between neighbours; None of nothing."""
    if not ordered_ps:
        return None
    rank = share * (len(ordered_ps) - 1)
    low = int(rank)
    high = min(low + 1, len(ordered_ps) - 1)
    return (ordered_ps[low] + (rank - low) * (ordered_ps[high] - ordered_ps[low])) / PS_PER_S


def count(simulator: "Simulator", counters: dict[str, int]) -> None:
    """Add up the counters of all lanes, caches, clients and links."""
    total = Counter[str]()
    mechanisms = simulator.settings.mechanisms
    if mechanisms.prefix_cache is not None:
        total.update(prefix_hit_tokens=0, prefix_query_tokens=0, prefix_evictions=0)
    if mechanisms.offload:
        total.update(offloads=0, offloaded_blocks=0, reloads=0, reloaded_blocks=0, host_evictions=0)
    elif mechanisms.host_blocks:
        total.update(swap_outs=0, swap_ins=0, swapped_blocks=0, swap_out_blocks=0, swap_in_blocks=0)
        total.update(swap_launches=0, swap_stall_ps=0, swap_conflicts=0)
    if mechanisms.host_copy == "keep":
        total.update(reused_host_blocks=0, host_prefix_tokens=0)
    if simulator.settings.faults:
        total.update(instances_failed=0, requests_requeued=0)
    for lane in simulator.lanes:
        if isinstance(lane, SimTieredLane):
            total.update(lane.counts)
    for instance in simulator.instances:
        if instance.store is not None and instance.store.cache is not None and instance.store.cached:
            total["prefix_evictions"] += instance.store.cache.evicted
        if instance.store is not None and instance.store.tier is not None:
            total["host_evictions"] += instance.store.tier.cache.evicted
    if mechanisms.migration != "none":
        total.update(migrations=0, migrations_aborted=0, migration_stages=0, migrated_blocks=0)
        total.update(simulator.migrations.counts)
    total.update(simulator.clients.counts)
    total.update(simulator.counts)
    for name, link in sorted(simulator.network.links.items()):
        if link.carried_bytes:
            total[f"bytes_{name}"] += link.carried_bytes
    counters.update(total)
