"""kv-cache-tester: coding-assistant conversations, one JSON object a line (github.com/callanjfox/kv-cache-tester).

A prompt's `hash_ids` name its whole blocks of `block_size` tokens, within the conversation: that, and no more, is what
later prompts share with it. So what was generated is not found, nor the last tokens that fill no block. The first
prompt begins with `tool_tokens` of tool definitions and `system_tokens` of system prompt; conversations with the same
numbers are taken to have the same ones, as far as a prompt begins with the blocks of that first one.

A turn comes its `think_time` after the one before; without one, its `t` less the end (`t` and `api_time`) of the one
before, at least 0. A nested conversation (`subagent`, whose `t` is when it ended) is turns of the same program, where
it stands: the parent waits for it. Those that ran side by side follow each other, so no time is counted twice.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from simcore.contract.traffic import Column
from simcore.contract.units import PS_PER_S
from traces.conversations import history
from traces.conversations.conversation import MAX_TURNS, SHARED, Conversation, Fault, Found, Segment
from traces.conversations.cut_ids import decoded
from traces.conversations.json_places import Part
from traces.conversations.lines import Lines
from traces.conversations.prefixes import Prefixes
from traces.formats.base import BadRow

_NESTED = "subagent"
_TOOLS, _SYSTEM = SHARED, SHARED + (1 << 40)


class KvCacheTester:
    """`ConversationFormat` of the published traces, one conversation a line."""

    name = "kv_cache_tester"
    layout = "JSON lines with block_size, tool_tokens, system_tokens, requests (t, in, out, hash_ids, ...)"
    knows_prompts = True
    knows_starts = False
    has_header = False

    def recognises(self, first_line: str) -> bool:
        return first_line.lstrip().startswith("{") and '"block_size"' in first_line and '"requests"' in first_line

    def check_header(self, line: str) -> None:
        raise AssertionError("there is no header")

    def read(self, path: Path, header: str | None, lines: Lines) -> Iterator[Found]:
        for line in lines:
            if not line.strip():
                continue
            faults: list[tuple[int, str]] = []
            conversation = None
            try:
                conversation = _conversation(line, faults)
            except BadRow as bad:
                faults = bad.faults
            placed = [Fault(lines.number, column, message) for column, message in faults]
            yield Found(lines.begins, lines.ends, lines.number, None if faults else conversation, placed)


def _conversation(line: str, faults: list[tuple[int, str]]) -> Conversation:
    whole, ids = decoded(line)
    reading = _Reading(line, Part(line, whole, faults).whole("block_size", 1), ids, faults)
    reading.take(whole, start=0, where="", begins_ps=None)
    found = reading.found
    if len(found) > MAX_TURNS:
        faults.append((1, f"more than {MAX_TURNS:,} requests, got {len(found):,}"))
    if not len(found) and not faults:
        faults.append((1, "requests: must hold at least one request, got none"))
    found.output_tokens, found.empty_answers = history.at_least_one(found.output_tokens)
    found.streams = [-1] * len(found)
    return found


@dataclass
class _Reading:
    """One line, being read."""

    line: str
    block_tokens: int
    ids: dict[str, Column]
    faults: list[tuple[int, str]]
    found: Conversation = field(default_factory=lambda: Conversation([]))
    prefixes: Prefixes = field(default_factory=Prefixes)
    shared: dict[int, list[Segment]] = field(default_factory=dict)
    """Tool definitions and system prompt of the branches that begin with them."""
    passed: int = 0
    """Where in the line the last request begins."""

    def take(self, talk: dict[str, Any], start: int, where: str, begins_ps: int | None) -> None:
        """Read a conversation, or one within it that begins `begins_ps` after what came before."""
        part = Part(self.line, talk, self.faults, start, where)
        tool_tokens, system_tokens = part.whole("tool_tokens", 0), part.whole("system_tokens", 0)
        head = [(_TOOLS + tool_tokens, tool_tokens), (_SYSTEM + system_tokens, tool_tokens + system_tokens)]
        requests = talk.get("requests")
        if not isinstance(requests, list) or not all(isinstance(each, dict) for each in requests):
            part.add("requests", "must be a list of objects")
            return
        ended_ps, waited, first = 0, False, True
        for number, request in enumerate(requests):
            self.passed = self.line.find('"type"', self.passed + 1) if "type" in request else self.passed
            begins = max(0, self.line.rfind("{", 0, self.passed))
            here = f"{where}requests[{number}]."
            each = Part(self.line, request, self.faults, begins, here)
            if request.get("type") == _NESTED:
                lasted_ps = each.whole("duration_ms", 0, 9 * 10**9, "ms") * (PS_PER_S // 1000)
                over_ps = each.seconds_ps("t")
                if request.get("requests") != []:
                    self.take(request, begins, here, begins_ps=max(0, over_ps - lasted_ps - ended_ps))
                    ended_ps, waited = max(ended_ps, over_ps), True
                continue
            at_ps = each.seconds_ps("t")
            if "think_time" in request and not waited:
                gap_ps = each.seconds_ps("think_time")
            else:
                gap_ps = max(0, at_ps - ended_ps)
            if first and begins_ps is not None:
                gap_ps = begins_ps
            self._turn(each, request, gap_ps, head if first else [])
            served_ps = each.seconds_ps("api_time") if "api_time" in request else 0
            ended_ps, waited, first = at_ps + served_ps, False, False

    def _turn(self, part: Part, request: dict[str, Any], gap_ps: int, head: list[Segment]) -> None:
        """Add a request; `head`: what it begins with, if it is a conversation's first."""
        if request.get("type") not in ("n", "s"):
            part.add("type", f"must be n, s or {_NESTED}")
        found = self.found
        prompt_tokens = part.whole("in", 1)
        found.gap_ps.append(gap_ps if found.gap_ps else 0)
        found.prompt_tokens.append(prompt_tokens)
        found.output_tokens.append(part.whole("out", 0))
        found.tools.append("tool" if request.get("stop") == "tool_use" else "")
        ids = self._ids(part, request, prompt_tokens)
        found.heads.append(self._segments(ids, prompt_tokens, head) if len(ids) else [])

    def _segments(self, ids: Column, prompt_tokens: int, head: list[Segment]) -> list[Segment]:
        new = not self.prefixes.knows(int(ids[0]))
        path = self.prefixes.place(ids)
        root, end = path[0]
        if new:
            self.shared[root] = head
        ends = [(key, min(end * self.block_tokens, prompt_tokens)) for key, end in path]
        segments: list[Segment] = []
        for key, end in [*((key, min(end, ends[0][1])) for key, end in self.shared[root]), *ends]:
            if end > (segments[-1][1] if segments else 0):
                segments.append((key, end))
        return segments

    def _ids(self, part: Part, request: dict[str, Any], prompt_tokens: int) -> Column:
        given = request.get("hash_ids")
        ids = self.ids.get(given) if isinstance(given, str) else None
        try:
            if ids is None and isinstance(given, list) and set(map(type, given)) <= {int}:
                ids = np.array(given, np.int64)
        except OverflowError:
            part.add("hash_ids", "must be numbers below 2^63")
            return np.empty(0, np.int64)
        if ids is None:
            part.add("hash_ids", "must be a list of whole numbers")
            return np.empty(0, np.int64)
        if len(ids) not in (prompt_tokens // self.block_tokens, -(-prompt_tokens // self.block_tokens)):
            rule = f"must hold one id per whole block of {self.block_tokens} tokens"
            part.add(
                "hash_ids", f"{rule}, {prompt_tokens // self.block_tokens} for {prompt_tokens} tokens, not {len(ids)}"
            )
        return ids
