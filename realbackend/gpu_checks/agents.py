"""Agents: what the next turn of an agent costs if its KV was kept, comes back from the host, or is computed again."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from statistics import median
from typing import Any

import torch

from kernels import ops_on
from realbackend.completion import wait_for
from realbackend.gpu_checks.decode_step import CONFIG
from realbackend.gpu_checks.findings import Findings
from realbackend.gpu_checks.slices import Setting
from realbackend.kv import KvBlocks
from realbackend.model.weights import load_decoder
from realbackend.torch_engine import TorchEngine
from realbackend.work import Work

BLOCK_TOKENS = 16
REPETITIONS = 5


@dataclass(frozen=True, slots=True)
class Size:
    """What is timed: the first token of a turn of `new` tokens behind so much history, in whole blocks."""

    weights: str
    dtype: torch.dtype
    histories: tuple[int, ...]
    new: int
    chunk: int


REAL = Size(f"random:{CONFIG}", torch.bfloat16, (1024, 4096, 8192, 16384, 32768), new=256, chunk=2048)
DRY = Size("random:nano", torch.float32, (32, 64), new=8, chunk=16)


def agents(findings: Findings, setting: Setting) -> None:
    """Time a turn in the three ways, by the length of its history."""
    size, device = (DRY, torch.device("cpu")) if setting.dry_run else (REAL, torch.device("cuda", 0))
    blocks = -(-(size.histories[-1] + size.new) // BLOCK_TOKENS)

    @cache
    def engine() -> TorchEngine:
        decoder = load_decoder(size.weights, device=device, dtype=size.dtype)
        kv = KvBlocks(decoder.shape, blocks, BLOCK_TOKENS, blocks, device=device, dtype=size.dtype)
        return TorchEngine(decoder, kv, ops_on(device), ())

    for history in size.histories:
        findings.part(f"history of {history}", partial(_turn, engine, history, size, setting.dry_run))


def _turn(make: Callable[[], TorchEngine], history: int, size: Size, dry_run: bool) -> dict[str, Any]:
    engine = make()
    blocks = list(range(-(-(history + size.new) // BLOCK_TOKENS)))
    kept = blocks[: history // BLOCK_TOKENS]

    def compute(start: int, end: int) -> list[int]:
        """Prefill a range in chunks; return the token behind it."""
        tokens: list[int] = []
        for at in range(start, end, size.chunk):
            text = [each % 97 for each in range(at, min(at + size.chunk, end))]
            tokens = engine.run([Work(0, at, text, blocks, at + len(text) == end)])
        return tokens

    def pinned() -> list[int]:
        return compute(history, history + size.new)

    def reloaded() -> list[int]:
        engine.copy_in(kept, kept)
        return pinned()

    def recomputed() -> list[int]:
        return compute(0, history + size.new)

    tokens = recomputed()
    wait_for(engine.copy_out(kept, kept))
    found: dict[str, Any] = {}
    for way in (pinned, reloaded, recomputed):
        found[f"{way.__name__}_same_token"] = way() == tokens  # in bf16 another order of sums may choose another
        found[f"{way.__name__}_ms"] = round(median(_ms(way) for _ in range(REPETITIONS)), 3)
    return found if dry_run else found | _predicted(history, size)


def _ms(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return (time.perf_counter() - begin) * 1e3


def _predicted(history: int, size: Size) -> dict[str, Any]:
    """Return what the simulator's cost model and links say of the same."""
    from simcore.contract import PS_PER_MS, Shape
    from simcore.cost import Roofline, hardware_names, load_hardware, load_model

    words = torch.cuda.get_device_name().lower().split()
    known = [name for name in hardware_names() if name in words]
    if not known:
        return {"predicted": f"no datasheet of {' '.join(words)} in simcore/data/hardware"}
    hardware, model = load_hardware(known[0]), load_model("llama-3.1-8b")
    cost = Roofline(model, hardware)

    def prefill_ms(start: int, end: int) -> float:
        chunks = [(min(size.chunk, end - at), at) for at in range(start, end, size.chunk)]
        return sum(cost.line(Shape(chunks=[chunk]))[0] for chunk in chunks) / PS_PER_MS

    own = prefill_ms(history, history + size.new)
    launches = history // BLOCK_TOKENS
    copy_s = history * model.kv_bytes_per_token(1) / hardware.pcie_copy_bytes_per_s + launches * hardware.copy_launch_s
    return {
        "predicted_pinned_ms": round(own, 3),
        "predicted_reloaded_ms": round(own + copy_s * 1e3, 3),
        "predicted_recomputed_ms": round(prefill_ms(0, history + size.new), 3),
    }
