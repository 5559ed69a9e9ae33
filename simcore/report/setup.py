"""Setup: what was run, in words: model, hardware, cluster, traffic, SLO, systems, mechanisms, faults."""

from collections.abc import Iterator, Mapping
from typing import Any

from simcore.results.plots.words import slo_words
from simcore.results.wording import plain

_OFF: tuple[Any, ...] = ("off", "recompute", "requeued", [], {}, 0, None)
"""Values that are not worth a word: what a cluster does anyway."""
_AS_ALWAYS = {"bad_rows": "stop", "order": "file", "report": "boundary", "topology": {"gpus_per_pcie_switch": 1}}
"""Keys that are not worth a word while they have these values."""
_UNITS = {"s": "s", "ms": "ms", "us": "µs", "gib": "GiB", "gbs": "GB/s"}
"""What a key ends in, and what that stands for."""
_TRACE_FIRST = ("trace", "arrivals", "rate", "requests")


def setup(study: Mapping[str, Any], summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return (what, in words); a key that was swept has all its values. Only the SLO where the study is not known."""
    known = _swept_in(study)
    slo = slo_words(summary["slo"]) or "none: no goodput and no attainment"
    if not known:
        return [("SLO", slo)]
    target = known.get("slo", {}).get("attainment")
    if summary["slo"] and target is not None:
        slo += (
            f", for {100 * target:g}% of requests" if isinstance(target, int | float) else f", for {target} of requests"
        )
    found = [
        ("Model", words(known.get("model", ""))),
        ("Hardware", words(known.get("hardware", ""))),
        ("Cluster", words(_worth_saying(known.get("cluster", {})))),
        ("Traffic", words(_traffic(known.get("workload", {})))),
        ("SLO", slo),
        ("Mechanisms", words(_worth_saying(known.get("mechanism", {}))) or "none: every mechanism is off"),
        ("Faults", "; ".join(words(fault) for fault in known.get("faults", ()))),
        ("Rollout", words(known.get("rollout", {}))),
        ("Oracle", words(known.get("oracle", ()))),
        ("Warm-up", _warm_up(known.get("warm_up", {}))),
        ("Sweep", "; ".join(f"{key}: {words(values)}" for key, values in known.get("sweep", {}).items())),
        ("Seeds", words(summary["seeds"])),
        ("Run by", f"{_BACKENDS.get(summary['backend'], summary['backend'])}, clock: {summary['clock']}"),
    ]
    return [(what, said) for what, said in found if said]


_BACKENDS = {"sim": "the simulator", "real": "the real engine"}


def system_setups(study: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    """Return (system, router, scheduler, and what else is its own) of each system."""
    found = []
    for name, system in (study.get("systems") or {}).items():
        others = {key: value for key, value in (system or {}).items() if key not in ("router", "scheduler") and value}
        router, scheduler = (words((system or {}).get(key, "")) for key in ("router", "scheduler"))
        found.append((name, router, scheduler, words(others)))
    return found


def words(value: Any) -> str:
    """Return a value of a study in words.

    >>> words({"kind": "lognormal", "mean": 1500, "sigma": 1.0})
    'lognormal (mean 1500, sigma 1)'
    >>> words({"boot_s": 2.5, "report": {"period": 0.1}})
    'boot 2.5 s, report (period 0.1)'
    """
    if isinstance(value, Mapping):
        head = next((key for key in ("kind", "policy", "name") if key in value), None)
        rest = ", ".join(_pair(key, each) for key, each in value.items() if key != head)
        return rest if head is None else f"{value[head]}{f' ({rest})' if rest else ''}"
    if isinstance(value, list | tuple):
        return ", ".join(words(each) for each in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return plain(value)


def _pair(key: str, value: Any) -> str:
    name, _, unit = key.rpartition("_")
    if name and unit in _UNITS and isinstance(value, int | float):
        return f"{name.replace('_', ' ')} {words(value)} {_UNITS[unit]}"
    name = key.replace("_", " ")
    said = words(value)
    nested = isinstance(value, Mapping) and not any(head in value for head in ("kind", "policy", "name"))
    return f"{name} ({said})" if nested else f"{name} {said}"


def _swept_in(study: Mapping[str, Any]) -> dict[str, Any]:
    """Return the study with all values of each swept key in its place; the file has those of the first point."""
    known = {key: dict(value) if isinstance(value, Mapping) else value for key, value in study.items()}
    for key, values in (study.get("sweep") or {}).items():
        *path, last = key.split(".")
        here: Any = known
        for step in path:
            child = here.get(step)
            here[step] = dict(child) if isinstance(child, Mapping) else {}
            here = here[step]
        here[last] = " | ".join(words(value) for value in values)
    return known


def _worth_saying(given: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in given.items() if value not in _OFF and _AS_ALWAYS.get(key) != value}


def _warm_up(given: Mapping[str, Any]) -> str:
    said = [f"requests of the first {words(given['seconds'])} s"] if given.get("seconds") else []
    said += [f"the first {words(given['requests'])} requests"] if given.get("requests") else []
    return f"{' and '.join(said)} are in no number" if said else ""


def _traffic(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of a workload, where it comes from first."""
    return _worth_saying(dict(_in_order(given)))


def _in_order(given: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    yield from ((key, given[key]) for key in _TRACE_FIRST if key in given)
    yield from ((key, value) for key, value in given.items() if key not in _TRACE_FIRST)
