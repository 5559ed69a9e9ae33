"""Green: two streams of one GPU that never run on the same multiprocessor, by green contexts of the driver.

Torch's own wrapper splits the whole device anew for each context and takes the first part of each, so two overlap; the
driver's calls give a part and the rest. A split is for life: another one is other contexts.
"""

from importlib import import_module
from typing import Any, NamedTuple

import torch

from realbackend.device import Stream

IGNORE_COSCHEDULING = 1
"""CU_DEV_SM_RESOURCE_SPLIT_IGNORE_SM_COSCHEDULING: smaller steps; the bindings rename the enumeration."""


class Part(NamedTuple):
    """A stream, on how many multiprocessors it runs, and the context that must outlive it."""

    stream: Stream
    sms: int
    context: Any


def split(sms: int, flags: int = 0) -> tuple[Part, Part]:
    """Return a part of at least so many multiprocessors, and the rest. Raises RuntimeError with the driver's error."""
    driver = import_module("cuda.bindings.driver")
    torch.ones(1, device="cuda")  # the primary context is there
    device = _checked(driver.cuDeviceGet(torch.cuda.current_device()))
    whole = _checked(driver.cuDeviceGetDevResource(device, driver.CUdevResourceType.CU_DEV_RESOURCE_TYPE_SM))
    groups, _, rest = _checked(driver.cuDevSmResourceSplitByCount(1, whole, flags, sms))
    return _part(driver, device, groups[0]), _part(driver, device, rest)


def _part(driver: Any, device: Any, resource: Any) -> Part:
    wanted = _checked(driver.cuDevResourceGenerateDesc([resource], 1))
    flags = driver.CUgreenCtxCreate_flags.CU_GREEN_CTX_DEFAULT_STREAM
    context = _checked(driver.cuGreenCtxCreate(wanted, device, flags))
    stream = _checked(driver.cuGreenCtxStreamCreate(context, driver.CUstream_flags.CU_STREAM_NON_BLOCKING, 0))
    kind = driver.CUdevResourceType.CU_DEV_RESOURCE_TYPE_SM
    sms = int(_checked(driver.cuGreenCtxGetDevResource(context, kind)).sm.smCount)
    return Part(Stream(torch.cuda.ExternalStream(int(stream))), sms, context)


def _checked(result: tuple[Any, ...]) -> Any:
    """Return what a call of the driver returned beside its error."""
    error, *values = result
    if int(error):
        raise RuntimeError(f"CUDA driver: {error}")
    return values[0] if len(values) == 1 else values
