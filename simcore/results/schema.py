"""Schema: the columns of every result file, with units; a null says "did not happen".

The same files come from the simulator and from the real engine, and calibration reads the iteration log, so names
and units here are fixed. A row that reaches a `Sink` has the columns of its file in this order, as integers, with -1
for a null; derived columns follow.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

State = Literal["finished", "rejected", "cancelled", "unfinished", "failed"]
STATES: tuple[State, ...] = get_args(State)
"""What became of a request; its code in a row is the index here."""

Health = Literal["STABLE", "BACKLOGGED", "OVERLOADED"]
HEALTHS: tuple[Health, ...] = get_args(Health)
"""What became of a whole run, the worst last; the rules are in `simcore.results.state`."""

SLO_KEYS = ("ttft_ms", "tpot_ms", "e2el_ms")
"""What an SLO may bound, in milliseconds, per request, `<=`."""

Kind = Literal["int", "float", "name", "ints"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column: `kind` is int (int64), float (float64), name (dictionary of strings) or ints (list of int64)."""

    name: str
    kind: Kind
    meaning: str


IDENTITY = (
    Column("system", "name", "name of the system in the study"),
    Column("seed", "int", "seed of the run"),
    Column("point", "name", "JSON text of the sweep point, keys sorted"),
)
"""Put before the columns of each file when the cells of a study are assembled."""

REQUEST_ROW = (
    Column("request", "int", "row number in the workload"),
    Column("request_class", "name", "name of its class"),
    Column("instance", "int", "instance that held it last"),
    Column("state", "name", "finished, rejected, cancelled, unfinished or failed"),
    Column("arrival_ps", "int", "date of arrival, picoseconds since the start of the workload"),
    Column("scheduled_ps", "int", "date of the first admission to a batch"),
    Column("first_token_ps", "int", "date of the first output token"),
    Column("finished_ps", "int", "date it left: last token, cancelled, failed, turned away; null if too long"),
    Column("prompt_tokens", "int", "tokens of the prompt"),
    Column("output_tokens", "int", "tokens generated, the first included"),
    Column("preemptions", "int", "times it lost its place in a batch"),
    Column("cached_tokens", "int", "tokens of its prompt that a prefix cache held when it was first admitted"),
    Column("program", "int", "session or program it is a turn of"),
    Column("turn", "int", "number of the turn in its program, from 0"),
)

REQUESTS = (
    *REQUEST_ROW,
    Column("ttft_s", "float", "first_token - arrival, seconds"),
    Column("tpot_s", "float", "(finished - first_token) / (output_tokens - 1) of the finished; null below two tokens"),
    Column("e2el_s", "float", "finished - arrival of the finished, seconds"),
    Column("queue_s", "float", "scheduled - arrival, seconds"),
)
"""`requests.parquet`: one row per request, in order of completion within a run."""

INSTANCES = (
    Column("at_s", "float", "date of the sample, seconds since the start of the workload"),
    Column("instance", "int", "instance"),
    Column("running", "int", "requests in the batch"),
    Column("waiting", "int", "requests waiting for a place in it"),
    Column("used_blocks", "int", "KV blocks in use"),
    Column("kv_blocks", "int", "KV blocks of the pool"),
    Column("context_tokens", "int", "tokens held by running requests"),
)
"""`instances.parquet`: the time series, one row per instance and sample. In a row the date is in picoseconds."""

ITERATIONS = (
    Column("instance", "int", "instance"),
    Column("lane", "int", "lane of the instance"),
    Column("iteration", "int", "iterations the lane had completed before this row"),
    Column("start_ps", "int", "date its first iteration started, picoseconds"),
    Column("iterations", "int", "iterations this row stands for, >= 1; 1 always on the real engine"),
    Column("first_ps", "int", "duration of the first of them, picoseconds"),
    Column("increment_ps", "int", "each further one takes this much more, picoseconds"),
    Column("decodes", "int", "requests that process one token each"),
    Column("context", "int", "tokens their attention reads in the first iteration, own new token included"),
    Column("longest", "int", "the longest of those contexts, tokens; 0 where the cost model does not ask"),
    Column("sm_pct", "int", "share of the SMs the lane may use, 1..100"),
    Column("chunk_new", "ints", "per prefill chunk: tokens processed in each iteration"),
    Column("chunk_before", "ints", "per prefill chunk: tokens of that request processed before the first iteration"),
)
"""`iterations.parquet`, the iteration log. Iteration j of a row (from 0) takes `first_ps + j * increment_ps`; its
shape has `context + j * decodes`, `longest + j` and `chunk_before + j * chunk_new` (`simcore.contract.Shape`)."""

DECISIONS = (
    Column("at_ps", "int", "date, picoseconds since the start of the workload"),
    Column("instance", "int", "instance concerned, -1 if none"),
    Column("kind", "int", "index into `simcore.contract.decisions.KINDS`"),
    Column("request", "int", "request concerned, -1 if none"),
    Column("detail", "int", "what the kind says it is, -1 if nothing"),
)
"""`decisions.parquet`: facts and actions as integers, in order; -1 stays -1, so that logs compare as they are."""

