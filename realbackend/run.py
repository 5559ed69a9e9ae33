"""Run: one cell of a study on real engines: load the model, make the engines, choose the clock."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from realbackend.cluster import RealCluster
from realbackend.emulated import EmulatedPartition
from realbackend.greedy import most_likely
from realbackend.pace import MeasuredPace, ModelPace, Pace
from realbackend.texts import RememberedTexts, Texts
from realbackend.wall import WallCluster
from simcore.contract import Workload
from simcore.simulator.settings import Mechanisms, Outcome, Settings, Sink

if TYPE_CHECKING:
    from realbackend.parts import Parts
    from realbackend.torch_engine import TorchEngine
    from realbackend.work import Engine

Device = Literal["cpu", "cuda"]
Clock = Literal["model", "measured", "wall"]
_BLOCK_TOKENS = 16
_LARGEST_GRAPH = 256


@dataclass(frozen=True, slots=True)
class RealSettings:
    """What a real run needs beside the settings of a simulated one.

    Args:
        weights: a folder in Hugging Face format, or `random:` and a shape, see `realbackend.model.weights`.
        dtype: "fp32", "bf16" or "fp16".
        seed: draws the weights, where they are random, and the prompts.
        clock: "model": durations are the cost model's; "measured": what computing took, one engine after the other;
            "wall": real time, all engines at once.
        stop: "length": texts are as long as the workload says; "eos": they may end before, where the model says so.
    """

    weights: str = "random:tiny"
    dtype: Literal["fp32", "bf16", "fp16"] = "fp32"
    device: Device = "cpu"
    clock: Clock = "measured"
    seed: int = 0
    stop: Literal["length", "eos"] = "length"


@dataclass(frozen=True, slots=True)
class RealOutcome:
    """Totals of a run, and what each finished request generated; its prompts too, where they were asked for."""

    outcome: Outcome
    generated: dict[int, list[int]]
    prompts: dict[int, list[int]] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """A hash of all that was generated: equal runs say the same, whatever became of their requests meanwhile."""
        return digest_of(self.generated)


def digest_of(generated: Mapping[int, list[int]]) -> str:
    """Return a hash of tokens by request."""
    digest = hashlib.blake2b(digest_size=16)
    for request, tokens in sorted(generated.items()):
        digest.update(f"{request}:{','.join(map(str, tokens))};".encode())
    return digest.hexdigest()


def run_real(settings: Settings, workload: Workload, sink: Sink, real: RealSettings) -> RealOutcome:
    """Run a workload on engines that share one decoder. Raises ValueError for what cannot be loaded."""
    return Bench(real).run(settings, workload, sink)


class Bench:
    """A model on a device, for one run or several: loaded once, and durations measured against one probe.

    Raises ValueError for what cannot be loaded.
    """

    def __init__(self, real: RealSettings, *, probe_every: int = 8) -> None:
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        import torch

        from kernels import ops_on
        from realbackend.model.weights import load_decoder

        self.real = real
        self._device = torch.device(real.device)
        if self._device.type == "cpu":
            torch.set_num_threads(1)  # with more, operations of a millisecond take a hundred on a busy machine
        dtype = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[real.dtype]
        self.decoder = load_decoder(real.weights, device=self._device, dtype=dtype, seed=real.seed)
        self._ops = ops_on(self._device)
        self._probe_every = probe_every
        self._measured: MeasuredPace | None = None

    def engine(
        self, kv_blocks: int, block_tokens: int, host_blocks: int = 0, most: int = 0, parts: "Parts | None" = None
    ) -> "TorchEngine":
        """Return an engine with KV blocks of its own; on a GPU with graphs for batches of up to `most` decodes."""
        from realbackend.kv import KvBlocks
        from realbackend.torch_engine import TorchEngine

        decoder = self.decoder
        kv = KvBlocks(decoder.shape, kv_blocks, block_tokens, host_blocks, device=self._device, dtype=decoder.dtype)
        return TorchEngine(decoder, kv, self._ops, self._graph_sizes(most), parts)

    def beside(self, engine: "Engine", most: int = 0, parts: "Parts | None" = None) -> "TorchEngine":
        """Return an engine over the KV blocks of another one: the second lane of its instance."""
        from realbackend.torch_engine import TorchEngine

        assert isinstance(engine, TorchEngine)
        return TorchEngine(self.decoder, engine.kv, self._ops, self._graph_sizes(most), parts)

    def _graph_sizes(self, most: int) -> tuple[int, ...]:
        from realbackend.graphs import sizes_up_to

        return sizes_up_to(min(most, _LARGEST_GRAPH)) if most and self._device.type == "cuda" else ()

    def parts(self, mechanisms: Mechanisms, clock: Clock) -> "tuple[Parts | None, Parts | None]":
        """Return what the lanes of an instance keep to: in real time on a GPU, else nothing."""
        if mechanisms.sm_split is None or clock != "wall" or self._device.type == "cpu":
            return None, None
        from realbackend.device import Device as Computing
        from realbackend.parts import Parts

        device = Computing(self._device)
        splits = (mechanisms.sm_split, *mechanisms.sm_ladder)
        prefill, decode = (sorted({split[lane] for split in splits} - {100}) for lane in (0, 1))
        return Parts(device, "front", prefill), Parts(device, "back", decode)

    def run(
        self,
        settings: Settings,
        workload: Workload,
        sink: Sink,
        *,
        clock: Clock | None = None,
        keep_prompts: bool = False,
    ) -> RealOutcome:
        """Run a workload; `clock`: instead of that of the settings."""
        clock = clock or self.real.clock
        vocabulary, seed = self.decoder.shape.vocabulary, self.real.seed
        texts = RememberedTexts(vocabulary, seed) if keep_prompts else Texts(vocabulary, seed)
        hosted = settings.mechanisms.host_blocks
        most = settings.make_scheduler().max_num_seqs if self._device.type == "cuda" else 0
        kind = WallCluster if clock == "wall" else RealCluster
        front, back = self.parts(settings.mechanisms, clock)
        pace: Pace = ModelPace(settings.cost)
        if clock == "measured":
            pace = self._measuring()
            pace = pace if settings.mechanisms.sm_split is None else EmulatedPartition(pace, settings.cost)
        cluster = kind(
            settings,
            workload,
            sink,
            make_engine=lambda _: self.engine(settings.kv_blocks, settings.block_tokens, hosted, most, front),
            make_beside=lambda engine: self.beside(engine, most, back),
            pace=pace,
            texts=texts,
            ends=self.decoder.shape.eos if self.real.stop == "eos" else (),
        )
        outcome = cluster.run()
        return RealOutcome(outcome, cluster.generated, texts.prompts if isinstance(texts, RememberedTexts) else {})

    def most_likely(self, prompts: Mapping[int, list[int]], generated: Mapping[int, list[int]]) -> dict[int, list[int]]:
        """Return, by request, the token most likely behind its prompt and each beginning of what it generated."""
        longest = max((len(prompts[request]) + len(tokens) for request, tokens in generated.items()), default=1)
        engine = self.engine(-(-longest // _BLOCK_TOKENS), _BLOCK_TOKENS)
        return {
            request: most_likely(engine, _BLOCK_TOKENS, prompts[request], tokens)
            for request, tokens in sorted(generated.items())
        }

    @property
    def reference_s(self) -> float:
        """What the probe took at first, seconds; 0 where nothing was measured yet."""
        return 0.0 if self._measured is None else self._measured.reference_s

    def _measuring(self) -> Pace:
        if self._measured is None:
            from realbackend.probe import clock_of, probe_of

            probe = probe_of(self.decoder, self._ops)
            self._measured = MeasuredPace(clock_of(self._device), probe, self._probe_every)
        return self._measured
