"""Fit: the quantile tables of a trace, as the catalogue holds them, and how far a generated workload is from it.

python -m traces.fit TRACE                  the lines of a catalogue entry, fitted to a trace file
python -m traces.fit TRACE --sessions       the same as sessions, found in its hash ids
python -m traces.fit TRACE --against NAME   the goodness of fit of the catalogued workload NAME
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill, indent

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simcore.contract.traffic import Arrivals, Column, Workload
from simcore.contract.units import PS_PER_S, to_s
from traces.continuations import continuations
from traces.fitting.gaps import correlated
from traces.opening import open_trace
from traces.pieces import begins, joined
from traces.replay import Replay

PROBABILITIES = (
    *(0.0, 0.001, 0.002, 0.005),
    *(percent / 100 for percent in range(1, 99)),
    *(0.985, 0.99, 0.992, 0.994, 0.995, 0.996, 0.997, 0.998, 0.9985, 0.999, 0.9995, 1.0),
)
"""Where the tables of the catalogue stand: every percent, and closer in the tails, which carry the load."""

_DRAWN = 400_000


def ks(sample: ArrayLike, other: ArrayLike) -> float:
    """Return the Kolmogorov-Smirnov distance: the largest gap between two empirical distribution functions.

    >>> ks([1, 2, 3, 4], [1, 2, 3, 9])
    0.25
    """
    a, b = np.sort(np.asarray(sample)), np.sort(np.asarray(other))
    at = np.concatenate([a, b])
    below_a = np.searchsorted(a, at, side="right") / len(a)
    below_b = np.searchsorted(b, at, side="right") / len(b)
    return float(np.abs(below_a - below_b).max())


def dispersion(at_ps: Column, window_s: int = 10) -> float:
    """Return variance over mean of the arrivals in windows of so many seconds: 1 is Poisson, more is burstier."""
    counts = np.bincount(at_ps // (window_s * PS_PER_S))
    return float(counts.var() / counts.mean())


def relative_gaps(at_ps: Column, rate: float) -> NDArray[np.float64]:
    """Return [n - 1] gaps between arrivals in units of their mean, 1 / rate."""
    relative: NDArray[np.float64] = np.diff(at_ps) * (rate / PS_PER_S)
    return relative


@dataclass(frozen=True)
class Fit:
    """How a generated workload compares with a trace. Gaps and dispersion are of programs where requests are turns."""

    gaps_ks: float
    prompt_ks: float
    output_ks: float
    gaps_cv: tuple[float, float]
    """Of the trace, of the generated."""
    dispersion: tuple[float, float]
    prompt_mean: tuple[float, float]
    output_mean: tuple[float, float]

    @classmethod
    def between(cls, trace: Workload, generated: Workload) -> "Fit":
        a, b = columns(trace), columns(generated)
        at_a, at_b = a.at_ps[begins(a)], b.at_ps[begins(b)]
        gaps_a, gaps_b = relative_gaps(at_a, trace.rate), relative_gaps(at_b, generated.rate)
        return cls(
            gaps_ks=ks(gaps_a, gaps_b),
            prompt_ks=ks(a.prompt_tokens, b.prompt_tokens),
            output_ks=ks(a.output_tokens, b.output_tokens),
            gaps_cv=(float(gaps_a.std()), float(gaps_b.std())),
            dispersion=(dispersion(at_a), dispersion(at_b)),
            prompt_mean=(float(a.prompt_tokens.mean()), float(b.prompt_tokens.mean())),
            output_mean=(float(a.output_tokens.mean()), float(b.output_tokens.mean())),
        )

    def __str__(self) -> str:
        pairs = {"gap CV": self.gaps_cv, "10 s dispersion": self.dispersion}
        pairs |= {"mean prompt": self.prompt_mean, "mean output": self.output_mean}
        lines = [f"KS: gaps {self.gaps_ks:.3f}, prompt {self.prompt_ks:.3f}, output {self.output_ks:.3f}"]
        lines += [f"{name}: trace {trace:.2f}, generated {generated:.2f}" for name, (trace, generated) in pairs.items()]
        return "\n".join(lines)


def columns(workload: Workload) -> Arrivals:
    """Return a whole workload as one piece."""
    return joined(list(workload.pieces()))


def entry(trace: Replay) -> str:
    """Return the fitted lines of a catalogue entry, as YAML."""
    whole = columns(trace)
    arrivals = correlated(relative_gaps(whole.at_ps, trace.rate), PROBABILITIES)
    lines = [
        f"requests: {trace.requests}",
        f"rate: {trace.rate:.6f}",
        _row("probabilities: &table", PROBABILITIES),
        _table("arrivals", "gaps", arrivals["gaps"]),
        *(f"  {key}: {arrivals[key]}" for key in ("correlation", "run")),
    ]
    for name, tokens in (("prompt_tokens", whole.prompt_tokens), ("output_tokens", whole.output_tokens)):
        lines.append(_table(name, "tokens", np.quantile(tokens, PROBABILITIES, method="inverted_cdf")))
    return "\n".join(lines)


def session_entry(trace: Replay) -> str:
    """Return the fitted lines of a catalogue entry of sessions.

    Waits are from arrival to arrival, so they hold the time of the answer, which a trace of arrivals does not tell.
    Raises ValueError if the trace has no hash ids.
    """
    whole = columns(trace)
    found = continuations(whole)
    later = np.flatnonzero(found.before >= 0)
    before = found.before[later]
    new_tokens = whole.prompt_tokens[later] - whole.prompt_tokens[before] - whole.output_tokens[before]
    wait_s = (whole.at_ps[later] - whole.at_ps[before]) / PS_PER_S
    logs = np.log(wait_s[wait_s > 0])
    system_prompt_tokens = _common_head(whole)
    tables = {
        "turns": found.turns,
        "first_prompt_tokens": whole.prompt_tokens[found.before < 0] - system_prompt_tokens,
        "turn_tokens": np.maximum(new_tokens, 1),
        "output_tokens": whole.output_tokens,
    }
    quantiles = {name: np.quantile(values, PROBABILITIES, method="inverted_cdf") for name, values in tables.items()}
    lines = [
        f"requests: {trace.requests}",
        f"rate: {int((found.before < 0).sum()) / to_s(trace.survey.span_ps):.6f}",
        _row("probabilities: &table", PROBABILITIES),
        "sessions:",
        f"  system_prompt_tokens: {system_prompt_tokens}",
        f"  max_context_tokens: {whole.prompt_tokens.max()}",
        f"  think_s: {{kind: lognormal, mu: {logs.mean():.4f}, sigma: {logs.std():.4f}}}",
        *(indent(_table(name, "tokens", values), "  ") for name, values in quantiles.items()),
    ]
    return "\n".join(lines)


def _common_head(requests: Arrivals) -> int:
    """Return the tokens of the first segment if it is the same in all prompts, else 0."""
    assert requests.head is not None
    begins = requests.head.offsets[:-1]
    keys, ends = requests.head.keys[begins], requests.head.ends[begins]
    return int(ends[0]) if (keys == keys[0]).all() and (ends == ends[0]).all() else 0


def _table(name: str, key: str, values: NDArray[np.float64]) -> str:
    return f"{name}:\n  kind: quantiles\n  probabilities: *table\n{_row(f'  {key}:', values)}"


def _row(key: str, values: Sequence[float] | NDArray[np.float64]) -> str:
    short = ", ".join(f"{value:.10g}" if float(value).is_integer() else f"{value:.4g}" for value in values)
    return fill(f"{key} [{short}]", 118, subsequent_indent="    ")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m traces.fit", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("trace", type=Path)
    parser.add_argument("--against", metavar="NAME")
    parser.add_argument("--sessions", action="store_true")
    asked = parser.parse_args()
    try:
        trace = open_trace(Path.cwd() / asked.trace)
        assert isinstance(trace, Replay)
        if asked.against:
            print(Fit.between(trace, open_trace(asked.against, requests=_DRAWN)))
        else:
            print(session_entry(trace) if asked.sessions else entry(trace))
    except ValueError as error:
        print(error, file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
