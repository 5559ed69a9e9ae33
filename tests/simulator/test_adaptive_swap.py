"""Adaptive swap: an iteration waits for a copy in where little else would run. A block takes 1 ms."""

from tests.simulator.given import EVERY, Row, both, slow
from tests.simulator.swapping import ASYNC, resumed, swapping

ADAPTIVE = ASYNC | {"swap": "adaptive"}
ONE = Row(0, 16, 40)


def test_a_copy_in_is_waited_for_when_nobody_else_runs():
    """Out at 50 ms, two blocks, through at 52: it joins there, and its iteration waits until 54."""
    seen = both([ONE], lambda notes: swapping(0), **ADAPTIVE, **slow())
    assert seen.when("joined") == [52]
    assert seen.tokens[0] == resumed(64, 5)


def test_a_copy_in_goes_on_beside_a_batch_that_is_no_smaller():
    seen = both([ONE, ONE], lambda notes: swapping(0), **ADAPTIVE, **slow())
    assert seen.tokens[1] == EVERY
    assert seen.tokens[0] == resumed(80, 5)  # through at 60, in at 62, joined at 70


def test_a_second_copy_in_beside_a_batch_of_one_is_waited_for():
    """Both are through at 60 ms; their copies in share the link until 64. One was waited for, one joins at 74."""
    seen = both([ONE, ONE, ONE], lambda notes: swapping(0, 1), **ADAPTIVE, **slow())
    assert seen.tokens[2] == [*EVERY[:6], *(74.0 + 10 * i for i in range(34))]
    assert seen.tokens[1] == resumed(74, 5)
    assert seen.tokens[0] == resumed(84, 5)
