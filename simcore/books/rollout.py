"""Rollout books: groups, their samples, and how many tokens of each which weights have generated."""

from typing import Literal

from simcore.books.request import PAUSED, Request
from simcore.contract.rollouts import GroupState

Stage = Literal["generating", "scoring", "scored", "gone"]


class Sample:
    """One response: a `SampleView` over its row of the books.

    Args:
        row: its request.
        group: what it is a sample of.
        index: its number there.
        max_tokens: the length cap; None: there is none.
    """

    __slots__ = ("_max_tokens", "attempts", "index", "of", "output_tokens", "reward", "row", "spans", "stage")

    def __init__(self, row: Request, group: "Group", index: int, max_tokens: int | None) -> None:
        self.row = row
        self.of = group
        self.index = index
        self._max_tokens = max_tokens
        self.spans: list[tuple[int, int]] = []
        self.output_tokens = 0
        self.stage: Stage = "generating"
        self.attempts = 0
        """How often scoring failed."""
        self.reward: float | None = None

    @property
    def request(self) -> int:
        return self.row.id

    @property
    def group(self) -> int:
        return self.of.id

    @property
    def prompt_tokens(self) -> int:
        return self.row.prompt

    @property
    def truncated(self) -> bool:
        return self._max_tokens is not None and self.output_tokens >= self._max_tokens

    def close(self, version: int, generated: int) -> None:
        """Book that what was generated since the last span, up to `generated` tokens, came from weights `version`."""
        new = generated - self.output_tokens
        if not new:
            return
        if self.spans and self.spans[-1][0] == version:
            self.spans[-1] = (version, self.spans[-1][1] + new)
        else:
            assert not self.spans or self.spans[-1][0] < version, f"{self.row}: weights went back to {version}"
            self.spans.append((version, new))
        self.output_tokens = generated

    def tokens_before(self, version: int) -> int:
        """Return how many of its tokens older weights than `version` generated."""
        return sum(tokens for made_by, tokens in self.spans if made_by < version)


class Group:
    """The samples of one prompt: a `GroupView`.

    Args:
        number: its id.
        step: the step for which it was submitted.
    """

    __slots__ = ("id", "samples", "state", "step")

    def __init__(self, number: int, step: int) -> None:
        self.id = number
        self.step = step
        self.samples: list[Sample] = []
        self.state: GroupState = "open"

    @property
    def in_flight(self) -> list[int]:
        return [each.request for each in self.samples if each.stage == "generating" and each.row.state != PAUSED]

    @property
    def paused(self) -> list[int]:
        return [each.request for each in self.samples if each.stage == "generating" and each.row.state == PAUSED]

    @property
    def scored(self) -> bool:
        """All that is left of it has its reward."""
        return all(each.stage == "scored" for each in self.samples)
