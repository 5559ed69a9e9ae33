"""Llumnix's local half: vLLM with urgent requests first, blocks kept in reserve, and the choice of who moves away.

Source: Sun et al., OSDI 2024 (arXiv:2406.03243, section 4.4.3); its artifact (AlibabaPAI/llumnix at commit 92f6f9d,
`vllm/core/scheduler.py`, `get_migrating_seq_groups`; `vllm/core/block_manager.py`, `can_allocate`).

Decides:  the order of the queue, who yields, how many blocks admission leaves free, which request migrates.
Leaves:   where it migrates to and when to the router (`llumnix`).
Differs:  prompts share iterations with decodes, where the artifact's vLLM 0.1 lets the decodes sit out; it puts an
          urgent request before the last that waits, here it goes before all that are less urgent.
"""

from typing import Literal, get_args

from simcore.contract import Admit, LaneView, RequestId, RequestView, Scheduler

Migrant = Literal["shortest", "longest", "last"]


class LlumnixScheduler(Scheduler):
    """Args:
    priorities: False: all requests are equal, whatever their priority.
    migrant: of the decoding requests the least urgent move first, and of these the one with the fewest tokens
        ("shortest": the paper; SJF in the artifact), with the most ("longest": LJF), or the last admitted ("last":
        LCFS, the artifact's default).
    keep_urgent: True: those with a priority below 0 are never picked, as in the artifact; False: they are the last.
    watermark: share of the KV blocks, 0..1, that admission leaves free while anything runs.
    """

    def __init__(
        self,
        *,
        max_num_batched_tokens: int = 2048,
        max_num_seqs: int = 256,
        priorities: bool = True,
        migrant: Migrant = "shortest",
        keep_urgent: bool = True,
        watermark: float = 0.01,
    ) -> None:
        super().__init__(max_num_batched_tokens=max_num_batched_tokens, max_num_seqs=max_num_seqs)
        if migrant not in get_args(Migrant):
            raise ValueError(f"migrant must be one of {', '.join(get_args(Migrant))}, got {migrant!r}")
        if not 0 <= watermark < 1:
            raise ValueError(f"watermark must be >= 0 and < 1, got {watermark}")
        self.priorities = priorities
        self.migrant = migrant
        self.keep_urgent = keep_urgent
        self.watermark = watermark

    def order(self, request: RequestView) -> tuple[int, float]:
        return self.priority(request), request.arrival_s

    def admit(self, view: LaneView, request: RequestView) -> Admit:
        blocks = -(-(request.prompt_tokens + request.output_tokens) // view.block_tokens) - request.kv_blocks
        fits = view.free_blocks - blocks >= int(self.watermark * view.kv_blocks)
        return "yes" if fits or not view.running else "hold"

    def victim(self, view: LaneView) -> RequestId:
        requests = view.requests
        return max(view.running, key=lambda r: (self.priority(requests[r]), requests[r].arrival_s, r))

    def pick_migrant(self, view: LaneView) -> RequestId | None:
        running = [view.requests[request] for request in view.running]
        able = [request for request in running if request.output_tokens and not self.keeps(request)]
        if not able:
            return None
        least_urgent = max(self.priority(request) for request in able)
        able = [request for request in able if self.priority(request) == least_urgent]
        if self.migrant == "last":
            return able[-1].id
        choose = min if self.migrant == "shortest" else max
        return choose(able, key=lambda request: request.prompt_tokens + request.output_tokens).id

    def keeps(self, request: RequestView) -> bool:
        return self.keep_urgent and self.priority(request) < 0

    def priority(self, request: RequestView) -> int:
        return request.priority if self.priorities else 0
