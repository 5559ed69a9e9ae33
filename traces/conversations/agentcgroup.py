"""AgentCgroup: a table of the model calls of agent runs (arXiv:2602.09345), beside it one of their tool calls.

A run's later calls come `request_s` less the `response_s` above it after the call before: that is its tools' time, to
the millisecond, as the tool table says too. From that table comes which tool it was: of several, the one that ended
last. Calls of a nested agent (`sidechain` 1) are turns of the same program, with a history of their own.
"""

from collections.abc import Iterator
from pathlib import Path

from traces.conversations import history, table
from traces.conversations.conversation import Conversation, Fault, Found
from traces.conversations.grouping import Row, conversations
from traces.conversations.lines import Lines
from traces.conversations.table import Table
from traces.conversations.tool_calls import ToolCalls
from traces.formats.base import BadRow

COLUMNS = ("session", "step", "sidechain", "request_s", "response_s", "input_tokens", "output_tokens")
_TELLING = ("session", "sidechain", "request_s", "response_s", "input_tokens")
_MOST_STEPS = 10**9


class AgentCgroup:
    """`ConversationFormat` of the table of model calls."""

    name = "agentcgroup"
    layout = f"CSV with {', '.join(COLUMNS)}"
    knows_prompts = True
    knows_starts = False
    has_header = True

    def recognises(self, first_line: str) -> bool:
        return table.recognised(first_line, _TELLING) or ToolCalls.recognises(first_line)

    def check_header(self, line: str) -> None:
        if ToolCalls.recognises(line):
            raise BadRow([(1, "this is a table of tool calls: open the llm_calls file beside it")])
        table.check_names(line, COLUMNS)

    def read(self, path: Path, header: str | None, lines: Lines) -> Iterator[Found]:
        assert header is not None
        calls = Table(COLUMNS, header)
        at = calls.at["session"]
        with ToolCalls.beside(path) as tools:

            def run(rows: list[Row], faults: list[Fault]) -> Conversation:
                steps = calls.whole(rows, "step", faults, 0, _MOST_STEPS)
                calls.rising(rows, "step", steps, faults, equal=False)
                chains = calls.whole(rows, "sidechain", faults, 0, 1)
                request_ps = calls.seconds(rows, "request_s", faults)
                response_ps = calls.seconds(rows, "response_s", faults)
                prompts = calls.tokens(rows, "input_tokens", faults)
                outputs, empty = history.at_least_one(calls.tokens(rows, "output_tokens", faults, least=0))
                ended_in = tools.of(rows[0].name or "", faults)
                return Conversation(
                    outputs,
                    prompts,
                    gap_ps=_gaps(rows, request_ps, response_ps, faults),
                    tools=[ended_in.get(step, "") for step in steps],
                    streams=history.streams(prompts, chains),
                    empty_answers=empty,
                )

            yield from conversations(calls.rows(lines, lambda cells: cells[at]), "session", run)


def _gaps(rows: list[Row], request_ps: list[int], response_ps: list[int], faults: list[Fault]) -> list[int]:
    """Return the times between the end of a call and the next one, noting calls that overlap."""
    gaps = [0, *(request - response for request, response in zip(request_ps[1:], response_ps, strict=False))]
    for row, gap in zip(rows, gaps, strict=True):
        if gap < 0:
            faults.append(Fault(row.line, 1, f"request_s: {-gap / 1e12:g} s before the call above it has ended"))
    return gaps
