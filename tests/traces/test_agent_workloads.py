"""Agent workloads made from published figures have those figures: turns, tool times, tokens (arXiv:2511.02230)."""

import numpy as np
import pytest

from tests.traces.written import whole
from traces import open_trace

PUBLISHED = {
    # turns, tool seconds, tokens of all turns of a program: mean and standard deviation
    "swe_programs": ((10.9, 2.1), (0.925, 3.550), (70_126, 19_732)),
    "bfcl_programs": ((6.3, 2.3), (1.923, 2.133), (93_256, 68_687)),
}


def drawn(name):
    """Return turns [p], tool seconds [t], tokens [p] of some thousand programs, and the tool of each wait [t]."""
    rows = whole(open_trace(name, requests=60_000))
    assert rows.program is not None
    assert rows.turn is not None
    assert rows.gap_ps is not None
    assert rows.tool is not None
    later = rows.turn > 0
    tokens = np.bincount(rows.program, rows.prompt_tokens + rows.output_tokens)
    return np.bincount(rows.program)[:-1], rows.gap_ps[later] / 1e12, tokens[:-1], rows.tool[:-1][later[1:]]


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_figures_are_the_papers(name):
    *measured, _ = drawn(name)
    for values, (mean, deviation) in zip(measured, PUBLISHED[name], strict=True):
        assert values.mean() == pytest.approx(mean, rel=0.03)
        assert values.std() == pytest.approx(deviation, rel=0.08)


def test_most_commands_are_quick_and_few_take_the_time():
    _, tool_s, _, tool = drawn("swe_programs")
    names = open_trace("swe_programs").tools
    slowest = {}
    for number, name in enumerate(names):
        lasted = np.sort(tool_s[tool == number])
        slowest[name] = lasted[int(0.9 * len(lasted)) :].sum() / lasted.sum()
    assert np.median(tool_s) < 0.1
    assert slowest["cd"] == pytest.approx(0.941, abs=0.04), "the paper's skew of the tool most used"
    assert slowest["ls"] < 0.25
