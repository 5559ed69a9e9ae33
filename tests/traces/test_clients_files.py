"""Client files: folders and tars are read alike, and every mistake in them is named with its place."""

import json
import tarfile

import pytest

from tests.traces.clients_written import IDLE, chunk, everything, packed, same
from tests.traces.written import azure
from traces import TraceError, open_trace
from traces.clients import is_clients, open_clients
from traces.clients.population import read_population

BUSY = "1.0,1.0,Gamma,1.0,1.0"


def problems(path):
    with pytest.raises(TraceError) as error:
        open_clients(path)
    return error.value.problems


def test_a_tar_and_a_folder_give_the_same_traffic(tmp_path):
    folder = chunk(tmp_path / "m", 0, BUSY, prompt="{10: 0.5, 20: 0.5}")
    archive = packed(folder, tmp_path / "m.tar.gz")
    assert same(everything(open_clients(folder)), everything(open_clients(archive)))


def test_clients_are_told_from_other_folders_and_files(tmp_path):
    folder = chunk(tmp_path / "m", 0, BUSY)
    other = tmp_path / "other"
    other.mkdir()
    file = azure(other, "2023-11-16 18:00:00.0000000,10,10")
    assert is_clients(folder)
    assert is_clients(packed(folder, tmp_path / "m.tar.gz"))
    assert not is_clients(other)
    assert not is_clients(file)
    assert not is_clients(packed(other, tmp_path / "other.tar.gz"))
    assert not is_clients(tmp_path / "nothing")


def test_a_folder_above_the_clients_is_refused_and_names_theirs(tmp_path):
    folder = chunk(tmp_path / "data" / "reason" / "m", 0, BUSY)
    with pytest.raises(TraceError, match=rf"{tmp_path}:1:1: a folder must hold .* \(did you mean {folder}\?\)"):
        open_trace(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(TraceError, match=r"this one has none$"):
        open_trace(tmp_path / "empty")


def test_a_client_without_lengths_is_left_out_and_counted(tmp_path):
    folder = chunk(tmp_path / "m", 0, BUSY)
    chunk(folder, 1, "3.0,1.0,Gamma,1.0,1.0")
    (folder / "chunk-1-dataset.json").unlink()
    workload = open_clients(folder)
    assert "1 of 2 clients, 1 without length data left out (75% of the requests)" in workload.source
    assert workload.rate == 1.0
    assert set(everything(workload).client) == {0}


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("600,1.0,1.0,Gamma,1.0", ":2:1: must be 6 cells (start_s, rate, cv, family, shape, scale), got 5"),
        ("700,1.0,1.0,Gamma,1.0,1.0", ""),
        ("0,1.0,1.0,Gamma,1.0,1.0", ":2:1: start_s: windows must follow each other in equal steps, got '0'"),
        ("600,,1.0,Gamma,1.0,1.0", ":2:5: rate: missing"),
        ("600,-1,1.0,Gamma,1.0,1.0", ":2:5: rate: must be a finite number >= 0, got '-1'"),
        ("600,nan,1.0,Gamma,1.0,1.0", ":2:5: rate: must be a finite number >= 0, got 'nan'"),
        ("600,1.0,x,Gamma,1.0,1.0", ":2:9: cv: must be a finite number >= 0, got 'x'"),
        ("600,1.0,1.0,,1.0,1.0", ":2:13: family: missing, but the rate is 1: must be Gamma or Weibull"),
        ("600,1.0,1.0,Pareto,1.0,1.0", ":2:13: family: must be Gamma or Weibull, got 'Pareto'"),
        ("600,1.0,1.0,Gamma,0,1.0", ":2:19: shape: must be > 0, got '0'"),
        ("600,1.0,1.0,Gamma,1.0,-2", ":2:23: scale: must be > 0, got '-2'"),
        (
            "600,1.0,1.0,Weibull,1e-9,1.0",
            ":2:21: shape: must make gaps with a coefficient of variation between 0.001 and 100, "
            "got '1e-9' (Weibull: inf)",
        ),
    ],
)
def test_a_wrong_row_of_rates_is_named_with_its_cell(tmp_path, row, problem):
    folder = chunk(tmp_path / "m", 3, BUSY)
    file = folder / "chunk-3-trace.csv"
    file.write_text(f"0,{BUSY}\n{row}\n")
    if problem:
        assert problems(folder) == [f"{file}{problem}"]
    else:
        assert read_population(folder).windows.window_s == 700


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ("{10: 0.5}", "input_tokens: probabilities must sum to 1, got 0.5"),
        ("{10: 1.5, 20: -0.5}", "input_tokens: probabilities must be between 0 and 1, got 1.5"),
        ("{-1: 1.0}", "input_tokens: values must be whole numbers between 0 and 1,000,000,000, got -1"),
        ("{1.5: 1.0}", "input_tokens: values must be whole numbers between 0 and 1,000,000,000, got 1.5"),
        ("{10: 0.5, 10.0: 0.5}", "input_tokens: values must be given once each, got one twice"),
        (
            "__import__('os').abort()",
            "input_tokens: must be a Python dictionary {value: probability, ...} in a string, "
            "got \"__import__('os').abort()\"",
        ),
        ("{'a': 1.0}", "input_tokens: values and probabilities must be numbers, got \"'a'\""),
    ],
)
def test_a_wrong_distribution_is_named_with_its_line(tmp_path, table, problem):
    folder = chunk(tmp_path / "m", 3, BUSY, prompt=table)
    assert problems(folder) == [f"{folder / 'chunk-3-dataset.json'}:3:5: block 0: {problem}"]


