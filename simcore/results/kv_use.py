"""KV use: how full the KV pools of each role are, and how long prefilled requests wait for room in another pool."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from simcore.contract import PS_PER_MS, PS_PER_S
from simcore.results.arrays import numbers
from simcore.results.parquet import row_groups
from simcore.results.totals import Metrics

ROLES = ("mixed", "prefill", "decode")
WAITED = ("handoff_wait_ps", "handoff_wait_block_ps")
"""Counters that become metrics here: time from prefilled to the start of the copy, and the same times KV blocks."""


def kv_use(directory: Path, roles: Sequence[str], window_ps: tuple[int, int]) -> Metrics:
    """Return the share of KV blocks in use by role, in the samples between two dates.

    The peak is the largest share of any one instance; the mean is over samples, which are equally far apart, and over
    instances. None for a role where there is no sample.

    Args:
        roles: of each instance; empty: nothing is returned.
    """
    first_s, last_s = (date / PS_PER_S for date in window_ps)
    shares: dict[str, list[np.ndarray]] = {role: [] for role in ROLES if role in roles}
    for group in row_groups(directory / "instances.parquet") if shares else ():
        at_s, instance, used, total = (
            numbers(group.column(name)) for name in ("at_s", "instance", "used_blocks", "kv_blocks")
        )
        counts = (at_s >= first_s) & (at_s <= last_s)
        for role, found in shares.items():
            its = [number for number, its_role in enumerate(roles) if its_role == role]
            chosen = counts & np.isin(instance, its)
            found.append(used[chosen] / total[chosen])
    metrics: Metrics = {}
    for role, found in shares.items():
        values = np.concatenate([np.empty(0), *found])
        metrics[f"peak_kv_use_{role}"] = float(values.max()) if len(values) else None
        metrics[f"mean_kv_use_{role}"] = float(values.mean()) if len(values) else None
    return metrics


def handoff_waits(counters: Mapping[str, int], duration_s: float) -> Metrics:
    """Return how long a prefilled request waited for room in its new pool, and how many blocks did so on average."""
    if WAITED[0] not in counters:
        return {}
    waited_ps, block_ps = (counters[name] for name in WAITED)
    return {
        "mean_handoff_wait_ms": waited_ps / counters["handoffs"] / PS_PER_MS,
        "mean_handoff_waiting_blocks": block_ps / PS_PER_S / duration_s if duration_s > 0 else None,
    }
