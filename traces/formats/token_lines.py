"""Token lines: JSON lines with the lengths, or the tokens, of a prompt and its answer, and no times.

- `custom` (`vllm bench serve --dataset-name custom`): `prompt`, a list of token ids, and `output_tokens`, a number.
  Text is refused: there is no tokenizer here.
- `token_lines`: a pair of lengths under one of the names that benchmarks use (`traces.formats.length_tables`).
"""

from dataclasses import dataclass

from traces.clock import TimeUnit
from traces.formats.base import BadRow, Fields
from traces.formats.json_format import JsonFormat, first_object
from traces.formats.json_table import JsonTable
from traces.formats.length_tables import like_a_time, pair_in

CUSTOM = JsonFormat("custom", Fields(prompt_tokens="prompt"), optional=Fields(output_tokens="output_tokens"))


@dataclass(frozen=True)
class TokenLines:
    """`traces.formats.base.Format` of two lengths a line; what looks like a time is not read past in silence."""

    name: str = "token_lines"
    layout: str = "JSON lines with two token counts, as prompt_len and output_len or input_tokens and output_tokens"
    time_unit: TimeUnit = "s"

    def resembles(self, first_line: str) -> float:
        """Return 0.8 for a row with a pair of lengths: a format that has more of the row comes first."""
        return 0.8 if pair_in(first_object(first_line)) else 0.0

    def table(self, first_line: str, block_tokens: int | None) -> JsonTable:
        """Return how to read a file with this first row; BadRow if it has a time."""
        row = first_object(first_line)
        prompt, output = pair_in(row) or ("", "")
        for key in row:
            if advice := like_a_time(key, prompt, output):
                raise BadRow([(first_line.find(f'"{key}"') + 1, advice)])
        return JsonTable(Fields(prompt_tokens=prompt, output_tokens=output))


TOKEN_LINES = TokenLines()
