"""vLLM V1: continuous batching with chunked prefill, first come, first served.

Source: `vllm/v1/core/sched/scheduler.py` (vLLM 0.19): running requests first, then waiting ones in order of
arrival under a token budget; a prompt that does not fit the budget is cut into chunks; when KV blocks run
out the newest request is preempted and computed again later; nobody is admitted in a step that preempted.

Decides:  nothing beyond the defaults of every scheduler.
Leaves:   where requests go to the router.
Differs:  prefix caching, speculative decoding and encoder budgets are not here.
"""

from simcore.contract import Scheduler


class VllmV1(Scheduler):
    """The default scheduler: each answer it gives is the one inherited."""
