"""Least loaded: a request goes where the least work is.

Source: join the shortest queue (Winston, J. Appl. Prob. 14, 1977); `load: requests` counts as the
"least requests" rule of Envoy and of the Kubernetes gateway for inference.

Decides:  where a request goes.
Leaves:   everything else.
Differs:  from real gateways, whose counts lag behind: here they are as of the last boundary.
"""

from simcore.contract import Actions, Arrived, ClusterView, Dispatch, Load, Router

LOADS: tuple[Load, ...] = ("requests", "waiting", "running", "waiting_tokens")


class LeastLoaded(Router):
    """Args:
    load: what counts. "requests": waiting and running; "waiting": waiting alone; "running": running alone;
        "waiting_tokens": tokens the waiting requests still have to prefill.
    """

    def __init__(self, *, load: Load = "requests") -> None:
        if load not in LOADS:
            raise ValueError(f"load must be one of {', '.join(LOADS)}, got {load!r}")
        self.load: Load = load

    def on_arrived(self, view: ClusterView, fact: Arrived) -> Actions:
        return (Dispatch(fact.request, view.least(self.load)),)
