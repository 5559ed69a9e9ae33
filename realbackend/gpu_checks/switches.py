"""Switches: what a swap costs in pieces, by how the pool lies and how many blocks go together; what a launch costs.

What it finds are keys of a study: `cluster.topology.pcie_gbs`, `launch_us`, `half_rate_bytes`.
"""

import time
from functools import partial
from typing import Any

import torch
from torch import Tensor

from realbackend.device import Device, Stream
from realbackend.gpu_checks.findings import Findings
from realbackend.gpu_checks.slices import Setting
from realbackend.gpu_checks.stopwatch import median_ms

PIECE_BYTES = 32 << 10
"""K or V of one layer of a block of 16 tokens of an 8B model in bf16."""
PIECES = 64
"""Of a block: K and V of 32 layers."""
SIZES_KIB = (32, 128, 320, 640, 1920, 8192)


def switches(findings: Findings, setting: Setting) -> None:
    """Time swaps of as many blocks one by one, in groups, and as one copy of pinned memory."""
    device = Device(torch.device("cpu" if setting.dry_run else "cuda"))
    blocks = 4 if setting.dry_run else 240
    for group in (1, 20, 60, blocks):
        if group <= blocks:
            findings.part(f"layer-major, groups of {group}", partial(_swap, device, blocks, group, PIECES))
    for group in (1, 20, 60, blocks):
        if group <= blocks:
            findings.part(f"block-major, groups of {group}", partial(_swap, device, blocks, group, 1))
    sizes = SIZES_KIB[:2] if setting.dry_run else SIZES_KIB
    findings.part("sizes of a piece", partial(_sizes, device, sizes, 4 if setting.dry_run else 256))
    findings.part("launches", partial(_launches, device, 8 if setting.dry_run else 2000))


def _swap(device: Device, blocks: int, group: int, parts: int) -> dict[str, Any]:
    """Return GB/s out and in of a swap whose every `group` blocks lie together, in a pool of so many parts a block."""
    each = PIECE_BYTES * PIECES // parts
    pool = torch.zeros((parts, 2 * blocks, each), dtype=torch.uint8, device=device.at)
    host = device.pinned((parts, 2 * blocks, each), torch.uint8)
    starts = [(2 * start if group < blocks else 0) for start in range(0, blocks, group)]  # groups do not touch

    def move(target: Tensor, source: Tensor) -> None:
        for part in range(parts):
            for start in starts:
                span = slice(start, start + group)
                target[part, span].copy_(source[part, span], non_blocking=True)

    stream = device.stream()
    out_ms = median_ms(partial(move, host, pool), stream, 5)
    in_ms = median_ms(partial(move, pool, host), stream, 5)
    moved = len(starts) * group * PIECE_BYTES * PIECES
    return {
        "pieces": parts * len(starts),
        "piece_kib": group * each >> 10,
        "out_gb_s": round(moved / out_ms / 1e6, 2),
        "in_gb_s": round(moved / in_ms / 1e6, 2),
    }


def _sizes(device: Device, sizes_kib: tuple[int, ...], pieces: int) -> dict[str, Any]:
    """Return the time of a piece by its size, and the line through them as the keys of a study."""
    stream, found = device.stream(), {}
    for kib in sizes_kib:
        pool = torch.zeros((pieces, kib << 10), dtype=torch.uint8, device=device.at)
        host = device.pinned((pieces, kib << 10), torch.uint8)
        found[kib] = median_ms(partial(_copy_all, host, pool), stream, 5) * 1e3 / pieces
    peak_bytes_us, lost_us = line_through([(kib << 10, us) for kib, us in found.items()])
    return {
        "us_by_kib": {kib: round(us, 2) for kib, us in found.items()},
        "pcie_gbs": round(peak_bytes_us / 1e3, 2),
        "half_rate_bytes": round(peak_bytes_us * lost_us),
    }


def _copy_all(target: Tensor, source: Tensor) -> None:
    for piece in range(len(source)):
        target[piece].copy_(source[piece], non_blocking=True)


def line_through(points: list[tuple[int, float]]) -> tuple[float, float]:
    """Return (bytes per µs, µs of no bytes, at least 0) of the line that misses (bytes, µs) least, relative to the µs.

    >>> line_through([(1000, 12.0), (3000, 16.0)])
    (500.0, 10.0)
    """
    weights = [1 / us**2 for _, us in points]
    total = sum(weights)
    mean_x = sum(w * x for w, (x, _) in zip(weights, points, strict=True)) / total
    mean_y = sum(w * y for w, (_, y) in zip(weights, points, strict=True)) / total
    spread = sum(w * (x - mean_x) ** 2 for w, (x, _) in zip(weights, points, strict=True))
    slope = sum(w * (x - mean_x) * (y - mean_y) for w, (x, y) in zip(weights, points, strict=True)) / spread
    return round(1 / slope, 6), round(max(0.0, mean_y - slope * mean_x), 6)


def _launches(device: Device, launches: int) -> dict[str, Any]:
    """Return what one launch of a small copy costs the thread that makes it, µs, into pinned memory and out of it."""
    pool = torch.zeros((launches, PIECE_BYTES), dtype=torch.uint8, device=device.at)
    host = device.pinned((launches, PIECE_BYTES), torch.uint8)
    stream = device.stream()
    return {
        "out_launch_us": _launch_us(device, stream, host, pool),
        "in_launch_us": _launch_us(device, stream, pool, host),
        "launches": launches,
    }


def _launch_us(device: Device, stream: Stream, target: Tensor, source: Tensor) -> float:
    with stream.use():
        _copy_all(target, source)
        device.synchronize()
        begin = time.perf_counter()
        _copy_all(target, source)
        took = time.perf_counter() - begin
        device.synchronize()
    return round(took / len(source) * 1e6, 2)
