"""docs/metrics.md names every metric and every column."""

import re
from pathlib import Path

from simcore.results.schema import FILES
from tests.results.toy import SLO, toy_run, write_toy

DOCS = Path(__file__).parents[2] / "docs" / "metrics.md"


def test_every_metric_is_explained(tmp_path: Path) -> None:
    from simcore.results import finish_cell

    toy = toy_run(rate=20.0, requests=50)
    write_toy(tmp_path, toy)
    metrics = finish_cell(tmp_path, outcome=toy.outcome(), slo=SLO, meta={})["metrics"]
    text = DOCS.read_text()
    words = {re.sub(r"^(mean|median|std|p[\d.]+)_(\w+)_ms$", r"*_\2_ms", key) for key in metrics}
    assert sorted(word for word in words if f"`{word}`" not in text) == []


def test_every_column_is_explained() -> None:
    text = DOCS.read_text()
    columns = [column.name for file in FILES.values() for column in file]
    assert [name for name in columns if f"`{name}`" not in text] == []
