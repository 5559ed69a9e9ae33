"""Repetition: one measured run between two others, predicted by a simulation that knows only those two.

Trained before and after, on other requests, a cost model sees the machine as it is around the run it predicts. Its
error is then split: a simulator given the measured durations has no error of the cost model, so what it is off, under
wall time, is the dynamics' (messages, threads, copies); under the measured clock it should be off by nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from simcore.contract import Workload
from simcore.cost import Fitted
from simcore.cost.fit import check_enough, predicted, terms_of
from simcore.cost.fit_error import FitError, by_regime, error_of
from simcore.cost.fitted import Terms
from simcore.fidelity.bench import Bench, RealClock
from simcore.fidelity.decisions import Difference, agreement, first_difference
from simcore.fidelity.kept import Kept, Seconds
from simcore.fidelity.latency_errors import relative, statistics_ms
from simcore.fidelity.replay import replay
from simcore.simulator import simulate
from simcore.simulator.settings import Settings

Traffic = Callable[[int], tuple[Settings, Workload]]
"""The run of a study for a seed."""


@dataclass(frozen=True, slots=True)
class Seeds:
    """Of the run that is predicted, and of those before and after it."""

    before: int
    tested: int
    after: int


@dataclass(frozen=True, slots=True)
class Repetition:
    """A measured run and its prediction.

    terms: fitted to the runs before and after. measured, simulated: latencies of requests, by name.
    latency, dynamics: errors of statistics, of the prediction and of the replay. iterations: errors of durations.
    decisions: of the measured run. difference: the first one of the replay, dates of real time aside.
    agrees: shares of decisions, by kind, that the prediction took too.
    """

    seeds: Seeds
    terms: Terms
    measured: dict[str, Seconds]
    simulated: dict[str, Seconds]
    measured_ms: dict[str, float]
    latency: dict[str, float]
    dynamics: dict[str, float]
    iterations: FitError
    by_regime: Mapping[str, FitError]
    decisions: int
    difference: Difference | None
    agrees: dict[str, float]


def repeat(bench: Bench, clock: RealClock, traffic: Traffic, seeds: Seeds) -> Repetition:
    """Measure three runs, fit the cost model to the outer two, predict the middle one. Raises TooFewIterations."""
    before, measured, after = (_measured(bench, clock, traffic, s) for s in (seeds.before, seeds.tested, seeds.after))
    training = before.observed() + after.observed()
    check_enough(training)
    terms = terms_of(training)
    settings, workload = traffic(seeds.tested)
    settings = replace(settings, cost=Fitted(terms), record_decisions=True)
    simulated, replayed = Kept(), Kept()
    simulate(settings, workload, simulated)
    replay(settings, workload, replayed, measured.durations_ps())
    found_ms = statistics_ms(measured.latencies())
    log = measured.observed()
    said = predicted(terms, log)
    decodes, chunks = measured.batches()
    return Repetition(
        seeds=seeds,
        terms=terms,
        measured=measured.latencies(),
        simulated=simulated.latencies(),
        measured_ms=found_ms,
        latency=relative(statistics_ms(simulated.latencies()), found_ms),
        dynamics=relative(statistics_ms(replayed.latencies()), found_ms),
        iterations=error_of(said, log.seconds),
        by_regime=by_regime(said, log.seconds, decodes, chunks),
        decisions=len(measured.decision_rows),
        difference=first_difference(measured.decision_rows, replayed.decision_rows, dated=clock != "wall"),
        agrees=agreement(measured.decision_rows, simulated.decision_rows),
    )


def _measured(bench: Bench, clock: RealClock, traffic: Traffic, seed: int) -> Kept:
    settings, workload = traffic(seed)
    kept = Kept()
    bench.run(replace(settings, record_decisions=True, record_iterations=True), workload, kept, clock=clock)
    return kept
