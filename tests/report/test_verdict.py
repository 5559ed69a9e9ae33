"""The verdict: who is ahead, said no surer than the seeds allow."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from simcore.report.folder import ResultFolder
from simcore.report.standing import stand
from simcore.report.verdict import Verdict, verdict

Shares = Mapping[str, list[float]]


def run(system: str, seed: int, point: dict[str, Any], share: float | None, state: str = "STABLE") -> dict[str, Any]:
    metrics = {
        **dict.fromkeys(("arrived", "completed"), 100),
        **dict.fromkeys(("rejected", "cancelled", "lost_requests", "unfinished"), 0),
        "slo_attainment": share,
        "request_goodput": 10.0,
        "mean_ttft_ms": 100.0,
        "mean_e2el_ms": 1000.0 + seed,
        "duration": 10.0 + seed,
    }
    return {"system": system, "point": point, "seed": seed, "state": state, "metrics": metrics}


def said(
    shares: Shares, *, point: dict[str, Any] | None = None, state: str = "STABLE", target: float | None = None
) -> Verdict:
    """Return the verdict on systems with these shares within the SLO, seed by seed, at one point."""
    runs = [
        run(system, seed, point or {}, share, state)
        for system, values in shares.items()
        for seed, share in enumerate(values)
    ]
    return of_runs(runs, target=target)


def of_runs(runs: list[dict[str, Any]], breaking: Any = (), target: float | None = None) -> Verdict:
    summary = {"runs": runs, "breaking": list(breaking), "slo": {"ttft_ms": 500}, "claims": []}
    study = {} if target is None else {"slo": {"attainment": target}}
    return verdict(ResultFolder(Path(), summary, study, "", ()))


def test_a_certain_winner_is_named_with_its_lead() -> None:
    found = said({"a": [0.80, 0.82, 0.81], "b": [0.90, 0.92, 0.91]})
    assert (found.badge, found.tone) == ("certain at 95%", "sure")
    lead = "ahead of a (10.0 points, 95% CI 10.0 to 10.0), the next best."
    assert found.headline == f"b serves the most requests within the SLO: 91.0 ± 2.5%, {lead}"


def test_a_lead_within_its_interval_is_no_win() -> None:
    found = said({"a": [0.80, 0.90, 0.85], "b": [0.85, 0.86, 0.87], "c": [0.10, 0.11, 0.12]})
    assert found.tone == "unsure"
    assert found.headline.startswith(
        "No single winner: b comes out first with 86.0 ± 2.5%, but not certainly ahead of a"
    )
    assert found.headline.endswith("Certainly behind: c.")


def test_one_seed_is_never_certain() -> None:
    found = said({"a": [0.5], "b": [0.9]})
    assert found.badge == "one seed: no interval"
    assert "One seed cannot say whether by chance." in found.headline


def test_equal_systems_are_called_equal() -> None:
    found = said({"a": [0.5, 0.6], "b": [0.5, 0.6]})
    assert found.headline.startswith("All systems come out equal: each serves 55.0")


def test_different_winners_at_different_points_depend() -> None:
    shares = {1: {"a": (0.9, 0.91), "b": (0.5, 0.51)}, 2: {"a": (0.5, 0.51), "b": (0.9, 0.91)}}
    runs = [
        run(system, seed, {"cluster.instances": count}, share)
        for count, systems in shares.items()
        for system, values in systems.items()
        for seed, share in enumerate(values)
    ]
    most = "serves the most requests within the SLO at instances"
    assert of_runs(runs).headline == f"It depends: a {most} 1; b {most} 2."
    same = of_runs(
        [{**each, "point": {"x": each["point"]["cluster.instances"]}} for each in runs if each["system"] == "a"]
    )
    assert len(same.answers) == 2


def test_overload_is_said() -> None:
    found = said({"a": [0.1, 0.1]}, state="OVERLOADED")
    assert any(note.startswith("Overloaded: a.") for note in found.notes)


def test_who_reaches_what_the_study_asks_for_is_said() -> None:
    found = said({"a": [0.95, 0.95], "b": [0.5, 0.5]}, target=0.9)
    assert "The study asks for 90% of requests within the SLO: reached by a; missed by b." in found.notes


def test_seeds_that_are_no_replications_are_called_so() -> None:
    runs = [run("a", seed, {}, 0.9) for seed in (0, 1)]
    for each in runs:
        each["metrics"] |= {"duration": 10.0, "mean_e2el_ms": 1.0}
    assert any("All seeds gave the same numbers" in note for note in of_runs(runs).notes)


def broken(system: str, rates: list[float], where: str = "crossed") -> dict[str, Any]:
    seeds = [{"seed": seed, "rate": rate, "where": where} for seed, rate in enumerate(rates)]
    crossed = where == "crossed"
    entry = {"system": system, "point": {}, "target": 0.9, "rates": [10, 40], "seeds": seeds, "where": where}
    ends = {"rate": sum(rates) / len(rates) if crossed else None, "ci_low": None, "ci_high": None}
    return entry | ends | {"n": len(rates), "against": None}


UNCLEAR = "differs by seed"
RUNS = [run("a", seed, {"workload.rate": rate}, 0.9) for rate in (10, 40) for seed in (0, 1)]


def test_a_sweep_is_won_by_who_breaks_last() -> None:
    found = of_runs(RUNS, [broken("a", [20.0, 22.0]), broken("b", [30.0, 33.0])])
    expected = (
        "b carries the most load: 90% of requests within the SLO up to 31.5 ± 19.1 req/s, ahead of a (1.50x, 95% CI"
    )
    assert found.headline.startswith(expected)
    assert found.tone == "sure"


@pytest.mark.parametrize(
    ("entries", "headline", "tone"),
    [
        (
            [broken("a", [10.0, 10.0], "below the lowest rate"), broken("b", [10.0, 10.0], "below the lowest rate")],
            "No system keeps 90% of requests within the SLO, not even at 10 req/s, the lowest rate swept.",
            "bad",
        ),
        (
            [broken("a", [20.0, 22.0]), broken("b", [40.0, 40.0], "above the highest rate")],
            "b keeps 90% of requests within the SLO at every rate swept, up to 40 req/s: "
            "the sweep ends before it breaks.",
            "unsure",
        ),
        (
            [broken("a", [10.0, 22.0], "differs by seed")],
            "The load up to which 90% of requests within the SLO are kept lies outside 10 to 40 req/s for some seeds: "
            "there is no number.",
            "unsure",
        ),
    ],
)
def test_a_break_outside_the_sweep_gets_no_number(entries: list[dict[str, Any]], headline: str, tone: str) -> None:
    found = of_runs(RUNS, entries)
    assert (found.headline, found.tone) == (headline, tone)


def test_a_system_without_a_number_is_not_left_out_of_the_answer() -> None:
    lowest = broken("c", [10.0, 10.0], "below the lowest rate")
    found = of_runs(RUNS, [broken("a", [20.0, 22.0]), lowest])
    assert found.headline.endswith("Certainly behind: c, not even at 10 req/s, the lowest rate swept.")
    assert found.tone == "sure"
    found = of_runs(RUNS, [broken("a", [20.0, 22.0]), broken("b", [30.0, 33.0]), broken("c", [31.0, 40.0], UNCLEAR)])
    assert found.headline.endswith("c breaks outside 10 to 40 req/s for some seeds: no number, no rank.")
    assert (found.badge, found.tone) == ("seeds disagree", "unsure")


def test_a_lead_of_less_than_a_hundredth_has_the_digits_to_tell_it_from_none() -> None:
    found = of_runs(RUNS, [broken("a", [20.0, 22.0]), broken("b", [20.01, 22.01])])
    assert "ahead of a (1.0005x, 95% CI 1.0002 to 1.0008)" in found.headline


def test_less_is_better_for_latencies() -> None:
    standing = stand({"slow": {0: 10.0, 1: 11.0}, "quick": {0: 5.0, 1: 5.5}}, more_is_better=False, in_ratio=True)
    assert standing.best == "quick"
    assert standing.beaten == ("slow",)
    assert standing.lead is not None
    assert standing.lead.mean == pytest.approx(0.5)
