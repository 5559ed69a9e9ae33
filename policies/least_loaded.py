"""Least loaded: a request goes where the least work is.

Source: join the shortest queue (Winston, J. Appl. Prob. 14, 1977); `load: requests` counts as the
"least requests" rule of Envoy and of the Kubernetes gateway for inference.

Decides:  where a request goes.
Leaves:   everything else.
Differs:  from real gateways, whose counts lag behind: here they are as of the last boundary.
"""

from typing import get_args

from simcore.contract import ClusterView, InstanceId, Load, PlacingRouter, RequestId


class LeastLoaded(PlacingRouter):
    """Args:
    load: what counts. "requests": waiting and running; "waiting": waiting alone; "running": running alone;
        "waiting_tokens": tokens the waiting requests still have to prefill.
    """

    def __init__(self, *, load: Load = "requests") -> None:
        if load not in get_args(Load):
            raise ValueError(f"load must be one of {', '.join(get_args(Load))}, got {load!r}")
        self.load: Load = load

    def place(self, view: ClusterView, request: RequestId) -> InstanceId:
        return view.least(self.load)
