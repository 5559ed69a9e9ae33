"""Report: the answers as `capacity.json`; equal questions give equal bytes, but for the provenance."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from simcore.capacity.answer import Answer, Root, against
from simcore.capacity.bench import KEPT, Bench, Judged
from simcore.capacity.checks import Checked, Length, Tried
from simcore.capacity.criteria import ATTAINMENT
from simcore.capacity.keys import RATE
from simcore.results.claims import check_claims
from simcore.results.claims_metrics import BREAKING_POINT
from simcore.results.stats import interval

SCHEMA = "simcore.capacity/1"
REPORT = "capacity.json"

_WHERE = {"crossed": "crossed", "unbounded": "above the highest rate", "infeasible": "below the lowest rate"}
"""How breaking points call the outcome of a seed."""


def content(bench: Bench, answers: Sequence[Answer], checked: Mapping[int, Checked]) -> dict[str, Any]:
    """Return what `capacity.json` holds, less its provenance: docs/capacity.md has the keys.

    Answers that are breaking points also stand there as a sweep gives them; the study's claims on those are checked.
    """
    question = bench.question
    entries = [_entry(bench, each, answers, checked.get(each.subject)) for each in answers]
    breaking = list(_breaking(bench, entries)) if _is_break(bench) else []
    there = {entry["system"] for entry in breaking}
    claims = [
        each.as_claim()
        for each in question.first.spec.claims
        if each.metric == BREAKING_POINT and there.issuperset(each.systems)
    ]
    return {
        "schema": SCHEMA,
        "study": question.first.spec.study,
        "question": " ".join(question.first.spec.question.split()),
        "vary": question.key.name,
        "find": question.key.find,
        "whole": question.key.whole,
        "criteria": [
            {"metric": each.metric, "relation": each.relation, "bound": each.bound} for each in question.criteria
        ],
        "tolerance": question.field.tolerance,
        "limits": [question.field.low, question.field.high],
        "seeds": list(question.seeds),
        "other_seeds": list(question.others),
        "replay": question.replay,
        "results": entries,
        "breaking": breaking,
        "claims": check_claims(claims, [], breaking),
        "runs": [_run(bench, each) for each in bench.done],
    }


def _entry(bench: Bench, answer: Answer, answers: Sequence[Answer], checked: Checked | None) -> dict[str, Any]:
    subject = bench.question.subjects[answer.subject]
    first = bench.question.subjects[0].system
    base = next(
        each
        for each in answers
        if (other := bench.question.subjects[each.subject]).system == first and other.point == subject.point
    )
    spread = answer.spread
    compared = against(answer, base, bench.question.key.harder) if base is not answer else None
    own = [each for each in bench.done if each.trial.subject == answer.subject]
    return {
        "system": subject.system,
        "point": dict(subject.point),
        "requests": subject.requests,
        "outcome": answer.outcome,
        "value": answer.value,
        "n": len(answer.roots),
        "mean": spread.mean if spread else None,
        "ci_low": spread.low if spread else None,
        "ci_high": spread.high if spread else None,
        "reason": answer.reason,
        "seeds": [_seed(root) for root in answer.roots],
        "not_monotone": [{"seed": odd.seed, "met": odd.met, "missed": odd.missed} for odd in answer.oddities],
        "against": {"baseline": first, **compared} if compared else None,
        "check": None if checked is None else _check(bench, checked),
        "most_goodput": _most_goodput(bench, own),
        "runs": len(own),
        "requests_run": sum(each.requests for each in own if each.run is not None),
    }


def _seed(root: Root) -> dict[str, Any]:
    return {
        "seed": root.seed,
        "where": root.where,
        "value": root.value,
        "met": root.met,
        "missed": root.missed,
        "impossible": root.beyond,
    }


def _check(bench: Bench, checked: Checked) -> dict[str, Any]:
    return {
        "confirmed": checked.confirmed,
        "failure": checked.failure,
        "before": _tried(bench, checked.before),
        "at": _tried(bench, checked.at),
        "beyond": _tried(bench, checked.beyond),
        "length": None if checked.length is None else _length(bench, checked.length),
    }


def _length(bench: Bench, length: Length) -> dict[str, Any]:
    return {
        "longer": _tried(bench, length.longer),
        "shift": None if length.shift is None else length.shift.as_dict(),
        "tells": length.tells,
        "why": length.why,
    }


def _tried(bench: Bench, tried: Tried | None) -> dict[str, Any] | None:
    """Return runs at one value: how many meet what is asked each by itself, and the mean of each metric."""
    if tried is None:
        return None
    names = dict.fromkeys([*(each.metric for each in bench.question.criteria), *KEPT])
    values = {
        name: [run.run["metrics"][name] for run in tried.runs if run.run and run.run["metrics"][name] is not None]
        for name in names
    }
    return {
        "value": tried.value,
        "requests": tried.requests,
        "met": tried.met,
        "held_by": tried.held_by,
        "n": len(tried.runs),
        "metrics": {name: interval(each).as_dict() if each else None for name, each in values.items()},
    }


def _most_goodput(bench: Bench, runs: Sequence[Judged]) -> dict[str, Any] | None:
    """Return the run of full length with the highest goodput."""
    known = [
        (run.run["metrics"]["request_goodput"], run)
        for run in runs
        if run.run is not None and run.trial.part == 1 and run.run["metrics"]["request_goodput"] is not None
    ]
    if not known:
        return None
    goodput, run = max(known, key=lambda each: each[0])
    assert run.run is not None
    return {
        bench.question.key.name: run.trial.value,
        "seed": run.trial.seed,
        "request_goodput": goodput,
        "slo_attainment": run.run["metrics"]["slo_attainment"],
    }


def _run(bench: Bench, judged: Judged) -> dict[str, Any]:
    trial, subject = judged.trial, bench.question.subjects[judged.trial.subject]
    return {
        "system": subject.system,
        "point": {**subject.point, bench.question.key.name: trial.value},
        "seed": trial.seed,
        "purpose": trial.purpose,
        "requests": judged.requests,
        "met": judged.met,
        "margin": judged.margin,
        "impossible": judged.impossible,
        "failed": judged.failure.reason if judged.failure else "",
        **(dict(judged.run) if judged.run else {"state": None, "metrics": {}}),
    }


def _is_break(bench: Bench) -> bool:
    """Return whether the answers are breaking points, as a sweep of the rate gives them."""
    question = bench.question
    only = [each.metric for each in question.criteria] == [ATTAINMENT]
    return question.key.name == RATE and question.key.find == "highest" and only


def _breaking(bench: Bench, entries: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the answers as `simcore.results.breaking.breaking_points` gives them, which claims are checked with."""
    for entry in entries:
        if not entry["seeds"]:
            continue
        wheres = list(dict.fromkeys(_WHERE[seed["where"]] for seed in entry["seeds"]))
        bound = bench.question.criteria[0].bound
        yield {
            "system": entry["system"],
            "point": entry["point"],
            "target": bound,
            "rates": [bench.question.field.low, bench.question.field.high],
            "seeds": [
                {"seed": seed["seed"], "rate": _rate(seed), "where": _WHERE[seed["where"]]} for seed in entry["seeds"]
            ],
            "where": wheres[0] if len(wheres) == 1 else "differs by seed",
            "n": entry["n"],
            "rate": entry["mean"],
            "ci_low": entry["ci_low"],
            "ci_high": entry["ci_high"],
            "against": entry["against"],
        }


def _rate(seed: Mapping[str, Any]) -> float:
    """Return the root, or the bound that was reached."""
    return next(float(seed[name]) for name in ("value", "met", "missed") if seed[name] is not None)
