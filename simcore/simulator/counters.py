"""Counters: what mechanisms did in a run, by the names they have among the metrics."""

from collections import Counter
from typing import TYPE_CHECKING

from simcore.simulator.tiered_stepper import SimTieredLane

if TYPE_CHECKING:
    from simcore.simulator.simulator import Simulator


def count(simulator: "Simulator", counters: dict[str, int]) -> None:
    """Add up the counters of all lanes, caches, clients and links."""
    total = Counter[str]()
    mechanisms = simulator.settings.mechanisms
    if mechanisms.prefix_cache is not None:
        total.update(prefix_hit_tokens=0, prefix_query_tokens=0, prefix_evictions=0)
    if mechanisms.host_blocks:
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
    total.update(simulator.clients.counts)
    total.update(simulator.counts)
    for name, link in sorted(simulator.network.links.items()):
        if link.carried_bytes:
            total[f"bytes_{name}"] += link.carried_bytes
    counters.update(total)
