"""Continuations: a prompt that begins with all whole blocks of an earlier one is its next turn."""

import pytest

from tests.traces.written import SAMPLES, mooncake, request, shared, whole
from traces import Replay, open_trace
from traces.continuations import continuations
from traces.fit import session_entry


def test_a_prompt_that_goes_on_from_another_is_its_next_turn(tmp_path):
    rows = (
        request(0, 1100, 5, [0, 1, 2]),
        request(1, 1200, 5, [0, 3, 4]),  # shares the system prompt alone
        request(2, 1700, 5, [0, 1, 5, 6]),  # goes on from the first
        request(3, 2100, 5, [0, 1, 5, 7, 8]),  # goes on from that
    )
    found = continuations(whole(open_trace(mooncake(tmp_path, *rows))))
    assert found.before.tolist() == [-1, -1, 0, 2]
    assert found.turn.tolist() == [0, 0, 1, 2]
    assert sorted(found.turns.tolist()) == [1, 3]


def test_a_trace_without_hash_ids_has_no_conversations():
    with pytest.raises(ValueError, match="hash_ids: must be in the trace"):
        continuations(whole(open_trace(SAMPLES / "azure_sample.csv")))


def test_the_catalogued_sessions_are_the_fit_of_their_trace():
    trace = open_trace(shared("mooncake/conversation_trace.jsonl.gz"))
    assert isinstance(trace, Replay)
    found = continuations(whole(trace))
    assert (found.before >= 0).mean() == pytest.approx(0.315, abs=0.001)
    assert found.turn.max() == 29
    entry = session_entry(trace)
    assert "rate: 2.243221" in entry
    assert "think_s: {kind: lognormal, mu: 4.8579, sigma: 0.9430}" in entry
