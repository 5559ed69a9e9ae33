"""Exam: how many prompts that were never trained on a model answers right, with its most likely tokens.

Its most likely answer is the right one if every token of it is the most likely one behind those before. So all answers
are asked at once, each with the right one written behind its prompt.
"""

from collections.abc import Sequence

import torch

from realbackend.model.decoder import Decoder
from realbackend.model.whole_texts import logits_of, padded
from realbackend.training.task import Task

_AT_ONCE = 256


class Exam:
    """Prompts that are held out.

    Args:
        lengths: tokens of each prompt.
    """

    def __init__(self, task: Task, lengths: Sequence[int]) -> None:
        prompts = [task.prompt(number, tokens, held_out=True) for number, tokens in enumerate(lengths)]
        self.questions = [(prompt, task.answer(prompt)) for prompt in prompts]

    def accuracy(self, decoder: Decoder) -> float:
        """Return the share that a decoder answers right."""
        right = 0
        for start in range(0, len(self.questions), _AT_ONCE):
            some = self.questions[start : start + _AT_ONCE]
            texts = padded([prompt + answer[:-1] for prompt, answer in some], decoder.device)
            with torch.no_grad():
                said = logits_of(decoder, texts).argmax(-1).tolist()
            for row, (prompt, answer) in zip(said, some, strict=True):
                right += row[len(prompt) - 1 :][: len(answer)] == answer
        return right / len(self.questions)
