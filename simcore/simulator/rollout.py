"""Rollouts: groups of samples from their prompts to a training step: started, paused, resumed, scored, trained on.

The workload is read as prompts to draw from, group by group. To the router, a sample that starts or is resumed arrives.
No group is lost: at the end those submitted were trained on, rejected, discarded or failed, or are left in the books.
"""

from collections import Counter
from typing import TYPE_CHECKING

from simcore.books.draw import seed_of
from simcore.books.request import PAUSED, UNROUTED, Request
from simcore.books.rollout import Group, Sample
from simcore.contract import (
    Abort,
    Arrived,
    Discard,
    Done,
    Fact,
    GroupCompleted,
    IllegalAction,
    Resume,
    RolloutOpened,
    RolloutStarved,
    Submit,
    Train,
    Trained,
    Workload,
)
from simcore.contract import decisions as log
from simcore.contract.rollouts import GroupState
from simcore.simulator.actions import ROLLOUT
from simcore.simulator.clock import TIMERS, Alarm
from simcore.simulator.prompts import Prompts
from simcore.simulator.rollout_actions import ROLLOUT_STARTS, stop
from simcore.simulator.rollout_book import RolloutBook
from simcore.simulator.rollout_settings import RolloutSettings
from simcore.simulator.rollout_state import restore_rollouts, rollout_state
from simcore.simulator.rollout_view import LiveRollout
from simcore.simulator.scoring import Scoring
from simcore.simulator.weights import Weights

if TYPE_CHECKING:
    from simcore.simulator.simulator import Simulator
    from simcore.simulator.stepper import SimLane

_ROLLOUT_DRAWS = 3
_TRAINED, _OPENS = TIMERS + 0.5, TIMERS + 0.75


