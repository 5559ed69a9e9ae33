"""Learning: a run of reinforcement learning on engines: policies that roll out, engines that draw, a model that trains.

The cluster, its policies and its time are those of every real run; trainer and judge of the rollout settings are
replaced by some that do what the simulated ones only take time for.
"""

import os
import time
from dataclasses import replace
from typing import Literal

import torch

from kernels import ops_on
from realbackend.cluster import RealCluster
from realbackend.kv import KvBlocks
from realbackend.model.decoder import Decoder
from realbackend.model.shape import ModelShape
from realbackend.model.weights import drawn, load_weights
from realbackend.pace import MeasuredPace, ModelPace, Pace
from realbackend.probe import clock_of, probe_of
from realbackend.run import digest_of
from realbackend.sampler import Sampler
from realbackend.torch_engine import TorchEngine
from realbackend.trainer import GrpoTrainer
from realbackend.training.curve import Lesson, StepReport
from realbackend.training.exam import Exam
from realbackend.training.judge import Reward, TaskJudge
from realbackend.training.prompts import Prompts
from realbackend.training.settings import Training
from realbackend.training.shape import digits_shape
from realbackend.training.task import END, Task
from realbackend.training.texts import TaskTexts
from realbackend.training.transcript import Transcript
from realbackend.training.warm_start import warm_start
from simcore.contract import Workload, to_s
from simcore.simulator.settings import Outcome, Settings, Sink


class Learning:
    """A model, what it is taught, and the runs that teach it: one, or one after the other from what was kept.

    Args:
        settings: of the cluster; the trainer of its rollouts says how long training takes under the model clock.
        workload: groups of samples: how long prompts are; answers have the length cap of the rollouts, or theirs.
        clock: "model": iterations and training take what is said; "measured": what computing them took.
        shape: of the model; None: that of `digits_shape`.
        reward: of a prompt and an answer, instead of the task's own.
        device: of torch, for engines and trainer.

    Raises ValueError for settings without rollouts, and for a workload without groups.
    """

    def __init__(
        self,
        settings: Settings,
        workload: Workload,
        training: Training,
        *,
        clock: Literal["model", "measured"] = "model",
        shape: ModelShape | None = None,
        reward: Reward | None = None,
        device: str = "cpu",
    ) -> None:
        if settings.rollout is None:
            raise ValueError("learning needs rollouts, got settings without")
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        if device == "cpu":
            torch.set_num_threads(1)
        self._began = time.process_time()
        self._settings, self._clock = settings, clock
        self._prompts = Prompts(workload, settings.rollout.max_tokens)
        self._device, self._shape = torch.device(device), shape or digits_shape()
        self.training = training
        self.task = Task(training.task, training.seed)
        self.exam = Exam(self.task, self._prompts.lengths(training.held_out))
        self.sampler = Sampler(temperature=training.temperature, top_p=training.top_p, seed=training.seed, keep=True)
        self.transcript = Transcript(self.sampler)
        self.judge = TaskJudge(self.task, self.transcript, dynamic=training.filter == "dynamic", reward=reward)
        self.engines: list[Decoder] = []
        """What each instance computes with."""
        self.cluster: RealCluster | None = None
        """Of the last run."""
        decoder = self._decoder()
        if training.warm_start:
            shown = self._prompts.lengths(training.examples)
            warm_start(decoder, self.task, shown, steps=training.warm_start, seed=training.seed)
        self.trainer = GrpoTrainer(
            decoder,
            training,
            self.task,
            transcript=self.transcript,
            engines=self.engines.__getitem__,
            pace=settings.rollout.trainer if clock == "model" else None,
            learned=self._learned,
        )
        self.lessons = [Lesson(0, self.exam.accuracy(decoder), None, 0, 0.0, self._cpu_s, None)]

    def run(self, sink: Sink) -> Outcome:
        """Run all training steps of the settings."""
        rollout = self._settings.rollout
        assert rollout is not None
        settings = replace(self._settings, rollout=replace(rollout, trainer=self.trainer, judge=self.judge))
        self.engines.clear()
        cluster = RealCluster(
            settings,
            self._prompts,
            sink,
            make_engine=self._engine,
            pace=self._pace(),
            texts=TaskTexts(self.task, self._prompts.samples),
            ends=(END,),
        )
        cluster.generated = self.transcript.generated
        self.cluster = cluster
        return cluster.run()

    def _learned(self, report: StepReport) -> None:
        assert self.cluster is not None
        trained = report.step + 1
        due = trained % self.training.evaluate_every == 0
        accuracy = self.exam.accuracy(self.trainer.decoder) if due else None
        scored, earned = self.judge.take()
        self.lessons.append(
            Lesson(
                trained=trained,
                accuracy=accuracy,
                reward=earned / scored if scored else 0.0,
                scored=scored,
                virtual_s=to_s(self.cluster.clock.now),
                cpu_s=self._cpu_s,
                step=report,
            )
        )

    @property
    def digest(self) -> str:
        """A hash of all that was generated to its end."""
        return digest_of(self.transcript.generated)

    @property
    def _cpu_s(self) -> float:
        return time.process_time() - self._began

    # -- engines -----------------------------------------------------------------------------------------------------

    def _engine(self, _: int) -> TorchEngine:
        """Return an engine with weights of its own: those published last."""
        settings = self._settings
        decoder = self._decoder()
        self.engines.append(decoder)
        self.trainer.load(len(self.engines) - 1, self.trainer.published)
        kv = KvBlocks(
            self._shape, settings.kv_blocks, settings.block_tokens, 0, device=self._device, dtype=decoder.dtype
        )
        return TorchEngine(decoder, kv, ops_on(self._device), sampler=self.sampler)

    def _decoder(self) -> Decoder:
        made = Decoder.empty(self._shape, self._device, torch.float32)
        load_weights(made, drawn(self._shape, self.training.seed, self._device, torch.float32))
        return made

    def _pace(self) -> Pace:
        if self._clock == "model":
            return ModelPace(self._settings.cost)
        return MeasuredPace(clock_of(self._device), probe_of(self.trainer.decoder, ops_on(self._device)))
