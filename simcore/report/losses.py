"""Losses: the requests that did not complete, and why."""

from collections.abc import Sequence

from simcore.results.plots.style import point_words
from simcore.results.stats import Run, grouped


def losses_table(runs: Sequence[Run]) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Return headings and rows of the requests that did not complete, summed over seeds; no rows if all did.

    Columns in which nothing was lost are left out, and so are systems that lost nothing.
    """
    kinds = ("rejected", "timed out", "cancelled", "lost", "unfinished")
    counted = []
    for (system, _), ours in grouped(runs).items():
        metrics = [run["metrics"] for run in ours]
        # The counter of time-outs knows no warm-up.
        timed_out = sum(min(each.get("timed_out", 0), each["cancelled"]) for each in metrics)
        sums = {
            key: sum(each[key] for each in metrics) for key in ("rejected", "cancelled", "lost_requests", "unfinished")
        }
        left = (sums["rejected"], timed_out, sums["cancelled"] - timed_out, sums["lost_requests"], sums["unfinished"])
        arrived = sum(each["arrived"] for each in metrics)
        if any(left):
            counted.append((system, point_words(ours[0]["point"]), arrived, left))
    used = [index for index in range(len(kinds)) if any(left[index] for *_, left in counted)]
    with_point = any(where for _, where, *_ in counted)
    headings = ("system", *(("at",) if with_point else ()), "arrived", *(kinds[index] for index in used))
    rows = tuple(
        (system, *((where,) if with_point else ()), f"{arrived:,}", *(_of(left[index], arrived) for index in used))
        for system, where, arrived, left in counted
    )
    return headings, rows


def _of(count: int, arrived: int) -> str:
    return f"{count:,} ({100 * count / arrived:.1f}%)" if count else "0"
