"""Progress in a notebook: one line, written over again, gone at the end."""

import sys
from io import StringIO

from simcore.study.progress import progress


class NotebookStream(StringIO):
    """Standard output as ipykernel has it."""

    __module__ = "ipykernel.iostream"


def test_a_notebook_sees_one_line_that_is_gone_at_the_end(monkeypatch):
    out, err = NotebookStream(), StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    with progress(3, 1, quiet=False) as advance:
        advance(failed=False)
        advance(failed=True)
    assert [line.strip() for line in out.getvalue().split("\r")] == [
        "", "1 of 3 cells", "2 of 3 cells", "3 of 3 cells, 1 failed", "", ""
    ]  # fmt: skip
    assert "\n" not in out.getvalue()
    assert err.getvalue() == ""


def test_a_quiet_run_and_a_finished_one_say_nothing(monkeypatch):
    out = NotebookStream()
    monkeypatch.setattr(sys, "stdout", out)
    for kept, quiet in ((0, True), (2, False)):
        with progress(2, kept, quiet=quiet) as advance:
            advance(failed=False)
    assert out.getvalue() == ""
