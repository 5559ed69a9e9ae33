"""Wording: numbers and sentences as the terminal shows them."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from simcore.results.schema import HEALTHS
from simcore.results.stats import Interval, Run, grouped

SHARES = ("slo_attainment", "prefix_hit_rate")
"""Metrics whose differences are said in points."""
_LOSSES = (
    ("rejected", "rejected"),
    ("cancelled", "cancelled"),
    ("lost_requests", "failed with their instance"),
    ("unfinished", "unfinished"),
)
"""Metrics that count requests that did not complete, and how they are called."""
_UNITS = {"k": 1e3, "M": 1e6, "G": 1e9}
_LEAST = (10, 1, 0.01, 0.001, 0.0001)
"""The least number that is written with one decimal, with two, and so on."""


def change(difference: Mapping[str, Any], metric: str) -> str:
    """Return a difference in percent, of a share in points; `~` where its interval holds zero or there is none.

    >>> change({"relative": 0.125, "verdict": "better"}, "request_goodput")
    '+12.5%'
    >>> change({"difference": -0.03, "verdict": "undecided"}, "slo_attainment")
    '~-3.0pt'
    """
    mark = "~" if difference["verdict"] == "undecided" else ""
    if metric in SHARES:
        return f"{mark}{100 * difference['difference']:+.1f}pt"
    if difference["relative"] is None:
        return mark
    percent = 100 * difference["relative"]
    return f"{mark}{percent:+.1f}%" if abs(percent) < 100 else f"{mark}{percent:+.0f}%"


def with_half_width(found: Interval, factor: float) -> str:
    mean = found.mean * factor
    if found.half_width is None:
        return number(mean)
    half = found.half_width * factor
    places = 0 if half >= 10 else decimals(mean)
    return f"{number(mean, places)}±{number(half, places)}"


def number(value: float, places: int | None = None) -> str:
    """Return a number with about three digits, or that many decimal `places`; thousands as k, millions as M.

    >>> [number(value) for value in (0.00123, 0.1234, 12.34, 123.4, 12345.0, 1_360_000.0, 0.0)]
    ['0.0012', '0.123', '12.3', '123', '12.3k', '1.36M', '0']
    """
    for least, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= least:
            return f"{value / _UNITS[unit]:.3g}{unit}"
    return f"{value:.{decimals(value) if places is None else places}f}"


def decimals(value: float) -> int:
    """Return the decimals that make about three digits, and never more than six.

    >>> [decimals(value) for value in (123.4, 12.34, 0.5, 0.00123, 0.0)]
    [0, 1, 3, 4, 0]
    """
    size = abs(value)
    if size >= 100 or size == 0:
        return 0
    return next((places for places, least in enumerate(_LEAST, start=1) if size >= least), 6)


def plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def health(runs: Sequence[Run]) -> str:
    """Return the worst state over the seeds, and below it which shares of the requests were not served, and why."""
    metrics = [run["metrics"] for run in runs]
    arrived = sum(each["arrived"] for each in metrics)
    # The counter knows no warm-up.
    timed_out = sum(min(each.get("timed_out", 0), each["cancelled"]) for each in metrics)
    left = {
        "rejected": sum(each["rejected"] for each in metrics),
        "timed out": timed_out,
        "cancelled": sum(each["cancelled"] for each in metrics) - timed_out,
        "lost": sum(each["lost_requests"] for each in metrics),
    }
    shares = [f"{share(count, arrived)} {what}" for what, count in left.items() if count > 0]
    return "\n".join([HEALTHS[max(HEALTHS.index(run["state"]) for run in runs)], *shares])


def share(count: int, of: int) -> str:
    """Return a share in percent, and never 0% of something.

    >>> share(1, 3), share(1, 1000), share(999, 1000)
    ('33%', '<1%', '99%')
    """
    percent = 100 * count // of
    return f"{percent}%" if percent else "<1%"


def legend(runs: Sequence[Run]) -> Iterator[str]:
    seeds = len({run["seed"] for run in runs})
    first = runs[0]["system"]
    yield f"± half of the 95% interval over {seeds} seeds" if seeds > 1 else "one seed: no intervals"
    if any(run["system"] != first for run in runs):
        certainty = "~ not certain at 95%" if seeds > 1 else "~ one seed cannot say whether by chance"
        yield f"second line: difference to {first}, seed by seed; {certainty}"


def losses(runs: Sequence[Run]) -> Iterator[str]:
    """Yield a line per system and point where requests did not finish: latencies are those of the others."""
    for ours in grouped(runs).values():
        metrics = [run["metrics"] for run in ours]
        arrived = sum(each["arrived"] for each in metrics)
        lost = {what: sum(each[key] for each in metrics) for key, what in _LOSSES}
        said = [f"{count} {what}" for what, count in lost.items() if count]
        if said or not arrived:
            where = "".join(f" at {key.rsplit('.', 1)[-1]} {plain(value)}" for key, value in ours[0]["point"].items())
            yield f"{ours[0]['system']}{where}: of {arrived} requests {', '.join(said) or 'none counts'}"


def warnings(runs: Sequence[Run]) -> Iterator[str]:
    """Yield what cost models have to say of where they were asked, each once, with the number of runs."""
    said = Counter(run["cost_warning"].partition(" (")[0] for run in runs if "cost_warning" in run)
    if said:
        first = next(run["cost_warning"] for run in runs if "cost_warning" in run)
        more = f"; so in {sum(said.values())} of {len(runs)} runs" if len(runs) > 1 else ""
        yield f"{first}{more}"


def verdicts(summary: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence per system: up to which rate it keeps the SLO, and how that compares with the first."""
    for entry in summary["breaking"]:
        where = "".join(f", {key.rsplit('.', 1)[-1]} {plain(value)}" for key, value in entry["point"].items())
        yield f"{entry['system']}{where} {_up_to(entry)}{_compared(entry['against'])}"


def _up_to(entry: Mapping[str, Any]) -> str:
    share = f"{100 * entry['target']:g}% of requests within the SLO"
    low, high = entry["rates"][0], entry["rates"][-1]
    if entry["where"] == "crossed":
        half = "" if entry["ci_high"] is None else f" ± {number(entry['ci_high'] - entry['rate'], 1)}"
        return f"keeps {share} up to {number(entry['rate'], 1)}{half} req/s"
    if entry["where"] == "above the highest rate":
        return f"keeps {share} at every rate swept; it breaks above {plain(high)} req/s"
    if entry["where"] == "below the lowest rate":
        return f"never keeps {share}; it breaks below {plain(low)} req/s"
    return f"keeps {share} up to a rate that lies outside {plain(low)} to {plain(high)} req/s for some seeds"


def _compared(against: Mapping[str, Any] | None) -> str:
    if against is None:
        return ""
    ratio = f", {against['ratio']:.2f}x {against['baseline']}"
    if against["ratio_ci_low"] is None:
        return f"{ratio} (one seed, no interval)"
    interval = f" (95% CI {against['ratio_ci_low']:.2f} to {against['ratio_ci_high']:.2f})"
    return ratio + interval + ("; not certain to differ" if against["verdict"] == "undecided" else "")
