"""Warm start: some supervised steps, after which a model is right now and then: it can learn from that."""

from collections.abc import Sequence

import torch

from realbackend.model.decoder import Decoder
from realbackend.model.whole_texts import log_probs_of, padded, trainable
from realbackend.training.task import Task
from simcore.books.draw import seed_of

_LEARNING_RATE = 3e-3
_BATCH = 32
_PICKED = 7


def warm_start(decoder: Decoder, task: Task, lengths: Sequence[int], *, steps: int, seed: int) -> None:
    """Show the right answers to some prompts, as many as there are lengths, a batch of them in each step.

    The prompts are none of those that samples are drawn for, and none that are held out.
    """
    prompts = [task.prompt(-1 - number, tokens) for number, tokens in enumerate(lengths)]
    weights = trainable(decoder)
    optimiser = torch.optim.Adam(weights, lr=_LEARNING_RATE, betas=(0.9, 0.98))
    for step in range(steps):
        some = [prompts[seed_of(seed, _PICKED, step, place) % len(prompts)] for place in range(_BATCH)]
        answers = [task.answer(prompt) for prompt in some]
        texts = padded([prompt + answer for prompt, answer in zip(some, answers, strict=True)], decoder.device)
        counts = torch.zeros(texts.shape[0], texts.shape[1] - 1, dtype=torch.bool, device=decoder.device)
        for row, prompt, answer in zip(counts, some, answers, strict=True):
            row[len(prompt) - 1 : len(prompt) + len(answer) - 1] = True
        loss = -(log_probs_of(decoder, texts) * counts).sum() / counts.sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    for each in weights:
        each.grad = None
