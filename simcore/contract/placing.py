"""Placing router: a router that says of one request at a time where it goes; while no instance is up, requests wait.

It decides nothing itself, and remembers nothing: the view knows who is unrouted.
"""

from simcore.contract.actions import Dispatch, InstanceId, RequestId
from simcore.contract.facts import Arrived, InstanceUp
from simcore.contract.roles import Actions, Router
from simcore.contract.view import ClusterView


class PlacingRouter(Router):
    """The base of most routers: define `place`. What arrives while no instance is up is placed when one comes up."""

    def place(self, view: ClusterView, request: RequestId) -> InstanceId:
        """Return where an unrouted request goes; `view.up` is not empty."""
        raise TypeError(f"{type(self).__name__} does not say where a request goes")

    def on_arrived(self, view: ClusterView, fact: Arrived) -> Actions:
        return (Dispatch(fact.request, self.place(view, fact.request)),) if view.up else ()

    def on_instance_up(self, view: ClusterView, fact: InstanceUp) -> Actions:
        unrouted = sorted(request.id for request in view.requests.values() if request.state == "unrouted")
        return [Dispatch(request, self.place(view, request)) for request in unrouted] if view.up else ()
