"""Disaggregated: prompts are computed on some instances, their answers generated on others.

Source: DistServe (OSDI 2024, arXiv:2401.09670, section 4.3): a prompt goes to the prefill instance with the shortest
queue, then to the least loaded decode instance.

Decides:  where a request is prefilled, and where it decodes.
Leaves:   the ratio of the two to the roles of the cluster, read anew each time; the copy of KV to the mechanism.
Differs:  from Splitwise (ISCA 2024, arXiv:2311.18677), which picks both when the request arrives.
"""

from collections.abc import Callable
from typing import Literal, get_args

from simcore.contract import (
    Actions,
    Arrived,
    Cancelled,
    ClusterView,
    Dispatch,
    InstanceUp,
    InstanceView,
    Prefilled,
    RequestId,
    Role,
    Router,
)

DecodeBy = Literal["requests", "free_kv"]


class Disaggregated(Router):
    """What finds no instance of its role waits for one: new requests unrouted, prefilled ones where their KV is.

    Args:
        decode_by: a prefilled request goes to the decode instance with the fewest requests ("requests"), or with the
            most KV blocks left after its queue ("free_kv"). Ties go to the lowest id.
    """

    def __init__(self, *, decode_by: DecodeBy = "requests") -> None:
        if decode_by not in get_args(DecodeBy):
            raise ValueError(f"decode_by must be one of {', '.join(get_args(DecodeBy))}, got {decode_by!r}")
        self.decode_load = requests if decode_by == "requests" else lack_of_room
        self.held: dict[RequestId, None] = {}
        """Prefilled requests that wait for a decode instance, in order."""

    def on_arrived(self, view: ClusterView, fact: Arrived) -> Actions:
        self.held.pop(fact.request, None)  # its KV is gone with its instance
        return send(view, [fact.request], "prefill", waiting_tokens)

    def on_prefilled(self, view: ClusterView, fact: Prefilled) -> Actions:
        self.held[fact.request] = None
        return self.hand_on(view)

    def on_instance_up(self, view: ClusterView, fact: InstanceUp) -> Actions:
        unrouted = sorted(request.id for request in view.requests.values() if request.state == "unrouted")
        return [*send(view, unrouted, "prefill", waiting_tokens), *self.hand_on(view)]

    def on_cancelled(self, view: ClusterView, fact: Cancelled) -> Actions:
        self.held.pop(fact.request, None)
        return ()

    def hand_on(self, view: ClusterView) -> list[Dispatch]:
        sent = send(view, list(self.held), "decode", self.decode_load)
        for dispatch in sent:
            del self.held[dispatch.request]
        return sent


def send(view: ClusterView, who: list[RequestId], role: Role, load: Callable[[InstanceView], int]) -> list[Dispatch]:
    """Return dispatches of all requests to the least loaded instance of a role; none, if none is up."""
    up = [instance for instance in view.instances if instance.state == "up" and instance.role == role]
    return [Dispatch(request, min(up, key=load).id) for request in who if up]


def requests(instance: InstanceView) -> int:
    return instance.waiting + instance.running


def waiting_tokens(instance: InstanceView) -> int:
    return instance.waiting_tokens


def lack_of_room(instance: InstanceView) -> int:
    return instance.waiting_blocks - instance.free_blocks
