"""Kernels: what a transformer over paged KV is made of, each operation in plain torch and in Triton.

`ops_on(device)` chooses: Triton on a GPU, torch on a CPU. The Triton kernels are tested against `kernels.reference`.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from kernels.ops import Ops


def ops_on(device: "torch.device | str") -> "Ops":
    """Return the operations for tensors on a device."""
    import torch

    if torch.device(device).type == "cuda":
        from kernels.triton_ops import TritonOps

        return TritonOps()
    from kernels.reference import Reference

    return Reference()