ROLLOUT_ROW = (
    Column("step", "int", "number of the training step, from 0"),
    Column("opened_ps", "int", "date the trainer began to wait for groups, picoseconds"),
    Column("stopped_ps", "int", "date the first sample was stopped; that of the training if none was"),
    Column("train_ps", "int", "date training began"),
    Column("trained_ps", "int", "date it ended"),
    Column("closed_ps", "int", "date the weights were out, and the next step could begin"),
    Column("submitted", "int", "groups begun in this step"),
    Column("trained", "int", "groups trained on"),
    Column("rejected", "int", "groups the filter turned away"),
    Column("discarded", "int", "groups given up"),
    Column("failed", "int", "groups of which a sample was lost, or could not be scored"),
    Column("buffered_groups", "int", "groups left for later when training began"),
    Column("samples", "int", "samples trained on"),
    Column("resumed_samples", "int", "samples that went on in this step"),
    Column("dropped_samples", "int", "samples stopped for good"),
    Column("prompt_tokens", "int", "of the samples trained on, each with its prompt"),
    Column("response_tokens", "int", "of the samples trained on"),
    Column("generated_tokens", "int", "generated between the end of the step before and that of this one"),
    Column("resumed_tokens", "int", "prompt and response of resumed samples, which are prefilled again"),
    Column("off_policy_tokens", "int", "of the response tokens, those of older weights than the trainer had"),
    Column("dropped_tokens", "int", "of samples stopped for good"),
    Column("drawn_samples", "int", "samples begun in this step"),
    Column("drawn_tokens", "int", "tokens they will have"),
    Column("truncated", "int", "samples trained on that the length cap stopped"),
    Column("longest_tokens", "int", "of the samples trained on, the longest"),
    Column("max_lag", "int", "training steps between the oldest token trained on and the trainer"),
    Column("max_versions", "int", "most weight versions in one sample trained on"),
    Column("sample_versions", "int", "weight versions of the samples trained on, summed"),
    *(Column(f"versions_{n}", "int", f"samples trained on with {n} weight versions") for n in range(1, 6)),
    Column("versions_6", "int", "samples trained on with 6 weight versions or more"),
    Column("reward_milli", "int", "rewards of the samples trained on, summed, in thousandths"),
    Column("idle_tail_ps", "int", "time instances stood idle, summed: while others generated"),
    Column("idle_drain_ps", "int", "while samples were stopped"),
    Column("idle_train_ps", "int", "while the trainer trained"),
    Column("idle_sync_ps", "int", "while weights were on their way"),
)
"""`rollouts.parquet`: one row per training step, where a study has `rollout`. Dates, idle time: picoseconds."""

LESSONS = (
    Column("trained", "int", "training steps so far"),
    Column("accuracy", "float", "share of the held-out prompts answered right; null where it was not measured"),
    Column("reward", "float", "mean over the samples scored since the row before, those of rejected groups too"),
    Column("scored", "int", "how many these are"),
    Column("virtual_s", "float", "date the groups of the last step were complete, seconds of the cluster's clock"),
    Column("cpu_s", "float", "CPU time since the run began, seconds"),
    Column("step_reward", "float", "mean over the samples trained on in the last step"),
    Column("step_samples", "int", "samples trained on"),
    Column("step_tokens", "int", "tokens of their responses"),
    Column("step_stale_tokens", "int", "of these, generated by older weights than those of the step"),
    Column("step_stale_shift", "float", "mean distance of their log-probability now from that when they were drawn"),
    Column("step_fresh_shift", "float", "the same of the other tokens: the distance of the trainer from the engine"),
    Column("step_loss", "float", "of the last mini-batch"),
    Column("step_gradient", "float", "norm of its gradient before it was bounded"),
    Column("step_clipped", "float", "share of its tokens whose ratio was clipped"),
    Column("step_cpu_s", "float", "CPU time of the training step, seconds"),
)
"""`lessons.parquet`: one row before training and one after each training step, where a study has `real.training`."""

FILES: Mapping[str, tuple[Column, ...]] = {
    "requests": REQUESTS,
    "instances": INSTANCES,
    "iterations": ITERATIONS,
    "decisions": DECISIONS,
    "rollouts": ROLLOUT_ROW,
    "lessons": LESSONS,
}
"""Columns by file name without ".parquet", in the order the files are written."""


def arrow_schema(columns: tuple[Column, ...]) -> Any:
    """Return the `pyarrow.Schema` of these columns."""
    import pyarrow as pa

    types = {
        "int": pa.int64(),
        "float": pa.float64(),
        "name": pa.dictionary(pa.int32(), pa.string()),
        "ints": pa.list_(pa.int64()),
    }
    return pa.schema([pa.field(column.name, types[column.kind]) for column in columns])
