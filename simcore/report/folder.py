"""Result folder: the files a report is made from, read and checked."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simcore.results.assemble import SUMMARY_SCHEMA
from simcore.results.parquet import row_count
from simcore.results.plots.resolved import RESOLVED, read_resolved


class NotAResult(ValueError):
    """A folder that no report can be made from; the message says why."""


@dataclass(frozen=True, slots=True)
class ResultFolder:
    """What a run left behind.

    Args:
        path: the folder.
        summary: content of summary.json.
        study: the study as it ran, defaults written out; empty where the folder does not say.
        study_text: the same as YAML.
        failures: cells that are missing: {system, point, seed, traceback}.
    """

    path: Path
    summary: Mapping[str, Any]
    study: Mapping[str, Any]
    study_text: str
    failures: Sequence[Mapping[str, Any]]

    @classmethod
    def read(cls, path: Path) -> "ResultFolder":
        """Read a folder. Raises NotAResult if it has no summary, or one that this version cannot read."""
        summary = _summary(path)
        for rows in ("requests", "instances"):
            _check_rows(path / f"{rows}.parquet")
        resolved, failed = path / RESOLVED, path / "failed.json"
        text = resolved.read_text(encoding="utf-8") if resolved.is_file() else ""
        failures = json.loads(failed.read_text(encoding="utf-8")) if failed.is_file() else []
        return cls(path, summary, read_resolved(path), text, failures)

    @property
    def at_once(self) -> bool:
        """Whether all requests arrive together, so that latencies describe the length of the batch."""
        workload = self.study.get("workload", {})
        arrivals = workload.get("arrivals") or {}
        return arrivals.get("kind") == "all_at_once" or (
            "groups" in workload and not (arrivals or workload.get("rate"))
        )

    def has(self, name: str) -> bool:
        """Return whether there are rows of this name, e.g. "requests"."""
        return (self.path / f"{name}.parquet").is_file()


def _summary(folder: Path) -> dict[str, Any]:
    path = folder / "summary.json"
    if not folder.is_dir():
        raise NotAResult(f"{folder}: {'is a file; name the' if folder.exists() else 'no such'} result folder")
    if not path.is_file():
        raise NotAResult(f"{folder}: no summary.json in it; name the result folder of a run that has finished")
    try:
        summary = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise NotAResult(f"{path}: must be JSON: {error}") from None
    schema = summary.get("schema") if isinstance(summary, dict) else None
    if schema != SUMMARY_SCHEMA:
        raise NotAResult(f"{path}: schema must be {SUMMARY_SCHEMA!r}, got {schema!r}: {_advice(schema)}")
    return dict(summary)


def _check_rows(path: Path) -> None:
    """Raise NotAResult for a file that is there and was cut off or damaged."""
    from pyarrow.lib import ArrowInvalid

    try:
        if path.is_file():
            row_count(path)
    except ArrowInvalid as error:
        raise NotAResult(f"{path}: must be a whole Parquet file: {error}") from None


def _advice(schema: object) -> str:
    """Return what to do about a summary of another schema."""
    name, _, ours = SUMMARY_SCHEMA.rpartition("/")
    given, _, theirs = str(schema).rpartition("/")
    if given != name or not theirs.isdigit():
        return "this is no result of a study"
    if int(theirs) > int(ours):
        return "a newer simcore wrote it; use that one"
    return "an older simcore wrote it; run the study again"
