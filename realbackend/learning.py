"""Learning: a run of reinforcement learning on engines: policies that roll out, engines that draw, a model that trains.

The cluster, its policies and its time are those of every real run; trainer and judge of the rollout settings are
replaced by some that do what the simulated ones only take time for.
"""

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

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
from realbackend.training.checkpoint import read_checkpoint, write_checkpoint
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
    """A model, what it is taught, and the run that teaches it.

    Args:
        settings: of the cluster; the trainer of its rollouts says how long training takes under the model clock.
        workload: groups of samples: how long prompts are; answers have the length cap of the rollouts, or theirs.
        clock: "model": iterations and training take what is said; "measured": what computing them took.
        shape: of the model; None: that of `digits_shape`.
        reward: of a prompt and an answer, instead of the task's own.
        device: of torch, for engines and trainer.
        checkpoint: a file, written before each training step; where it is there already, the run goes on from it.

    Raises ValueError for settings without rollouts, for a workload without groups, and for a checkpoint of another run.
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
        checkpoint: Path | None = None,
    ) -> None:
        if settings.rollout is None:
            raise ValueError("learning needs rollouts, got settings without")
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        if device == "cpu":
            torch.set_num_threads(1)
        self._began, self._before_s = time.process_time(), (0.0, 0.0)
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
        self._checkpoint = checkpoint
        kept = read_checkpoint(checkpoint) if checkpoint is not None and checkpoint.exists() else None
        decoder = self._decoder()
        if training.warm_start and kept is None:
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
        self._resume: dict[str, Any] | None = None
        self._partial: dict[int, list[int]] = {}
        if kept is not None:
            self._restore(kept)

    def run(self, sink: Sink) -> Outcome:
        """Run all training steps of the settings."""
        rollout = self._settings.rollout
        assert rollout is not None
        rollout = replace(
            rollout,
            trainer=self.trainer,
            judge=self.judge,
            checkpoint=None if self._checkpoint is None else self._keep,
            resume=self._resume,
        )
        settings = replace(self._settings, rollout=rollout)
        self.engines.clear()
        cluster = RealCluster(
            settings,
            self._prompts,
            sink,
            make_engine=self._engine,
            pace=self._pace(),
            texts=TaskTexts(self.task, self._prompts.samples, self._partial),
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
                virtual_s=self._virtual_s,
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
        return self._before_s[0] + time.process_time() - self._began

    @property
    def _virtual_s(self) -> float:
        assert self.cluster is not None
        return self._before_s[1] + to_s(self.cluster.clock.now)

    # -- an interrupted run ----------------------------------------------------------------------------------------

    def _keep(self, rollouts: dict[str, Any]) -> None:
        """Write the checkpoint, given the state of the rollouts."""
        assert self.cluster is not None
        assert self.cluster.rollouts is not None
        assert self._checkpoint is not None
        requests = {}
        for group in rollouts["groups"]:
            for each in group["samples"]:
                request = group["id"] * self._prompts.samples + each["index"]
                row = self.cluster.rollouts.samples[request].row
                requests[request] = row.prompt, sum(tokens for _, tokens in each["spans"])
        texts = self.cluster.texts
        state = {
            "made_by": self._made_by(),
            "rollouts": rollouts,
            "requests": requests,
            "partial": {
                row.id: texts.tokens(row, row.prompt, row.prompt + requests[row.id][1])
                for row in self.cluster.live.values()
                if row.id in requests
            },
            "transcript": self.transcript.state(requests),
            "trainer": self.trainer.state(),
            "judge": self.judge.state(),
            "lessons": [lesson.plain() for lesson in self.lessons],
            "before_s": (self._cpu_s, self._virtual_s),
        }
        write_checkpoint(self._checkpoint, state)

    def _restore(self, kept: dict[str, Any]) -> None:
        if kept["made_by"] != self._made_by():
            raise ValueError(f"checkpoint: {self._checkpoint} is of a run with other training or another model")
        self._resume, self._partial = kept["rollouts"], kept["partial"]
        self.transcript.restore(kept["transcript"], kept["requests"])
        self.trainer.restore(kept["trainer"])
        self.judge.restore(kept["judge"])
        self.lessons = [Lesson.of(plain) for plain in kept["lessons"]]
        self._before_s = kept["before_s"]

    def _made_by(self) -> str:
        return f"{self.training} {self._shape}"

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
