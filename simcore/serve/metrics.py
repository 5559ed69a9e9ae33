"""Metrics: the state of the run in Prometheus' text format, by the names that vLLM has for the same things."""

from simcore.contract import to_s
from simcore.serve.gateway import Gateway
from simcore.simulator.served import Served


async def metrics_text(gateway: Gateway, model: str) -> str:
    """Return gauges of each instance (`engine`), and counts of all calls."""
    rows, late_s = await gateway.read(_state)
    of_model = f'model_name="{model}"'
    lines = []
    for index, (name, kind, says) in enumerate(_OF_INSTANCES):
        lines += [f"# HELP {name} {says}", f"# TYPE {name} {kind}"]
        lines += [f'{name}{{{of_model},engine="{engine}"}} {row[index]:g}' for engine, row in enumerate(rows)]
    for name, total in gateway.totals().items():
        lines += [f"# TYPE vllm:{name}_total counter", f"vllm:{name}_total{{{of_model}}} {total}"]
    lines += ["# HELP simcore:late_seconds How late the run was at most.", "# TYPE simcore:late_seconds gauge"]
    lines += [f"simcore:late_seconds{{{of_model}}} {late_s:g}", "# TYPE vllm:request_success_total counter"]
    ends = sorted(gateway.ends.items())
    lines += [f'vllm:request_success_total{{{of_model},finished_reason="{end}"}} {count}' for end, count in ends]
    return "\n".join(lines) + "\n"


_OF_INSTANCES = (
    ("vllm:num_requests_running", "gauge", "Requests in the batch."),
    ("vllm:num_requests_waiting", "gauge", "Requests in the queue."),
    ("vllm:kv_cache_usage_perc", "gauge", "Share of the KV blocks that are not free, 0 to 1."),
    ("vllm:num_preemptions_total", "counter", "Requests that lost their place."),
)


def _state(served: Served) -> tuple[list[tuple[float, ...]], float]:
    rows: list[tuple[float, ...]] = [
        (
            sum(len(lane.running) for lane in instance.lanes),
            instance.waiting,
            1 - instance.free_blocks / instance.pool.total,
            sum(lane.preemptions for lane in instance.lanes),
        )
        for instance in served.instances
    ]
    return rows, to_s(served.clock.late_ps)
