"""Device: the GPU a profile names, among those that ship."""

import re

from simcore.cost import catalogue
from simcore.cost.hardware import Hardware, load_hardware

_NUMBER = re.compile(r"\b(?:RTX (?:PRO )?\w+|[A-Z]{1,2}\d{2,3}[A-Z]?)\b")
_SIZE = re.compile(r"\b\d+ ?GB\b")


def shipped(device: str) -> Hardware | None:
    """Return the GPU that CUDA calls `device`, by its model number; None when none ships.

    Of several memory sizes, the one it names.

    >>> [shipped(name).name for name in ("NVIDIA A100-SXM4-40GB", "NVIDIA H100 80GB HBM3")]
    ['NVIDIA A100 SXM 40GB', 'NVIDIA H100 SXM 80GB']
    >>> shipped("NVIDIA GeForce RTX 4090")
    """
    number, size = _NUMBER.search(device), _SIZE.search(device)
    if number is None:
        return None
    every = map(load_hardware, catalogue.names("hardware"))
    found = [hardware for hardware in every if re.search(rf"\b{re.escape(number.group())}\b", hardware.name)]
    named = [hardware for hardware in found if size and size.group().replace(" ", "") in hardware.name]
    return next(iter(named or found), None)
