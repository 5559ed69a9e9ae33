"""Intervals: what the seeds say together, as tidy frames: means, paired differences, breaking points, claims.

One row an observation: system, a column per sweep key, metric, then the numbers. One seed has no interval: NaN.
"""

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from simcore.results.stats import Run, grouped, over_seeds, paired

if TYPE_CHECKING:
    import pandas as pd

Summary = Mapping[str, Any]
"""Content of `summary.json`."""


def mean_frame(summary: Summary, metrics: Sequence[str]) -> "pd.DataFrame":
    """Return mean and 95% interval over the seeds of each system at each point: n, mean, ci_low, ci_high.

    Raises ValueError for a metric that no run has. A metric without a value in any seed has no row.
    """
    runs = summary["runs"]
    check_metrics(runs, metrics)
    rows = [
        {"system": system, **ours[0]["point"], "metric": metric, **found.as_dict()}
        for metric in metrics
        for (system, _), ours in grouped(runs).items()
        if (found := over_seeds(ours, metric)) is not None
    ]
    return _frame(rows, ("system", *sweep_keys(summary), "metric", "n", "mean", "ci_low", "ci_high"))


def difference_frame(summary: Summary, metrics: Sequence[str], baseline: str | None = None) -> "pd.DataFrame":
    """Return the differences of systems to `baseline` (None: the first), seed by seed on the same requests.

    Columns after the metric: n, mean, baseline_mean, difference, ci_low, ci_high, relative (difference over
    baseline_mean), verdict (better, worse, undecided). Raises ValueError for a metric or system that no run has.
    """
    runs = summary["runs"]
    check_metrics(runs, metrics)
    systems = list(dict.fromkeys(run["system"] for run in runs))
    first = systems[0] if baseline is None else baseline
    if first not in systems:
        raise ValueError(f"unknown system {first!r}; have {', '.join(systems)}{_nearest(first, systems)}")
    rows = list(_differences(runs, metrics, first))
    numbers = ("n", "mean", "baseline_mean", "difference", "ci_low", "ci_high", "relative")
    return _frame(rows, ("system", "baseline", *sweep_keys(summary), "metric", *numbers, "verdict"))


def breaking_frame(summary: Summary) -> "pd.DataFrame":
    """Return the rate up to which each system keeps the SLO, and its ratio to the first system's.

    Columns: system, other sweep keys, target, where, n, rate, ci_low, ci_high, baseline, ratio, ratio_ci_low,
    ratio_ci_high, verdict; `docs/metrics.md` says what they mean. Without rows where no rates are swept.
    """
    compared = ("baseline", "ratio", "ratio_ci_low", "ratio_ci_high", "verdict")
    own = ("target", "where", "n", "rate", "ci_low", "ci_high")
    rows = [
        {"system": entry["system"], **entry["point"]}
        | {name: entry[name] for name in own}
        | {name: (entry["against"] or {}).get(name) for name in compared}
        for entry in summary["breaking"]
    ]
    others = list(dict.fromkeys(key for entry in summary["breaking"] for key in entry["point"]))
    return _frame(rows, ("system", *others, *own, *compared))


def claims_frame(summary: Summary) -> "pd.DataFrame":
    """Return one row per claim: claim, holds (None: open), quantity, here, ci_low, ci_high, paper, source, why.

    `docs/claims.md` says what they mean.
    """
    import pandas as pd

    columns = ["claim", "holds", "quantity", "here", "ci_low", "ci_high", "paper", "source", "why"]
    return pd.DataFrame([{name: claim.get(name) for name in columns} for claim in summary["claims"]], columns=columns)


def sweep_keys(summary: Summary) -> list[str]:
    """Return the dotted keys that a study swept, in its order."""
    return list(dict.fromkeys(key for run in summary["runs"] for key in run["point"]))


def check_metrics(runs: Sequence[Run], metrics: Sequence[str]) -> None:
    """Raise ValueError unless each metric stands in some run."""
    known = dict.fromkeys(name for run in runs for name in run["metrics"])
    for metric in metrics:
        if metric not in known:
            raise ValueError(f"unknown metric {metric!r}; `summary` has one column for each{_nearest(metric, known)}")


def _differences(runs: Sequence[Run], metrics: Sequence[str], baseline: str) -> Iterator[dict[str, Any]]:
    groups = grouped(runs)
    for metric in metrics:
        for (system, point), ours in groups.items():
            theirs = groups.get((baseline, point))
            if system == baseline or theirs is None:
                continue
            found = paired(ours, theirs, metric)
            if found is not None:
                yield {"system": system, "baseline": baseline, **ours[0]["point"], "metric": metric, **found}


def _frame(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> "pd.DataFrame":
    """Return the rows with these columns, what is missing in columns of numbers as NaN."""
    import pandas as pd

    frame = pd.DataFrame(rows, columns=list(columns))
    numbers = [name for name in columns if name in _NUMBERS]
    return frame.astype(dict.fromkeys(numbers, "float64"))


_NUMBERS = (
    *("mean", "baseline_mean", "difference", "relative", "rate", "ratio"),
    *("ci_low", "ci_high", "ratio_ci_low", "ratio_ci_high"),
)


def _nearest(name: str, known: Mapping[str, None] | Sequence[str]) -> str:
    near = get_close_matches(name, list(known), 1)
    return f" (did you mean {near[0]!r}?)" if near else ""
