"""Imports: published measurements become tables that say where they come from, and what cannot be right is refused."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from simcore.commands.profile_import import import_profile
from simcore.contract import Shape
from simcore.cost import Roofline, load_model
from simcore.cost.tables import TableCost, holds_tables, import_tables, read_tables, write_tables
from tests.cost import published
from tests.cost.published import GPU, MODEL, STEPPED

LLAMA = load_model("llama-3.1-8b")


def tables(folder: Path, **more):
    return import_tables("aiconfigurator", [folder], "h200", **more)


def test_operators_of_aiconfigurator_make_the_cost_of_any_model(tmp_path):
    published.gemm(tmp_path)
    published.generation(tmp_path)
    found = tables(tmp_path, commit="095f58a")
    assert found.provenance["commit"] == "095f58a"
    assert found.provenance["software"] == {"gemm": "VLLM 0.22.0", "decode_attention": "VLLM 0.22.0"}
    assert found.provenance["points"] == {"gemm": 63, "decode_attention": 30}
    assert set(found.provenance["files"]) == {"gemm_vllm_0.22.0.parquet", "generation_attention_vllm_0.22.0.parquet"}
    seconds = TableCost(LLAMA, GPU, found).terms(Shape(decodes=8, context=8 * 1024))
    assert seconds["decode_attention"] == pytest.approx(LLAMA.layers * (10e-6 + 0.8e-9 * 8 * 1024))
    assert seconds["matmuls"] > 0


def test_elements_of_messages_are_two_bytes(tmp_path):
    rows = pd.DataFrame({"message_size": [1000, 2000], "latency": [6e-3, 7e-3]})
    named = rows.assign(**published.SAID, num_gpus=2, backend="vllm_graph")
    named.to_parquet(tmp_path / "custom_allreduce_vllm_0.22.0.parquet")
    (found,) = tables(tmp_path).tables
    assert found.axes == {"bytes": (2000.0, 4000.0)}
    assert found.labels == {"gpus": 2, "backend": "graph"}
    assert found.seconds == pytest.approx([6e-6, 7e-6])


def test_what_is_left_out_of_a_straight_table_is_met(tmp_path):
    published.generation(tmp_path)
    error = tables(tmp_path).error["decode_attention bf16"]
    # Batches 1 2 4 8 (16) and contexts 2 4 8 16 (1024) 2048: only context 1024 lies inside, in five batches.
    assert error["all"]["points"] == 5
    assert error["all"]["worst"] < 1e-6
    assert error["all"]["roofline_median"] > 0.01


def test_held_out_points_are_judged_by_what_is_left(tmp_path):
    def bend(rows):
        return rows.assign(latency=rows.latency * np.where(rows.step == 1023, 2, 1))

    published.generation(tmp_path, bend)
    assert tables(tmp_path).error["decode_attention bf16"]["all"]["median"] == pytest.approx(0.5, abs=1e-3)


def test_a_point_measured_again_takes_the_median_and_tells_the_noise(tmp_path):
    def again(rows):
        return pd.concat([rows, rows.head(2).assign(latency=rows.head(2).latency * 1.1)])

    published.gemm(tmp_path, again)
    found = tables(tmp_path)
    assert found.provenance["points"] == {"gemm": 63}
    noise = found.provenance["measured_again"]["gemm_vllm_0.22.0.parquet: gemm"]
    assert noise["points"] == 2
    assert noise["worst"] == pytest.approx(0.1)


def test_layers_of_vidur_make_the_cost_of_their_model(tmp_path):
    sources = [published.vidur(tmp_path), published.allreduce(tmp_path)]
    found = import_tables("vidur", sources, "h200", model="llama-2-7b")
    bare, cost = Roofline(MODEL, GPU), TableCost(MODEL, GPU, found)
    shape = Shape(decodes=64, context=64 * 100)
    for term in ("matmuls", "elementwise"):
        assert cost.terms(shape)[term] == pytest.approx(1.2 * bare.terms(shape)[term], rel=0.06)
    for term in ("decode_attention", "lm_head"):
        assert cost.terms(shape)[term] == bare.terms(shape)[term]
    with pytest.raises(ValueError, match=r"hidden must be 4096, llama-2-70b has 8192"):
        TableCost(STEPPED, GPU, found, 8)


def test_a_folder_of_vidur_is_searched_for_the_model(tmp_path):
    published.vidur(tmp_path)
    assert import_tables("vidur", [tmp_path], "h200", model="llama-2-7b").sizes["intermediate"] == 11008
    with pytest.raises(
        ValueError, match=r"no table has the sizes of llama-2-70b \(hidden 8192, .*llama_mlp.csv.gz: hid"
    ):
        import_tables("vidur", [tmp_path], "h200", model="llama-2-70b")


def test_phases_of_splitwise_make_whole_steps(tmp_path):
    found = import_tables("splitwise", [published.splitwise(tmp_path)], "h200", model="llama-2-70b")
    bare, cost = Roofline(STEPPED, GPU, 8), TableCost(STEPPED, GPU, found, 8)
    for shape in (Shape(4, 4 * 576), Shape(chunks=[(512, 0)]), Shape(1, 1000)):
        assert cost.line(shape)[0] == pytest.approx(1.5 * bare.line(shape)[0], rel=0.03)
    with pytest.raises(ValueError, match="tp must be one of 8"):
        TableCost(STEPPED, GPU, found, 4)


def test_splitwise_names_what_it_has(tmp_path):
    with pytest.raises(ValueError, match="must have rows for llama-2-7b on h200-80gb; has llama2-70b on h200-80gb"):
        import_tables("splitwise", [published.splitwise(tmp_path)], "h200", model="llama-2-7b")
    with pytest.raises(ValueError, match="name the model"):
        import_tables("splitwise", [tmp_path], "h200")


def test_a_file_of_tables_is_read_back_as_it_was_written(tmp_path):
    published.gemm(tmp_path)
    found = tables(tmp_path)
    first, second = tmp_path / "first.npz", tmp_path / "second.npz"
    write_tables(first, found)
    assert holds_tables(first)
    again = read_tables(first)
    write_tables(second, again)
    assert first.read_bytes() == second.read_bytes()
    assert again.error == found.error
    assert again.tables[0].seconds == pytest.approx(found.tables[0].seconds, rel=0)


@pytest.mark.parametrize("content", [b"PK\x03\x04 no archive", b"{}", b""])
def test_a_file_that_holds_no_tables_is_refused_by_name(tmp_path, content):
    path = tmp_path / "odd.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"odd.npz: must be an archive of tables"):
        read_tables(path)


def test_an_archive_of_something_else_is_refused(tmp_path):
    path = tmp_path / "odd.npz"
    np.savez(path, header=np.array('{"schema": "other/9"}'))
    with pytest.raises(ValueError, match=r"schema must be 'simcore.tables/1', got 'other/9'"):
        read_tables(path)


BAD = {
    "columns are missing: latency": lambda rows: rows.rename(columns={"latency": "latencies"}),
    r"did you mean latencies\?": lambda rows: rows.rename(columns={"latency": "latencies"}),
    r"row 3: latency must be a time above 0, got -1.0 \(1 such": lambda rows: _set(rows, 2, "latency", -1.0),
    r"row 3: latency must be a time above 0, got nan": lambda rows: _set(rows, 2, "latency", float("nan")),
    "row 1: m must be a whole number >= 0, got 1.5": lambda rows: _set(rows.astype({"m": float}), 0, "m", 1.5),
    "must have rows, got none": lambda rows: rows.head(0),
    "half of the times are one 909th of what the roofline": lambda rows: rows.assign(latency=rows.latency / 1e3),
    r"half of the times are 1.1e\+03 times what the roof": lambda rows: rows.assign(latency=rows.latency * 1e3),
    "measured on 'NVIDIA A100-SXM4-80GB', not on NVIDIA H200": lambda rows: rows.assign(device="NVIDIA A100-SXM4-80GB"),
    "device must be the same in all rows": lambda rows: _set(rows, 0, "device", "NVIDIA H100"),
    "version must be the same in all rows, got 0.22.0, 0.9": lambda rows: _set(rows, 0, "version", "0.9"),
    r"gemm at dtype bf16, m 1, n 1024, k 1024 is there more than once.*within 1.5 times": lambda rows: pd.concat(
        [rows, rows.head(1).assign(latency=rows.latency[0] * 2)]
    ),
    r"1 of 63 points would run above the peak of .*m 64, n 16384, k 16384.*--drop-impossible": lambda rows: _set(
        rows, 62, "latency", 1e-3
    ),
}


@pytest.mark.parametrize("rule", BAD)
def test_measurements_that_cannot_be_right_are_refused(tmp_path, rule):
    published.gemm(tmp_path, BAD[rule])
    with pytest.raises(ValueError, match=rule) as caught:
        tables(tmp_path)
    assert "gemm_vllm_0.22.0.parquet: " in str(caught.value)


def _set(rows: pd.DataFrame, row: int, column: str, value: Any) -> pd.DataFrame:
    rows = rows.copy()
    rows.loc[row, column] = value
    return rows


def test_points_above_the_peak_can_be_left_out_and_are_counted(tmp_path):
    published.gemm(tmp_path, lambda rows: _set(rows, 62, "latency", 1e-3))
    found = tables(tmp_path, drop_impossible=True)
    assert found.provenance["dropped_as_impossible"] == 1
    assert found.provenance["points"] == {"gemm": 62}


def test_folders_without_a_file_or_with_two_versions_of_one_are_refused(tmp_path):
    with pytest.raises(ValueError, match="must have files of aiconfigurator"):
        tables(tmp_path)
    with pytest.raises(ValueError, match="there is no such file or folder"):
        tables(tmp_path / "none")
    path = published.gemm(tmp_path)
    path.with_name("gemm_vllm_0.23.0.parquet").write_bytes(path.read_bytes())
    with pytest.raises(ValueError, match=r"gemm must be in one file, got gemm_vllm_0\.22\.0\.parquet, gemm_vllm_0\.23"):
        tables(tmp_path)


def test_tables_are_not_taken_for_another_gpu(tmp_path):
    published.gemm(tmp_path)
    with pytest.raises(ValueError, match="measured on NVIDIA H200 SXM 141GB, the study's hardware is mine"):
        TableCost(LLAMA, replace(GPU, name="mine"), tables(tmp_path))


def command(*arguments: str):
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(import_profile)
    return CliRunner().invoke(app, list(arguments))


def test_the_command_writes_a_file_and_prints_the_errors(tmp_path):
    published.generation(tmp_path)
    out = tmp_path / "h200.npz"
    ran = command("aiconfigurator", str(tmp_path), "--gpu", "h200", "--out", str(out))
    assert ran.exit_code == 0, ran.output
    assert "30 of decode_attention" in ran.output
    assert "decode_attention bf16" in ran.output
    assert read_tables(out).gpu == GPU.name


def test_the_command_says_in_one_line_what_is_wrong(tmp_path):
    ran = command("aiconfigurator", str(tmp_path), "--gpu", "h2000", "--out", str(tmp_path / "x.npz"))
    assert ran.exit_code == 2
    assert "did you mean h200?" in ran.output
    assert not (tmp_path / "x.npz").exists()
