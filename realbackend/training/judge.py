"""Judge: the verifier of a task as the scorer of a run, and the filter of its groups."""

import sys
from collections.abc import Callable, Sequence

from realbackend.training.loss import teaches
from realbackend.training.task import Task
from realbackend.training.transcript import Transcript
from simcore.contract import GroupView, SampleView, Score, to_ps

Reward = Callable[[Sequence[int], Sequence[int]], float]


class TaskJudge:
    """`simcore.contract.Judge` of answers to a task.

    Args:
        dynamic: accept only groups whose rewards differ; else all.
        reward: of a prompt and an answer; None: the task's own. What it raises counts as a scoring that failed.
        seconds: what scoring is said to take.
    """

    def __init__(
        self,
        task: Task,
        transcript: Transcript,
        *,
        dynamic: bool,
        reward: Reward | None = None,
        seconds: float = 0.0,
    ) -> None:
        self.failures: list[str] = []
        """What kept samples from being scored."""
        self._scored, self._earned = 0, 0.0
        self._task = task
        self._transcript = transcript
        self._dynamic = dynamic
        self._reward = reward or task.reward
        self._took_ps = to_ps(seconds)

    def score(self, sample: SampleView, attempt: int) -> Score:
        prompt = self._task.prompt(sample.group, sample.prompt_tokens)
        try:
            reward = float(self._reward(prompt, self._transcript.of(sample).tokens))
        except Exception as error:  # whatever a verifier may raise, training goes on without this answer
            cause = f"sample {sample.index} of group {sample.group}: {type(error).__name__}: {error}"
            self.failures.append(cause)
            print(f"simcore: scoring failed: {cause}", file=sys.stderr)
            return Score(None, self._took_ps)
        self._scored += 1
        self._earned += reward
        return Score(reward, self._took_ps)

    def accepts(self, group: GroupView) -> bool:
        accepted = not self._dynamic or teaches([sample.reward or 0.0 for sample in group.samples])
        if not accepted:
            self._transcript.forget(group.samples)
        return accepted

    def take(self) -> tuple[int, float]:
        """Return how many samples were scored since this was last asked, and the sum of their rewards."""
        taken = self._scored, self._earned
        self._scored, self._earned = 0, 0.0
        return taken

    def state(self) -> tuple[int, float]:
        return self._scored, self._earned

    def restore(self, state: tuple[int, float]) -> None:
        self._scored, self._earned = state
