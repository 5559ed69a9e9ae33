"""Bandwidth: what kernels move, and what swaps move between the device and the host, alone and both ways at once."""

import json
import random
from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from realbackend.device import Device, Stream
from realbackend.gpu_checks.commands import run_module
from realbackend.gpu_checks.findings import Findings
from realbackend.gpu_checks.slices import Setting
from realbackend.gpu_checks.stopwatch import median_ms
from realbackend.transport import HostCopy, runs_of

BLOCK_BYTES = 2 << 20
"""A block of 16 tokens of an 8B model in bf16."""


def bandwidth(findings: Findings, setting: Setting) -> None:
    """Time kernels by their own bench, then copies."""
    findings.part("kernels", partial(_kernels, setting))
    device = Device(torch.device("cpu" if setting.dry_run else "cuda"))
    blocks = 4 if setting.dry_run else 512
    for scattered in (False, True):
        name = "scattered blocks" if scattered else "neighbouring blocks"
        findings.part(f"host copies, {name}", partial(_host_copies, device, blocks, scattered))
    findings.part("sizes of a run", partial(_run_sizes, device, blocks))


def _kernels(setting: Setting) -> dict[str, Any]:
    file = setting.out / "bench.json"
    printed = run_module(
        setting, ["kernels.bench", "--out", str(file), *(["--dry-run"] if setting.dry_run else [])], "bench"
    )
    found = json.loads(file.read_text(encoding="utf-8"))
    return {"copy_gb_s": found["copy_gb_s"], "verdict": printed.strip().splitlines()[-2], "file": file.name}


def _host_copies(device: Device, blocks: int, scattered: bool) -> dict[str, Any]:
    """Return GB/s out of the device, into it, and of both at once, of one swap of so many blocks."""
    pool = torch.zeros((2 * blocks, BLOCK_BYTES), dtype=torch.uint8, device=device.at)
    host = device.pinned((2 * blocks, BLOCK_BYTES), torch.uint8)
    ids = list(range(blocks))
    if scattered:
        random.Random(0).shuffle(ids)
    others = [blocks + each for each in ids]
    outward, inward = HostCopy(device.stream()), HostCopy(device.stream())
    both = device.stream()

    def out() -> Any:
        return outward.copy(pool, ids, host, list(range(blocks)), [both.mark()])

    def back() -> Any:
        return inward.copy(host, list(range(blocks, 2 * blocks)), pool, others, [both.mark()])

    def gb_s(*copies: Callable[[], Any]) -> float:
        ms = median_ms(lambda: both.after([copy() for copy in copies]), both, 5)
        return round(len(copies) * blocks * BLOCK_BYTES / ms / 1e6, 2)

    return {
        "out_gb_s": gb_s(out),
        "in_gb_s": gb_s(back),
        "both_gb_s": gb_s(out, back),
        "runs": len(runs_of(ids, list(range(blocks)))),
        "blocks": blocks,
    }


def _run_sizes(device: Device, blocks: int) -> dict[str, Any]:
    """Return GB/s out of the device by blocks a memory copy: where coalescing pays."""
    pool = torch.zeros((blocks, BLOCK_BYTES), dtype=torch.uint8, device=device.at)
    host = device.pinned((blocks, BLOCK_BYTES), torch.uint8)
    stream = device.stream()
    return {
        f"{size} blocks": round(size * BLOCK_BYTES / _copy_ms(stream, pool, host, size) / 1e6, 2)
        for size in (1, 4, 16, 64, 256)
        if size <= blocks
    }


def _copy_ms(stream: Stream, pool: torch.Tensor, host: torch.Tensor, size: int) -> float:
    return median_ms(lambda: host[:size].copy_(pool[:size], non_blocking=True), stream, 20)
