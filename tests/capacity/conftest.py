"""Finished cells of these tests stay in the folder of the test."""

import pytest


@pytest.fixture(autouse=True)
def own_store(tmp_path, monkeypatch):
    monkeypatch.setenv("SIMCORE_RUNS", str(tmp_path / "runs"))