def test_a_missing_field_and_broken_json_are_named(tmp_path):
    folder = chunk(tmp_path / "m", 3, BUSY)
    file = folder / "chunk-3-dataset.json"
    file.write_text(json.dumps({"0": {"input_tokens": "{1: 1.0}"}}, indent=2))
    assert problems(folder) == [f"{file}:2:3: block 0: output_tokens: missing"]
    file.write_text('{"0": {\n  "input_tokens" 5}}')
    assert problems(folder) == [f"{file}:2:18: must be JSON: Expecting ':' delimiter"]


def test_a_place_inside_a_tar_names_archive_and_file(tmp_path):
    folder = chunk(tmp_path / "m", 3, BUSY, "-1,1.0,Gamma,1.0,1.0")
    archive = packed(folder, tmp_path / "m.tar.gz")
    assert problems(archive) == [f"{archive}:chunk-3-trace.csv:2:5: rate: must be a finite number >= 0, got '-1'"]


def test_problems_of_all_files_come_together_and_end_at_twenty(tmp_path):
    folder = tmp_path / "m"
    for number in range(3):
        chunk(folder, number, *["-1,1.0,Gamma,1.0,1.0"] * 8)
    found = problems(folder)
    assert len(found) == 20
    assert found[-1].endswith("(stopped after 20 problems)")
    assert {problem.split(":")[0][-11:] for problem in found} == {"0-trace.csv", "1-trace.csv", "2-trace.csv"}


def test_clients_must_have_the_same_windows(tmp_path):
    folder = chunk(tmp_path / "m", 0, BUSY, BUSY)
    chunk(folder, 1, BUSY)
    (problem,) = problems(folder)
    assert "chunk-1-trace.csv:1:1: must have the windows of" in problem
    assert problem.endswith("(2 of 600 s from 0 s), got 1 of 600 s from 0 s")


def test_lengths_without_rates_and_rates_without_any_lengths_are_mistakes(tmp_path):
    folder = chunk(tmp_path / "m", 0, BUSY)
    (folder / "chunk-0-trace.csv").unlink()
    (problem,) = problems(folder)
    assert problem.endswith("chunk-0-dataset.json:1:1: has no chunk-0-trace.csv beside it, which has its rates")
    chunk(folder, 0, BUSY)
    (folder / "chunk-0-dataset.json").unlink()
    (problem,) = problems(folder)
    assert "has rates only" in problem


def test_a_client_that_sends_before_it_has_lengths_is_a_mistake(tmp_path):
    folder = chunk(tmp_path / "m", 0, IDLE, BUSY, prompt="{}", output="{}")
    (problem,) = problems(folder)
    assert problem.endswith("chunk-0-trace.csv:2:1: sends at 600 s, but has no lengths yet")


def test_a_damaged_tar_and_one_of_two_models_are_refused(tmp_path):
    folder = chunk(tmp_path / "m", 0, BUSY)
    archive = packed(folder, tmp_path / "m.tar.gz")
    whole = archive.read_bytes()
    archive.write_bytes(whole[:-40])
    (problem,) = problems(archive)
    assert problem.startswith(f"{archive}:1:1: cannot be read")

    both = tmp_path / "both.tar"
    with tarfile.open(both, "w") as two:
        for model in ("a", "b"):
            two.add(folder / "chunk-0-trace.csv", f"{model}/chunk-0-trace.csv")
    (problem,) = problems(both)
    assert problem.endswith("must hold the clients of one model, got those of a and b: unpack one")


def test_changed_files_are_read_anew(tmp_path):
    folder = chunk(tmp_path / "m", 0, BUSY)
    assert open_clients(folder).rate == 1.0
    chunk(folder, 0, "20.0,1.0,Gamma,1.0,1.0")
    assert open_clients(folder).rate == 20.0
