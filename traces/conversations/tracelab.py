"""TraceLab: coding-agent sessions, one JSON object per model call ("round"; github.com/uw-syfi/TraceLab).

A round begins at its last input event (a user's message or a tool's result) and ends at its last other event; the gap
is from the end of one to the beginning of the next. A round ends in the tool whose result came last. A session starts
at its first event, so the sessions of one file are as far apart as they were.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from simcore.contract.units import PS_PER_S
from traces import clock
from traces.conversations import history
from traces.conversations.conversation import Conversation, Fault, Found
from traces.conversations.grouping import Row, conversations
from traces.conversations.json_places import Part
from traces.conversations.lines import Lines
from traces.formats.base import BadRow
from traces.formats.json_row import object_in

_TELLING = ('"timing_events"', '"newly_append_tokens"', '"input_tokens_total"')
_INPUTS = ("user_message", "tool_result")
_QUANTILES = "metric,group,unit,count"


class TraceLab:
    """`ConversationFormat` of `round_trace.jsonl`."""

    name = "tracelab"
    layout = "JSON lines with session_id, round_index, input_tokens_total, output_tokens, timing_events, tools"
    knows_prompts = True
    knows_starts = True
    has_header = False

    def recognises(self, first_line: str) -> bool:
        return (first_line.lstrip().startswith("{") and any(key in first_line for key in _TELLING)) or _published(
            first_line
        )

    def check_header(self, line: str) -> None:
        raise AssertionError("there is no header")

    def read(self, path: Path, header: str | None, lines: Lines) -> Iterator[Found]:
        return conversations(_rows(lines), "session_id", _session)


def _published(line: str) -> bool:
    return line.startswith(_QUANTILES)


def _rows(lines: Lines) -> Iterator[Row]:
    for line in lines:
        if not line.strip():
            continue
        place = lines.number, lines.begins, lines.ends, line
        if lines.number == 1 and _published(line):
            message = "this is a table of published quantiles, no trace: open round_trace.jsonl"
            yield Row(*place, {}, None, Fault(1, 1, message))
            return
        try:
            round_ = object_in(line)
        except BadRow as bad:
            column, message = bad.faults[0]
            yield Row(*place, {}, None, Fault(lines.number, column, message))
            continue
        name = round_.get("session_id")
        if isinstance(name, str):
            yield Row(*place, round_, name, part=lines.part)
        else:
            yield Row(*place, {}, None, Fault(lines.number, 1, "session_id: must be a text"))


def _session(rows: list[Row], faults: list[Fault]) -> Conversation:
    prompts, outputs, tools = [], [], []
    begins_ps, ends_ps = [], []
    last_index = -1
    first_ps = 0
    for row in rows:
        wrong: list[tuple[int, str]] = []
        part = Part(row.text, row.cells, wrong)
        index = part.whole("round_index", 0, unit="rounds")
        if index <= last_index and not wrong:
            part.add("round_index", "must be above that of the row above it")
        last_index = index
        prompts.append(part.whole("input_tokens_total", 1))
        outputs.append(part.whole("output_tokens", 0))
        events = _events(part, row.cells)
        asked = [at for is_input, at in events if is_input] or [min((at for _, at in events), default=0)]
        begins_ps.append(max(asked))
        ends_ps.append(max((at for is_input, at in events if not is_input), default=max(asked)))
        first_ps = first_ps or min(asked)
        tools.append(_last_tool(part, row.cells))
        faults += [Fault(row.line, column, message) for column, message in wrong]
    outputs, empty = history.at_least_one(outputs)
    return Conversation(
        outputs,
        prompts,
        gap_ps=[0, *(max(0, begin - end) for begin, end in zip(begins_ps[1:], ends_ps, strict=False))],
        tools=tools,
        streams=history.streams(prompts),
        start_ps=first_ps,
        empty_answers=empty,
    )


def _events(part: Part, round_: dict[str, Any]) -> list[tuple[bool, int]]:
    """Return whether each event is an input, and when it was, in picoseconds since 1970."""
    events = round_.get("timing_events")
    if not isinstance(events, list) or not events:
        part.add("timing_events", "must be a list of at least one event")
        return []
    found = []
    for event in events:
        try:
            found.append((event["event_type"] in _INPUTS, _date_ps(event["timestamp"])))
        except (KeyError, TypeError, ValueError):
            part.add(
                "timing_events", "must be objects with an event_type and a timestamp like 2026-06-01T05:40:20.151Z"
            )
            return []
    return found


def _last_tool(part: Part, round_: dict[str, Any]) -> str:
    """Return the name of the tool whose result came last; one without a result came before those with one."""
    tools = round_.get("tools", [])
    try:
        ended = [(tool.get("result_at") or "", tool["tool_name"]) for tool in tools]
        return str(max(ended, key=lambda tool: tool[0])[1]) if ended else ""
    except (AttributeError, KeyError, TypeError):
        part.add("tools", "must be a list of objects with a tool_name")
        return ""


def _date_ps(text: str) -> int:
    second, ps = clock.instant(text, "s")
    return second * PS_PER_S + ps
