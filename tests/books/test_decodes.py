"""Decodes in closed form: the sums say what counting one by one says."""

from hypothesis import given
from hypothesis import strategies as st

from simcore.books.decodes import Decodes
from simcore.books.draw import mix, seed_of, uniform
from simcore.books.index import Least
from simcore.books.request import Request

sets = st.lists(st.tuples(st.integers(1, 70), st.integers(2, 40)), min_size=1, max_size=8)


def decodes_of(members: list[tuple[int, int]], size: int, it: int) -> Decodes:
    decodes = Decodes(size)
    for number, (computed, output) in enumerate(members):
        request = Request(number, 0, computed, output)
        request.seq, request.computed, request.generated = number, computed, 1
        decodes.add(request, it)
    return decodes


@given(sets, st.sampled_from([1, 3, 16]), st.integers(0, 50), st.integers(0, 60))
def test_blocks_taken_equal_those_counted_token_by_token(members, size, it, iterations):
    decodes = decodes_of(members, size, it)
    counted = sum((computed + i) % size == 0 for computed, _ in members for i in range(iterations))
    assert decodes.blocks_taken(it, iterations) == counted


@given(sets, st.sampled_from([1, 3, 16]), st.integers(0, 50), st.integers(0, 60))
def test_iterations_that_fit_is_the_last_that_does(members, size, it, free):
    decodes = decodes_of(members, size, it)
    fit = decodes.iterations_that_fit(it, free)
    assert decodes.blocks_taken(it, fit) <= free < decodes.blocks_taken(it, fit + 1)


@given(sets)
def test_requests_end_in_order_of_their_last_token_then_of_admission(members):
    decodes = decodes_of(members, 16, 0)
    ends = sorted((output - 1, number) for number, (_, output) in enumerate(members))
    assert decodes.next_end() == ends[0][0]
    seen = []
    for it in range(1, 41):
        while decodes.ends and decodes.ends[0][0] <= it:
            request = decodes.pop_end()
            assert request is not None
            decodes.remove(request, it)
            seen.append((it, request.id))
    assert seen == ends
    assert (decodes.count, decodes.offsets, sum(decodes.phase)) == (0, 0, 0)


def test_the_least_of_many_is_found_as_keys_change_and_ties_go_to_the_lowest():
    least = Least(3)
    least.set(0, 2)
    least.set(1, 1)
    least.set(2, 1)
    assert least.argmin() == 1
    for key in range(500):  # more changes than the heap keeps
        least.set(1, key)
    assert least.argmin() == 2


def test_draws_depend_on_their_key_alone():
    seed = seed_of(7, 0, 1)
    assert uniform(seed, (5, 1)) == uniform(seed, (5, 1))
    assert len({uniform(seed, (i, j)) for i in range(50) for j in range(4)}) == 200
    assert seed_of(1, 2) != seed_of(2, 1)
    mean = sum(uniform(seed, (i,)) for i in range(20_000)) / 20_000
    assert abs(mean - 0.5) < 0.01
    assert mix(1) != mix(2)
