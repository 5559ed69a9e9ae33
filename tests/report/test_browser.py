"""The page in a real browser, where there is one: no complaint on its console, and nothing wider than the window."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from simcore.report import write_html
from tests.report.made import cells, result

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")

FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage")
MEASURE = "<script>document.title = document.documentElement.scrollWidth + '/' + window.innerWidth</script></body>"


def browse(page: Path, profile: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    """Return what the browser makes of a page: its document, and on stderr what it has to say."""
    assert BROWSER is not None
    command = [BROWSER, *FLAGS, f"--user-data-dir={profile}", *flags, "--dump-dom", page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("browser")
    systems = ("first", "a_system_with_a_name_as_long_as_somebody_could_think_of")
    points = [{"workload.rate": rate} for rate in (20.0, 60.0)]
    return write_html(result(folder / "out", cells(folder / "cells", systems=systems, points=points)))


def test_the_console_stays_silent(page: Path, tmp_path: Path) -> None:
    done = browse(page, tmp_path, "--enable-logging=stderr")
    assert [line for line in done.stderr.splitlines() if "CONSOLE" in line] == []
    assert "Who is faster?" in done.stdout


def test_the_console_would_have_spoken(page: Path, tmp_path: Path) -> None:
    odd = tmp_path / "odd.html"
    odd.write_text(page.read_text().replace("</body>", '<img src="https://example.org/x.png"></body>'))
    done = browse(odd, tmp_path / "profile", "--enable-logging=stderr")
    assert any("CONSOLE" in line and "Content Security Policy" in line for line in done.stderr.splitlines())


@pytest.mark.parametrize("width", [1280, 600])
def test_nothing_is_wider_than_the_window(page: Path, tmp_path: Path, width: int) -> None:
    measured = tmp_path / "measured.html"
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page.read_text())
    measured.write_text(text.replace("</body>", MEASURE))
    done = browse(measured, tmp_path / "profile", f"--window-size={width},900")
    content, window = map(int, re.findall(r"<title>(\d+)/(\d+)</title>", done.stdout)[0])
    assert content <= window
