"""Failures: the runs that ended in an error, those with the same one together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from simcore.results.plots.style import point_words


@dataclass(frozen=True, slots=True)
class Failure:
    """An error, in one line and in full, and the runs that ended in it."""

    reason: str
    traceback: str
    runs: tuple[str, ...]


def failures(failed: Sequence[Mapping[str, Any]]) -> list[Failure]:
    """Return each different error once, in the order of the runs.

    Args:
        failed: content of failed.json: {system, point, seed, traceback} of each run.
    """
    runs: dict[str, list[str]] = {}
    for each in failed:
        words = [each["system"], point_words(each["point"]), f"seed {each['seed']}"]
        runs.setdefault(each["traceback"], []).append(", ".join(filter(None, words)))
    return [Failure(trace.strip().rpartition("\n")[2], trace, tuple(names)) for trace, names in runs.items()]
