"""Conversations: recorded sessions, agent runs and groups of answers, as workloads of programs or rollout groups.

    workload = open_conversations(Path("traces.jsonl.gz"), arrivals={"kind": "poisson"}, rate=0.1)

`docs/conversations.md` says what of each format is taken, and what is not known.
"""

from traces.conversations.opening import FORMATS, PROMPT_TOKENS, format_of, open_conversations
from traces.conversations.workload import Conversations

__all__ = ["FORMATS", "PROMPT_TOKENS", "Conversations", "format_of", "open_conversations"]
