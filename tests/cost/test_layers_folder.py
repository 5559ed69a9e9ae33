"""Profile folders: what is read, what a file keeps, what is left out and compared, and what cannot be right."""

from collections.abc import Sequence
from dataclasses import fields

import numpy as np
import pytest

from simcore.cost.layers.file import read_layers, write_layers
from simcore.cost.layers.folder import import_layers
from simcore.cost.layers.nested import Nested
from simcore.cost.layers.tables import columns
from tests.cost import made_layers
from tests.cost.made_layers import tables, without, write

REAL_META = "gpu: NVIDIA H100 80GB HBM3\nmodel: meta-llama/Llama-3.1-8B\nvariant: bf16\n"


def test_a_profile_file_keeps_everything_and_is_the_same_each_time(tmp_path):
    read = import_layers(write(tmp_path / "profile"), source="github.com/someone/profiles", commit="abc")
    for name in ("one.npz", "two.npz"):
        write_layers(tmp_path / name, read)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    again = read_layers(tmp_path / "one.npz")
    for part in fields(read):
        kept, was = getattr(again, part.name), getattr(read, part.name)
        if part.name in ("attention", "uneven", "alphas"):
            assert all(np.array_equal(columns(kept)[name], values) for name, values in columns(was).items())
        elif part.name in ("dense", "head"):
            assert {name: curve.us.tolist() for name, curve in kept.items()} == {
                name: curve.us.tolist() for name, curve in was.items()
            }
        else:
            assert kept == was
    assert again.provenance["source"] == "github.com/someone/profiles"
    assert again.provenance["vllm_version"] == "0.19.0"
    assert len(again.provenance["files"]["attention.csv"]) == 64


def test_sums_over_iterations_are_told_by_the_even_batches(tmp_path):
    """The profiler added three iterations up in skew.csv."""
    uneven = import_layers(write(tmp_path)).uneven
    assert uneven is not None
    batch = (uneven.decodes == 2) & (uneven.chunk == 0) & (uneven.longest == 64)
    assert uneven.even_us[batch].tolist() == [made_layers.decode_us(2, 40)]


def test_what_is_linear_is_met_where_it_was_left_out(tmp_path):
    error = import_layers(write(tmp_path)).error
    assert error["head"]["worst"] == 0
    assert error["uneven decodes beside a chunk, left even"]["bias"] == pytest.approx(1 / 1.1 - 1, abs=1e-4)
    assert set(error["dense layers"]) == {"points", "median", "p90", "worst", "bias"}


def test_the_degree_is_the_folder_s(tmp_path):
    for name, degree in (("tp4", 4), ("profile", 1)):
        assert import_layers(write(tmp_path / name)).tp == degree
    assert import_layers(tmp_path / "profile", tp=2).tp == 2


def test_meta_may_lie_in_the_folder_above(tmp_path):
    folder = write(tmp_path / "tp1")
    (folder / "meta.yaml").rename(tmp_path / "meta.yaml")
    assert import_layers(folder).gpu == made_layers.GPU


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("attention", lambda t: (t[0][:-1], [row[:-1] for row in t[1]]), "columns are missing: time_us"),
        ("attention", lambda t: (("chunk", *t[0][1:]), t[1]), "columns are missing: prefill_chunk"),
        ("attention", lambda t: (t[0], [row for row in t[1] if row[0]]), "batches of decodes alone"),
        ("attention", lambda t: (t[0], [row for row in t[1] if not row[0]]), "batches with a prefill chunk"),
        ("attention", lambda t: (t[0], [*t[1], (0, 0, 1, 16, 99)]), r"there once, got prefill_chunk 0.0, .* twice"),
        ("attention", lambda t: (t[0], [*t[1], (0, 0, 1, 17, -1)]), "time_us must be a time above 0, got"),
        ("dense", lambda t: (t[0], without(t[1], "o_proj")), "layers are missing: o_proj"),
        ("dense", lambda t: (t[0], [*t[1], ("moe", 1, 5)]), "layer must be one of .*, got moe"),
        ("per_sequence", lambda t: (t[0], without(t[1], "sampler")), "layers are missing: sampler"),
        ("skew_fit", lambda t: (t[0], [(0, "few", *t[1][0][2:])]), "label must be like n<=8, .*, got 'few'"),
    ],
)
def test_a_file_that_cannot_be_right_is_refused_with_its_name(tmp_path, name, change, said):
    files = tables()
    files[name] = change(files[name])
    with pytest.raises(ValueError, match=rf"{name}\.csv: .*{said}"):
        import_layers(write(tmp_path, files))


