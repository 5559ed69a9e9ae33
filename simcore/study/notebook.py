"""Notebook: studies and results as HTML, for the output of a cell."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from simcore.study.dump import yaml_text
from simcore.study.run import Failure

TABLE_COLUMNS = 110


def study_html(data: Mapping[str, Any]) -> str:
    """Return name and question of a study, and the rest of it as YAML, whether or not it is valid.

    >>> study_html({"study": "s", "question": "Is a < b?", "slo": {"ttft_ms": 500}})
    '<b>s</b>: Is a &lt; b?<pre>slo: {ttft_ms: 500}\\n</pre>'
    """
    rest = {key: value for key, value in data.items() if key not in ("study", "question")}
    question = " ".join(str(data.get("question", "")).split())
    heading = f"<b>{escape(str(data.get('study', '')))}</b>" + (f": {escape(question)}" if question else "")
    return f"{heading}<pre>{escape(yaml_text(rest), quote=False)}</pre>"


def results_html(summary: Mapping[str, Any], failures: Sequence[Failure]) -> str:
    """Return the question, what the terminal shows of the results, and the cells that are missing."""
    from io import StringIO

    from rich.console import Console

    from simcore.results import print_summary

    console = Console(file=StringIO(), record=True, width=TABLE_COLUMNS, force_jupyter=False)
    print_summary(summary, console)
    table = console.export_html(inline_styles=True, code_format="<pre>{code}</pre>")
    heading = f"<b>{escape(summary['study'])}</b>" + (f": {escape(summary['question'])}" if summary["question"] else "")
    missing = "".join(f"<li>{escape(f'{failure.label}: {failure.reason}')}</li>" for failure in failures)
    return heading + table + (f"missing, as these cells failed:<ul>{missing}</ul>" if missing else "")
