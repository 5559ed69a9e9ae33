"""A real profile of layers, of an RTX PRO 6000: how far off it is where points are left out, and single steps."""

import pytest

from simcore.contract import Shape, to_s
from simcore.cost import load_hardware, load_model
from simcore.cost.layers.cost import LayerProfile
from simcore.cost.layers.folder import import_layers
from tests.cost.measured import profiles
from tests.cost.shapes import tell_the_truth

FOLDER = profiles() / "llmservingsim" / "rtxpro6000_llama-3.1-8b" / "profile"

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="no shared/profiles beside the checkout")


@pytest.fixture(scope="module")
def tables():
    return import_layers(FOLDER)


@pytest.fixture(scope="module")
def cost(tables):
    return LayerProfile(load_model("llama-3.1-8b"), load_hardware("rtx-pro-6000"), tables)


@pytest.mark.parametrize(
    ("kind", "median", "p90"),
    [
        ("dense layers", 0.005, 0.02),
        ("head", 0.005, 0.01),
        ("decode attention", 0.01, 0.07),
        ("prefill attention", 0.015, 0.08),
        ("mixed attention", 0.015, 0.12),
    ],
)
def test_points_left_out_are_met(tables, kind, median, p90):
    error = tables.error[kind]
    assert error["median"] <= median
    assert error["p90"] <= p90


def test_matrix_products_work_in_tiles(tables):
    assert tables.stairs


def test_one_decode_takes_what_the_server_s_did(cost):
    """11.42 ms a step, over 151 steps at 1,532 tokens on average, and nothing on top of the kernels."""
    assert to_s(cost.line(Shape(1, 1533, 1533))[0]) == pytest.approx(0.01142, rel=0.005)


def test_the_lines_of_a_real_profile_are_exact(cost):
    for decodes in (1, 2, 7, 33, 64, 100, 128, 300):
        for mean in (1, 15, 16, 500, 1151, 4000, 20_000):
            for longest in (mean, 2 * mean, 5 * mean + 3):
                tell_the_truth(cost, Shape(decodes, decodes * mean, longest))
