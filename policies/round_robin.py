"""Round robin: the next request goes to the next instance.

Source: the usual default of load balancers; the baseline of Llumnix (arXiv:2406.03243, section 6.1).

Decides:  where a request goes.
Leaves:   everything else.
"""

from simcore.contract import Actions, Arrived, ClusterView, Dispatch, Router


class RoundRobin(Router):
    """Cycles over the instances, in the order of arrivals, blind to load."""

    def __init__(self) -> None:
        self.next = 0

    def on_arrived(self, view: ClusterView, fact: Arrived) -> Actions:
        up = view.up
        chosen = up[self.next % len(up)]
        self.next += 1
        return (Dispatch(fact.request, chosen.id),)
