"""Power of two choices: look at two instances drawn at random, take the one with more free KV.

Source: Mitzenmacher, "The power of two choices in randomized load balancing", IEEE TPDS 12(10), 2001.

Decides:  where a request goes.
Leaves:   everything else.
Differs:  compares free KV blocks, less what already waits there, instead of queue lengths: a request's
          footprint, not its count, is what fills an instance.
"""

from simcore.contract import ClusterView, InstanceId, InstanceView, PlacingRouter, RequestId


class PowerOfTwo(PlacingRouter):
    """Args:
    choices: instances drawn per request, with replacement, >= 1 (1 is a random router).
    """

    def __init__(self, *, choices: int = 2) -> None:
        if choices < 1:
            raise ValueError(f"choices must be >= 1, got {choices}")
        self.choices = choices

    def place(self, view: ClusterView, request: RequestId) -> InstanceId:
        up = view.up
        drawn = [up[int(view.draw(request, draw) * len(up))] for draw in range(self.choices)]
        return min(drawn, key=lack_of_room).id


def lack_of_room(instance: InstanceView) -> tuple[int, int]:
    """Return a key that is smallest where most KV blocks are left after the queue; ties go to the lowest id."""
    return instance.waiting_blocks - instance.free_blocks, instance.id
