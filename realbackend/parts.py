"""Parts: streams on shares of a GPU's multiprocessors, from one end of it, each made once: a ladder of green contexts.

The prefill lane takes its share from the front, the decode lane from the back, so shares of more than 100 together
overlap by what is too much. A share is rounded to whole groups of multiprocessors, as the driver hands them out.
"""

from collections.abc import Sequence
from typing import Literal

import torch

from realbackend.device import Device, Stream
from realbackend.green import split

GROUP_SMS = 8
"""Multiprocessors of the smallest part, and of a step; CUDA 13.0 on a H200."""


class Parts:
    """What an engine may keep to.

    Args:
        end: where its shares begin: "front" or "back".
        shares: percents made, and captured by graphs, before the first iteration; others are made when asked for.
    """

    def __init__(self, device: Device, end: Literal["front", "back"], shares: Sequence[int] = ()) -> None:
        self.shares = tuple(shares)
        self._device, self._end = device, end
        self._made: dict[int, Stream] = {}

    def stream(self, share_pct: int) -> Stream:
        """Return the stream of a share. Raises RuntimeError with the driver's error."""
        made = self._made.get(share_pct)
        if made is None:
            made = self._made[share_pct] = self._make(share_pct)
        return made

    def _make(self, share_pct: int) -> Stream:
        total = torch.cuda.get_device_properties(self._device.at).multi_processor_count
        sms = rounded(total, share_pct)
        if sms >= total:
            return self._device.stream()
        front, back = split(sms if self._end == "front" else total - sms)
        return front.stream if self._end == "front" else back.stream


def rounded(total: int, share_pct: int) -> int:
    """Return the multiprocessors of a share, in whole groups, at least one.

    >>> [rounded(132, share) for share in (1, 25, 50, 80, 100)]
    [8, 32, 64, 104, 132]
    """
    if share_pct == 100:
        return total
    return max(GROUP_SMS, GROUP_SMS * round(total * share_pct / 100 / GROUP_SMS))
