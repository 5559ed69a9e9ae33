"""The result folder: layout, bytes, and what other tools can load."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from simcore.results import CellResult, StudyFacts, assemble, instances_frame, requests_frame, summary_frame
from simcore.results.assemble import file_stems
from simcore.results.writer import CellWriter
from tests.results.toy import SLO, toy_cell, toy_run

FACTS = StudyFacts("toy", "Which one?", seeds=(0, 1), slo=SLO, model="toy-8b")


def toy_study(folder: Path, rates: tuple[float, ...] = (10.0, 40.0)) -> list[CellResult]:
    return [
        toy_cell(
            folder / f"{system}-{rate}-{seed}",
            toy_run(rate=rate, requests=120, seed=seed, slow=slow),
            system=system,
            point={"workload.rate": rate},
            seed=seed,
        )
        for rate in rates
        for system, slow in (("first", 1.0), ("second", 0.8))
        for seed in (0, 1)
    ]


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    assemble(folder / "out", toy_study(folder), study=FACTS, provenance={"made": "now"})
    return folder / "out"


def test_the_summary_has_the_layout_people_rely_on(out: Path) -> None:
    summary = json.loads((out / "summary.json").read_text())
    head = ["schema", "provenance", "study", "question", "backend", "clock", "seeds", "slo"]
    assert list(summary) == [*head, "runs", "comparisons", "breaking", "claims"]
    assert list(summary["runs"][0]) == ["system", "point", "seed", "state", "metrics"]
    assert len(summary["runs"]) == 8
    assert summary["claims"] == []


def test_equal_cells_give_equal_bytes_apart_from_provenance(out: Path, tmp_path: Path) -> None:
    assemble(tmp_path / "out", toy_study(tmp_path), study=FACTS, provenance={"made": "later"})
    names = sorted(path.relative_to(out) for path in out.rglob("*") if path.is_file())
    assert names == sorted(
        path.relative_to(tmp_path / "out") for path in (tmp_path / "out").rglob("*") if path.is_file()
    )
    for name in names:
        ours, theirs = ((folder / name).read_bytes() for folder in (out, tmp_path / "out"))
        if name == Path("summary.json"):
            ours, theirs = (text.replace(b'"later"', b'"now"') for text in (ours, theirs))
        assert ours == theirs, name


def test_a_failed_write_leaves_no_half_summary(tmp_path: Path) -> None:
    cells = [toy_cell(tmp_path / "cell", toy_run(rate=10.0, requests=30))]
    with pytest.raises(ValueError, match="not JSON compliant"):
        assemble(tmp_path / "out", cells, study=FACTS, provenance={"made": float("nan")})
    assert not (tmp_path / "out" / "summary.json").exists()


def test_each_request_of_each_run_is_one_row(out: Path) -> None:
    table = pq.read_table(out / "requests.parquet")
    assert table.num_rows == 8 * 120
    assert table.column_names[:5] == ["system", "seed", "point", "request", "request_class"]
    frame = table.to_pandas()
    assert set(frame.groupby(["system", "seed", "point"], observed=True).request.nunique()) == {120}
    assert frame[frame.state == "rejected"].first_token_ps.isna().all()
    assert frame[frame.output_tokens < 2].tpot_s.isna().all()
    assert json.loads(frame.point.iloc[0]) == {"workload.rate": 10.0}


def test_every_vllm_file_has_the_keys_and_types_of_the_real_thing(out: Path) -> None:
    files = sorted((out / "vllm").glob("*.json"))
    assert len(files) == 8
    result = json.loads((out / "vllm" / "second-rate_40.0-seed_1.json").read_text())
    types = {
        **dict.fromkeys(["date", "endpoint_type", "backend", "label", "model_id", "tokenizer_id"], str),
        **dict.fromkeys(["num_prompts", "completed", "failed", "total_input_tokens", "total_output_tokens"], int),
        **dict.fromkeys(["request_rate", "burstiness", "duration", "request_throughput", "request_goodput"], float),
        **dict.fromkeys(["output_throughput", "total_token_throughput", "max_output_tokens_per_s", "rtfx"], float),
        **{f"{stat}_{name}_ms": float for stat in ("mean", "median", "std", "p99") for name in ("ttft", "tpot", "itl")},
        "max_concurrent_requests": int,
    }
    assert {key: type(result[key]) for key in types} == types
    assert result["max_concurrency"] is None
    assert result["request_rate"] == 40.0
    assert "ttfts" not in result


def test_names_of_files_are_plain_and_different() -> None:
    runs = [{"system": "a/b c", "point": {"x.y": value}, "seed": 0} for value in ("1/2", "1 2")]
    assert file_stems(runs) == ["a_b_c-y_1_2-seed_0", "a_b_c-y_1_2-seed_0-1"]


def test_a_second_run_into_the_same_folder_leaves_nothing_of_the_first(tmp_path: Path) -> None:
    cells = toy_study(tmp_path)
    assemble(tmp_path / "out", cells, study=FACTS, provenance={})
    assemble(tmp_path / "out", cells[:2], study=FACTS, provenance={})
    assert len(list((tmp_path / "out" / "vllm").iterdir())) == 2


def test_the_iteration_log_and_the_decisions_keep_their_lists_and_codes(tmp_path: Path) -> None:
    with CellWriter(tmp_path / "cell", classes=("default",), iterations=True, decisions=True) as sink:
        sink.iterations(
            [(0, 0, 0, 0, 1, 10, 0, 0, 0, 0, 100, [512], [0]), (0, 0, 1, 10, 5, 9, 1, 2, 80, 0, 100, [], [])]
        )
        sink.decisions([(5, 0, 1, 7, -1)])
    (tmp_path / "cell" / "cell.json").write_text('{"state": "STABLE", "metrics": {"arrived": 0}}')
    cell = CellResult("a", {}, 0, tmp_path / "cell")
    with pytest.raises(KeyError):
        assemble(tmp_path / "out", [cell], study=FACTS, provenance={})
    log = pq.read_table(tmp_path / "out" / "iterations.parquet").to_pylist()
    assert [(row["iterations"], row["chunk_new"]) for row in log] == [(1, [512]), (5, [])]
    decisions = pq.read_table(tmp_path / "out" / "decisions.parquet").to_pylist()
    assert decisions[0]["detail"] == -1


def test_frames_are_tidy_and_read_only_what_is_asked(out: Path) -> None:
    summary = summary_frame(out)
    assert list(summary.columns[:4]) == ["system", "workload.rate", "seed", "state"]
    assert len(summary) == 8
    requests = requests_frame(out, "second", rate=10.0)
    assert len(requests) == 2 * 120
    assert set(requests.system) == {"second"}
    assert set(instances_frame(out, "first").system) == {"first"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"system": "secnd"}, "unknown system 'secnd'; have first, second .did you mean 'second'"),
        ({"rate": 11}, "workload.rate must be one of 10.0, 40.0, got 11"),
        ({"speed": 1}, "sweep key 'speed' must name one of workload.rate"),
    ],
)
def test_a_wrong_name_in_a_frame_is_told(out: Path, arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        requests_frame(out, **arguments)  # type: ignore[arg-type]
