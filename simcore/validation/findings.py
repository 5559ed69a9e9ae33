"""Findings: all that a replay says, as Markdown for people and JSON for scripts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from simcore.validation.ablation import Variant
from simcore.validation.by_kind import Kind
from simcore.validation.latencies import Latencies, errors, measured, percentiles
from simcore.validation.replay import Replayed
from simcore.validation.setting import Setting


@dataclass(slots=True)
class Findings:
    """What was found.

    plain: the replay with nothing fitted. declared: with the one constant, of `overhead_s`; None: none was declared.
    intervals: bounds on each statistic, seconds. steps: by kind; tokens: by tokens, of steps with prompts; why_not:
    why there is no comparison of steps. outside: look-ups outside the profile, by term.
    """

    setting: Setting
    plain: Replayed
    declared: Replayed | None = None
    overhead_s: float = 0.0
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    variants: Sequence[Variant] = ()
    steps: Sequence[Kind] = ()
    tokens: Sequence[tuple[int, int, float]] = ()
    why_not: str = ""
    outside: Mapping[str, int] = field(default_factory=dict)

    def as_markdown(self) -> str:
        """Return the tables that the command prints."""
        parts = [self._about(), _table(*self._latencies())]
        if self.steps:
            parts.append(_table(*self._steps()))
            parts.append(_table(*self._tokens()))
        if self.why_not:
            parts.append(f"Steps were not compared: {self.why_not}.")
        if self.variants:
            parts.append(_table(*self._variants()))
        return "\n\n".join(parts)

    def as_dict(self) -> dict[str, Any]:
        """Return the same for scripts, seconds and shares."""
        run, real = self.setting.run, measured(self.setting.run)
        return {
            "run": run.name,
            "engine": asdict(run.engine),
            "cost": self.setting.cost().describe(),
            "kv_blocks": self.setting.kv_blocks,
            "kv_blocks_logged": self.setting.logged,
            "measured_s": percentiles(real),
            "published": dict(run.published),
            "nothing_fitted": errors(self.plain.latencies, real),
            "declared": None if self.declared is None else errors(self.declared.latencies, real),
            "prefill_step_overhead_s": self.overhead_s,
            "intervals_s": dict(self.intervals),
            "missed_hits": self.plain.missed_hits,
            "preemptions": self.plain.preemptions,
            "outside": dict(self.outside),
            "steps": [asdict(kind) for kind in self.steps],
            "tokens": list(self.tokens),
            "ablation": {v.name: _changes(v.replayed.latencies, v.against) for v in self.variants},
        }

    def _about(self) -> str:
        setting, engine = self.setting, self.setting.run.engine
        blocks = f"{setting.kv_blocks:,} KV blocks ({'logged' if setting.logged else 'computed or given'})"
        said = [
            f"{setting.run.name}: {len(setting.run)} requests, {engine.model}, vLLM {engine.version}, tp {engine.tp}, "
            f"{setting.tables.gpu}, {blocks}, {self.plain.preemptions} preemptions"
        ]
        if engine.prefix_caching and not setting.run.hits.any():
            said.append("The server had a prefix cache; what it found is not given, so nothing is found here.")
        if self.plain.missed_hits:
            said.append(f"{self.plain.missed_hits} requests did not find in the prefix cache what the server's found.")
        if self.outside:
            counts = ", ".join(f"{name} {count}" for name, count in self.outside.items())
            said.append(f"Warning: look-ups outside the profile, extrapolated: {counts}.")
        return "\n".join(said)

    def _latencies(self) -> tuple[list[str], list[list[str]]]:
        run = self.setting.run
        real = percentiles(measured(run))
        plain = errors(self.plain.latencies, measured(run))
        declared = None if self.declared is None else errors(self.declared.latencies, measured(run))
        head = ["", "measured", "nothing fitted"]
        head += ["interval of the profile"] if self.intervals else []
        head += [f"{self.overhead_s * 1e3:g} ms a step with prompts"] if declared else []
        head += ["published by others"] if run.published else []
        rows = []
        for name, value in real.items():
            row = [name, _said(value), _percent(plain[name])]
            if self.intervals:
                row.append(" to ".join(_percent(bound / value - 1) for bound in self.intervals[name]))
            row += [_percent(declared[name])] if declared else []
            if run.published:
                row.append(_percent(run.published[name]) if name in run.published else "")
            rows.append(row)
        return head, rows

    def _steps(self) -> tuple[list[str], list[list[str]]]:
        rows = [
            [k.name, f"{k.steps:,}", f"{k.took_s:.2f}", _percent(k.model_s / k.took_s - 1), f"{k.longer_ms:+.2f}"]
            for k in self.steps
        ]
        return ["steps", "number", "measured, s", "nothing fitted", "median ms longer, each"], rows

    def _tokens(self) -> tuple[list[str], list[list[str]]]:
        rows = [[f"{most - 127} to {most}", str(count), f"{ms:+.1f}"] for most, count, ms in self.tokens]
        return ["tokens of a step with prompts", "number", "median ms longer"], rows

    def _variants(self) -> tuple[list[str], list[list[str]]]:
        rows = []
        for variant in self.variants:
            changes = _changes(variant.replayed.latencies, variant.against)
            means = [f"{changes[f'{metric} mean'] * 100:+.2f}" for metric in ("TTFT", "TPOT", "E2EL")]
            rows.append([variant.name, *means, str(variant.replayed.preemptions)])
        return ["changed", "TTFT mean, %", "TPOT mean, %", "E2EL mean, %", "preemptions"], rows


def _changes(changed: Latencies, base: Latencies) -> dict[str, float]:
    return errors(changed, base)


def _table(head: list[str], rows: list[list[str]]) -> str:
    return "\n".join(_lines(head, rows))


def _lines(head: list[str], rows: list[list[str]]) -> Iterator[str]:
    for row in (head, ["---"] * len(head), *rows):
        yield f"| {' | '.join(row)} |"


def _said(seconds: float) -> str:
    return f"{seconds * 1e3:.2f} ms" if seconds < 1 else f"{seconds:.3f} s"


def _percent(share: float) -> str:
    return f"{share * 100:+.1f}%"
