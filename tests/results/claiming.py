"""What the tests of claims share: runs with the values a claim is about, and what a claim says of them."""

from collections.abc import Mapping, Sequence
from typing import Any

from simcore.results.breaking import breaking_points
from simcore.results.claims import Claim, check_claims
from simcore.results.claims_relation import Relation

SEEDS = (0, 1, 2)


def runs(
    system: str, metric: str, by_rate: Mapping[float, Sequence[float]], *, overloaded: Sequence[float] = ()
) -> list[dict[str, Any]]:
    """Return the runs of a system whose metric has these values, one per seed, at each rate."""
    return [
        {
            "system": system,
            "point": {"workload.rate": rate},
            "seed": seed,
            "state": "OVERLOADED" if rate in overloaded else "STABLE",
            "metrics": {metric: value, "arrived": 100},
            "classes": {"urgent": {metric: value / 2}},
        }
        for rate, values in by_rate.items()
        for seed, value in enumerate(values)
    ]


def verdict(claim: Claim, *of_systems: list[dict[str, Any]]) -> dict[str, Any]:
    together = [run for each in of_systems for run in each]
    (entry,) = check_claims([claim], together, breaking_points(together))
    return entry


def said(relation: str, *systems: str, metric: str = "p99_ttft_ms", **how: Any) -> Claim:
    return Claim(f"{relation} is claimed", metric, systems, Relation.parse(relation), **how)


FAST = runs("fast", "p99_ttft_ms", {8.0: (100, 110, 120), 16.0: (200, 210, 220)})
SLOW = runs("slow", "p99_ttft_ms", {8.0: (200, 210, 220), 16.0: (300, 310, 320)})
NOISY = runs("noisy", "p99_ttft_ms", {8.0: (90, 110, 130), 16.0: (100, 210, 320)})
