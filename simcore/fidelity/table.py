"""Table: what `simcore fidelity` prints: equality, errors of latencies, errors of iterations."""

from collections.abc import Iterator

from simcore.cost.fit_error import FitError
from simcore.fidelity.kept import LATENCIES
from simcore.fidelity.latency_errors import STATISTICS
from simcore.fidelity.measure import Compared, Timed
from simcore.fidelity.model_clock import Equality

_NOTED = "dispatch", "admitted", "preempted"
"""Kinds of decisions whose agreement is worth a line."""


def lines(compared: Compared) -> Iterator[str]:
    """Yield the lines about one system at one point."""
    yield f"{compared.cell.label}, {compared.requests} requests"
    if compared.equality is not None:
        yield from _equality(compared.equality)
    for timed in compared.timed:
        yield ""
        yield from _timed(timed)
        if compared.same_requests:
            yield "  the trace has one set of requests: the cost model was trained on those it is tested with"


def _equality(found: Equality) -> Iterator[str]:
    if found.difference is None:
        yield f"  model clock: {found.decisions:,} decisions, all as simulated"
    else:
        parted = found.difference
        yield f"  model clock: DECISIONS DIFFER from number {parted.index + 1} of {found.decisions:,} on:"
        yield f"    real       {parted.ours or 'nothing more'}"
        yield f"    simulated  {parted.theirs or 'nothing more'}"
    generated = f"{found.tokens:,} tokens of {found.requests} requests"
    if found.first_other is None:
        yield f"  {generated}, all as in an undisturbed run"
    else:
        request, place = found.first_other
        yield (
            f"  {generated}, {found.others:,} OTHER than in an undisturbed run, "
            f"the first of them token {place} of request {request}"
        )


def _timed(timed: Timed) -> Iterator[str]:
    repetitions = timed.repetitions
    count = len(repetitions)
    yield f"  {timed.clock} clock: simulated against measured, median of {count} (worst); load {_loads(timed)}"
    yield f"  {'':>16}" + "".join(f"{name:>18}" for name in STATISTICS)
    for latency in LATENCIES:
        cells = [_cell(timed, f"{which}_{latency}_ms") for which in STATISTICS]
        measured = [each.measured_ms.get(f"median_{latency}_ms") for each in repetitions]
        typical = sorted(value for value in measured if value is not None)
        beside = f"{typical[len(typical) // 2]:.4g} ms" if typical else "-"
        yield f"  {latency.upper():<5}{beside:>11}" + "".join(f"{cell:>18}" for cell in cells)
    yield from _dynamics(timed)
    errors = [each.iterations for each in repetitions]
    yield f"  iterations: {_errors(sorted(errors, key=lambda each: each.median)[count // 2])}"
    for name, error in repetitions[-1].by_regime.items():
        yield f"    {name:<13} {_errors(error)}"


def _dynamics(timed: Timed) -> Iterator[str]:
    """Say what a simulator given the measured durations decides otherwise."""
    parted = [each for each in timed.repetitions if each.difference is not None]
    if not parted:
        yield "  dynamics: given the measured durations, a simulator decides the same, to the last decision"
    else:
        first = min(parted, key=lambda each: each.difference.index if each.difference else 0)
        assert first.difference is not None
        yield (
            f"  dynamics: given the measured durations, a simulator decides the same up to number "
            f"{first.difference.index:,} of {first.decisions:,}: {first.difference.ours or 'nothing more'} / "
            f"{first.difference.theirs or 'nothing more'}"
        )
        shown = (f"{name.upper()} {timed.dynamics.get(f'median_{name}_ms', 0):+.1%}" for name in LATENCIES)
        yield f"            of the errors of the medians, so much is not the cost model's: {', '.join(shown)}"
        agrees = timed.repetitions[-1].agrees
        rates = (f"{kind} {agrees[kind]:.1%}" for kind in _NOTED if kind in agrees)
        yield f"            decisions that the prediction takes too: {', '.join(rates)}"


def _cell(timed: Timed, name: str) -> str:
    if name not in timed.errors:
        return "-"
    return f"{timed.errors[name]:+.1%} ({timed.worst[name]:+.1%})"


def _errors(error: FitError) -> str:
    return (
        f"{error.iterations:>6,}: median error {error.median:.1%}, p90 {error.p90:.1%}, bias {error.bias:+.1%}, "
        f"total {error.total:+.1%}"
    )


def _loads(timed: Timed) -> str:
    return " ".join(f"{load:.1f}" for load in timed.loads)
