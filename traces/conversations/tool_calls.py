"""Tool calls: the table beside AgentCgroup's model calls: which tool each call of a session ended in."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

from traces.conversations import table
from traces.conversations.conversation import Fault
from traces.conversations.grouping import Row
from traces.conversations.lines import Lines
from traces.conversations.table import Table
from traces.files import DAMAGE, open_text
from traces.formats.base import BadRow
from traces.problems import TraceError

COLUMNS = ("session", "step", "tool", "end_s")
_TELLING = ("session", "index", "step", "tool", "end_s", "duration_s")
_CALLS, _TOOLS = "llm_calls", "tool_calls"


class ToolCalls:
    """Read along with the model calls, session by session; those that come too early are kept in memory.

    A row without a step was called by no model call, and is left out.
    """

    def __init__(self, path: Path, tools: Table | None, rows: Iterator[Row]) -> None:
        self._path = path
        self._table = tools
        self._sessions = groupby(rows, key=lambda row: row.name)
        self._ahead: dict[str, list[Row]] = {}

    @staticmethod
    def recognises(first_line: str) -> bool:
        return table.recognised(first_line, _TELLING)

    @classmethod
    @contextmanager
    def beside(cls, path: Path) -> "Iterator[ToolCalls]":
        """Open the file named as the model calls with `tool_calls` for `llm_calls`; without one nothing is known."""
        beside = path.with_name(path.name.replace(_CALLS, _TOOLS))
        if beside == path or not beside.exists():
            yield cls(beside, None, iter(()))
            return
        with open_text(beside) as text:
            lines = Lines(text.buffer)
            header = next(lines, "")
            try:
                table.check_names(header, COLUMNS)
            except BadRow as bad:
                raise TraceError([f"{beside}:1:{column}: {message}" for column, message in bad.faults]) from bad
            tools = Table(COLUMNS, header)
            at = tools.at["session"]
            yield cls(beside, tools, tools.rows(lines, lambda cells: cells[at]))

    def of(self, session: str, faults: list[Fault]) -> dict[int, str]:
        """Return the tool that each step of a session ended in, the last to end where there were several."""
        if self._table is None:
            return {}
        rows = self._rows(session, faults)
        broken = [row.fault._replace(path=self._path) for row in rows if row.fault is not None]
        rows = [row for row in rows if row.fault is None and row.cells[self._table.at["step"]]]
        found: list[Fault] = []
        steps = self._table.whole(rows, "step", found, 0, 10**9)
        ends_ps = self._table.seconds(rows, "end_s", found)
        faults += broken + [fault._replace(path=self._path) for fault in found]
        last: dict[int, tuple[int, str]] = {}
        for step, end_ps, tool in zip(steps, ends_ps, self._table.texts(rows, "tool"), strict=True):
            last[step] = max(last.get(step, (-1, "")), (end_ps, tool), key=lambda ended: ended[0])
        return {step: tool for step, (_, tool) in last.items()}

    def _rows(self, session: str, faults: list[Fault]) -> list[Row]:
        if session in self._ahead:
            return self._ahead.pop(session)
        try:
            for name, rows in self._sessions:
                if name == session:
                    return list(rows)
                self._ahead[name or ""] = list(rows)
        except DAMAGE as error:
            faults.append(Fault(1, 1, f"the file is truncated or damaged: {error}", self._path))
        return []