def test_what_is_missing_is_said(tmp_path):
    with pytest.raises(ValueError, match=r"must be a folder with attention\.csv"):
        import_layers(tmp_path / "nowhere")
    folder = write(tmp_path / "profile")
    (folder / "moe.csv").write_text("ep,tokens\n")
    with pytest.raises(ValueError, match="mixtures of experts"):
        import_layers(folder)
    (folder / "moe.csv").unlink()
    (folder / "dense.csv").unlink()
    with pytest.raises(ValueError, match=r"dense\.csv: cannot be read"):
        import_layers(folder)
    (folder / "meta.yaml").write_text("gpu: x\n")
    with pytest.raises(ValueError, match=r"meta\.yaml: keys are missing: model"):
        import_layers(folder)
    (folder / "meta.yaml").unlink()
    with pytest.raises(ValueError, match=r"must have a meta\.yaml in it, or in the folder above"):
        import_layers(folder)


def real_times(unit: float) -> dict[str, made_layers.Table]:
    """Return the files with products as long as those of Llama-3.1-8B on an H100, in microseconds / `unit`."""
    files = tables()
    per_token = {"qkv_proj": 0.1, "o_proj": 0.07, "gate_up_proj": 0.47, "down_proj": 0.24}
    rows: list[Sequence[object]] = [
        (name, t, (40 + 60 * each + each * t) / unit) for name, each in per_token.items() for t in made_layers.TOKENS
    ]
    rows += [row for row in files["dense"][1] if row[0] not in per_token]
    files["dense"] = (files["dense"][0], rows)
    head: list[Sequence[object]] = [("lm_head", s, (400 + s) / unit) for s in made_layers.SEQUENCES]
    files["per_sequence"] = (files["per_sequence"][0], [*head, *without(files["per_sequence"][1], "lm_head")])
    return files


def test_a_product_above_the_peak_or_far_below_is_a_wrong_unit_or_degree(tmp_path):
    folder = write(tmp_path / "profile", real_times(1.0), REAL_META)
    assert import_layers(folder).model == "meta-llama/Llama-3.1-8B"
    with pytest.raises(ValueError, match=r"gate_up_proj at 1 took 0\.0\d+ us, .* times above the peak of NVIDIA H100"):
        import_layers(write(tmp_path / "milliseconds", real_times(1000.0), REAL_META))
    with pytest.raises(ValueError, match=r"times below the peak of .*Are these microseconds"):
        import_layers(write(tmp_path / "nanoseconds", real_times(0.001), REAL_META))
    halves = write(tmp_path / "tp2", real_times(2.0), REAL_META)
    assert import_layers(halves).tp == 2
    with pytest.raises(ValueError, match=r"above the peak .* with tp 1\?"):
        import_layers(halves, tp=1)


def test_the_wrong_model_or_gpu_is_refused(tmp_path):
    folder = write(tmp_path / "profile", real_times(1.0), REAL_META)
    with pytest.raises(ValueError, match=r"measured for meta-llama/Llama-3\.1-8B, not for qwen3-8b"):
        import_layers(folder, model="qwen3-8b")
    with pytest.raises(ValueError, match="measured on 'NVIDIA H100 80GB HBM3', not on NVIDIA A100"):
        import_layers(folder, gpu="a100-80gb")


def test_a_file_of_something_else_is_refused(tmp_path):
    path = tmp_path / "other.npz"
    path.write_text("not an archive")
    with pytest.raises(ValueError, match=r"other\.npz: must be a profile"):
        read_layers(path)
    with path.open("wb") as file:
        np.savez(file, header=np.array('{"schema": "simcore.tables/1"}'))
    with pytest.raises(ValueError, match=r"schema must be 'simcore\.layers/1', got 'simcore\.tables/1'"):
        read_layers(path)
    with path.open("wb") as file:
        np.savez(file, header=np.array('{"schema": "simcore.layers/1"}'))
    with pytest.raises(ValueError, match="damaged: 'attention' is missing"):
        read_layers(path)
    with pytest.raises(ValueError, match="No such file"):
        read_layers(tmp_path / "none.npz")


# -- tables without a full grid ---------------------------------------------------------------------------------------


def test_each_point_of_an_axis_has_points_of_its_own_below_it():
    table = Nested([(1, 10, 1.0), (1, 30, 3.0), (2, 20, 4.0), (2, 40, 8.0)])
    assert table.at(1, 20) == 2
    assert table.at(1.5, 20) == (2 + 4) / 2
    assert table.points(1.5) == [10, 20, 30, 40]
    assert table.inside(1.5, 25)
    assert not table.inside(1.5, 15)


def test_beyond_the_last_point_a_table_goes_on_or_stays_and_never_falls():
    rows = [(10, 1.0), (20, 2.0)]
    assert Nested(rows).at(40) == 4
    assert Nested(rows, beyond="edge").at(40) == 2
    assert Nested([(10, 2.0), (20, 1.0)]).at(40) == 1
    assert Nested(rows).at(5) == 1


def test_a_table_has_one_value_at_a_point():
    with pytest.raises(ValueError, match="must have one value at a point, got 2 at 1"):
        Nested([(1, 2.0), (1, 3.0)])
    with pytest.raises(ValueError, match="must have rows"):
        Nested([])
