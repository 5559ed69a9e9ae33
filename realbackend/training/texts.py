"""Task texts: the prompts of a task as the texts of a run, the same for all samples of a group."""

from realbackend.texts import Texts
from realbackend.training.task import CHARACTERS, Task
from simcore.books.request import Request


class TaskTexts(Texts):
    """Texts whose prompts ask for something.

    Args:
        samples: of each group in the workload, whose rows they are one after the other.
    """

    def __init__(self, task: Task, samples: int) -> None:
        super().__init__(len(CHARACTERS))
        self._task = task
        self._samples = samples

    def _prompt(self, request: Request) -> list[int]:
        return self._task.prompt(request.id // self._samples, request.prompt)
