"""Run: one cell of a study on real engines: load the model, make the engines, choose the clock."""

import hashlib
import os
from dataclasses import dataclass
from typing import Literal

from realbackend.cluster import RealCluster
from realbackend.pace import MeasuredPace, ModelPace, Pace
from realbackend.texts import Texts
from realbackend.wall import WallCluster
from simcore.contract import Workload
from simcore.simulator.settings import Outcome, Settings, Sink

Device = Literal["cpu", "cuda"]
Clock = Literal["model", "measured", "wall"]


@dataclass(frozen=True, slots=True)
class RealSettings:
    """What a real run needs beside the settings of a simulated one.

    Args:
        weights: a folder in Hugging Face format, or `random:` and a shape, see `realbackend.model.weights`.
        dtype: "fp32", "bf16" or "fp16".
        seed: draws the weights, where they are random, and the prompts.
        clock: "model": durations are the cost model's; "measured": what computing took, one engine after the other;
            "wall": real time, all engines at once.
    """

    weights: str = "random:tiny"
    dtype: Literal["fp32", "bf16", "fp16"] = "fp32"
    device: Device = "cpu"
    clock: Clock = "measured"
    seed: int = 0


@dataclass(frozen=True, slots=True)
class RealOutcome:
    """Totals of a run, and what each finished request generated."""

    outcome: Outcome
    generated: dict[int, list[int]]

    @property
    def digest(self) -> str:
        """A hash of all that was generated: equal runs say the same, whatever became of their requests meanwhile."""
        digest = hashlib.blake2b(digest_size=16)
        for request, tokens in sorted(self.generated.items()):
            digest.update(f"{request}:{','.join(map(str, tokens))};".encode())
        return digest.hexdigest()


def run_real(settings: Settings, workload: Workload, sink: Sink, real: RealSettings) -> RealOutcome:
    """Run a workload on engines that share one decoder. Raises ValueError for what cannot be loaded."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    import torch

    from kernels import ops_on
    from realbackend.kv import KvBlocks
    from realbackend.model.weights import load_decoder
    from realbackend.probe import clock_of, probe_of
    from realbackend.torch_engine import TorchEngine

    device = torch.device(real.device)
    if device.type == "cpu":
        torch.set_num_threads(1)  # with more, operations of a millisecond take a hundred on a busy machine
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[real.dtype]
    decoder = load_decoder(real.weights, device=device, dtype=dtype, seed=real.seed)
    ops = ops_on(device)

    def make_engine(_: int) -> TorchEngine:
        hosted = settings.mechanisms.host_blocks
        kv = KvBlocks(decoder.shape, settings.kv_blocks, settings.block_tokens, hosted, device=device, dtype=dtype)
        return TorchEngine(decoder, kv, ops)

    pace: Pace
    if real.clock != "measured":
        pace = ModelPace(settings.cost)
    else:
        pace = MeasuredPace(clock_of(device), probe_of(decoder, ops))
    kind = WallCluster if real.clock == "wall" else RealCluster
    cluster = kind(
        settings,
        workload,
        sink,
        make_engine=make_engine,
        pace=pace,
        texts=Texts(decoder.shape.vocabulary, real.seed),
    )
    return RealOutcome(cluster.run(), cluster.generated)
