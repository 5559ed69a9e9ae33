"""Resolved study: the study as it ran, read back from its result folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from simcore.results.columns import WarmUp

RESOLVED = "study.resolved.yaml"


def read_resolved(out: Path) -> dict[str, Any]:
    """Return the study as it ran, defaults written out; empty where the folder does not say."""
    from ruamel.yaml import YAML

    path = out / RESOLVED
    if not path.is_file():
        return {}
    found: dict[str, Any] | None = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    return found or {}


def warm_up_of(resolved: Mapping[str, Any], point: Mapping[str, Any]) -> WarmUp:
    """Return what the metrics leave out at a sweep point.

    >>> warm_up_of({"warm_up": {"seconds": 2.0, "requests": 0}}, {"warm_up.requests": 5})
    WarmUp(seconds=2.0, requests=5)
    """
    given = resolved.get("warm_up", {})
    seconds, requests = (point.get(f"warm_up.{key}", given.get(key, 0)) for key in ("seconds", "requests"))
    return WarmUp(float(seconds), int(requests))
