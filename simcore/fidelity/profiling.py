"""Profiling: an engine or a log as what a profile is made of: iterations, and where they come from."""

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from simcore import __version__
from simcore.cost.fit import Observed
from simcore.fidelity.bench import PROBE_EVERY
from simcore.fidelity.calibration import INSTANCES, Mix, calibrate
from simcore.fidelity.log_file import NAME
from simcore.study.backends import Backend, real_provenance
from simcore.study.schema_real import RealSpec


def profile_engine(
    weights: str, dtype: Literal["fp32", "bf16", "fp16"], backend: Backend, mix: Mix, say: Callable[[str], None]
) -> tuple[Observed, dict[str, Any]]:
    """Run the calibration mix; return its iterations, and what they were measured on. Raises ValueError."""
    import torch

    from realbackend.run import Bench, RealSettings

    assert backend.device
    bench = Bench(RealSettings(weights, dtype, backend.device, "measured", mix.seed), probe_every=PROBE_EVERY)
    log = calibrate(bench, mix, say)
    return log, {
        "made": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "simcore": __version__,
        **real_provenance(RealSpec(weights=weights, dtype=dtype), backend),
        "shape": asdict(bench.decoder.shape),
        "threads": torch.get_num_threads(),
        "instances": INSTANCES,
        "mix": asdict(mix),
        "iterations": len(log),
        "probe": {"every": PROBE_EVERY, "reference_s": bench.reference_s},
        "load_average": round(os.getloadavg()[0], 2),
    }


def log_provenance(path: Path) -> dict[str, Any]:
    """Return what is known of an iteration log: its name and a hash, and what made the results beside it."""
    file = path / NAME if path.is_dir() else path
    found: dict[str, Any] = {
        "made": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "simcore": __version__,
        "log": file.name,
        "blake2b": hashlib.blake2b(file.read_bytes(), digest_size=16).hexdigest(),
    }
    summary = file.parent / "summary.json"
    if summary.is_file():
        content = json.loads(summary.read_text(encoding="utf-8"))
        found |= {key: content[key] for key in ("study", "backend", "clock", "provenance") if key in content}
    return found
