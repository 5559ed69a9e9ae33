"""GPU: what the driver says is there, whether torch sees it, and how Triton's kernels would run."""

import os
import subprocess
import sys

from simcore.commands.checks.check import Check
from simcore.commands.checks.packages import installed

_QUERY = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
_ASK_TORCH = "import torch; print(torch.cuda.is_available(), torch.version.cuda)"


def gpu() -> Check:
    """Return the GPUs of this machine. The simulator needs none."""
    listed = _said(_QUERY, 10.0)
    if listed is None:
        return Check(
            "GPU", "absent", f"no NVIDIA driver answers; the simulator needs none; Triton: {triton_mode(False)}"
        )
    cards = [", ".join(part.strip() for part in line.split(",")) for line in listed.splitlines() if line.strip()]
    torch = f"; {_torch()}" if installed("torch") else ""
    return Check("GPU", "ok", f"{'; '.join(cards)}{torch}; Triton: {triton_mode(True)}")


def triton_mode(has_gpu: bool) -> str:
    """Return how the kernels of a real engine would run here."""
    if installed("triton") is None:
        return "not installed"
    if os.environ.get("TRITON_INTERPRET") == "1":
        return "interpreted, on the CPU"
    return "compiled" if has_gpu else "nothing to compile for; TRITON_INTERPRET=1 interprets, slowly"


def _torch() -> str:
    # In a process of its own: importing torch takes seconds, and a broken driver can take the process down.
    said = _said([sys.executable, "-c", _ASK_TORCH], 60.0)
    if said is None:
        return "torch does not load"
    sees, cuda = said.split()
    if sees == "True":
        return f"torch sees it, CUDA {cuda}"
    return f"torch does not see it ({'built without CUDA' if cuda == 'None' else f'built for CUDA {cuda}'})"


def _said(command: list[str], timeout_s: float) -> str | None:
    """Return what a command prints, or None if it cannot be run, fails or takes too long."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None
