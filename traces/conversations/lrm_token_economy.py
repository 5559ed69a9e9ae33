"""LRMTokenEconomy: several answers of one model to one prompt, as a table (github.com/cpldcpu/LRMTokenEconomy).

The answers to one prompt in one batch by one model are a group, as in a rollout of reinforcement learning: they arrive
together and share their prompt. Groups share nothing with each other: they are of different models, or prompts. How
long a prompt is nobody wrote down. An answer of no tokens is a query that failed, and is left out.
"""

from collections.abc import Iterator
from pathlib import Path

from traces.conversations import table
from traces.conversations.conversation import Conversation, Fault, Found
from traces.conversations.grouping import Row, conversations
from traces.conversations.lines import Lines
from traces.conversations.table import Table

COLUMNS = ("batch", "prompt_id", "llm", "sample", "tokens_completion")
_TELLING = ("batch", "prompt_id", "llm", "tokens_completion")


class LrmTokenEconomy:
    """`ConversationFormat` of the table of answers."""

    name = "lrm_token_economy"
    layout = f"CSV with {', '.join(COLUMNS)}"
    knows_prompts = False
    knows_starts = False
    has_header = True

    def recognises(self, first_line: str) -> bool:
        return table.recognised(first_line, _TELLING)

    def check_header(self, line: str) -> None:
        table.check_names(line, COLUMNS)

    def read(self, path: Path, header: str | None, lines: Lines) -> Iterator[Found]:
        assert header is not None
        answers = Table(COLUMNS, header)
        batch, prompt, llm = (answers.at[name] for name in ("batch", "prompt_id", "llm"))
        at = answers.at["tokens_completion"]

        def group(rows: list[Row], faults: list[Fault]) -> Conversation:
            samples = answers.whole(rows, "sample", faults, 0, 10**9)
            answers.rising(rows, "sample", samples, faults, equal=False)
            came = [row for row in rows if row.cells[at].strip() not in ("", "0")]
            return Conversation(answers.tokens(came, "tokens_completion", faults), failed=len(rows) - len(came))

        def name_of(cells: list[str]) -> str:
            return f"{cells[batch]}/{cells[prompt]}/{cells[llm]}"

        yield from conversations(answers.rows(lines, name_of), "batch/prompt_id/llm", group, once=False)
