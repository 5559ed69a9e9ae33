"""mini-SWE-agent: a table of the model calls of agent runs (github.com/SWE-agent/mini-swe-agent), one row a call.

`created` is when the answer was there, in whole seconds: from one to the next a command ran and the model answered,
and nothing tells the two apart. The gap is all of it, an upper bound of the command's time: to take a model time off
that nobody measured would make one up. A run starts at its first answer.
"""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from traces.conversations import history, table
from traces.conversations.conversation import Conversation, Fault, Found
from traces.conversations.grouping import Row, conversations
from traces.conversations.lines import Lines
from traces.conversations.table import Table

COLUMNS = ("instance_id", "step", "created", "prompt_tokens", "completion_tokens")
_TELLING = ("instance_id", "created", "prompt_tokens", "cached_tokens", "observation_chars")
_MOST_STEPS = 10**9


class MiniSweAgent:
    """`ConversationFormat` of the table of calls."""

    name = "mini_swe_agent"
    layout = f"CSV with {', '.join(COLUMNS)}"
    knows_prompts = True
    knows_starts = True
    has_header = True

    def recognises(self, first_line: str) -> bool:
        return table.recognised(first_line, _TELLING)

    def check_header(self, line: str) -> None:
        table.check_names(line, COLUMNS)

    def read(self, path: Path, header: str | None, lines: Lines) -> Iterator[Found]:
        assert header is not None
        calls = Table(COLUMNS, header)
        at = calls.at["instance_id"]

        def run(rows: list[Row], faults: list[Fault]) -> Conversation:
            steps = calls.whole(rows, "step", faults, 0, _MOST_STEPS)
            calls.rising(rows, "step", steps, faults, equal=False)
            created_ps = calls.dates(rows, "created", faults)
            calls.rising(rows, "created", created_ps, faults, equal=True)
            prompts = calls.tokens(rows, "prompt_tokens", faults)
            outputs, empty = history.at_least_one(calls.tokens(rows, "completion_tokens", faults, least=0))
            return Conversation(
                outputs,
                prompts,
                gap_ps=[0, *(later - before for before, later in pairwise(created_ps))],
                tools=["bash"] * len(rows),
                streams=history.streams(prompts),
                start_ps=created_ps[0],
                empty_answers=empty,
            )

        yield from conversations(calls.rows(lines, lambda cells: cells[at]), "instance_id", run)
