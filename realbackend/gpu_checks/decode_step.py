"""Decode step: an 8B model's, over batches: read at once, read one step late, without graphs; beside its roofline."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from statistics import median
from typing import Any

import torch

from kernels import ops_on
from realbackend.gpu_checks.findings import Findings, Skipped
from realbackend.gpu_checks.slices import Setting
from realbackend.kv import KvBlocks
from realbackend.model.decoder import Decoder
from realbackend.model.shape import ModelShape
from realbackend.model.weights import load_decoder
from realbackend.torch_engine import TorchEngine
from realbackend.work import AHEAD, Work

CONFIG = Path(__file__).parents[2] / "simcore/data/models/llama-3.1-8b.json"
BLOCK_TOKENS = 16
GOAL = 0.7
"""Share of the roofline asked of batch 64."""


@dataclass(frozen=True, slots=True)
class Size:
    """What is timed: decodes at a context, over and over."""

    weights: str
    dtype: torch.dtype
    batches: tuple[int, ...]
    context: int
    steps: int

    @property
    def blocks_each(self) -> int:
        return -(-(self.context + self.steps) // BLOCK_TOKENS)


REAL = Size(f"random:{CONFIG}", torch.bfloat16, (1, 8, 64, 256), context=1024, steps=64)
DRY = Size("random:nano", torch.float32, (1, 3), context=20, steps=4)


def decode_step(findings: Findings, setting: Setting) -> None:
    """Time decode steps."""
    size, device = (DRY, torch.device("cpu")) if setting.dry_run else (REAL, torch.device("cuda", 0))

    @cache
    def storages() -> tuple[Decoder, KvBlocks]:
        decoder = load_decoder(size.weights, device=device, dtype=size.dtype)
        return decoder, KvBlocks(
            decoder.shape, _blocks(decoder, size), BLOCK_TOKENS, 0, device=device, dtype=size.dtype
        )

    @cache
    def engine(graphs: bool) -> TorchEngine:
        return TorchEngine(*storages(), ops_on(device), size.batches if graphs else ())

    for batch in size.batches:
        findings.part(f"batch {batch}", partial(_with_graphs, engine, batch, size))
    for batch in size.batches:
        findings.part(f"batch {batch}, without graphs", partial(_eager, engine, batch, size))


def _blocks(decoder: Decoder, size: Size) -> int:
    """Return the blocks that the largest batch needs, or as many as fit."""
    wanted = size.batches[-1] * size.blocks_each
    if decoder.device.type == "cpu":
        return wanted
    free, _ = torch.cuda.mem_get_info(decoder.device)
    block_bytes = decoder.shape.kv_bytes_per_token(decoder.dtype.itemsize) * BLOCK_TOKENS
    return int(min(wanted, free * 0.8 // block_bytes))


def _with_graphs(engine: Callable[[bool], TorchEngine], batch: int, size: Size) -> dict[str, Any]:
    made = engine(True)
    first, ahead = _iterations(made, batch, size)
    made.run(first[0])
    launched = median([_launch_ms(made, work) for work in first])
    at_once = _ms(lambda: [made.run(work) for work in first]) / size.steps
    late = _ms(lambda: _read_late(made, ahead)) / size.steps
    found = {"read_at_once_ms": at_once, "read_late_ms": late, "launch_on_host_ms": launched}
    return {key: round(value, 4) for key, value in found.items()} | _against(made.decoder, batch, size.context, late)


def _eager(engine: Callable[[bool], TorchEngine], batch: int, size: Size) -> dict[str, float]:
    made = engine(False)
    works, _ = _iterations(made, batch, size)
    made.run(works[0])
    return {"read_at_once_ms": round(_ms(lambda: [made.run(work) for work in works]) / size.steps, 4)}


def _iterations(engine: TorchEngine, batch: int, size: Size) -> tuple[list[list[Work]], list[list[Work]]]:
    """Return the iterations of a batch of decodes: with all tokens known, and with all but the first ones fed."""
    each = size.blocks_each
    if batch * each > engine.kv.blocks:
        raise Skipped(f"{batch * each} blocks of KV do not fit, {engine.kv.blocks} do")
    known = [
        [Work(r, at, [5], list(range(r * each, r * each + at // BLOCK_TOKENS + 1)), True) for r in range(batch)]
        for at in range(size.context, size.context + size.steps)
    ]
    return known, [known[0], *([each._replace(tokens=[AHEAD]) for each in work] for work in known[1:])]


def _read_late(engine: TorchEngine, works: list[list[Work]]) -> None:
    """Launch each iteration before the tokens of the last one are read."""
    before = None
    for work in works:
        launched = engine.launch(work)
        if before is not None:
            before.tokens()
        before = launched
    assert before is not None
    before.tokens()


def _launch_ms(engine: TorchEngine, work: list[Work]) -> float:
    begin = time.perf_counter()
    pending = engine.launch(work)
    took = time.perf_counter() - begin
    pending.tokens()
    return took * 1e3


def _ms(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return (time.perf_counter() - begin) * 1e3


# -- what it should take ---------------------------------------------------------------------------------------------


def _against(decoder: Decoder, batch: int, context: int, took_ms: float) -> dict[str, Any]:
    """Return the step's roofline by the datasheet, what the simulator's cost model says, and shares of both."""
    from simcore.contract import PS_PER_MS, Shape
    from simcore.cost import Roofline, hardware_names, load_hardware, load_model

    if decoder.device.type == "cpu":
        return {}
    words = torch.cuda.get_device_name(decoder.device).lower().split()
    known = [name for name in hardware_names() if name in words]
    if not known:
        return {"roofline": f"no datasheet of {' '.join(words)} in simcore/data/hardware"}
    hardware = load_hardware(known[0])
    ideal = roofline_ms(decoder.shape, batch, context, hardware.memory_bytes_per_s, hardware.bf16_flops)
    shape = Shape(batch, context=batch * context)
    predicted = Roofline(load_model("llama-3.1-8b"), hardware).line(shape)[0] / PS_PER_MS
    return {
        "roofline_ms": round(ideal, 4),
        "share_of_roofline": round(ideal / took_ms, 3),
        "goal": GOAL if batch == 64 else None,
        "predicted_ms": round(predicted, 4),
        "predicted_to_measured": round(predicted / took_ms, 3),
    }


def roofline_ms(shape: ModelShape, batch: int, context: int, bytes_per_s: float, flops: float) -> float:
    """Return the least milliseconds of a decode step in bf16: weights and KV read once, products at the peak.

    >>> eight_b = ModelShape("llama", 32, 4096, 32, 8, 128, 14336, 128256, 131072)
    >>> round(roofline_ms(eight_b, 1, 0, 4.8e12, 989e12), 2)  # 15 GB of weights, without the embedding
    3.13
    """
    matrices = shape.parameters - shape.vocabulary * shape.hidden * (not shape.tied)
    weights_s = max(2 * matrices / bytes_per_s, 2 * matrices * batch / flops)
    return (weights_s + batch * context * shape.kv_bytes_per_token(2) / bytes_per_s) * 1e3
