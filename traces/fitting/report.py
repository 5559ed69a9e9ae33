"""Report: the goodness of every fit as Markdown tables: what was measured beside what we generate."""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from simcore.contract.traffic import Arrivals, Column
from simcore.contract.units import PS_PER_S
from traces import durations, lengths
from traces.catalogue import catalogued
from traces.draws import blocks
from traces.fit import PROBABILITIES, columns, dispersion, ks
from traces.fitting import gaps
from traces.fitting.groups import spread
from traces.fitting.samples import Numbers, sample
from traces.kinds import in_words, read_kind
from traces.parameters import raise_if_any
from traces.pieces import begins
from traces.synthetic import synthetic

_DRAWN = 400_000
_WINDOWS_S = (1, 10, 60, 300)
_SILENCE_S = 5.0
_WINDOW_S = 3.0
_LEVELS = 3

_ENTRIES = {
    "azure_conv_2023": "azure_conv",
    "azure_code_2023": "azure_code",
    "mooncake_conversation": "mooncake_conversation",
    "chat_sessions": "mooncake_conversation",
    "agent_programs": "agentcgroup",
}
"""Catalogue entries and the samples they were fitted to."""


def report(folder: Path) -> Iterator[str]:
    """Yield the lines of the report, from the public traces in `folder`."""
    yield from _arrivals(folder, "azure_code", bursts=True)
    yield from _arrivals(folder, "azure_conv")
    yield from _arrivals(folder, "mooncake_synthetic")
    yield from _catalogue(folder)
    yield from _closed_forms(folder)
    yield from _groups(folder)


def _arrivals(folder: Path, trace: str, *, bursts: bool = False) -> Iterator[str]:
    """Yield how kinds of arrivals fit the gaps of a trace, and the counts that follow from them."""
    gap_s = sample(folder, trace)["gap_s"]
    fits = {
        "`poisson`": {"kind": "poisson"},
        "`gamma`": gaps.gamma(gap_s),
        "`weibull`": gaps.weibull(gap_s),
        "`quantiles`, independent": gaps.table(gap_s, PROBABILITIES),
    }
    if bursts:
        fits[f"`on_off`, off in gaps above {_SILENCE_S:g} s"] = gaps.on_off(gap_s, _SILENCE_S, PROBABILITIES)
        states = gaps.states(gap_s, _WINDOW_S, _LEVELS, PROBABILITIES)
        fits[f"`mmpp`, states of {_WINDOW_S:g} s windows"] = states
    fits["`quantiles`, correlated"] = gaps.correlated(gap_s, PROBABILITIES)
    windows = [f"dispersion {window} s" for window in _WINDOWS_S]
    yield from _heading(f"Arrivals of {trace}", ["arrivals", "parameters", "KS", "CV", *windows])
    yield _row(["**trace**", f"{len(gap_s) + 1:,} requests", "", *_shape(gap_s)])
    rate = 1 / float(gap_s.mean())
    for name, fit in fits.items():
        drawn_s = _gaps_of(fit, rate)
        own = {key: value for key, value in fit.items() if key not in ("kind", "probabilities", "gaps", "transitions")}
        yield _row([name, in_words(own), f"{ks(gap_s, drawn_s):.3f}", *_shape(drawn_s)])


def _gaps_of(arrivals: dict[str, Any], rate: float) -> Numbers:
    one = {"kind": "fixed", "tokens": 1}
    drawn = synthetic(arrivals=arrivals, prompt_tokens=one, output_tokens=one, rate=rate, requests=_DRAWN)
    apart: Numbers = np.diff(columns(drawn).at_ps) / PS_PER_S
    return apart


