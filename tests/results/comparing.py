"""What the tests of comparisons share: five requests, and two results side by side."""

import io
from pathlib import Path

from rich.console import Console

from simcore.results.compare import Comparison, Difference, compare
from simcore.results.compare_source import choose, open_source
from simcore.results.compare_table import print_comparison
from tests.results.vllm_formulas import Served

FIVE = [Served(index / 10, 50, 0.1 + index / 100, [0.02, 0.03]) for index in range(5)]
LATER = [Served(each.start_s, each.prompt_tokens, 1.1 * each.ttft_s, each.itl_s) for each in FIVE]


def compared(a: Path, b: Path, *systems: str, seed: int | None = None, **at: str) -> Comparison:
    return compare(*choose([open_source(a), open_source(b)], systems, at, seed))


def by_name(comparison: Comparison) -> dict[str, Difference]:
    (pair,) = comparison.pairs
    return {each.metric: each for each in pair.metrics}


def printed(comparison: Comparison) -> str:
    stream = io.StringIO()
    print_comparison(comparison, Console(file=stream, width=120))
    return stream.getvalue()
