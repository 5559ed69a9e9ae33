"""Instance: the lanes of one copy of the model, the KV they share, and what state the fleet holds it in."""

from typing import TYPE_CHECKING

from simcore.books.pool import KvPool
from simcore.books.store import KvStore
from simcore.contract import Drain, Role, SetRole, SplitSMs
from simcore.contract.view import InstanceState

if TYPE_CHECKING:
    from simcore.simulator.stepper import SimLane


class SimInstance:
    """One instance.

    Args:
        number: its id; ids are never used again.
        pool: its KV blocks.
        store: what it knows of KV beyond them; None in runs where KV is nowhere else.
        role: what it serves.
    """

    __slots__ = (
        "draining",
        "epoch",
        "id",
        "lanes",
        "pool",
        "role",
        "split",
        "splitting",
        "state",
        "store",
        "takes_prompts",
        "weights_version",
    )

    def __init__(
        self, number: int, pool: KvPool, store: KvStore | None, role: Role, split: tuple[int, int] | None
    ) -> None:
        self.id = number
        self.pool = pool
        self.store = store
        self.role: Role = role
        self.state: InstanceState = "up"
        self.takes_prompts = role != "decode"
        """It is up, and its role takes new prompts."""
        self.lanes: list[SimLane] = []
        self.split = split
        """Percent of the SMs of its prefill and its decode lane; None: one lane."""
        self.splitting: tuple[SplitSMs, int] | None = None
        """The new split that is on its way, and who asked for it."""
        self.draining: Drain | SetRole | None = None
        """What it takes no more requests for."""
        self.epoch = 0
        """How often it went down: what was under way before does not concern it any more."""
        self.weights_version = 0
        """Training steps behind the weights it generates with."""

    @property
    def free_blocks(self) -> int:
        """Free KV blocks as of the last boundaries of its lanes."""
        free = self.pool.free
        for lane in self.lanes:
            free += lane.free_after(lane.passed()) - self.pool.free
        return free

    @property
    def waiting(self) -> int:
        return sum(lane.queued for lane in self.lanes)

    @property
    def empty(self) -> bool:
        """Nothing runs, waits, is copied, or has KV here."""
        return all(lane.unused for lane in self.lanes)

    @property
    def expects(self) -> bool:
        """Something will change here by itself: a pin's date, a new split."""
        return self.splitting is not None or (self.store is not None and bool(self.store.pins))

    def clear(self, split: tuple[int, int] | None) -> None:
        """Forget all KV, and what was to be changed; the next boot begins with `split`."""
        if self.store is None:
            self.pool.clear()
        else:
            self.store.clear()
        self.split = split
        self.splitting = self.draining = None
        for lane in self.lanes:
            lane.drains = False

    def catch_up(self) -> None:
        """Bring the books of all lanes to their last boundaries."""
        for lane in self.lanes:
            lane.catch_up()

    def check(self) -> None:
        """Assert that no block was lost; call it when nothing is under way."""
        held = 0
        for lane in self.lanes:
            lane.check()
            held += lane.holding
        if self.store is None or not self.store.cached:
            total = self.pool.total
            assert self.pool.free + held == total, f"{self.pool.free} free + {held} held != {total}"
        if self.store is not None:
            self.store.check()
