"""Catalogue: named workloads fitted to public traces, so that a study needs no file.

One YAML file each, with the keys `description, source, citation, license, requests, rate, arrivals` and either
`prompt_tokens, output_tokens` or `sessions` or `programs` or `groups`; the name is the file's. What comes all at once
has no `rate`. The tables are derived statistics, not the traces.
"""

from functools import cache
from pathlib import Path
from typing import Any

from traces.files import sha256
from traces.groups import Groups, groups
from traces.programs import Programs, programs
from traces.synthetic import Synthetic, synthetic

UNITS = ("sessions", "programs", "groups")
"""What arrives, where that is not single requests."""
_FOLDER = Path(__file__).parent


def catalogue_names() -> list[str]:
    """Return the names of the catalogued workloads, sorted."""
    return sorted(path.stem for path in _FOLDER.glob("*.yaml"))


def describe(name: str) -> str:
    """Return one line about a catalogued workload: its size, what it is, licence and citation."""
    entry = _load(name)
    unit = next((unit for unit in UNITS if unit in entry), "req")
    when = f"at {entry['rate']:.2f} {unit}/s" if "rate" in entry else "at once"
    return f"{entry['requests']:,} requests {when}: {entry['description']} ({entry['citation']}; {entry['license']})"


def catalogued(
    name: str, *, rate: float | None, requests: int | None, seed: int, replication: int
) -> Synthetic | Programs | Groups:
    """Return a catalogued workload; `rate` and `requests` default to those of the trace it was fitted to."""
    entry = _load(name)
    drawn: dict[str, Any] = {
        "arrivals": entry["arrivals"],
        "rate": entry.get("rate") if rate is None else rate,
        "requests": entry["requests"] if requests is None else requests,
        "seed": seed,
        "replication": replication,
        "name": name,
        "source": f"{name}, fitted to {entry['source']} ({entry['citation']}; fit sha256 {sha256(_path(name))})",
    }
    if "groups" in entry:
        return groups(entry["groups"], **drawn)
    if "sessions" in entry or "programs" in entry:
        return programs(sessions=entry.get("sessions"), programs=entry.get("programs"), **drawn)
    return synthetic(prompt_tokens=entry["prompt_tokens"], output_tokens=entry["output_tokens"], **drawn)


def _path(name: str) -> Path:
    return _FOLDER / f"{name}.yaml"


@cache
def _load(name: str) -> dict[str, Any]:
    from ruamel.yaml import YAML

    if name not in catalogue_names():
        raise ValueError(f"trace: must be one of {', '.join(catalogue_names())}, got {name!r}")
    entry: dict[str, Any] = YAML(typ="safe").load(_path(name))
    return entry
