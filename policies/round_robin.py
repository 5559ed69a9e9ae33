"""Round robin: the next request goes to the next instance.

Source: the usual default of load balancers; the baseline of Llumnix (arXiv:2406.03243, section 6.1).

Decides:  where a request goes.
Leaves:   everything else.
"""

from simcore.contract import ClusterView, InstanceId, PlacingRouter, RequestId


class RoundRobin(PlacingRouter):
    """Cycles over the instances that are up, in the order of arrivals, blind to load."""

    def __init__(self) -> None:
        self.next = 0

    def place(self, view: ClusterView, request: RequestId) -> InstanceId:
        up = view.up
        chosen = up[self.next % len(up)]
        self.next += 1
        return chosen.id
