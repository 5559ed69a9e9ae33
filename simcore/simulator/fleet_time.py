"""Fleet time: how long the instances have been there, each from the beginning of its boot until it went down."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simcore.simulator.instance import SimInstance


class FleetTime:
    """Args:
    instances: how many there are from time 0.
    """

    def __init__(self, instances: int) -> None:
        self._since_ps = dict.fromkeys(range(instances), 0)
        self._gone_ps = 0
        self._varied = False

    def note(self, instance: "SimInstance", now_ps: int) -> None:
        """The state of `instance` may be another from `now_ps` on."""
        there = instance.state != "down"
        if there == (instance.id in self._since_ps):
            return
        self._varied = True
        if there:
            self._since_ps[instance.id] = now_ps
        else:
            self._gone_ps += now_ps - self._since_ps.pop(instance.id)

    def total_ps(self, until_ps: int) -> int:
        """Return the picoseconds of all instances together, of those that are still there until `until_ps`.

        0 if none ever came or went.
        """
        if not self._varied:
            return 0
        return self._gone_ps + sum(max(0, until_ps - since_ps) for since_ps in self._since_ps.values())
