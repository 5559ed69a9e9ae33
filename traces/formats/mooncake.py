"""Mooncake: JSON lines with the hash ids of a prompt's blocks, as traces of prefix caches are published.

One object a line: `timestamp`, `input_length`, `output_length` (tokens), `hash_ids`: one id per block of the prompt,
the last one possibly partial, chained, so that equal leading ids are a shared prefix. They become the segments of the
prompt's head, as they are; without ids prompts share nothing. Three formats write that:

- `mooncake` (github.com/kvcache-ai/Mooncake, FAST 2025): milliseconds, blocks of 512 tokens.
- `timed_trace` (`vllm bench serve --dataset-name timed_trace`): seconds, blocks of 16, as vLLM's defaults are.
- `bailian` (github.com/alibaba-edu/qwen-bailian-usagetraces-anon): the same, with `chat_id, parent_chat_id, type,
  turn`, which are read past: a row's prompt holds its conversation so far, and its ids find that in the cache.
"""

from traces.formats.base import Fields
from traces.formats.json_format import BlockFormat, JsonFormat

BLOCK_TOKENS = 512
"""Of Mooncake's own traces."""
_FIELDS = Fields("timestamp", "input_length", "output_length")
_IDS = Fields(hash_ids="hash_ids")

MOONCAKE = BlockFormat("mooncake", _FIELDS, "ms", BLOCK_TOKENS, _IDS)
TIMED_TRACE = BlockFormat("timed_trace", _FIELDS, "s", 16, _IDS)
BAILIAN = JsonFormat("bailian", _FIELDS, "s", 16, _IDS, signs=("chat_id", "parent_chat_id", "turn"))
