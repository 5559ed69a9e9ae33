"""Whole batches: a lane whose scheduler chooses every iteration itself; slow, one iteration at a time, and right.

Whatever is not affine in the iteration counter runs here: requests that sit out an iteration, suspended
prefills, more than one partial prefill.
"""

from simcore.books.lane import Lane
from simcore.books.request import RUNNING, WAITING, Request
from simcore.contract import Batch, IllegalAction


class WholeBatchLane(Lane):
    """A lane that is told its batches. Each running request carries its own state; a decode is a chunk of one."""

    __slots__ = ()

    steady = False

    def choose(self) -> Batch:
        """Return the next iteration; the driver asks the scheduler."""
        raise AssertionError("the driver of a lane answers this")

    def find(self, request_id: int) -> Request | None:
        """Return the live request of that id."""
        raise AssertionError("the driver of a lane answers this")

    def schedule(self, now: int) -> bool:
        """Book the batch the scheduler chose; return whether there is one.

        Raises IllegalAction if it does not fit the token budget, the free KV or the state of a request.
        """
        self.preempted.clear()
        self.admitted.clear()
        if not self.running and not self.waiting:
            return False
        batch = self.choose()
        for victim in batch.preempt:
            request = self.find(victim)
            if request is None or request not in self.running:
                raise IllegalAction(
                    f"batch: request {victim} is not running on instance {self.index}, put under preempt"
                )
            self.preempt(request, now)
        work = [(self._member(r, "decode", 1), 1) for r in batch.decodes]
        work += [(self._member(r, "prefill", new), new) for r, new in batch.prefills]
        self._check_fit(work)
        shape = self.shape
        shape.decodes = len(batch.decodes)
        shape.context = sum(request.computed + 1 for request, _ in work[: shape.decodes])
        shape.chunks = []
        for position, (request, new) in enumerate(work):
            if request.state == WAITING:
                self.waiting.remove(request)
                self._start(request, new, now)
                continue
            self._grow(request, request.computed + new)
            self.chunks.append((request, new))
            if position >= shape.decodes:
                shape.chunks.append((new, request.computed))
        self.partial = None
        return bool(work)

    def _member(self, request_id: int, what: str, new: int) -> Request:
        request = self.find(request_id)
        if request is None or request.lane != self.index or request.state not in (WAITING, RUNNING):
            raise IllegalAction(f"batch: request {request_id} is neither waiting nor running on instance {self.index}")
        left = request.prompt + request.generated - request.computed
        decoding = request.state == RUNNING and request.generated > 0 and left == 1
        if (what == "decode") != decoding:
            raise IllegalAction(
                f"batch: request {request_id} is{'' if decoding else ' not'} decoding, put under {what}s"
            )
        if not 1 <= new <= left:
            raise IllegalAction(f"batch: request {request_id} has {left} tokens to prefill, got {new}")
        return request

    def _check_fit(self, work: list[tuple[Request, int]]) -> None:
        if len({request.id for request, _ in work}) < len(work):
            raise IllegalAction("batch: a request stands in it twice")
        tokens = sum(new for _, new in work)
        if tokens > self.budget:
            raise IllegalAction(f"batch: at most max_num_batched_tokens ({self.budget}) tokens, got {tokens}")
        joining = [request.id for request, _ in work if request.state == WAITING]
        if self.preempted and joining:
            raise IllegalAction(f"batch: admits {joining} in an iteration that preempts")
        running = len(self.running) + len(joining)
        if running > self.max_seqs:
            raise IllegalAction(f"batch: at most max_num_seqs ({self.max_seqs}) may run, got {running}")
        need = sum(self.pool.blocks_for(request.computed + new) - request.blocks for request, new in work)
        if need > self.pool.free:
            raise IllegalAction(f"batch: needs {need} KV blocks, {self.pool.free} are free")

    def decode_on(self, request: Request, now: int) -> None:
        """It goes on when the scheduler says so; until then its last token waits."""
        request.last_ps = now

    def horizon(self, free: int) -> int:
        """Return 1: the scheduler is asked at every boundary."""
        return 1

    def context_after(self, iterations: int) -> int:
        """Return the tokens in the KV cache; nothing changes in the middle of an iteration."""
        return sum(request.computed for request in self.running)
