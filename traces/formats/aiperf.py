"""AIPerf: the JSON lines that AIPerf (github.com/ai-dynamo/aiperf) reads as `mooncake_trace`, Mooncake's and more.

Only `input_length` must be there; `timestamp` and `delay` are milliseconds, `hash_ids` name blocks of 512 tokens. Rows
with a `session_id` are turns of a session: `input_length` is what a turn adds to all before it, and a later turn has a
`delay` in place of a time. Text (`text_input`, `messages`, `payload`) is refused: there is no tokenizer here.
"""

from dataclasses import dataclass, replace
from decimal import Decimal

from simcore.contract.units import PS_PER_S
from traces import clock
from traces.clock import TimeUnit
from traces.formats.base import BadRow, Columns, Fields, Row, shown
from traces.formats.json_format import first_object
from traces.formats.json_row import object_in
from traces.formats.json_table import JsonTable

_TEXT = ("text_input", "messages", "payload")
_REPLAYED_AS_IT_IS = "message_array_with_responses"


@dataclass(frozen=True)
class Aiperf:
    """`traces.formats.base.Format` of AIPerf's variants of Mooncake's rows."""

    name: str = "aiperf"
    layout: str = (
        "JSON lines with input_length, and timestamp, output_length, hash_ids, session_id, delay where they are"
    )
    time_unit: TimeUnit = "ms"
    block_tokens: int = 512

    def resembles(self, first_line: str) -> float:
        """Return how sure it is that a row is AIPerf's and not Mooncake's own, which has a time and no session."""
        row = first_object(first_line)
        if "input_length" in row and ("session_id" in row or "delay" in row or "chat_id" not in row):
            return 1.0 if {"session_id", "delay"} & set(row) else 0.85 if "timestamp" not in row else 0.3
        return 0.9 if "chat_id" not in row and set(_TEXT) & set(row) else 0.0

    def table(self, first_line: str, block_tokens: int | None) -> JsonTable:
        """Return how to read a file with this first row; BadRow if it holds text."""
        row = first_object(first_line)
        for key in _TEXT:
            if key in row:
                at = first_line.find(f'"{key}"') + 1
                raise BadRow([(at, f"{key}: text, and there is no tokenizer here: give input_length")])
        there = Fields(arrival="timestamp", output_tokens="output_length", hash_ids="hash_ids")
        fields = Fields(prompt_tokens="input_length").joined(there, row)
        blocks = (block_tokens or self.block_tokens) if fields.hash_ids else None
        if {"session_id", "delay"} & set(row):
            if fields.output_tokens is None:
                raise BadRow([(1, "missing key 'output_length': a turn adds to the answer before it")])
            return TurnTable(replace(fields, session="session_id", delay="delay"), blocks)
        return JsonTable(fields, blocks)


class TurnTable(JsonTable):
    """`traces.formats.base.Table` of rows that may be turns, so that none can be understood without those before it."""

    def columns(self, lines: list[str], unit: TimeUnit) -> Columns:
        raise ValueError("turns are read one by one")

    def row(self, line: str, unit: TimeUnit) -> Row:
        value = object_in(line, self.fields.columns)
        session, delay = value.get("session_id"), value.get("delay")
        timed = self.fields.arrival is not None and value.get(self.fields.arrival) is not None
        faults = []
        if session is not None and (not isinstance(session, str) or not session):
            faults.append(("session_id", f"must be a name, got {shown(repr(session))}"))
        delay_ps = None
        if delay is not None:
            try:
                if type(delay) not in (int, Decimal):
                    raise ValueError(f"must be a number of {clock.UNIT_NAMES[unit]}")
                second, ps = clock.instant_of(delay, unit)
                delay_ps = second * PS_PER_S + ps
            except ValueError as error:
                faults.append(("delay", f"{error}, got {shown(str(delay))}"))
        if value.get("context_mode") == _REPLAYED_AS_IT_IS:
            faults.append(("context_mode", "turns must add to the ones before them; whole prompts are not read"))
        if faults:
            raise BadRow([(line.find(f'"{key}"') + 1, f"{key}: {fault}") for key, fault in faults])
        fields = replace(self.fields, session=None, delay=None)
        if not timed:
            fields = replace(fields, arrival=None)
        if "hash_ids" not in value:
            fields = replace(fields, hash_ids=None)
        row = JsonTable(fields, self.block_tokens).row(line, unit)
        return row._replace(timed=timed, session=session, delay_ps=delay_ps)


AIPERF = Aiperf()
