"""Wording: an answer in sentences: what it is, what other seeds say, and what to beware of."""

from collections.abc import Iterator, Mapping
from typing import Any

from simcore.results.wording import SHARES, number, plain

Entry = Mapping[str, Any]


def exactly(value: float) -> str:
    """Return a value with the digits it was run with.

    >>> exactly(183.3), exactly(8), exactly(12340.0)
    ('183.3', '8', '12340')
    """
    return f"{value:.10g}"


def title(data: Mapping[str, Any]) -> str:
    """Return the question in a line."""
    bounds = " and ".join(f"{each['metric']} {each['relation']} {each['bound']:g}" for each in data["criteria"])
    return f"{data['study']}: {data['find']} {data['vary']} with {bounds}"


def label(entry: Entry) -> str:
    """Return a system and its point in words."""
    where = [f"{key.rpartition('.')[2]} {plain(value)}" for key, value in entry["point"].items()]
    return ", ".join([entry["system"], *where])


def sentences(entry: Entry, data: Mapping[str, Any]) -> Iterator[tuple[bool, str]]:
    """Yield (is a warning, sentence) of one system, in the order people ask."""
    yield from _outcome(entry, data)
    if entry["check"]:
        yield from _check(entry, data)


def notes(data: Mapping[str, Any]) -> Iterator[str]:
    """Yield what holds of all systems."""
    count = len(data["seeds"])
    if data["replay"]:
        yield "every seed replays the same recorded requests: intervals and checks know nothing of other traffic"
    if count == 1 and not data["replay"]:
        yield "one seed: no intervals; --seeds 3 gives them"
    if count > 1:
        yield f"± half of the 95% interval over {count} seeds; the ratio is taken seed by seed"


def _outcome(entry: Entry, data: Mapping[str, Any]) -> Iterator[tuple[bool, str]]:
    outcome, name = entry["outcome"], label(entry)
    beyond = f"; beyond, the study cannot run: {entry['reason']}" if entry["reason"] else ""
    if outcome == "failed":
        yield True, f"{name}: a run failed: {entry['reason']}"
    if outcome == "unbounded":
        reached = [seed["met"] for seed in entry["seeds"]]
        end = max(reached) if data["find"] == "lowest" else min(reached)
        yield True, f"{name}: unbounded: still met at {exactly(end)}, the end of the search{beyond}"
    if outcome == "infeasible":
        tried = [seed["missed"] for seed in entry["seeds"]]
        end = max(tried) if data["find"] == "lowest" else min(tried)
        yield True, f"{name}: infeasible: missed even at {exactly(end)}, the easy end of the search{beyond}"
    if outcome == "differs by seed" or (outcome == "not monotone" and entry["value"] is None):
        said = ", ".join(f"seed {seed['seed']} {_found(seed)}" for seed in entry["seeds"])
        yield True, f"{name}: no value that holds for all seeds: {said}"
    for odd in entry["not_monotone"]:
        missed, met = exactly(odd["missed"]), exactly(odd["met"])
        yield True, f"{name}: not monotone: seed {odd['seed']} misses at {missed} and meets at {met}, which is harder"
    overshoot = [odd for odd in entry["not_monotone"] if data["find"] == "highest" and odd["missed"] < odd["met"]]
    if overshoot and entry["value"] is None:
        yield True, f"{name}: if more of {data['vary']} helps, ask for the lowest: --find lowest"


def _found(seed: Mapping[str, Any]) -> str:
    return f"finds {seed['value']:.4g}" if seed["where"] == "crossed" else f"is {seed['where']}"


def _check(entry: Entry, data: Mapping[str, Any]) -> Iterator[tuple[bool, str]]:
    check, name = entry["check"], label(entry)
    if check["failure"]:
        yield True, f"{name}: not checked: {check['failure']}"
        return
    said = [_tried(check[place], data) for place in ("before", "at", "beyond") if check[place]]
    word = "confirmed" if check["confirmed"] else "not confirmed"
    yield not check["confirmed"], f"{name}: {word} by seeds {_span(data['other_seeds'])}: {'; '.join(said)}"
    length = check["length"]
    if length is None:
        return
    if length["why"]:
        yield False, f"{name}: the length of the runs is not checked: {length['why']}"
        return
    text = f"with {length['longer']['requests']:,} requests instead of {entry['requests']:,}, "
    text += _tried(length["longer"], data)
    if length["shift"] is not None:
        text += f": the value would be {_percent(length['shift'])} off"
    yield length["tells"] != "no", f"{name}: {text}{_LENGTH_TELLS[length['tells']]}"


def _percent(shift: Mapping[str, Any]) -> str:
    """Return a share with its interval: `-2.5% (-6.0..+1.1)`."""
    text = f"{100 * shift['mean']:+.1f}%"
    return text if shift["ci_low"] is None else f"{text} ({100 * shift['ci_low']:+.1f}..{100 * shift['ci_high']:+.1f})"


def _tried(tried: Mapping[str, Any], data: Mapping[str, Any]) -> str:
    """Return what was seen at a value: `90.2% ± 1.1 at 183.3 (2 of 3 hold)`; metrics by name if there are several."""
    seen = [_mean(tried["metrics"][each["metric"]], each["metric"]) for each in data["criteria"]]
    if len(seen) > 1:
        seen = [f"{each['metric']} {text}" for each, text in zip(data["criteria"], seen, strict=True)]
    return f"{', '.join(seen)} at {exactly(tried['value'])} ({tried['held_by']} of {tried['n']} hold)"


def _mean(found: Mapping[str, Any] | None, metric: str) -> str:
    if found is None:
        return "none"
    factor, unit = (100.0, "%") if metric in SHARES else (1.0, " ms" if metric.endswith("_ms") else "")
    half = "" if found["ci_high"] is None else f" ± {number(factor * (found['ci_high'] - found['mean']))}"
    return f"{number(factor * found['mean'])}{unit}{half}"


def _span(seeds: list[int]) -> str:
    return str(seeds[0]) if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"


_LENGTH_TELLS = {
    "no": "",
    "perhaps": "; the length of the runs may decide, though seeds differ as much",
    "surely": "; the length of the runs decides: make them longer (--set workload.requests=…)",
}
