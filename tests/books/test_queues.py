"""Waiting queues: who comes next."""

from hypothesis import given
from hypothesis import strategies as st

from simcore.books.queues import Fifo, Ordered
from simcore.books.request import Request


def numbered(*numbers: int) -> list[Request]:
    requests = []
    for number in numbers:
        request = Request(number, 0, 1, 1)
        request.enqueued = number
        requests.append(request)
    return requests


def test_a_preempted_request_goes_back_before_those_that_came_later():
    first, second, third = numbered(0, 1, 2)
    queue = Fifo()
    assert queue.add(second) is True
    assert queue.add(third) is False
    assert queue.add(first) is True, "it is the head again"
    assert list(queue) == [first, second, third]


@given(st.permutations(range(8)))
def test_fifo_and_a_constant_key_give_the_same_order(numbers):
    fifo, ordered = Fifo(), Ordered(lambda request: 0)
    for request in numbered(*numbers):
        assert fifo.add(request) == ordered.add(request)
    assert [r.id for r in fifo] == [r.id for r in ordered] == sorted(numbers)
    assert [fifo.take().id for _ in range(8)] == [ordered.take().id for _ in range(8)]


def test_a_key_is_read_when_queued_and_when_touched_and_at_no_other_time():
    keys = {0: 5, 1: 3}
    queue = Ordered(lambda request: keys[request.id])
    first, second = numbered(0, 1)
    queue.add(first)
    queue.add(second)
    keys[0] = 1
    assert queue.head() is second
    queue.touch(first)
    assert queue.head() is first
    assert len(queue) == 2


def test_a_removed_request_is_skipped_and_can_come_back():
    queue = Ordered(lambda request: request.id)
    first, second = numbered(0, 1)
    queue.add(first)
    queue.add(second)
    queue.remove(first)
    assert (queue.head(), len(queue), list(queue)) == (second, 1, [second])
    queue.add(first)
    assert [queue.take(), queue.take()] == [first, second]
