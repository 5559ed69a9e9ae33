"""Outside: what a cost model from measurements says when it was asked where nothing was measured."""

from collections.abc import Mapping


def outside_in_words(counts: Mapping[str, int]) -> str | None:
    """Return what to tell a user at the end of a run, by how often each term was asked outside; None if never.

    >>> outside_in_words({"gemm": 2, "head": 1})
    'the cost tables were asked 3 times outside what was measured (gemm 2, head 1)'
    """
    if not counts:
        return None
    by_term = ", ".join(f"{name} {count:,}" for name, count in counts.items())
    return f"the cost tables were asked {sum(counts.values()):,} times outside what was measured ({by_term})"
