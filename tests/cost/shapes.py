"""Shapes drawn at random, and the promise every line is held to."""

from hypothesis import strategies as st

from simcore.contract import CostModel, Shape

CHECKED = 50


@st.composite
def shapes(draw: st.DrawFn, most_new: int = 4096) -> Shape:
    """Draw a batch: up to 300 decodes of up to 100,000 tokens each, up to three chunks, any SM share."""
    decodes = draw(st.integers(0, 300))
    context = draw(st.integers(decodes, decodes * 100_000))
    chunk = st.tuples(st.integers(1, most_new), st.integers(0, 200_000))
    chunks = draw(st.lists(chunk, max_size=3))
    return Shape(decodes, context, context, chunks, draw(st.integers(1, 100)))


def tell_the_truth(cost: CostModel, shape: Shape) -> None:
    """Assert that the line of `shape` holds: over its first iterations, and around the last it promises."""
    first, increment, iterations = cost.line(shape)
    assert iterations >= 1
    near = range(min(iterations, CHECKED))
    last = range(max(0, iterations - CHECKED), iterations) if iterations < 10**6 else ()
    for j in (*near, *last):
        assert cost.line(shape.after(j))[0] == first + j * increment
