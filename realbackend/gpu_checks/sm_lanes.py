"""SM lanes: prefill and decode of an 8B model by share of the multiprocessors, alone and beside each other; switches.

What is found is written as tables for the simulator too: `sm_curve.csv` (`cost.sm_curve`) and `sm_contention.csv`
(`mechanism.contention`).
"""

import csv
import time
from collections.abc import Callable, Sequence
from functools import cache, partial
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from statistics import median
from threading import Event, Thread
from typing import Any

import torch

from kernels import ops_on
from realbackend.device import Device
from realbackend.gpu_checks.commands import run_module
from realbackend.gpu_checks.decode_step import BLOCK_TOKENS, CONFIG
from realbackend.gpu_checks.findings import Findings, Skipped
from realbackend.gpu_checks.slices import Setting
from realbackend.kv import KvBlocks
from realbackend.model.weights import load_decoder
from realbackend.parts import Parts, rounded
from realbackend.torch_engine import TorchEngine
from realbackend.work import Work

SHARES = (12, 25, 38, 50, 62, 75, 88, 100)
PAIRS = ((100, 100), (75, 100), (100, 50), (50, 50), (75, 25), (25, 75))
STUDY = "studies/papers/semi_pd_gpu.yaml"
_REPEATS = 7


class Lanes:
    """A prefill and a decode engine over one pool, and an iteration for each.

    prompt: tokens of the prefill. batch, context: of the decodes.
    """

    def __init__(self, dry_run: bool) -> None:
        device = torch.device("cpu") if dry_run else torch.device("cuda", 0)
        prompt, batch, context = (20, 2, 20) if dry_run else (2048, 64, 1024)
        dtype = torch.float32 if dry_run else torch.bfloat16
        decoder = load_decoder("random:nano" if dry_run else f"random:{CONFIG}", device=device, dtype=dtype)
        each, own = context // BLOCK_TOKENS + 1, -(-prompt // BLOCK_TOKENS)
        kv = KvBlocks(decoder.shape, batch * each + own, BLOCK_TOKENS, 0, device=device, dtype=dtype)
        front, back = (None if dry_run else Parts(Device(device), end) for end in ("front", "back"))
        self.prefill = TorchEngine(decoder, kv, ops_on(device), (), front)
        self.decode = TorchEngine(decoder, kv, ops_on(device), (), back)
        first = batch * each
        self.prompts = [Work(batch, 0, [5] * prompt, list(range(first, first + own)), True)]
        blocks = [list(range(r * each, (r + 1) * each)) for r in range(batch)]
        self.decodes = [Work(r, context, [5], blocks[r], True) for r in range(batch)]

    def alone(self, share_pct: int) -> dict[str, float]:
        """Return milliseconds of an iteration of each lane on a share, the other lane idle."""
        self.prefill.keep_to(share_pct)
        self.decode.keep_to(share_pct)
        return {
            "prefill_ms": _median_ms(partial(self.prefill.run, self.prompts)),
            "decode_ms": _median_ms(partial(self.decode.run, self.decodes)),
        }

    def together(self, prefill_pct: int, decode_pct: int) -> dict[str, float]:
        """Return the same while both lanes work, each in a thread of its own."""
        self.prefill.keep_to(prefill_pct)
        self.decode.keep_to(decode_pct)
        self.prefill.run(self.prompts)
        self.decode.run(self.decodes)
        over, took = Event(), list[float]()

        def decode() -> None:
            while not over.is_set():
                took.append(_ms(partial(self.decode.run, self.decodes)))

        beside = Thread(target=decode)
        beside.start()
        prefill_ms = median(_ms(partial(self.prefill.run, self.prompts)) for _ in range(_REPEATS))
        over.set()
        beside.join()
        return {"prefill_ms": round(prefill_ms, 4), "decode_ms": round(median(took), 4)}

    def switches(self) -> dict[str, float]:
        """Return milliseconds of a decode iteration on one share, on two shares in turn, and of making a new share."""

        def in_turn() -> None:
            for share_pct in (50, 75):
                self.decode.keep_to(share_pct)
                self.decode.run(self.decodes)

        stays = {share_pct: self.alone(share_pct)["decode_ms"] for share_pct in (50, 75)}
        turns = _median_ms(in_turn)
        begin = time.perf_counter()
        self.decode.keep_to(32)
        made = (time.perf_counter() - begin) * 1e3
        return {"in_turn_ms": turns, "switch_ms": round((turns - sum(stays.values())) / 2, 4), "new_ms": round(made, 4)}


