"""Green contexts: do two parts of a GPU keep apart, what does each still do, and do threads and graphs respect them."""

import time
from functools import partial
from importlib import import_module
from threading import Thread
from typing import Any

import torch

from realbackend.device import Graphs, Stream
from realbackend.gpu_checks.findings import Findings, Skipped
from realbackend.gpu_checks.slices import Setting
from realbackend.gpu_checks.stopwatch import median_ms
from realbackend.green import IGNORE_COSCHEDULING, split

ASKED = (8, 16, 32, 48, 64, 80, 96, 112)
READ_BYTES = 1 << 30


def green_contexts(findings: Findings, setting: Setting) -> None:
    """Measure a ladder of splits."""
    if findings.part("what it needs", partial(_needed, setting)) is None:
        return
    findings.part("torch's wrapper", _torch_wrapper)
    findings.part("whole device", _whole)
    for flags in (0, IGNORE_COSCHEDULING):
        for asked in ASKED:
            findings.part(f"{asked} of all, flags {flags}", partial(_rung, asked, flags))
    findings.part("two threads, apart", partial(_two_threads, green=True))
    findings.part("two threads, plain streams", partial(_two_threads, green=False))
    findings.part("a graph captured on a part", _graph)


def _needed(setting: Setting) -> str:
    if setting.dry_run:
        raise Skipped("a CPU has no multiprocessors to split")
    for module in ("cuda.bindings.driver", "triton"):
        try:
            import_module(module)
        except ImportError as error:
            raise Skipped(f"needs cuda-bindings and triton: {error}") from None
    return "here"


def _torch_wrapper() -> dict[str, Any]:
    from torch.cuda import green_contexts as wrapper

    return {"supported": bool(wrapper.SUPPORTED), "has_stream": hasattr(wrapper.GreenContext, "Stream")}


def _whole() -> dict[str, Any]:
    stream = Stream(torch.cuda.Stream())
    return {"sms_seen": len(_seen(stream)), **_speeds(stream)}


def _rung(asked: int, flags: int) -> dict[str, Any]:
    part, rest = split(asked, flags)
    here, there = _seen(part.stream), _seen(rest.stream)
    return {
        "got": part.sms,
        "rest": rest.sms,
        "seen": len(here),
        "rest_seen": len(there),
        "overlap": len(here & there),
        **_speeds(part.stream),
    }


def _seen(stream: Stream) -> set[int]:
    """Return the multiprocessors that a kernel on a stream runs on."""
    from realbackend.gpu_checks.sm_probe import empty, launch

    seen = empty()
    torch.cuda.synchronize()
    with stream.use():
        launch(seen)
    torch.cuda.synchronize()
    return set(seen.tolist())


def _matrices() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return a weight matrix, and tokens of a prefill and of a decode step to multiply with it."""
    wide = partial(torch.randn, device="cuda", dtype=torch.bfloat16)
    return wide(4096, 4096), wide(2048, 4096), wide(32, 4096)


def _speeds(stream: Stream) -> dict[str, float]:
    weight, prefill, decode = _matrices()
    kv = torch.zeros(READ_BYTES // 2, device="cuda", dtype=torch.bfloat16)
    torch.cuda.synchronize()
    return {
        "prefill_product_ms": round(median_ms(lambda: prefill @ weight, stream, 20), 4),
        "decode_product_ms": round(median_ms(lambda: decode @ weight, stream, 20), 4),
        "read_gb_s": round(READ_BYTES / median_ms(lambda: kv.sum(dtype=torch.float32), stream, 10) / 1e6, 1),
    }


def _two_threads(green: bool) -> dict[str, Any]:
    """Return milliseconds a product, of prefills and decodes from two threads at once."""
    weight, prefill, decode = _matrices()
    if green:
        parts = split(72)
        streams = (parts[0].stream, parts[1].stream)
    else:
        streams = (Stream(torch.cuda.Stream()), Stream(torch.cuda.Stream()))
    torch.cuda.synchronize()
    took = {}

    def work(name: str, stream: Stream, tokens: torch.Tensor, count: int) -> None:
        with stream.use():
            begin = time.perf_counter()
            for _ in range(count):
                tokens @ weight
            stream.mark().wait()
            took[name] = round((time.perf_counter() - begin) / count * 1e3, 4)

    threads = [
        Thread(target=work, args=("prefill_product_ms", streams[0], prefill, 300)),
        Thread(target=work, args=("decode_product_ms", streams[1], decode, 1500)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return took


def _graph() -> dict[str, Any]:
    """Return on how many multiprocessors a graph captured on a part runs, replayed there and on a plain stream."""
    from realbackend.gpu_checks.sm_probe import empty, launch

    part, _ = split(32)
    seen = empty()
    replay = Graphs(part.stream).capture(partial(launch, seen))
    found = {"part": part.sms}
    for name, stream in (("replayed_there", part.stream), ("replayed_on_plain", Stream(torch.cuda.Stream()))):
        with stream.use():
            replay()
        torch.cuda.synchronize()
        found[name] = len(set(seen.tolist()))
    return found