class Rollouts:
    """The rollouts of one run."""

    def __init__(self, simulator: "Simulator", settings: RolloutSettings, workload: Workload) -> None:
        self._simulator = simulator
        self.settings = settings
        self.policy = settings.make_rollout()
        self.may = ROLLOUT_STARTS & self.policy.emits
        self.groups: dict[int, Group] = {}
        """Those that are open or accepted."""
        self.samples: dict[int, Sample] = {}
        """By request, of these groups, and of groups that are given up while something of them still runs."""
        self.counts: Counter[str] = Counter(submitted=0, trained=0, rejected=0, discarded=0, failed=0)
        self.trained = 0
        """Training steps that have ended."""
        self.training: Train | None = None
        self.opened = False
        """The trainer waits for groups."""
        self.stopping: Counter[Abort | Discard] = Counter()
        """Aborts of the policy, and discards, under way."""
        self._given_up: dict[int, Discard | None] = {}
        """Requests of groups that are given up and are still to be stopped, with the action that waits for them."""
        self._ended = False
        self.prompts = Prompts(simulator, workload, settings.max_tokens)
        self._scoring = Scoring(simulator, self)
        draws = seed_of(simulator.settings.seed, simulator.settings.replication, _ROLLOUT_DRAWS)
        self.view = LiveRollout(simulator, self, draws, simulator.settings.oracle & self.policy.oracle)
        self.book = RolloutBook(simulator, self)
        self.weights = Weights(simulator, self)

    # -- steps -----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Open the first step."""
        self.prompts.open()
        if self.settings.resume is not None:
            restore_rollouts(self._simulator, self, self.settings.resume)
        self.tell("on_start", None)
        for sample in [each for each in self.samples.values() if each.stage == "scoring"]:
            self._scoring.score(sample)
        self._open()

    def _open(self) -> None:
        if self.settings.checkpoint is not None:
            self.settings.checkpoint(rollout_state(self._simulator, self))
        self.opened = True
        self.book.open(self.trained)
        self._simulator.log(-1, log.OPENED, -1, self.trained)
        self.tell("on_rollout_opened", RolloutOpened(self.trained, self.settings.groups, self.prompts.size))

    def starved(self) -> bool:
        """Nothing is under way any more, and the run is not over: tell; return whether something was started."""
        simulator = self._simulator
        if self._ended:
            return False
        if not simulator.over:
            complete = sum(group.state == "accepted" for group in self.groups.values())
            self.tell("on_rollout_starved", RolloutStarved(self.trained, self.settings.groups, complete))
            if simulator.clock.peek() < float("inf"):
                return True
        simulator.counts["rollout_starved"] = 1
        self._end()
        return False

    def train(self, action: Train) -> None:
        """Train on complete groups. Raises IllegalAction."""
        if not self.opened:
            raise IllegalAction(f"{action}: the trainer wants no groups now; RolloutOpened says when")
        chosen = [self.groups.get(number) for number in action.groups]
        groups = [group for group in chosen if group is not None and group.state == "accepted"]
        if not groups or len(set(action.groups)) < len(action.groups) or len(groups) < len(action.groups):
            raise IllegalAction(f"{action}: groups must be different ones, at least one, complete and accepted")
        self.book.phase()
        self.opened = False
        self.training = action
        for group in groups:
            self.forget(group, "trained")
        self.book.train(self.trained, groups)
        self._simulator.log(-1, log.TRAIN, -1, self.trained)
        took = self.settings.trainer.train(self.trained, groups)
        Alarm(self._simulator.clock, took, self._has_trained, _TRAINED)

    def _has_trained(self, _: Alarm) -> None:
        simulator, action = self._simulator, self.training
        assert action is not None
        step = self.trained
        self.book.trained()
        self.trained += 1
        self.training = None
        simulator.log(-1, log.TRAINED, -1, step)
        simulator.done(ROLLOUT, Done(action, ok=True))
        self.tell("on_trained", Trained(step))
        self.proceed()

    def proceed(self) -> None:
        """Open the next step, or end the run, once the policy has stopped what it stops, and the weights are out."""
        Alarm(self._simulator.clock, 0, self._proceed, _OPENS)

    def _proceed(self, _: Alarm) -> None:
        if self.stopping or self.weights.publishing is not None or self.training is not None or self.opened:
            return
        self.book.close()
        if self.trained < self.settings.steps:
            self._open()
        else:
            self._end()

    def _end(self) -> None:
        self._ended = self._simulator.over = True
        counts = self.counts
        left = 2 * counts["submitted"] - counts.total()
        assert left == len(self.groups), f"{left} groups are unaccounted for, {len(self.groups)} are in the books"
        self.book.count(self._simulator.counts)

    @property
    def busy(self) -> bool:
        """Something will happen that no lane and no link knows of."""
        return bool(self._scoring.under_way or self.training or self.weights.publishing)

    # -- groups begin ----------------------------------------------------------------------------------------------

    def submit(self, action: Submit) -> None:
        """Start groups from the next prompts. Raises IllegalAction."""
        if action.groups < 1 or not 1 <= action.samples <= max(self.prompts.size, 1):
            rule = f"groups must be >= 1, and samples 1..{self.prompts.size}, as many as the workload has of a prompt"
            raise IllegalAction(f"{action}: {rule}")
        for started in range(action.groups):
            rows = self.prompts.draw()
            if rows is None:
                self._simulator.done(ROLLOUT, Done(action, ok=False, why="no prompts left", kept=started))
                return
            group = Group(self.counts["submitted"], self.trained)
            self.counts["submitted"] += 1
            self.groups[group.id] = group
            for index, row in enumerate(rows[: action.samples]):
                sample = Sample(row, group, index, self.settings.max_tokens)
                group.samples.append(sample)
                self.samples[row.id] = sample
                self._arrive(row, group.id)
            self.book.submitted(group)

    def _arrive(self, row: Request, group: int) -> None:
        simulator = self._simulator
        row.arrival_ps = simulator.clock.now
        simulator.live[row.id] = row
        simulator.outcome.arrived += 1
        if simulator.keep_spans:
            row.spans = []
        simulator.log(-1, log.SUBMITTED, row.id, group)
        simulator.messenger.tell_router("on_arrived", Arrived(row.id))

    def resume(self, action: Resume) -> None:
        """Let a paused sample go on. Raises IllegalAction."""
        simulator = self._simulator
        row = simulator.live.get(action.request)
        if row is None or row.state != PAUSED:
            raise IllegalAction(f"{action}: must be paused")
        row.state = UNROUTED
        self.book.resumed(row)
        simulator.log(-1, log.RESUMED, row.id, row.generated)
        simulator.messenger.tell_router("on_arrived", Arrived(row.id))

    # -- samples end -----------------------------------------------------------------------------------------------

    def finished(self, lane: "SimLane", rows: list[Request]) -> None:
        """Samples gave their last token: they are scored."""
        version = self._simulator.instances[lane.instance].weights_version
        done = [self.samples[row.id] for row in rows]
        for sample in done:
            sample.close(version, sample.row.generated)
            self.book.ended(sample.row)
            sample.stage = "scoring"
            if sample.of.state != "open":
                del self.samples[sample.request]
        for sample in done:
            self._scoring.score(sample)

    def stops(self, action: Abort | Discard) -> None:
        """The policy begins to stop something."""
        self.book.phase()
        self.book.stops()
        self.stopping[action] += 1

    def stopped(self, row: Request, action: Abort) -> None:
        """A sample was taken off its lane as `action` of this role asks: it is paused, or no more of its group."""
        simulator, sample = self._simulator, self.samples[row.id]
        place = -1 if row.lane is None else simulator.place_of(row.lane)
        self._close(sample, row)
        if action.keep_tokens and sample.of.state == "open":
            row.state = PAUSED
            row.lane = None
            simulator.log(place, log.PAUSED, row.id, row.generated)
        else:
            sample.stage = "gone"
            simulator.cancelled(row, ROLLOUT)
        simulator.done(ROLLOUT, Done(action, ok=True, kept=row.generated if action.keep_tokens else 0))

    def displaced(self, row: Request, instance: int) -> None:
        """A sample loses its instance, and keeps the tokens it gave."""
        self.samples[row.id].close(self._simulator.instances[instance].weights_version, row.generated)

    def _close(self, sample: Sample, row: Request) -> None:
        if row.lane is not None:
            self.displaced(row, self._simulator.place_of(row.lane))

    def left(self, row: Request) -> None:
        """The account of a sample's request was closed without its last token."""
        sample = self.samples[row.id]
        group = sample.of
        wanted = sample.stage == "gone"
        sample.stage = "gone"
        self.book.ended(row)
        self.book.dropped(sample)
        del self.samples[row.id]
        if group.state != "open":
            return
        if not wanted:
            # With its instance, others of the group may have gone whose accounts are still to be closed.
            Alarm(self._simulator.clock, 0, lambda _: self.fail(group), _TRAINED)
            return
        group.samples.remove(sample)
        if group.samples:
            self._scoring.complete(group)
        else:
            self.forget(group, "discarded")

    # -- groups end ------------------------------------------------------------------------------------------------

    def discard(self, action: Discard) -> None:
        """Give a group up. Raises IllegalAction."""
        group = self.groups.get(action.group)
        if group is None:
            raise IllegalAction(f"{action}: must be open or accepted")
        self._simulator.log(-1, log.DISCARDED, group.id, -1)
        self.forget(group, "discarded")
        self.stops(action)
        self._give_up(group, action)
        self._discarded(action)

    def fail(self, group: Group) -> None:
        """A group will never be complete: what of it runs is stopped, and the policy told."""
        if group.state != "open":
            return
        self.forget(group, "failed")
        self._give_up(group, None)
        self._simulator.log(-1, log.GROUP, group.id, 0)
        self.tell("on_group_completed", GroupCompleted(group.id, accepted=False))

    def forget(self, group: Group, state: GroupState) -> None:
        """Take a group out of the books: this is what became of it."""
        group.state = state
        self.counts[state] += 1
        del self.groups[group.id]
        for sample in group.samples:
            if sample.stage != "generating":
                self.samples.pop(sample.request, None)

    def _give_up(self, group: Group, action: Discard | None) -> None:
        """Stop what of a group is left."""
        left = (*group.paused, *group.in_flight)
        self._given_up.update(dict.fromkeys(left, action))
        for request in left:
            abort = Abort(request)
            if abort not in self.stopping:
                stop(self._simulator, self, self._simulator.live[request], abort)

    def done(self, fact: Done) -> None:
        """An action of this role ended: tell, unless it is a part of another."""
        action = fact.action
        self.book.phase()
        if not isinstance(action, Abort | Discard) or self.stopping.pop(action, 0):
            self.tell("on_done", fact)
            if not (self.stopping or self.opened or self.training):
                self.proceed()
        if isinstance(action, Abort) and not action.keep_tokens and action.request in self._given_up:
            waits = self._given_up.pop(action.request)
            if waits is not None:
                self._discarded(waits)

    def _discarded(self, action: Discard) -> None:
        if action in self.stopping and action not in self._given_up.values():
            self.done(Done(action, ok=True))

    def tell(self, hook: str, fact: Fact | None) -> None:
        """Tell the rollout policy."""
        self._simulator.messenger.tell_rollout(hook, fact)
