"""Trainer: learns from groups of samples, and gives its weights to running engines (GRPO with DAPO's filter and clips).

It trains a model of its own. What it publishes is copied into the storages that engines compute with, at their
boundaries: an engine keeps its KV, its graphs and its place.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from realbackend.model.decoder import Decoder
from realbackend.model.weights import load_weights, places
from realbackend.model.whole_texts import log_probs_of, trainable
from realbackend.training.batch import Batch
from realbackend.training.curve import StepReport
from realbackend.training.loss import clipped_loss
from realbackend.training.settings import Training
from realbackend.training.task import Task
from realbackend.training.transcript import Transcript
from simcore.books.draw import seed_of
from simcore.contract import GroupView, Trainer, to_ps

_SHUFFLED = 11


class GrpoTrainer:
    """`simcore.contract.Trainer` that trains in earnest.

    Args:
        decoder: the model to train; its storages are its own.
        training: how.
        task: what prompts say.
        transcript: what samples say.
        engines: the decoder that an instance computes with.
        pace: how long training and loading are said to take, and how many bytes to send; None: what they are.
        learned: called with the report of each training step, at its end.
    """

    def __init__(
        self,
        decoder: Decoder,
        training: Training,
        task: Task,
        *,
        transcript: Transcript,
        engines: Callable[[int], Decoder],
        pace: Trainer | None = None,
        learned: Callable[[StepReport], None],
    ) -> None:
        self.decoder = decoder
        self.training = training
        self._learned = learned
        self._task = task
        self._transcript = transcript
        self._engines = engines
        self._pace = pace
        self._weights = trainable(decoder)
        self.optimiser = torch.optim.AdamW(
            self._weights, lr=training.learning_rate, betas=training.betas, weight_decay=training.weight_decay
        )
        self.published = 0
        self._snapshot: dict[str, Tensor] = {}
        self.publish(0)

    # -- learning --------------------------------------------------------------------------------------------------

    def train(self, step: int, groups: Sequence[GroupView]) -> int:
        began = time.process_time()
        batch = Batch.of(step, groups, self._task, self._transcript, self.decoder.device)
        report = self._learn(step, batch)
        took_s = time.process_time() - began
        self._learned(report._replace(cpu_s=took_s))
        return to_ps(took_s) if self._pace is None else self._pace.train(step, groups)

    def _learn(self, step: int, batch: Batch) -> StepReport:
        how = self.training
        with torch.no_grad():
            now = log_probs_of(self.decoder, batch.texts, how.temperature)
        old = now if how.old == "recomputed" else torch.where(batch.said, batch.drawn, now)
        counts = batch.said & ~batch.stale if how.stale == "masked" else batch.said
        gradient = torch.zeros(())
        loss = clipped = 0.0
        for rows in self._parts(step, len(batch.texts)):
            new = log_probs_of(self.decoder, batch.texts[rows], how.temperature)
            result = clipped_loss(
                new,
                old[rows],
                batch.advantage[rows],
                counts[rows],
                low=how.clip_low,
                high=how.clip_high,
                average=how.average,
            )
            self.optimiser.zero_grad()
            result.value.backward()
            gradient = torch.nn.utils.clip_grad_norm_(self._weights, how.gradient_norm)
            self.optimiser.step()
            loss, clipped = float(result.value.detach()), result.clipped
        shift = (now - batch.drawn).abs()
        return StepReport(
            step=step,
            reward=sum(batch.rewards) / len(batch.rewards),
            samples=len(batch.rewards),
            tokens=int(batch.said.sum()),
            stale_tokens=int(batch.stale.sum()),
            stale_shift=_mean(shift, batch.stale),
            fresh_shift=_mean(shift, batch.said & ~batch.stale),
            loss=loss,
            gradient=float(gradient),
            clipped=clipped,
            cpu_s=0.0,
        )

    def _parts(self, step: int, samples: int) -> list[Tensor]:
        """Return the rows of each mini-batch, shuffled by a hash: a step needs no state of a generator."""
        rows = sorted(range(samples), key=lambda row: seed_of(self.training.seed, _SHUFFLED, step, row))
        return list(torch.tensor(rows).chunk(self.training.mini_batches))

    # -- weights ---------------------------------------------------------------------------------------------------

    def publish(self, version: int) -> int:
        self.published = version
        self._snapshot = {name: weights.detach().clone() for name, weights in places(self.decoder).items()}
        own = sum(weights.nbytes for weights in self._snapshot.values())
        return own if self._pace is None else self._pace.publish(version)

    def load(self, instance: int, version: int) -> int:
        assert version == self.published, f"weights {version} are not those published, {self.published}"
        began = time.process_time()
        with torch.no_grad():
            load_weights(self._engines(instance), self._snapshot.items())
        took_s = time.process_time() - began
        return to_ps(took_s) if self._pace is None else self._pace.load(instance, version)

    # -- an interrupted run ----------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Return tensors and plain values that make another trainer go on from here."""
        return {
            "weights": {name: weights.detach().clone() for name, weights in places(self.decoder).items()},
            "optimiser": self.optimiser.state_dict(),
            "snapshot": self._snapshot,
            "published": self.published,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a `state`. Raises ValueError for weights of another model."""
        with torch.no_grad():
            load_weights(self.decoder, state["weights"].items())
        self.optimiser.load_state_dict(state["optimiser"])
        self.published, self._snapshot = state["published"], state["snapshot"]


def _mean(values: Tensor, where: Tensor) -> float:
    return float(values[where].mean()) if bool(where.any()) else 0.0
