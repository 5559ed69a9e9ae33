"""splitwise-sim: prompt and token phases of two large models on DGX A100 and H100, whole iterations.

github.com/Mutinifni/splitwise-sim, `data/perf_model.csv`. Times are in milliseconds. Batches were measured at prompts
of 512 tokens, and long prompts alone. A prefill of several prompts takes about as long as one of as many tokens; so a
prefill is a curve by its tokens, a decode one by its batch, and its context adds what it adds to one request.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from simcore.cost.tables.columns import read_columns

if TYPE_CHECKING:
    import pandas as pd

UNITS = "prompt_time and token_time in milliseconds"
_PROMPT = 512
_GENERATED = 128
_COLUMNS = ("prompt_size", "batch_size", "token_size", "tensor_parallel")
_NAMES = {"llama-2-70b": "llama2-70b"}


def read_steps(path: Path, model: str, gpu: str) -> dict[str, "pd.DataFrame"]:
    """Return the rows of each kind of table for a model and a GPU, both by simcore's names.

    Raises ValueError when the file has none of them, with what it has.
    """
    rows = read_columns(path, _COLUMNS, "prompt_time", ("model", "hardware"))
    rows["token_time"] = read_columns(path, _COLUMNS, "token_time")["token_time"]
    wanted = (_NAMES.get(model, model), gpu if "-" in gpu else f"{gpu}-80gb")
    chosen = rows[(rows["model"] == wanted[0]) & (rows["hardware"] == wanted[1])]
    if chosen.empty:
        have = ", ".join(sorted(f"{m} on {h}" for m, h in set(zip(rows["model"], rows["hardware"], strict=True))))
        raise ValueError(f"{path}: must have rows for {wanted[0]} on {wanted[1]}; has {have}")
    named = chosen.assign(tp=chosen.tensor_parallel, batch=chosen.batch_size)
    # A phase of many tokens has half of them in its context on average, and its last one makes none.
    short = named[(named.token_size == _GENERATED)]
    context = short.prompt_size + _GENERATED // 2
    prefill = named.assign(tokens=named.batch_size * named.prompt_size, seconds=named.prompt_time / 1e3)
    decode = short.assign(context=context, seconds=short.token_time / 1e3)
    return {
        # One prompt alone where there is one: of batches only what is longer than any prompt.
        "step_prefill": prefill[(prefill.batch == 1) | (prefill.tokens > prefill.tokens[prefill.batch == 1].max())],
        "step_decode": decode[decode.prompt_size == _PROMPT],
        "step_context": decode[decode.batch == 1],
    }
