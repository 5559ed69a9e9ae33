"""Rollout state: what must outlive an interruption between two training steps, as JSON, partial responses included.

Prompts are the workload's and are drawn again; who generates really keeps the texts, and who trains the weights, beside
it. Samples that run at that moment are partial responses of the run that goes on.
"""

from typing import TYPE_CHECKING, Any

from simcore.books.request import FINISHED, PAUSED, Request
from simcore.books.rollout import Group, Sample
from simcore.simulator.request_views import LiveRequest

if TYPE_CHECKING:
    from simcore.simulator.rollout import Rollouts
    from simcore.simulator.simulator import Simulator


def rollout_state(simulator: "Simulator", rollouts: "Rollouts") -> dict[str, Any]:
    """Return the groups in the books, the counts, the place in the prompts and the policy's own state."""
    return {
        "trained": rollouts.trained,
        "version": rollouts.weights.version,
        "counts": dict(rollouts.counts),
        "groups": [_group_state(simulator, group) for group in rollouts.groups.values()],
        "policy": rollouts.policy.state(),
    }


def _group_state(simulator: "Simulator", group: Group) -> dict[str, Any]:
    return {
        "id": group.id,
        "step": group.step,
        "state": group.state,
        "samples": [_sample_state(simulator, sample) for sample in group.samples],
    }


def _sample_state(simulator: "Simulator", sample: Sample) -> dict[str, Any]:
    spans, row = list(sample.spans), sample.row
    generated = row.generated
    if row.lane is not None and sample.stage == "generating":
        generated = LiveRequest(simulator, row, frozenset()).output_tokens
        version = simulator.instances[simulator.place_of(row.lane)].weights_version
        spans = [*spans, (version, generated - sample.output_tokens)] if generated > sample.output_tokens else spans
    return {
        "index": sample.index,
        "stage": sample.stage,
        "reward": sample.reward,
        "attempts": sample.attempts,
        "spans": [list(span) for span in spans],
    }


def restore_rollouts(simulator: "Simulator", rollouts: "Rollouts", state: dict[str, Any]) -> None:
    """Put the groups of a `rollout_state` into the books of a run that has not begun, and draw its prompts again.

    Raises ValueError if the workload has fewer prompts than that run had drawn.
    """
    rollouts.trained = state["trained"]
    rollouts.counts.update(state["counts"])
    rollouts.weights.restore(state["version"])
    rollouts.policy.restore(state["policy"])
    kept = {each["id"]: each for each in state["groups"]}
    for number in range(state["counts"]["submitted"]):
        rows = rollouts.prompts.draw()
        if rows is None:
            drawn = state["counts"]["submitted"]
            raise ValueError(f"rollout: the interrupted run had drawn {drawn} prompts, the workload has {number}")
        if number in kept:
            _restore_group(simulator, rollouts, kept[number], rows)
    rollouts.book.resume()


def _restore_group(simulator: "Simulator", rollouts: "Rollouts", state: dict[str, Any], rows: list[Request]) -> None:
    group = Group(state["id"], state["step"])
    group.state = state["state"]
    rollouts.groups[group.id] = group
    for each in state["samples"]:
        row = rows[each["index"]]
        sample = Sample(row, group, each["index"], rollouts.settings.max_tokens)
        for version, tokens in each["spans"]:
            sample.close(version, sample.output_tokens + tokens)
        row.generated = sample.output_tokens
        sample.reward, sample.attempts = each["reward"], each["attempts"]
        group.samples.append(sample)
        rollouts.samples[row.id] = sample
        if each["stage"] == "generating":
            row.state = PAUSED
            simulator.live[row.id] = row
            simulator.outcome.arrived += 1
        else:
            # What was being scored is scored again.
            row.state = FINISHED
            sample.stage = each["stage"]
            rollouts.book.ended(row)
