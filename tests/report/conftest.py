"""Charts cost a second a page: they are drawn where tests look at them, and stood in for elsewhere."""

import pytest

from simcore.results.plots.panel import Panel


@pytest.fixture
def quick_charts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put an empty picture in the place of each chart, with its words."""

    def empty(panel: Panel, *, width: int, height: int) -> str:
        from html import escape

        return f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(panel.says)}"></svg>'

    monkeypatch.setattr("simcore.report.charts.panel_svg", empty)
