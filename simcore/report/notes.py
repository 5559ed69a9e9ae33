"""Notes: what qualifies an answer: systems one by one, overload, losses, missing cells, seeds that say the same."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from simcore.report.folder import ResultFolder
from simcore.results.claims_wording import tally
from simcore.results.plots.style import point_words
from simcore.results.schema import HEALTHS
from simcore.results.stats import Run, grouped
from simcore.results.wording import share, verdicts

_STATES = {
    "OVERLOADED": "Overloaded: {where}. More arrives there than is served: latencies tell the length of the run.",
    "BACKLOGGED": "Backlogged: {where}. A queue had built up and not drained when arrivals ended.",
}


def notes(folder: ResultFolder) -> Iterator[str]:
    """Yield sentences, the most important first."""
    summary = folder.summary
    runs = summary["runs"]
    if len({run["system"] for run in runs}) > 1:
        yield from (f"{sentence}." for sentence in verdicts(summary))
    if summary.get("claims"):
        count = len(summary["claims"])
        yield f"Of {count} claim{'' if count == 1 else 's'}, {tally(summary['claims'])}."
    if folder.failures:
        planned = len(folder.failures) + len(runs)
        failed = dict.fromkeys(entry["system"] for entry in folder.failures)
        gone = [name for name in failed if all(run["system"] != name for run in runs)]
        nothing = f" Nothing is known of {', '.join(gone)}." if gone else ""
        yield f"{len(folder.failures)} of {planned} runs failed and are missing from all numbers.{nothing}"
    yield from _target(folder)
    if folder.at_once:
        yield "All requests arrive at once: every run begins with a queue, and latencies tell the length of the batch."
    else:
        yield from _states(runs)
    yield from _lost(runs)
    yield from _same_seeds(runs)


def _target(folder: ResultFolder) -> Iterator[str]:
    """Yield who reaches the attainment asked for, at a single point; a sweep of the rate says where each breaks."""
    runs, target = folder.summary["runs"], folder.study.get("slo", {}).get("attainment")
    if not folder.summary["slo"] or folder.summary["breaking"] or target is None:
        return
    if len({point_words(run["point"]) for run in runs}) > 1:
        return
    reached = [system for (system, _), ours in grouped(runs).items() if _attained(ours) >= target]
    missed = [system for (system, _) in grouped(runs) if system not in reached]
    asked = f"The study asks for {100 * target:g}% of requests within the SLO"
    said = [f"{verb} by {', '.join(names)}" for verb, names in (("reached", reached), ("missed", missed)) if names]
    yield f"{asked}: {'; '.join(said)}."


def _attained(runs: Sequence[Run]) -> float:
    known = [run["metrics"]["slo_attainment"] for run in runs if run["metrics"]["slo_attainment"] is not None]
    return sum(known) / len(known) if known else 0.0


def _states(runs: Sequence[Run]) -> Iterator[str]:
    for state, words in _STATES.items():
        places: dict[str, list[str]] = {}
        for (system, _), ours in grouped(runs).items():
            if worst_state(ours) == state:
                places.setdefault(point_words(ours[0]["point"]), []).append(system)
        if places:
            systems = list(dict.fromkeys(run["system"] for run in runs))
            yield words.format(where=_where(places, systems))


def worst_state(runs: Sequence[Run]) -> str:
    """Return the worst state over the seeds."""
    return HEALTHS[max(HEALTHS.index(run["state"]) for run in runs)]


def _where(places: Mapping[str, Sequence[str]], systems: Sequence[str]) -> str:
    """Return systems by point; "all systems" where it is all of several.

    >>> _where({"rate 8": ["a", "b"], "rate 9": ["b"]}, ["a", "b"])
    'all systems at rate 8; b at rate 9'
    """
    said = []
    for place, names in places.items():
        who = "all systems" if len(names) == len(systems) > 1 else ", ".join(names)
        said.append(f"{who} at {place}" if place else who)
    return "; ".join(said)


def _lost(runs: Sequence[Run]) -> Iterator[str]:
    arrived = sum(run["metrics"]["arrived"] for run in runs)
    left = arrived - sum(run["metrics"]["completed"] for run in runs)
    if left:
        yield f"{share(left, arrived)} of all requests did not complete; latencies are those of the others."


def _same_seeds(runs: Sequence[Run]) -> Iterator[str]:
    """Yield that the seeds are no replications, where all of them gave the same."""

    def results(run: Run) -> tuple[Any, ...]:
        return run["metrics"]["duration"], run["metrics"].get("mean_e2el_ms")

    several = [ours for ours in grouped(runs).values() if len(ours) > 1]
    if several and all(len({results(run) for run in ours}) == 1 for ours in several):
        yield "All seeds gave the same numbers, as replays of a trace do: no width of an interval says how days differ."
