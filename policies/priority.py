"""Priority: urgent requests start first and yield last.

Source: the priority mode of vLLM V1 (`scheduling_policy="priority"`): the queue is ordered by priority, then
arrival, and when KV runs out the least urgent running request yields, among equals the newest.

Decides:  the order of the waiting queue; who yields.
Leaves:   everything else to the default scheduler. A waiting request never evicts a running one.
"""

from simcore.contract import LaneView, RequestId, RequestView, Scheduler


class Priority(Scheduler):
    """Reads `request.priority`: lower is more urgent."""

    def order(self, request: RequestView) -> tuple[int, float]:
        return request.priority, request.arrival_s

    def victim(self, view: LaneView) -> RequestId:
        requests = view.requests
        return max(view.running, key=lambda r: (requests[r].priority, requests[r].arrival_s, r))
