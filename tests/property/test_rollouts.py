"""Rollouts are the same run at any step length, and lose no group, through whatever is drawn."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from policies.april import April
from policies.staleness_gate import StalenessGate
from policies.synchronous_rollout import SynchronousRollout
from policies.vllm_v1 import VllmV1
from simcore.contract import Abort, Discard, Resume, Rollout, WakeAt
from simcore.simulator import Fault, Topology
from tests.property.draw import Bent, Flat
from tests.simulator.rollouts import Ran, Verdicts, train

SEEDS = 36


class Meddler(April):
    """APRIL that, at odd times, pauses samples and lets them go on, prunes them, and gives groups up."""

    def on_start(self, view):
        return [WakeAt(0.37 * (n + 1), ("meddle", n)) for n in range(60)]

    def on_woke(self, view, fact):
        if self.stopping or self.reached_s is not None:
            return
        n = fact.key[1]
        for number, group in view.groups.items():
            if group.state != "open" or view.draw(n, number) < 0.7:
                continue
            pending = {abort.request for abort in self.pausing}
            running = [request for request in group.in_flight if request not in pending]
            if group.paused:
                yield Resume(group.paused[0])
            elif n % 13 == 12 and running:
                yield Abort(running[-1])
            elif n % 17 == 16 and not pending & set(group.in_flight):
                self.under_way -= 1
                yield Discard(number)
                yield from self._refill(view)
                return
            elif running:
                abort = Abort(running[0], keep_tokens=True)
                self.pausing.add(abort)
                yield abort

    def __init__(self, over_provision: float = 1.5) -> None:
        super().__init__(over_provision)
        self.pausing: set[Abort] = set()

    def on_done(self, view, fact):
        if fact.action in self.pausing:
            self.pausing.discard(fact.action)
            request = view.requests.get(fact.action.request) if fact.ok else None
            if request is not None and request.state == "paused" and self.reached_s is None:
                yield Resume(request.id)
        yield from super().on_done(view, fact)


def drawn(seed: int) -> dict[str, Any]:
    """Return the arguments of a run of `train`, but for its step length."""
    rnd = random.Random(seed)
    size, prompts = rnd.choice([1, 2, 4]), 90
    longest = rnd.choice([5, 40, 150])
    lengths = [[1 + int(rnd.expovariate(4 / longest)) % longest for _ in range(size)] for _ in range(prompts)]
    groups = rnd.choice([1, 3, 6])
    kinds: list[Callable[[], Rollout]] = [
        lambda: April(rnd_alpha, variant="ap"),
        lambda: April(rnd_alpha, order="oldest"),
        lambda: April(rnd_alpha, choose="varied"),
        lambda: SynchronousRollout(rnd_alpha),
        lambda: StalenessGate(eta=seed % 3, max_running=rnd_alpha),
        lambda: Meddler(rnd_alpha),
    ]
    rnd_alpha = rnd.choice([1.0, 1.5, 2.0, 3.0])
    instances = rnd.choice([1, 2, 3])
    step = rnd.choice([10**10, 10**11, 3 * 10**10 + 7])
    cost: Any = Flat(step, rnd.choice([0, 10**7 + 3]), 0, rnd.choice([0, 10**6]))
    if rnd.random() < 0.3:
        cost = Bent([0, 60, 300], [0, 10**7, 10**8], step, 10**9, 8)
    faults = tuple(
        Fault("instance", rnd.randrange(instances), at_s=rnd.random() * 20, for_s=rnd.choice([1.0, 4.5]))
        for _ in range(rnd.choice([0, 0, 2]))
    )
    samples = size * prompts
    judge = Verdicts(
        frozenset(number for number in range(prompts) if rnd.random() < 0.15),
        {request: rnd.choice([1, 3]) for request in range(samples) if rnd.random() < 0.03},
        {request: rnd.choice([1, 2]) for request in range(samples) if rnd.random() < 0.1},
        {request: float(rnd.random() < 0.5) for request in range(samples)},
    )
    links = Topology(instances=instances, pcie_bytes_per_s=10**9, nvlink_bytes_per_s=0, network_bytes_per_s=10**9)
    return {
        "lengths": lengths,
        "make_rollout": kinds[seed % len(kinds)],
        "groups": groups,
        "steps": 4,
        "prompt": rnd.choice([1, 20, 70]),
        "judge": judge,
        "train_s": rnd.choice([0.0, 0.5, 2.0]),
        "weight_bytes": rnd.choice([0, 10**8]),
        "load_s": rnd.choice([0.0, 0.25]),
        "max_tokens": rnd.choice([None, 30]),
        "pause": rnd.random() < 0.5,
        "instances": instances,
        "cost": cost,
        "kv_blocks": rnd.choice([16, 40, 1000]),
        "make_scheduler": lambda: VllmV1(max_num_batched_tokens=64, max_num_seqs=16),
        "faults": faults,
        "topology": links,
        "seed": seed,
    }


def left(ran: Ran) -> Any:
    """Return all that a run leaves but how many events it took."""
    outcome = ran.outcome
    spans = {
        sample.request: (sample.spans, sample.reward)
        for group in ran.rollouts.groups.values()
        for sample in group.samples
    }
    totals = (outcome.end_ps, outcome.arrived, outcome.finished, outcome.cancelled, outcome.preemptions)
    return ran.decisions, ran.steps, totals, dict(outcome.counters), spans


@pytest.mark.parametrize("seed", range(SEEDS))
def test_macro_steps_and_single_iterations_are_the_same_run_and_no_group_is_lost(seed):
    macro = train(**drawn(seed))
    single = train(**drawn(seed), per_iteration=True, block_ids=True)
    assert left(macro) == left(single)
    counts = macro.rollouts.counts
    ended = sum(counts[end] for end in ("trained", "rejected", "discarded", "failed"))
    assert counts["submitted"] == ended + len(macro.rollouts.groups)
    outcome = macro.outcome
    ways = (outcome.finished, outcome.rejected, outcome.cancelled, outcome.failed, outcome.unfinished)
    assert outcome.arrived == sum(ways)
    assert macro.rollouts.trained == 4 or outcome.counters["rollout_starved"]
    for instance in macro.simulator.instances:
        instance.catch_up()
