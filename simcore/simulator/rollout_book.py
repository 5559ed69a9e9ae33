"""Rollout book: one row for each training step: when what happened, to how many tokens, and who stood idle for what."""

from collections import Counter
from typing import TYPE_CHECKING

from simcore.books.request import RUNNING, Request
from simcore.books.rollout import Group, Sample

if TYPE_CHECKING:
    from simcore.simulator.rollout import Rollouts
    from simcore.simulator.simulator import Simulator

IDLE_FOR = ("tail", "drain", "train", "sync")
"""Why a lane has nothing to do: others still generate for this step; samples are being stopped; the trainer trains;
weights are on their way."""
SPANS_MAX = 6
"""Samples with so many weight versions or more are counted together."""
_ENDS = ("trained", "rejected", "discarded", "failed")


class RolloutBook:
    """Counts, sums and dates of the step that is open, and the rows of those before."""

    def __init__(self, simulator: "Simulator", rollouts: "Rollouts") -> None:
        self._simulator = simulator
        self._rollouts = rollouts
        self._idle = set(range(len(simulator.lanes)))
        self._idle_ps = Counter[str]()
        self._since = 0
        self._ended_tokens = 0
        """Tokens of samples whose spans say all of them: they run no more."""
        self._generated = 0
        """Tokens generated when the step began."""
        self._before = Counter[str]()
        self._sums = Counter[str]()
        self._opened = self._train = self._trained = 0
        self._stopped: int | None = None
        self._step = 0

    # -- what happens ------------------------------------------------------------------------------------------------

    def open(self, step: int) -> None:
        """A step begins, the first one with the run, each later one where the one before has ended."""
        self._step = step

    def submitted(self, group: Group) -> None:
        """The true lengths of what was begun, finished or not, show whether what is trained on is short."""
        self._sums["drawn_samples"] += len(group.samples)
        self._sums["drawn_tokens"] += sum(sample.row.output for sample in group.samples)

    def resume(self) -> None:
        """What is in the books was done by a run that was interrupted."""
        self._generated = self._generated_tokens()
        self._before = Counter(self._rollouts.counts)

    def resumed(self, row: Request) -> None:
        self._sums["resumed_samples"] += 1
        self._sums["resumed_tokens"] += row.prompt + row.generated if row.generated else 0

    def stops(self) -> None:
        """The policy begins to stop samples, while the trainer waits."""
        if self._stopped is None and self._rollouts.opened:
            self._stopped = self._simulator.clock.now

    def dropped(self, sample: Sample) -> None:
        self._sums["dropped_samples"] += 1
        self._sums["dropped_tokens"] += sample.output_tokens

    def train(self, step: int, groups: list[Group]) -> None:
        """Training on these groups begins; the weights of now are of version `step`."""
        sums = self._sums
        self._train = self._simulator.clock.now
        for sample in (sample for group in groups for sample in group.samples):
            sums["samples"] += 1
            sums["prompt_tokens"] += sample.prompt_tokens
            sums["response_tokens"] += sample.output_tokens
            sums["off_policy_tokens"] += sample.tokens_before(step)
            sums["truncated"] += sample.truncated
            sums["longest_tokens"] = max(sums["longest_tokens"], sample.output_tokens)
            sums["max_lag"] = max(sums["max_lag"], step - sample.spans[0][0])
            sums["max_versions"] = max(sums["max_versions"], len(sample.spans))
            sums["sample_versions"] += len(sample.spans)
            sums[f"versions_{min(len(sample.spans), SPANS_MAX)}"] += 1
            sums["reward_milli"] += round(1000 * (sample.reward or 0.0))
        sums["buffered_groups"] = len(self._rollouts.groups)

    def trained(self) -> None:
        self.phase()
        self._trained = self._simulator.clock.now

    def close(self) -> None:
        """The step has ended, and the weights behind it are out: write its row, and begin the next."""
        self.phase()
        now, counts, sums = self._simulator.clock.now, self._rollouts.counts, self._sums
        stopped = self._train if self._stopped is None else self._stopped
        generated = self._generated_tokens()
        made = {name: counts[name] - self._before[name] for name in ("submitted", *_ENDS)}
        row = (
            self._step,
            self._opened,
            stopped,
            self._train,
            self._trained,
            now,
            *made.values(),
            sums["buffered_groups"],
            sums["samples"],
            sums["resumed_samples"],
            sums["dropped_samples"],
            sums["prompt_tokens"],
            sums["response_tokens"],
            generated - self._generated,
            sums["resumed_tokens"],
            sums["off_policy_tokens"],
            sums["dropped_tokens"],
            sums["drawn_samples"],
            sums["drawn_tokens"],
            sums["truncated"],
            sums["longest_tokens"],
            sums["max_lag"],
            sums["max_versions"],
            sums["sample_versions"],
            *(sums[f"versions_{spans}"] for spans in range(1, SPANS_MAX + 1)),
            sums["reward_milli"],
            *(self._idle_ps[cause] for cause in IDLE_FOR),
        )
        self._simulator.recorder.rollouts.append(row)
        self._generated, self._before = generated, Counter(counts)
        self._opened = self._train = self._trained = now
        self._stopped = None
        sums.clear()
        self._idle_ps.clear()

    def count(self, counters: Counter[str]) -> None:
        """Add the totals of the run to what is reported of it."""
        groups = self._rollouts.groups.values()
        counters.update({f"groups_{name}": count for name, count in self._rollouts.counts.items()})
        counters["groups_open"] = sum(group.state == "open" for group in groups)
        counters["groups_accepted"] = sum(group.state == "accepted" for group in groups)
        counters["training_steps"] = self._rollouts.trained
        counters["rollout_starved"] += 0

    # -- idle lanes --------------------------------------------------------------------------------------------------

    def idle(self, lane: int, now_idle: bool) -> None:
        """A lane has nothing to do, or has again."""
        if (lane in self._idle) != now_idle:
            self.phase()
            self._idle ^= {lane}

    def phase(self) -> None:
        """Book the idle time until now; call it before what lanes wait for changes."""
        now, rollouts = self._simulator.clock.now, self._rollouts
        if now > self._since:
            if rollouts.weights.publishing is not None:
                cause = "sync"
            elif rollouts.training is not None:
                cause = "train"
            else:
                cause = "drain" if rollouts.stopping else "tail"
            self._idle_ps[cause] += len(self._idle) * (now - self._since)
            self._since = now

    # -- tokens --------------------------------------------------------------------------------------------------------

    def _generated_tokens(self) -> int:
        """Return how many tokens were generated so far, by samples of whatever fate."""
        simulator = self._simulator
        total = self._ended_tokens
        for request in simulator.live.values():
            if request.state == RUNNING:
                assert request.lane is not None
                lane = simulator.lanes[request.lane]
                total += lane.generated_after(request, lane.passed())
            else:
                total += request.generated
        return total

    def ended(self, row: Request) -> None:
        """A sample runs no more, for good."""
        self._ended_tokens += row.generated
