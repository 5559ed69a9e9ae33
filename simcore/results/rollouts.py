"""Rollouts: what training steps took and made, by slime's names (THUDM/slime@624b824a, `slime/observability`).

Sums over the steps that count, the first few of a run left out: a system that keeps partial responses needs some steps
until it has as many as it will have. Formulas: docs/metrics.md.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simcore.contract import PS_PER_S
from simcore.results.parquet import row_groups
from simcore.results.schema import ROLLOUT_ROW
from simcore.results.totals import Metrics

_TIMES = ("step_time", "rollout_time", "drain_time", "train_time", "update_weights_time")
_IDLE = ("tail", "drain", "train", "sync")
_RATES = ("tokens_per_gpu_per_sec", "effective_tokens_per_gpu_per_sec", "longest_sample_tokens_per_sec")
_SHARES = (
    *("truncated_ratio", "off_policy_token_share", "dropped_token_share", "resumed_token_share", "accepted_ratio"),
    *("response_len_mean", "response_len_max", "response_len_first_step", "drawn_len_mean", "raw_reward"),
    *("versions_mean", "versions_max", "lag_max", *(f"versions_{n}_share" for n in range(1, 7))),
)
NAMES = (
    *(f"perf/{name}" for name in _TIMES),
    *(f"perf/{name}" for name in _RATES),
    *("perf/trained_tokens_per_sec", "perf/train_wait_time", "perf/wait_time_ratio", "perf/bubble_ratio"),
    *(f"perf/bubble_{cause}_ratio" for cause in _IDLE),
    *(f"rollout/{name}" for name in _SHARES),
)
"""Metrics of a rollout study; other studies have none of them."""


def rollout_metrics(file: Path, *, instances: int, gpus: int, warm_up_steps: int) -> Metrics:
    """Return the metrics of the steps in a `rollouts.parquet`, those before `warm_up_steps` left out.

    Args:
        instances: whose idle time is measured.
        gpus: of all instances together.
    """
    columns = _read(file)
    first = float(columns["response_tokens"][0] / columns["samples"][0]) if len(columns["step"]) else None
    counted = columns["step"] >= warm_up_steps
    kept = {name: values[counted] for name, values in columns.items()}
    if not len(kept["step"]):
        return dict.fromkeys(NAMES)
    total = {name: int(values.sum()) for name, values in kept.items()}
    times = _times(kept)
    metrics: Metrics = {f"perf/{name}": float(seconds.mean()) for name, seconds in times.items()}
    wall_s, rollout_s = float(times["step_time"].sum()), float(times["rollout_time"].sum())
    waits_s = wall_s - float(times["train_time"].sum())
    rates = (total["generated_tokens"] / gpus, total["response_tokens"] / gpus, total["longest_tokens"])
    # A system that generates while the trainer trains may never let it wait.
    metrics |= {
        f"perf/{name}": amount / rollout_s if rollout_s else None for name, amount in zip(_RATES, rates, strict=True)
    }
    metrics |= {
        "perf/trained_tokens_per_sec": total["response_tokens"] / wall_s,
        "perf/train_wait_time": waits_s / len(kept["step"]),
        "perf/wait_time_ratio": waits_s / wall_s,
    }
    idle = {cause: total[f"idle_{cause}_ps"] / PS_PER_S / (instances * wall_s) for cause in _IDLE}
    metrics |= {"perf/bubble_ratio": sum(idle.values())}
    metrics |= {f"perf/bubble_{cause}_ratio": share for cause, share in idle.items()}
    return {**metrics, **_samples(kept, total), "rollout/response_len_first_step": first}


def _times(kept: dict[str, NDArray[np.int64]]) -> dict[str, NDArray[np.float64]]:
    """Return the seconds of each part of each step."""
    ends = {
        "step_time": ("opened_ps", "closed_ps"),
        "rollout_time": ("opened_ps", "train_ps"),
        "drain_time": ("stopped_ps", "train_ps"),
        "train_time": ("train_ps", "trained_ps"),
        "update_weights_time": ("trained_ps", "closed_ps"),
    }
    return {name: (kept[end] - kept[begin]) / PS_PER_S for name, (begin, end) in ends.items()}


def _samples(kept: dict[str, NDArray[np.int64]], total: dict[str, int]) -> Metrics:
    """Return what was trained on, and what was generated for nothing."""
    samples, tokens, generated = total["samples"], total["response_tokens"], total["generated_tokens"]
    judged = total["trained"] + total["rejected"]
    versions = {f"rollout/versions_{n}_share": total[f"versions_{n}"] / samples for n in range(1, 7)}
    return {
        "rollout/truncated_ratio": total["truncated"] / samples,
        "rollout/off_policy_token_share": total["off_policy_tokens"] / tokens,
        "rollout/dropped_token_share": total["dropped_tokens"] / generated if generated else None,
        "rollout/resumed_token_share": total["resumed_tokens"] / generated if generated else None,
        "rollout/accepted_ratio": total["trained"] / judged if judged else None,
        "rollout/response_len_mean": tokens / samples,
        "rollout/response_len_max": int(kept["longest_tokens"].max()),
        "rollout/drawn_len_mean": total["drawn_tokens"] / total["drawn_samples"] if total["drawn_samples"] else None,
        "rollout/raw_reward": total["reward_milli"] / 1000 / samples,
        "rollout/versions_mean": total["sample_versions"] / samples,
        "rollout/versions_max": int(kept["max_versions"].max()),
        "rollout/lag_max": int(kept["max_lag"].max()),
        **versions,
    }


def _read(file: Path) -> dict[str, NDArray[np.int64]]:
    groups = list(row_groups(file)) if file.exists() else []
    return {
        column.name: np.concatenate(
            [np.asarray(group.column(column.name).to_numpy(), np.int64) for group in groups] or [np.empty(0, np.int64)]
        )
        for column in ROLLOUT_ROW
    }
