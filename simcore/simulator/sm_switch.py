"""SM switch: new shares of the SMs of an instance: from when they are asked for until both lanes may have them.

Four ways (`mechanism.sm_switch`; docs/mechanisms.md). What differs is whether the lanes stop for it: a *closing* switch
lets no lane of its instance start an iteration, and goes on when neither is at work.
"""

from functools import partial
from typing import TYPE_CHECKING

from simcore.contract import Done, IllegalAction, SplitSMs, to_ps
from simcore.contract import decisions as log
from simcore.simulator.clock import TIMERS, Alarm

if TYPE_CHECKING:
    from simcore.simulator.instance import SimInstance
    from simcore.simulator.simulator import Simulator

Split = tuple[int, int]
_SWITCHES = TIMERS - 0.5625
_SHARES = 1000
"""A split is logged as prefill x 1000 + decode."""


class SmSwitch:
    """A switch under way.

    Args:
        action: what was asked for.
        who: asked for it: a lane, or -1 for the router.
        split: what is to be in force.
    """

    __slots__ = ("action", "closing", "split", "stopped", "who")

    def __init__(self, action: SplitSMs, who: int, split: Split) -> None:
        self.action = action
        self.who = who
        self.split = split
        self.closing = False
        """No lane of the instance starts an iteration until it is in force."""
        self.stopped = False
        """Both lanes have stopped for it."""


def split_sms(simulator: "Simulator", action: SplitSMs, who: int) -> None:
    """Share the SMs of an instance out anew, once the switch is through. Raises IllegalAction."""
    if not 0 <= action.instance < len(simulator.instances):
        raise IllegalAction(f"{action}: instance must be 0..{len(simulator.instances) - 1}")
    instance = simulator.instances[action.instance]
    if instance.state == "down":
        raise IllegalAction(f"{action}: instance {instance.id} is down")
    if instance.split is None:
        raise IllegalAction(f"{action}: instance {instance.id} has one lane; needs `mechanism: {{sm_split: [p, d]}}`")
    if who >= 0 and simulator.place_of(who) != instance.id:
        raise IllegalAction(f"{action}: must be the scheduler's own instance {simulator.place_of(who)}")
    for name, share in (("prefill_pct", action.prefill_pct), ("decode_pct", action.decode_pct)):
        if not 1 <= share <= 100:
            raise IllegalAction(f"{action}: {name} must be 1..100")
    if instance.splitting is not None:
        raise IllegalAction(f"{action}: a split of instance {instance.id} is still in flight")
    mechanisms = simulator.settings.mechanisms
    wanted = (action.prefill_pct, action.decode_pct)
    split = nearest(wanted, mechanisms.sm_ladder) if mechanisms.sm_switch == "green_ladder" else wanted
    instance.splitting = switch = SmSwitch(action, who, split)
    if mechanisms.sm_switch == "restart":
        _close(simulator, instance, switch)
    else:
        _delay(simulator, instance, switch)


def nearest(wanted: Split, ladder: tuple[Split, ...]) -> Split:
    """Return the rung of a ladder of splits that is fewest points away, the first of equals.

    >>> nearest((85, 30), ((100, 100), (80, 20), (90, 10)))
    (80, 20)
    """
    return min(ladder, key=lambda rung: abs(rung[0] - wanted[0]) + abs(rung[1] - wanted[1]))


def stand_still(simulator: "Simulator", instance: "SimInstance") -> None:
    """Go on with a switch that waits for both lanes, if neither works."""
    switch = instance.splitting
    if switch is None or not switch.closing or switch.stopped or any(lane.k for lane in instance.lanes):
        return
    switch.stopped = True
    if simulator.settings.mechanisms.sm_switch == "restart":
        _delay(simulator, instance, switch)
    else:
        _in_force(simulator, instance, switch)


def _delay(simulator: "Simulator", instance: "SimInstance", switch: SmSwitch) -> None:
    delay = to_ps(simulator.settings.mechanisms.sm_switch_s)
    Alarm(simulator.clock, delay, partial(_ready, simulator, instance, switch), _SWITCHES)


def _ready(simulator: "Simulator", instance: "SimInstance", switch: SmSwitch, _: Alarm) -> None:
    if instance.splitting is not switch:
        return  # the instance went down meanwhile
    if simulator.settings.mechanisms.sm_switch == "delayed_sync":
        _close(simulator, instance, switch)
    else:
        _in_force(simulator, instance, switch)


def _close(simulator: "Simulator", instance: "SimInstance", switch: SmSwitch) -> None:
    switch.closing = True
    for lane in instance.lanes:
        lane.cut()
    stand_still(simulator, instance)


def _in_force(simulator: "Simulator", instance: "SimInstance", switch: SmSwitch) -> None:
    instance.splitting = None
    instance.split = switch.split
    simulator.counts["sm_switches"] += 1
    for lane in instance.lanes:
        if switch.closing:
            lane.look_again()
        else:
            lane.cut()
    simulator.log(instance.id, log.SPLIT, -1, switch.split[0] * _SHARES + switch.split[1])
    simulator.done(switch.who, Done(switch.action, ok=True))
