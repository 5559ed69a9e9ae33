"""What a share of the SMs is worth: the paper's curve, a table, and cost models that follow it exactly."""

import pytest

from simcore.contract import UNBOUNDED, Shape
from simcore.cost import Affine, Roofline, load_hardware, load_model
from simcore.cost.by_share import any_by_share, roofline_by_share
from simcore.cost.sm_curve import SmCurve, paper_curve, read_curve
from simcore.cost.sm_shares import read_shares

MODEL, GPU = load_model("llama-3.1-8b"), load_hardware("a100-80gb")
DECODES = Shape(decodes=8, context=9000)
PROMPT = Shape(chunks=[(700, 300)])


def halved() -> SmCurve:
    """Half of the SMs: prompts take three times as long, decodes twice."""
    factors = [0.0, *([4.0] * 49), 3.0, *([1.5] * 49), 1.0]
    return SmCurve("made", tuple(factors), tuple(2.0 if factor == 3 else factor for factor in factors))


def on_half(shape: Shape) -> Shape:
    half = shape.after(0)
    half.sm_pct = 50
    return half


def test_the_papers_curve_is_one_on_all_sms_and_inverse_linear_below():
    curve = paper_curve()
    assert curve.prefill[100] == curve.decode[100] == 1
    assert curve.prefill[50] == pytest.approx((2 * 0.7324350 + 0.3185253) / 1.0509603)
    assert curve.decode[80] == pytest.approx(1.17770 / 1.0252225, abs=1e-5)


@pytest.mark.parametrize(("shape", "times"), [(PROMPT, 3), (DECODES, 2)])
def test_a_roofline_follows_the_curve_of_its_phase(shape, times):
    cost = roofline_by_share(MODEL, GPU, 1, halved())
    whole = Roofline(MODEL, GPU).line(shape)
    assert cost.line(shape) == whole
    assert cost.line(on_half(shape))[0] == pytest.approx(times * whole[0], rel=1e-6)
    assert sum(cost.terms(on_half(shape)).values()) == pytest.approx(cost.line(on_half(shape))[0] / 1e12)


def test_its_lines_stay_exact_and_long():
    cost = roofline_by_share(MODEL, GPU, 1, paper_curve())
    half = on_half(DECODES)
    first, increment, iterations = cost.line(half)
    assert iterations == UNBOUNDED
    for j in (1, 7, 1000):
        assert cost.line(half.after(j))[0] == first + j * increment
    assert half.sm_pct == 50, "the shape is left as it was"


def test_any_other_model_follows_it_iteration_by_iteration():
    cost = any_by_share(Affine(step_ps=1001, context_ps=1), halved())
    assert cost.line(Shape(decodes=2, context=7)) == (1008, 2, UNBOUNDED)
    assert cost.line(on_half(Shape(decodes=2, context=7))) == (2016, 0, 1)
    assert cost.describe()["sm_curve"]["source"] == "made"  # type: ignore[index]


def written(folder, text):
    path = folder / "table.csv"
    path.write_text(text)
    return path


def test_a_table_is_straight_over_the_inverse_share_and_relative_to_its_last_row(tmp_path):
    curve = read_curve(written(tmp_path, "sm_pct,prefill,decode\n25,8,3\n50,4,2\n100,2,1\n"))
    assert (curve.prefill[25], curve.prefill[50], curve.prefill[100]) == (4, 2, 1)
    assert curve.decode[40] == pytest.approx(2.25), "100/40 lies a quarter of the way from 2 to 4"
    assert curve.decode[5] == pytest.approx(15), "below the first row as 1/share"
    assert curve.source == "table.csv"


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("sm_pct,prefill\n100,1\n", ":2: must have numbers under sm_pct, prefill, decode"),
        ("sm_pct,prefill,decode\n50,1,1\n", "sm_pct must ascend, each once, and end with 100, got \\[50\\]"),
        ("sm_pct,prefill,decode\n50,2,2\n50,2,2\n100,1,1\n", "sm_pct must ascend"),
        ("sm_pct,prefill,decode\n50,0,2\n100,1,1\n", ":2: sm_pct must be a whole 1..100 and factors > 0"),
        ("", "sm_pct must ascend, each once, and end with 100, got \\[\\]"),
    ],
)
def test_a_mistake_in_a_table_is_named_with_its_line(tmp_path, text, rule):
    with pytest.raises(ValueError, match=rule):
        read_curve(written(tmp_path, text))


def test_a_table_of_contention_has_four_shares_a_row(tmp_path):
    head = "prefill_pct,decode_pct,prefill_worth,decode_worth\n"
    assert read_shares(written(tmp_path, head + "100,100,70,45\n")) == ((100, 100, 70, 45),)
    with pytest.raises(ValueError, match=r":2: shares must be 1\.\.100"):
        read_shares(written(tmp_path, head + "100,100,70,145\n"))
    with pytest.raises(ValueError, match="must have a row under prefill_pct, decode_pct"):
        read_shares(written(tmp_path, head))
