"""Length tables: CSV files with token counts and no times, as datasets are published for simulators and papers.

- `vidur` (github.com/microsoft/vidur, data/processed_traces): `num_prefill_tokens,num_decode_tokens,...`, in some
  files with `arrived_at` in seconds.
- `apex` (github.com/microsoft/apex_plus, traces): `ContextTokens,GeneratedTokens,RequestID,TotalTokens,
  StartTimeOffset`, the last in nanoseconds: it does have times.
- `vicuna` (github.com/James-QiuHaoran/LLM-serving-with-proxy-models): `output_token_length` and columns about its
  prediction; no prompts.
- `lengths`: two columns of token counts under one of the names that benchmarks use.
"""

from collections.abc import Container
from dataclasses import dataclass

from traces.clock import TimeUnit
from traces.formats.base import BadRow, Fields
from traces.formats.csv_format import CsvFormat
from traces.formats.csv_table import CsvTable
from traces.formats.header import cells_of, column_of

VIDUR = CsvFormat(
    "vidur",
    Fields(prompt_tokens="num_prefill_tokens", output_tokens="num_decode_tokens"),
    optional=Fields(arrival="arrived_at", total_tokens="num_total_tokens"),
)
APEX = CsvFormat(
    "apex",
    Fields("StartTimeOffset", "ContextTokens", "GeneratedTokens"),
    time_unit="ns",
    optional=Fields(total_tokens="TotalTokens"),
)
VICUNA = CsvFormat("vicuna", Fields(output_tokens="output_token_length"))

PAIRS = (
    ("prompt_len", "output_len"),
    ("prompt_length", "output_length"),
    ("prompt_tokens", "output_tokens"),
    ("prompt_tokens", "completion_tokens"),
    ("input_len", "output_len"),
    ("input_length", "output_length"),
    ("input_tokens", "output_tokens"),
)
"""The names under which benchmarks write the lengths of prompt and output."""
_LIKE_A_TIME = ("time", "arriv", "stamp")


def pair_in(names: Container[str]) -> tuple[str, str] | None:
    """Return the pair of columns that hold the lengths, if one is among `names`."""
    return next(((prompt, output) for prompt, output in PAIRS if prompt in names and output in names), None)


def like_a_time(name: str, prompt: str, output: str) -> str | None:
    """Return what to do about a column beside a pair of lengths if it looks like a time."""
    if not any(part in name.lower() for part in _LIKE_A_TIME):
        return None
    lengths = f"prompt_tokens: {prompt}, output_tokens: {output}"
    return f"{name!r} looks like a time; say columns: {{arrival: {name}, {lengths}}}, without arrival if it is none"


@dataclass(frozen=True)
class LengthTable:
    """`traces.formats.base.Format` of two columns of lengths; what looks like a time is not read past in silence."""

    name: str = "lengths"
    layout: str = "CSV with two columns of token counts, as prompt_len,output_len or input_tokens,output_tokens"
    time_unit: TimeUnit = "s"

    def resembles(self, first_line: str) -> float:
        """Return 0.8 for a header with a pair of lengths: a format that has more of the header comes first."""
        return 0.8 if pair_in(_header(first_line)) else 0.0

    def table(self, first_line: str, block_tokens: int | None) -> CsvTable:
        """Return how to read a file with this header; BadRow if it has a column of times."""
        header = _header(first_line)
        prompt, output = pair_in(header) or ("", "")
        for index, cell in enumerate(header):
            if advice := like_a_time(cell, prompt, output):
                raise BadRow([(column_of(first_line, index), advice)])
        return CsvTable(Fields(prompt_tokens=prompt, output_tokens=output), header, block_tokens)


def _header(line: str) -> list[str]:
    return [cell.strip() for cell in cells_of(line)]


LENGTHS = LengthTable()
