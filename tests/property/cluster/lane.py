"""Plain lanes: one boundary after the other, in the order of docs/mechanisms.md."""

from collections.abc import Callable
from typing import Any

from simcore.contract import Blocked, Finished, FirstToken, Prefilled, PriorityChanged, Shape, Stepped
from simcore.contract import decisions as log
from tests.property.cluster.copies import Copy
from tests.property.cluster.forming import Forming
from tests.property.cluster.leaving import Leaving
from tests.property.cluster.requests import CANCELLED, FAILED, PAUSED, REJECTED, WAITING, PlainRequest


class Lane(Forming, Leaving):
    """One batch and its queue. `position` is 0, or 1 for the decode lane of two."""

    def __init__(self, cluster: Any, instance: Any, position: int, index: int) -> None:
        self.cluster, self.instance, self.position, self.index = cluster, instance, position, index
        self.scheduler = cluster.settings.make_scheduler()
        self.view: Any = None
        self.waiting: list[PlainRequest] = []
        self.iterations = 0
        self.boundaries = 0
        self.epoch = 0
        self.marks: list[int] = []
        self.lows: list[int] = []
        self.empty()

    def empty(self) -> None:
        """Nothing runs, nothing is under way."""
        self.running: list[PlainRequest] = []
        self.paused: list[PlainRequest] = []
        self.copying: dict[PlainRequest, Copy] = {}
        self.come: list[PlainRequest] = []
        self.outgoing: list[Copy] = []
        self.plan: list[tuple[PlainRequest, int]] = []
        self.later: list[Callable[[], None]] = []
        self.yielded = self.barred = self.whole_only = False
        self.starting: list[Copy] = []
        self.waits_for: list[Copy] = []
        self.late: list[PlainRequest] = []
        self.asked: list[tuple[Callable[[], None], Callable[[], None]]] = []
        self.stalled = False
        self.busy = self.standing = self.refused = self.told_blocked = self.freed = self.gave = False
        self.event: Any = None
        self.started = 0
        self.stalls_since = 0
        """When it began to stall, plus one; 0: it does not."""

    # -- from outside -------------------------------------------------------------------------------------------

    def enqueue(self, request: PlainRequest) -> None:
        """Let a request wait here, in its place."""
        request.state = WAITING
        request.lane, request.instance = self, self.instance.id
        request.seen_from = self.boundaries + 2 if self.cluster.ahead and self.busy else 0
        self.wait(request)
        self.wake()

    def wait(self, request: PlainRequest) -> None:
        request.key = self.scheduler.order(self.cluster.views.request(request))
        self.waiting.append(request)
        self.sort()
        self.changed()

    def sort(self) -> None:
        self.waiting.sort(key=lambda request: (request.key, request.number))

    def changed(self) -> None:
        """Something changed: who was declined is asked about again, who is blocked is told again."""
        self.refused = self.told_blocked = False

    def wake(self) -> None:
        """An idle lane has its boundary at once, in its place among the lanes."""
        if not self.busy and not self.standing and self.event is None and self.instance.works:
            self.event = self.cluster.at(self.cluster.now, "lanes", self.index, self.boundary)

    def ask(self, do: Callable[[], None], lost: Callable[[], None] = lambda: None) -> None:
        """Do something at the next boundary, now if the lane stands at one; `lost` if the instance goes down before."""
        if self.standing:
            do()
        else:
            self.asked.append((do, lost))
            self.wake()

    # -- a boundary -----------------------------------------------------------------------------------------------

    def boundary(self) -> None:
        instance = self.instance
        self.event = None
        self.standing, self.freed, self.gave = True, self.gave, False
        self.starting, self.waits_for = [], []
        self.boundaries += 1
        if any(request.seen_from == self.boundaries for request in self.waiting):
            self.changed()
        if self.busy:
            self.busy = False
            self.book()
            if not instance.works:
                return
        instance.end_pins(self)
        while self.asked:
            self.asked.pop(0)[0]()
            if not instance.works:
                return
        self.form()
        self.whole_only = False
        for copy in self.starting:
            if not copy.over:
                copy.start()
        self.standing = False
        self.started = self.cluster.now
        if self.stalled and not self.stalls_since:
            self.stalls_since = self.cluster.now + 1
            self.cluster.counters["swap_conflicts"] += 1
        if not self.stalled and not self.plan:
            self.stalls_since = 0
        if self.plan:
            self.busy = True
            if not self.waits_for:
                self.set_off()
        self.tell_what_changed()

    def book(self) -> None:
        """The iteration that ended: its tokens, who leaves, and the facts."""
        cluster, now = self.cluster, self.cluster.now
        self.iterations += 1
        firsts, through, finished = [], [], []
        for request, tokens in sorted(self.plan, key=lambda part: part[0].prefilling):  # decodes first
            request.computed += tokens
            if request.ending:
                finished.append(request)
            elif not request.prefilling or request.computed == request.target:
                request.generated += 1
                request.times.append(now)
                request.last = now
                if request.first < 0:
                    request.first = now
                    firsts.append(request)
                if request.generated == request.output:
                    request.ending = cluster.ahead
                    if not cluster.ahead:
                        finished.append(request)
                elif request.prefilling and (self.instance.role == "prefill" or self.hands_over):
                    through.append(request)
                request.prefilling = False
        self.plan = []
        for request in finished:
            self.finish(request)
        handed = [request for request in through if self.instance.role == "prefill"]
        for request in through:
            self.leave_with_blocks(request)
        firsts, self.late = (self.late, firsts) if cluster.ahead else (firsts, [])
        self.tell_firsts(firsts)
        for request in handed:
            if request.lane is self and request.state == PAUSED:
                cluster.write(self.instance.id, log.PREFILLED, request.id, request.computed)
                cluster.tell_router("on_prefilled", Prefilled(request.id, self.instance.id))
        for request in finished:
            self.tell_finished(request)
        if self.instance.works:
            self.report_steps()
        if self.instance.works:
            self.see_epoch()

    @property
    def hands_over(self) -> bool:
        """The decode lane takes over from here."""
        return len(self.instance.lanes) == 2 and self.position == 0

    def tell_firsts(self, firsts: list[PlainRequest]) -> None:
        for request in firsts:
            if request.state in (REJECTED, CANCELLED, FAILED):
                continue  # it is gone before anybody was told
            self.cluster.write(self.instance.id, log.FIRST_TOKEN, request.id, -1)
            self.cluster.tell_both(self, "on_first_token", FirstToken(request.id, self.instance.id))

    def tell_finished(self, request: PlainRequest) -> None:
        cluster, here = self.cluster, self.instance.id
        if request in self.late:
            self.late.remove(request)
            self.tell_firsts([request])
        cluster.write(here, log.FINISHED, request.id, request.generated)
        cluster.tell_both(self, "on_finished", Finished(request.id, here, request.generated))
        if request.program >= 0:
            cluster.write(here, log.TURN_ENDED, request.id, request.program)
            cluster.tell_both(self, "on_turn_ended", cluster.turn_ended(request))

    def report_steps(self) -> None:
        free = self.instance.pool.free
        due = any(mark <= self.iterations for mark in self.marks) or any(free < low for low in self.lows)
        self.marks = [mark for mark in self.marks if mark > self.iterations]
        self.lows = [low for low in self.lows if free >= low]
        if due:
            self.changed()
            self.cluster.write(self.instance.id, log.STEPPED, -1, self.iterations)
            fact = Stepped(self.instance.id, self.position, self.iterations)
            self.cluster.tell(self, "on_stepped", fact)

    def see_epoch(self) -> None:
        """Other priorities, every so many iterations."""
        given = self.cluster.settings.priorities
        if given is not None and self.iterations % given.every_iterations == 0:
            self.epoch = self.iterations // given.every_iterations
            for request in self.waiting:
                request.key = self.scheduler.order(self.cluster.views.request(request))
            self.sort()
            self.changed()
            self.cluster.write(self.instance.id, log.PRIORITIES, -1, self.epoch)
            self.cluster.tell(self, "on_priority_changed", PriorityChanged(self.epoch))

    # -- setting off ------------------------------------------------------------------------------------------------

    def set_off(self) -> None:
        """The iteration starts: at its boundary, or when the copies that began there have ended."""
        cluster, instance = self.cluster, self.instance
        since = self.stalls_since - 1 if self.stalls_since else self.started
        self.stalls_since = 0
        cluster.counters["swap_stall_ps"] += cluster.now - since
        first: int = cluster.settings.cost.line(self.shape())[0]
        if instance.slowness != 1000:
            first = first * instance.slowness // 1000
        self.event = cluster.at(cluster.now + first, "lanes", self.index, self.boundary)

    def shape(self) -> Shape:
        decoding = [request.computed + 1 for request, _ in self.plan if not request.prefilling]
        chunks = [(tokens, request.computed) for request, tokens in self.plan if request.prefilling]
        return Shape(len(decoding), sum(decoding), max(decoding, default=0), chunks, self.share())

    def share(self) -> int:
        split: tuple[int, int] | None = self.instance.split
        if split is None:
            return 100
        own = split[self.position]
        other = self.instance.lanes[1 - self.position]
        if self.cluster.mechanisms.contention == "normalise" and other.busy and sum(split) > 100:
            return max(1, own * 100 // sum(split))
        return own

    def tell_what_changed(self) -> None:
        """The boundary is over: write down and tell what it changed, and see who else may go on."""
        cluster, instance = self.cluster, self.instance
        later, self.later = self.later, []
        for tell in later:
            tell()
        if not self.busy:
            firsts, self.late = self.late, []
            self.tell_firsts(firsts)
        if not instance.works:
            return
        for lane in instance.lanes:
            stopped = lane.position == 1 and not self.busy
            if lane is not self and (self.freed or stopped) and (lane.waiting or lane.running):
                lane.wake()
        if self.barred and not self.busy and not self.running and self.waiting:
            self.whole_only = True
            self.wake()
        idle = not self.busy and not self.running and self.event is None
        if idle and self.waiting and not self.told_blocked and instance.is_stuck:
            self.told_blocked = True
            head = self.waiting[0]
            cluster.write(instance.id, log.BLOCKED, head.id, -1)
            cluster.tell(self, "on_blocked", Blocked(instance.id, self.position, head.id))
        instance.see_if_empty()