def _shape(gap_s: Numbers) -> list[str]:
    """Return coefficient of variation, and dispersion of the counts in whole windows of each size, in words."""
    at_ps: Column = np.rint(np.cumsum(gap_s) * PS_PER_S).astype(np.int64)
    ends_ps = [at_ps[-1] // (window_s * PS_PER_S) * (window_s * PS_PER_S) for window_s in _WINDOWS_S]
    counts = [dispersion(at_ps[at_ps < end], window) for end, window in zip(ends_ps, _WINDOWS_S, strict=True)]
    return [f"{gap_s.std() / gap_s.mean():.2f}", *(f"{count:.1f}" for count in counts)]


def _catalogue(folder: Path) -> Iterator[str]:
    yield from _comparison_heading("Catalogue entries", ["entry", "quantity"])
    for name, trace in _ENTRIES.items():
        measured = sample(folder, trace)
        drawn = columns(catalogued(name, rate=None, requests=_DRAWN, seed=0, replication=0))
        for quantity, values in _quantities(drawn).items():
            yield _comparison([f"`{name}`", quantity], measured[quantity], values)


def _quantities(drawn: Arrivals) -> dict[str, Numbers]:
    found = {"prompt_tokens": drawn.prompt_tokens, "output_tokens": drawn.output_tokens}
    if drawn.program is not None:
        found["turns"] = np.diff(np.flatnonzero(begins(drawn)))
    return {quantity: values.astype(np.float64) for quantity, values in found.items()}


def _closed_forms(folder: Path) -> Iterator[str]:
    """Yield how the distributions of closed_forms.yaml fit; lengths are whole tokens, durations seconds."""
    from ruamel.yaml import YAML

    yield from _comparison_heading("Distributions in closed form", ["trace", "quantity", "distribution"])
    known: dict[str, dict[str, dict[str, Any]]] = YAML(typ="safe").load(Path(__file__).with_name("closed_forms.yaml"))
    for trace, forms in known.items():
        for quantity, form in forms.items():
            measured = sample(folder, trace)[quantity]
            yield _comparison([trace, quantity, in_words(form)], measured[measured > 0], _drawn(quantity, form))


def _drawn(quantity: str, form: dict[str, Any]) -> Numbers:
    problems: list[str] = []
    in_seconds = quantity.endswith("_s")
    kinds: Any = durations.KINDS if in_seconds else lengths.KINDS
    kind = read_kind(quantity, form, kinds, problems)
    raise_if_any(problems)
    assert kind is not None
    generators = blocks(0, 0, "wait")
    parts = [kind.draw(next(generators)) for _ in range(50)]
    values: Numbers = np.concatenate(parts) / (PS_PER_S if in_seconds else 1)
    return values


def _groups(folder: Path) -> Iterator[str]:
    """Yield how the lengths of the samples of a prompt vary: their logarithms within groups, and between them."""
    answers = sample(folder, "lrm-token-economy")
    drawn = columns(catalogued("rollout_groups", rate=None, requests=80_000, seed=0, replication=0))
    assert drawn.group is not None
    drawn_logs = partial(spread, drawn.output_tokens.astype(np.float64), drawn.group.astype(np.float64))
    yield from _heading("Groups of samples", ["answers", "groups", "within groups", "between groups", "longest / mean"])
    rows = {
        "all, 28 models": spread(answers["output_tokens"], answers["group"]),
        "AIME 2023 problems": spread(answers["aime_output_tokens"], answers["aime_group"]),
        "`rollout_groups`, its first 5 samples": drawn_logs(first=5),
        "`rollout_groups`, 8 samples": drawn_logs(),
    }
    for name, found in rows.items():
        yield _row([name, f"{found.groups:,}", *(f"{x:.3f}" for x in (found.within, found.between, found.longest))])


def _comparison_heading(title: str, first: Sequence[str]) -> Iterator[str]:
    return _heading(title, [*first, "KS", "mean", "p50", "p90", "p99"])


def _comparison(first: Sequence[str], measured: Numbers, drawn: Numbers) -> str:
    pairs = [(measured.mean(), drawn.mean())]
    pairs += [(np.quantile(measured, p), np.quantile(drawn, p)) for p in (0.5, 0.9, 0.99)]
    return _row([*first, f"{ks(measured, drawn):.3f}", *(f"{_short(a)} / {_short(b)}" for a, b in pairs)])


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _heading(title: str, names: Sequence[str]) -> Iterator[str]:
    yield from ("", f"## {title}", "", _row(names), _row(["---"] * len(names)))


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
