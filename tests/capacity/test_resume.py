"""A search finds its finished runs again, and comes to the same bytes on any number of processes."""

import json

import pytest

from simcore.study.run import Interrupted, run_cells
from tests.capacity.flat import POISSON, capacity

TWO = POISSON + "  two: {scheduler: {policy: vllm_v1, max_num_seqs: 2}}\nseeds: 2\n"


def content(found) -> str:
    return json.dumps({key: value for key, value in found.data.items() if key != "provenance"})


def test_a_search_that_is_repeated_runs_nothing(tmp_path):
    first = capacity(tmp_path, TWO, tolerance=0.1)
    again = capacity(tmp_path, TWO, tolerance=0.1, out=tmp_path / "again")
    assert first.computed > 10
    assert again.computed == 0
    assert content(first) == content(again)


def test_a_search_that_was_interrupted_goes_on(tmp_path, monkeypatch):
    rounds = []

    def interrupted(cells, *rest, **how):
        if len(rounds) == 3:
            raise Interrupted(0, len(cells))
        rounds.append(len(cells))
        return run_cells(cells, *rest, **how)

    monkeypatch.setattr("simcore.capacity.bench.run_cells", interrupted)
    with pytest.raises(Interrupted, match="run again to resume"):
        capacity(tmp_path, TWO, tolerance=0.1)
    monkeypatch.setattr("simcore.capacity.bench.run_cells", run_cells)
    resumed = capacity(tmp_path, TWO, tolerance=0.1)
    assert resumed.computed == len(resumed.runs) - sum(rounds)


def test_two_processes_come_to_the_same_bytes_as_one(tmp_path, monkeypatch):
    found = []
    for jobs in (1, 2):
        monkeypatch.setenv("SIMCORE_RUNS", str(tmp_path / f"runs{jobs}"))
        found.append(capacity(tmp_path, TWO, jobs=jobs, tolerance=0.1, out=tmp_path / f"out{jobs}", plots=True))
    one, two = found
    assert content(one) == content(two)
    for name in ("plots/capacity.png", "study.resolved.yaml"):
        assert (one.out / name).read_bytes() == (two.out / name).read_bytes()
