"""Rollouts: what a rollout policy sees, and who scores its samples and trains on its groups.

Every token of a response carries the version of the weights that generated it: the number of training steps behind
them. A sample that was stopped and resumed, or that ran on while its instance took new weights, has several spans.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, Protocol

from simcore.contract.actions import RequestId
from simcore.contract.view import ClusterView

GroupState = Literal["open", "accepted", "rejected", "trained", "discarded", "failed"]
"""Open until all samples are scored; then what the filter said, and what became of the group."""


class SampleView(Protocol):
    """One response of a group."""

    @property
    def request(self) -> RequestId: ...
    @property
    def group(self) -> int: ...
    @property
    def index(self) -> int:
        """Number of the sample in its group, from 0."""

    @property
    def prompt_tokens(self) -> int: ...
    @property
    def output_tokens(self) -> int:
        """Tokens of the response, once it is done; before, those of its closed spans."""

    @property
    def spans(self) -> Sequence[tuple[int, int]]:
        """(version, tokens) in the order of the response, versions increasing, together `output_tokens`."""

    @property
    def truncated(self) -> bool:
        """It was stopped by the length cap."""

    @property
    def reward(self) -> float | None:
        """None until it is scored."""


class GroupView(Protocol):
    """The samples of one prompt. They are trained on together, or not at all."""

    @property
    def id(self) -> int: ...
    @property
    def state(self) -> GroupState: ...
    @property
    def step(self) -> int:
        """The step for which it was submitted."""

    @property
    def samples(self) -> Sequence[SampleView]: ...
    @property
    def in_flight(self) -> Sequence[RequestId]:
        """Its requests that wait or run, and are not paused."""

    @property
    def paused(self) -> Sequence[RequestId]:
        """Its requests that were aborted with their tokens kept."""


class RolloutView(ClusterView, Protocol):
    """What a rollout policy sees: the cluster, its groups, and where training stands."""

    @property
    def groups(self) -> Mapping[int, GroupView]:
        """Groups that are open or accepted, by id, in the order they were submitted."""

    @property
    def version(self) -> int:
        """Of the weights published last."""

    @property
    def trained(self) -> int:
        """Training steps that have ended: the version the trainer could publish."""

    @property
    def training(self) -> bool:
        """A training step is under way."""


class Score(NamedTuple):
    """A reward, None if scoring failed, and the picoseconds that environment and scoring took."""

    reward: float | None
    took_ps: int


class Judge(Protocol):
    """Scores responses and filters groups: a hash in the simulator, a verifier of texts on an engine."""

    def score(self, sample: SampleView, attempt: int) -> Score:
        """Score a finished response; `attempt` counts from 0, and grows while scoring fails."""

    def accepts(self, group: GroupView) -> bool:
        """Return whether a complete group is worth training on."""


class Trainer(Protocol):
    """Trains: by a cost model in the simulator, in earnest on an engine."""

    def train(self, step: int, groups: Sequence[GroupView]) -> int:
        """Run training step `step` on these groups; return how many picoseconds it takes from now."""

    def publish(self, version: int) -> int:
        """Make the weights of now those of `version`; return the bytes each node has to receive."""

    def load(self, instance: int, version: int) -> int:
        """Let `instance`, which stands at a boundary, go over to weights `version`; return the picoseconds it takes."""
