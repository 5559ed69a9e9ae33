"""Task texts: the prompts of a task as the texts of a run, the same for all samples of a group."""

from collections.abc import Mapping
from types import MappingProxyType

from realbackend.texts import Texts
from realbackend.training.task import CHARACTERS, Task
from simcore.books.request import Request

NOTHING_YET: Mapping[int, list[int]] = MappingProxyType({})


class TaskTexts(Texts):
    """Texts whose prompts ask for something.

    Args:
        samples: of each group in the workload, whose rows they are one after the other.
        partial: tokens that requests generated in a run that was interrupted.
    """

    def __init__(self, task: Task, samples: int, partial: Mapping[int, list[int]] = NOTHING_YET) -> None:
        super().__init__(len(CHARACTERS))
        self._task = task
        self._samples = samples
        self._partial = partial

    def _prompt(self, request: Request) -> list[int]:
        return self._task.prompt(request.id // self._samples, request.prompt) + self._partial.get(request.id, [])
