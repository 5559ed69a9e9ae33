"""Warnings of a comparison: where two runs did not do the same work, so that a difference may be of the work."""

from collections.abc import Iterator, Sequence
from typing import Any

from simcore.results.compare_source import MeasuredRun

TOLERANCE = 0.01
"""Token totals that lie closer count as equal: tokenizers add a few tokens to a prompt."""

_SETUP = (
    ("model_id", "models"),
    ("num_prompts", "numbers of requests"),
    ("max_concurrency", "limits of concurrency"),
)
_TOTALS = (("total_input_tokens", "input tokens"), ("total_output_tokens", "output tokens"))


def warnings(a: Sequence[MeasuredRun], b: Sequence[MeasuredRun]) -> Iterator[str]:
    """Yield a line for each way in which the work of A and B differs, as far as both files tell."""
    ours, theirs = a[0], b[0]
    for key, what in _SETUP:
        first, second = ours.setup.get(key), theirs.setup.get(key)
        if first is not None and second is not None and first != second:
            yield f"different {what}: {first} and {second}"
    yield from _rates(ours, theirs)
    for key, what in _TOTALS:
        first, second = _mean(a, key), _mean(b, key)
        if first is not None and second is not None and abs(second - first) > TOLERANCE * max(abs(first), 1):
            yield f"different totals of {what}: {first:,.0f} and {second:,.0f}"


def _rates(ours: MeasuredRun, theirs: MeasuredRun) -> Iterator[str]:
    """Compare arrivals. A file says `inf` for all at once and for a replayed trace alike: that settles nothing."""
    first, second = (_rate(run.setup.get("request_rate")) for run in (ours, theirs))
    if first is None or second is None:
        return
    if first != second:
        yield f"different request rates: {first:g} and {second:g} requests per second"
    shape, other_shape = (run.setup.get("burstiness") for run in (ours, theirs))
    if shape is not None and other_shape is not None and shape != other_shape:
        yield f"different burstiness of arrivals: {shape:g} and {other_shape:g}"


def _rate(value: Any) -> float | None:
    rate = float(value) if isinstance(value, int | float | str) and value != "" else None
    return None if rate is None or rate == float("inf") else rate


def _mean(runs: Sequence[MeasuredRun], key: str) -> float | None:
    values = [run.metrics[key] for run in runs if key in run.metrics]
    return sum(values) / len(values) if values else None