def sm_lanes(findings: Findings, setting: Setting) -> None:
    """Measure lanes alone, together, and a run of both."""
    if findings.part("what it needs", partial(_needed, setting)) is None:
        return
    lanes = cache(partial(Lanes, setting.dry_run))
    alone = {}
    for share in SHARES:
        alone[share] = findings.part(f"alone on {share}%", partial(_alone, lanes, share, setting.dry_run))
    together = {}
    for pair in PAIRS:
        together[pair] = findings.part(f"{pair[0]}% beside {pair[1]}%", partial(_together, lanes, pair))
    findings.part("switches", lambda: lanes().switches())
    if all(alone.values()):
        findings.part("tables", partial(_write_tables, setting.out, alone, together))
    lanes.cache_clear()
    findings.part("semi-PD beside one mixed batch", partial(_under_load, setting))


def _needed(setting: Setting) -> str:
    if setting.dry_run:
        return "streams without shares, on a CPU"
    try:
        import_module("cuda.bindings.driver")
    except ImportError:
        raise Skipped("green contexts need cuda-bindings: pip install cuda-bindings") from None
    return "green contexts"


def _alone(lanes: Callable[[], Lanes], share_pct: int, dry_run: bool) -> dict[str, float]:
    total = 0 if dry_run else torch.cuda.get_device_properties(0).multi_processor_count
    return {"sms": rounded(total, share_pct) if total else 0, **lanes().alone(share_pct)}


def _together(lanes: Callable[[], Lanes], pair: tuple[int, int]) -> dict[str, float]:
    return lanes().together(*pair)


def _under_load(setting: Setting) -> dict[str, Any]:
    """Run the study in real time: its systems are one mixed batch and two lanes."""
    if setting.dry_run:
        run_module(setting, ["simcore", "validate", STUDY], "semi-pd-validate")
        return {"valid": STUDY}
    out = setting.out / "semi-pd-wall"
    command = ["simcore", "run", STUDY, "--backend", "real", "--device", "cuda", "--clock", "wall", "--out", str(out)]
    return {"printed": run_module(setting, command, "semi-pd-wall").splitlines()}


# -- tables for the simulator ----------------------------------------------------------------------------------------


def _write_tables(
    out: Path, alone: dict[int, dict[str, float]], together: dict[tuple[int, int], dict[str, float] | None]
) -> dict[str, int]:
    """Write times relative to all multiprocessors, and what shares are worth beside each other."""
    whole = alone[100]
    curve = [
        (share, *(round(found[name] / whole[name], 4) for name in ("prefill_ms", "decode_ms")))
        for share, found in sorted(alone.items())
    ]
    worths = [
        (*pair, worth(alone, "prefill_ms", found["prefill_ms"]), worth(alone, "decode_ms", found["decode_ms"]))
        for pair, found in together.items()
        if found is not None
    ]
    _write(out / "sm_curve.csv", ("sm_pct", "prefill", "decode"), curve)
    _write(out / "sm_contention.csv", ("prefill_pct", "decode_pct", "prefill_worth", "decode_worth"), worths)
    return {"sm_curve": len(curve), "sm_contention": len(worths)}


def worth(alone: dict[int, dict[str, float]], name: str, took_ms: float) -> int:
    """Return the share on which a lane alone is nearest to as slow as it was: linear in between, 1 at least.

    >>> worth({50: {"ms": 20.0}, 100: {"ms": 10.0}}, "ms", 15.0)
    75
    """
    points = sorted((found[name], share) for share, found in alone.items())
    for (fast_ms, more), (slow_ms, less) in pairwise(points):
        if took_ms <= slow_ms:
            part = 0.0 if slow_ms == fast_ms else (max(took_ms, fast_ms) - fast_ms) / (slow_ms - fast_ms)
            return round(more + part * (less - more))
    slowest_ms, least = points[-1]
    return max(1, round(least * slowest_ms / took_ms))


def _write(path: Path, header: Sequence[str], rows: Sequence[Sequence[float]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


def _median_ms(work: Callable[[], object]) -> float:
    work()
    return round(median(_ms(work) for _ in range(_REPEATS)), 4)


def _ms(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return (time.perf_counter() - begin) * 1e3
