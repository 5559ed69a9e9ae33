"""Calibration: a mix of work that a cost model is fitted to: small batches and large ones, long prompts in chunks.

Isolated iterations, measured again and again, are faster than the same ones in a run, and a fit to them is biased. So
whole runs are measured: two instances in turn, requests that come and go. The mix goes from light to burst and back: a
machine that slowly changes its speed changes it for every kind of iteration alike.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from simcore.contract import Router, Scheduler, Workload, to_s
from simcore.cost import Affine
from simcore.cost.fit import Observed
from simcore.fidelity.bench import Bench
from simcore.fidelity.kept import Kept
from simcore.simulator.settings import Settings
from simcore.study.registry import find_policy

INSTANCES = 2
_PILOT_REQUESTS = 8
_MEAN_ANSWER_TOKENS, _LONGEST_ANSWER_TOKENS = 64, 256
_LARGEST_BATCH = 256
_MIX: tuple[tuple[float, float | None], ...] = ((0.125, 0.5), (0.125, 1.5), (0.5, None), (0.125, 1.5), (0.125, 0.5))
"""Shares of the requests, and rates, in those of a small burst; None: all at once."""


@dataclass(frozen=True, slots=True)
class Mix:
    """How much of what.

    Args:
        requests: in all.
        longest_tokens: the longest prompt; the mean is a sixth of it.
        max_num_batched_tokens: budget of an iteration; longer prompts go in chunks.
        block_tokens: tokens per KV block.
        seed: draws lengths and arrivals.
    """

    requests: int
    longest_tokens: int
    max_num_batched_tokens: int
    block_tokens: int = 16
    seed: int = 0

    @property
    def kv_blocks(self) -> int:
        """Blocks that hold the typical burst, and the longest request in any case."""
        each = -(-(self.longest_tokens // 6 + _MEAN_ANSWER_TOKENS) // self.block_tokens)
        longest = -(-(self.longest_tokens + _LONGEST_ANSWER_TOKENS) // self.block_tokens)
        return max(2 * longest, min(8192, each * self.requests // INSTANCES))


def calibrate(bench: Bench, mix: Mix, say: Callable[[str], None]) -> Observed:
    """Run the mix under the measured clock; return its iterations, those of the first runs first."""
    settings = _settings(mix)
    say("pilot")
    kept = Kept()
    pilot = bench.run(settings, _workload(mix, _PILOT_REQUESTS, None, 0), kept, clock="measured")
    carried_per_s = _PILOT_REQUESTS / to_s(pilot.outcome.end_ps)
    log: Observed | None = None
    for number, (share, load) in enumerate(_MIX, start=1):
        requests = max(2, round(share * mix.requests))
        rate = None if load is None else load * carried_per_s
        how = "at once" if rate is None else f"at {rate:.3g} per second"
        say(f"{number} of {len(_MIX)}: {requests} requests {how}")
        kept = Kept()
        bench.run(settings, _workload(mix, requests, rate, number), kept, clock="measured")
        log = kept.observed() if log is None else log + kept.observed()
    assert log is not None
    return log


def _settings(mix: Mix) -> Settings:
    return Settings(
        instances=INSTANCES,
        kv_blocks=mix.kv_blocks,
        block_tokens=mix.block_tokens,
        cost=Affine(step_ps=1),
        make_router=_router,
        make_scheduler=partial(_scheduler, mix),
        record_iterations=True,
    )


def _router() -> Router:
    router = find_policy("least_loaded", "router")()
    assert isinstance(router, Router)
    return router


def _scheduler(mix: Mix) -> Scheduler:
    limits = {
        "max_num_batched_tokens": mix.max_num_batched_tokens,
        "max_num_seqs": min(_LARGEST_BATCH, mix.max_num_batched_tokens),
    }
    scheduler = find_policy("vllm_v1", "scheduler")(**limits)
    assert isinstance(scheduler, Scheduler)
    return scheduler


def _workload(mix: Mix, requests: int, rate: float | None, number: int) -> Workload:
    """Return one run of the mix; rate: None for a burst."""
    import traces

    answer = {"kind": "lognormal", "mean": _MEAN_ANSWER_TOKENS, "sigma": 0.6, "max": _LONGEST_ANSWER_TOKENS}
    prompt = {"kind": "lognormal", "mean": max(1, mix.longest_tokens // 6), "sigma": 1.0, "max": mix.longest_tokens}
    return traces.synthetic(
        arrivals={"kind": "all_at_once"} if rate is None else {"kind": "poisson"},
        prompt_tokens=prompt,
        output_tokens=answer,
        rate=rate,
        requests=requests,
        seed=mix.seed,
        replication=number,
    )
