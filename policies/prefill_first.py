"""Prefill first: whole prompts alone as long as any waits and fits, otherwise decodes alone.

Source: vLLM V0 without chunked prefill (`vllm/core/scheduler.py`, `_schedule_default`; `vllm/core/block_manager.py`,
watermark): the running decodes sit out while prompts are computed, and when KV runs out the newest is computed again.

Decides:  every iteration.
Leaves:   where requests go to the router.
Differs:  a prompt longer than the budget is computed alone, in chunks, and one that leaves less than the watermark
          runs once nothing else does: vLLM V0 ignores both. A decode needs a free block when its last is full; there,
          always.
"""

from simcore.contract import Batch, LaneView, RequestView, Scheduler


class PrefillFirst(Scheduler):
    """Args:
    max_num_batched_tokens: prompt tokens one iteration may compute; vLLM V0 takes the model's longest context.
    max_num_seqs: requests that may run at once.
    watermark: share of the KV blocks, 0..1, that admission leaves free while anything runs.
    """

    def __init__(self, *, max_num_batched_tokens: int = 2048, max_num_seqs: int = 256, watermark: float = 0.01) -> None:
        super().__init__(max_num_batched_tokens=max_num_batched_tokens, max_num_seqs=max_num_seqs)
        if not 0 <= watermark < 1:
            raise ValueError(f"watermark must be >= 0 and < 1, got {watermark}")
        self.watermark = watermark

    def batch(self, view: LaneView) -> Batch:
        running = [view.requests[request] for request in view.running]
        long = [request for request in running if not decodes(request)]
        prefills = [(request.id, self.chunk(request)) for request in long] or self.admit_prompts(view)
        return Batch((), prefills) if prefills else decode_all(view, running)

    def chunk(self, request: RequestView) -> int:
        return min(tokens_left(request), self.max_num_batched_tokens)

    def admit_prompts(self, view: LaneView) -> list[tuple[int, int]]:
        """Return the first prompts of the queue that fit together, (request, tokens)."""
        prefills: list[tuple[int, int]] = []
        budget = self.max_num_batched_tokens
        room = view.free_blocks - (int(self.watermark * view.kv_blocks) if view.running else 0)
        for waiting in view.waiting[: self.max_num_seqs - len(view.running)]:
            request = view.requests[waiting]
            room -= blocks_due(view, request, tokens_left(request))
            if room < 0 or (prefills and tokens_left(request) > budget):
                break
            prefills.append((request.id, self.chunk(request)))
            budget -= self.chunk(request)
        return prefills


def decode_all(view: LaneView, running: list[RequestView]) -> Batch:
    """Return an iteration of all decodes; as long as KV lacks for them, the newest yields."""
    staying, preempt = list(running), list[int]()
    lacking = sum(blocks_due(view, request, 1) for request in staying) - view.free_blocks
    while lacking > 0:
        newest = staying.pop()
        preempt.append(newest.id)
        lacking -= blocks_due(view, newest, 1) + newest.kv_blocks
    return Batch([request.id for request in staying], (), preempt)


def decodes(request: RequestView) -> bool:
    return request.output_tokens > 0 and tokens_left(request) == 1


def tokens_left(request: RequestView) -> int:
    return request.prompt_tokens + request.output_tokens - request.computed_tokens


def blocks_due(view: LaneView, request: RequestView, tokens: int) -> int:
    """Return the KV blocks a request needs to compute so many tokens more."""
    return -(-(request.computed_tokens + tokens) // view.block_tokens) - request.kv_blocks
