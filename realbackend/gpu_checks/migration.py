"""Migration: how long a request stands still that moves in stages between two instances on one GPU, by its length."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from statistics import median
from typing import Any

import torch

from kernels import ops_on
from realbackend.completion import Completion
from realbackend.decoding import Decoding, take
from realbackend.gpu_checks.commands import run_module
from realbackend.gpu_checks.decode_step import BLOCK_TOKENS, CONFIG
from realbackend.gpu_checks.findings import Findings, Skipped
from realbackend.gpu_checks.slices import Setting
from realbackend.kv import KvBlocks
from realbackend.model.weights import load_decoder
from realbackend.staged import Refused, stages
from realbackend.torch_engine import TorchEngine

STUDY = "studies/migration_gpu.yaml"
MOVES = 6
"""There and back, three times: the median counts."""


@dataclass(frozen=True, slots=True)
class Size:
    """What moves: a request with so many tokens, which generates `output` more."""

    weights: str
    dtype: torch.dtype
    contexts: tuple[int, ...]
    output: int


REAL = Size(f"random:{CONFIG}", torch.bfloat16, (256, 512, 1024, 2048, 4096, 8192), output=256)
DRY = Size("random:nano", torch.float32, (32, 64), output=64)


@dataclass(slots=True)
class Place:
    """An instance: its engine, and the ids of its blocks that nobody has."""

    engine: TorchEngine
    free: list[int]


class Nearby:
    """`realbackend.staged.Way` to another instance in this process."""

    def __init__(self, request: Decoding, target: Place) -> None:
        self._request, self._target = request, target
        self.blocks: list[int] = []
        self.copies = 0

    def reserve(self, blocks: int) -> None:
        try:
            self.blocks += take(self._target.free, blocks - len(self.blocks))
        except MemoryError as error:
            raise Refused(str(error)) from error

    def copy(self, first: int, until: int) -> Completion | None:
        self.copies += 1
        return self._target.engine.fetch(
            self._request.engine, self._request.blocks[first:until], self.blocks[first:until]
        )


def migration(findings: Findings, setting: Setting) -> None:
    """Time moves within the GPU, by length; have the simulator predict them; move once between two processes."""
    size, device = (DRY, torch.device("cpu")) if setting.dry_run else (REAL, torch.device("cuda", 0))

    @cache
    def places() -> tuple[Place, Place]:
        decoder = load_decoder(size.weights, device=device, dtype=size.dtype)
        blocks = -(-(size.contexts[-1] + size.output) // BLOCK_TOKENS) + 1

        def place() -> Place:
            kv = KvBlocks(decoder.shape, blocks, BLOCK_TOKENS, 0, device=device, dtype=size.dtype)
            return Place(TorchEngine(decoder, kv, ops_on(device), (1,)), list(range(blocks)))

        return place(), place()

    findings.part("simulated", partial(_simulated, setting))
    for context in size.contexts:
        findings.part(f"context of {context}", partial(_moves, places, context, size.output))
    findings.part("between two processes", partial(_remote, setting))


def _moves(make: Callable[[], tuple[Place, Place]], context: int, output: int) -> dict[str, Any]:
    """Move a request there and back while it decodes; return milliseconds from token to token, and of an iteration."""
    here, there = places = make()
    prompt = [each % 97 for each in range(context)]
    request = Decoding(here.engine, here.free, prompt, context + output)
    downtimes, copies = [], 0
    request.step()
    steps = [_step_ms(request) for _ in range(MOVES)]
    for move in range(MOVES):
        request, downtime_ms, copies = _move(request, places[(move + 1) % 2])
        downtimes.append(downtime_ms)
        request.step()
    request.release()
    alone = Decoding(there.engine, there.free, prompt, len(request.text))
    while not alone.finished:
        alone.step()
    alone.release()
    return {
        "downtime_ms": round(median(downtimes), 3),
        "iteration_ms": round(median(steps), 3),
        "stages": copies,
        "same_tokens": alone.text == request.text,
    }


def _move(request: Decoding, target: Place) -> tuple[Decoding, float, int]:
    """Move a request; return it at the target with its next token, the milliseconds between, and the copies."""
    way = Nearby(request, target)
    last_token = time.perf_counter()
    for _ in stages(request, way):
        request.step()
        last_token = time.perf_counter()
    moved = Decoding(target.engine, target.free, request.text, request.until, way.blocks)
    moved.step()
    downtime_ms = (time.perf_counter() - last_token) * 1e3
    request.release()
    return moved, downtime_ms, way.copies


def _step_ms(request: Decoding) -> float:
    begin = time.perf_counter()
    request.step()
    return (time.perf_counter() - begin) * 1e3


def _simulated(setting: Setting) -> dict[str, Any]:
    """Return what the simulator says of the same moves; a dry run asks for one length alone."""
    out = setting.out / "migration-simulated"
    short = (
        ["--set", "sweep.workload.prompt_tokens.tokens=[256]", "--set", "seeds=1", "--set", "claims=[]"]
        if setting.dry_run
        else []
    )
    run_module(setting, ["simcore", "run", STUDY, "--out", str(out), *short], "migration-simulated")
    runs = json.loads((out / "summary.json").read_text(encoding="utf-8"))["runs"]
    (key,) = runs[0]["point"]
    return {
        "predicted_downtime_ms": {
            str(run["point"][key]): round(run["metrics"]["migration_downtime_s_mean"] * 1e3, 3) for run in runs
        }
    }


def _remote(setting: Setting) -> dict[str, Any]:
    """Move a request between two processes."""
    if setting.dry_run:
        raise Skipped("python -m realbackend.remote does it on a CPU")
    command = ["realbackend.remote", "--weights", f"random:{CONFIG}", "--prompt", "4096"]
    return {"printed": run_module(setting, command, "remote").splitlines()[-1]}
