"""Transformers step: decode steps of transformers' own continuous batching, on the same model, batches and contexts."""

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from statistics import median
from typing import Any

import torch

from realbackend.gpu_checks.decode_step import DRY, REAL, Size
from realbackend.gpu_checks.findings import Findings, Skipped
from realbackend.gpu_checks.slices import Setting
from realbackend.model.shape import PRESETS, ModelShape, read_shape


def beside(findings: Findings, setting: Setting) -> None:
    """Time decode steps of transformers."""
    size, device = (DRY, "cpu") if setting.dry_run else (REAL, "cuda")

    @cache
    def model() -> Any:
        return _model(size, device)

    for batch in size.batches:
        findings.part(f"batch {batch}", partial(_step, model, batch, size))


def _model(size: Size, device: str) -> Any:
    """Return a model of transformers of the same shape, with weights as they are drawn there."""
    try:
        from transformers import AutoModelForCausalLM, LlamaConfig
    except ImportError as error:
        raise Skipped(f"transformers cannot be imported: {error}") from None
    name = size.weights.removeprefix("random:")
    config = LlamaConfig(**_keys(PRESETS[name] if name in PRESETS else read_shape(Path(name))))
    with torch.device(device):
        return AutoModelForCausalLM.from_config(config, dtype=size.dtype).eval()


def _keys(shape: ModelShape) -> dict[str, Any]:
    return {
        "vocab_size": shape.vocabulary,
        "hidden_size": shape.hidden,
        "intermediate_size": shape.intermediate,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "head_dim": shape.head_dim,
        "max_position_embeddings": shape.positions,
        "tie_word_embeddings": shape.tied,
    }


def _step(model: Callable[[], Any], batch: int, size: Size) -> dict[str, Any]:
    from transformers import GenerationConfig

    made = model()
    generator = torch.Generator().manual_seed(0)
    prompts = torch.randint(0, made.config.vocab_size, (batch, size.context), generator=generator).tolist()
    how = GenerationConfig(max_new_tokens=size.steps + 1, do_sample=False, eos_token_id=-1, pad_token_id=0)
    outputs = made.generate_batch(inputs=prompts, generation_config=how, record_timestamps=True).values()
    failures = [output.error for output in outputs if output.error]
    if failures or len(outputs) < batch:
        raise RuntimeError(f"{len(outputs)} of {batch} requests came back: {failures[:1]}")
    # All prompts are through when the last request has its first token; from there on there are decodes alone.
    begin = max(output.timestamps[0] for output in outputs)
    gaps = [
        (later - earlier) * 1e3
        for output in outputs
        for earlier, later in zip(output.timestamps, output.timestamps[1:], strict=False)
        if earlier >= begin
    ]
    if not gaps:
        raise Skipped("no step had all requests in it")
    return {"step_ms": round(median(gaps), 4), "gaps": len(gaps)}
