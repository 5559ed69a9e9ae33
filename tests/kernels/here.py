"""Kernels here: compiled on a GPU; on a CPU in Triton's interpreter, which has to be chosen before Triton is imported.

Whoever imports this skips without torch or Triton. The interpreter has no bfloat16 that computes, and is slow: what
needs that or real shapes is marked `gpu`.
"""

import os
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'simcore[real]'")
torch.set_num_threads(1)

GPU = torch.cuda.is_available()
if not GPU:
    if "triton" in sys.modules and os.environ.get("TRITON_INTERPRET") != "1":
        pytest.skip("something imported Triton before its interpreter could be chosen", allow_module_level=True)
    os.environ["TRITON_INTERPRET"] = "1"
pytest.importorskip("triton", reason="Triton is not installed: pip install 'simcore[real]'")

from kernels.reference import Reference  # noqa: E402
from kernels.triton_ops import TritonOps  # noqa: E402

DEVICE = torch.device("cuda" if GPU else "cpu")
OPS = TritonOps()
REFERENCE = Reference()


NEEDS_GPU = [pytest.mark.gpu, pytest.mark.skipif(not GPU, reason="needs a GPU")]


def on_gpu(test):
    """Mark a test as one for a GPU alone."""
    for mark in NEEDS_GPU:
        test = mark(test)
    return test


def gpu(value):
    """Return a parameter for a GPU alone."""
    return pytest.param(value, marks=NEEDS_GPU)


DTYPES = [torch.float32, torch.float16, gpu(torch.bfloat16)]
FAR = {torch.float32: 1e-5, torch.float16: 2e-3, torch.bfloat16: 1e-2}
"""How far from results in float32, relative to their norm, a dtype may be."""


def drawn(*size, dtype=torch.float32, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(size, generator=generator).to(dtype).to(DEVICE)


def ids(*values, dtype=torch.int64):
    return torch.tensor(values, dtype=dtype, device=DEVICE)


def assert_near(result, expected, far=None):
    """Hold a result to one in float32; NaN is never near."""
    assert result.shape == expected.shape
    difference = (result.float() - expected.float()).norm() / expected.float().norm().clamp(min=1e-6)
    assert difference <= (FAR[result.dtype] if far is None else far), f"relative difference {difference:.1e}"
