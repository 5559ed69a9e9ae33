"""Grids: linear between the points that were measured, stated beyond them, and whole where some are missing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcore.cost.tables import Grid

NAN = float("nan")


@given(st.floats(1, 100), st.floats(1, 50), st.floats(2, 8))
def test_what_is_linear_in_each_axis_is_met_everywhere_inside(x: float, y: float, z: float):
    axes = {"x": [1, 3, 10, 100], "y": [1, 50], "z": [2, 5, 8]}
    at = np.meshgrid(*axes.values(), indexing="ij")
    grid = Grid(axes, 7 + at[0] * at[1] * at[2])
    assert grid.at(x, y, z) == pytest.approx(7 + x * y * z)
    assert grid.inside(x, y, z)
    assert grid.outside == 0


@given(st.floats(0.1, 1000), st.floats(0.1, 1000))
def test_a_grid_of_rising_times_never_falls_beyond_its_edge(x: float, y: float):
    values = np.array([[1.0, 2.0], [5.0, 9.0]])
    for beyond in ("linear", "proportional"):
        grid = Grid({"x": [1, 2], "y": [1, 2]}, values, beyond=beyond)
        assert 1 <= grid.at(x, y) <= grid.at(x + 1, y) + 1e-9


def test_beyond_the_last_point_the_last_cell_goes_on():
    grid = Grid({"x": [1, 2, 4]}, np.array([10.0, 10.0, 20.0]))
    assert grid.at(8) == 40.0
    assert not grid.inside(8)


def test_beyond_the_last_point_a_proportional_grid_scales_its_edge():
    grid = Grid({"x": [1, 2, 4], "y": [1, 2]}, np.array([[1.0, 1.0], [1.0, 1.0], [10.0, 10.0]]), beyond="proportional")
    assert grid.at(8, 1) == 20.0
    assert grid.at(8, 6) == 60.0


def test_a_last_cell_that_falls_is_not_followed_below_its_edge():
    assert Grid({"x": [1, 2]}, np.array([10.0, 5.0])).at(4) == 5.0


def test_before_the_first_point_the_edge_holds():
    assert Grid({"x": [10, 20]}, np.array([5.0, 15.0])).at(1) == 5.0


def test_look_ups_outside_are_counted_and_others_are_not():
    grid = Grid({"x": [1, 2]}, np.array([1.0, 2.0]))
    for x in (0, 1, 1.5, 2, 3, 4):
        grid.at(x)
    assert grid.outside == 3


# Two requests of 100 tokens were not measured.
RAGGED = Grid({"batch": [1, 2, 3], "context": [1, 10, 100]}, np.array([[1, 10, 100], [2, 20, NAN], [3, 30, NAN]]))


def test_a_cell_with_a_missing_corner_is_answered_from_the_nearest_whole_one():
    assert RAGGED.at(2, 100) == 200.0
    assert RAGGED.at(3, 100) == 300.0
    assert RAGGED.outside == 2


def test_a_point_on_the_border_of_a_whole_cell_is_inside():
    assert RAGGED.inside(2, 10)
    assert RAGGED.inside(3, 5)
    assert RAGGED.inside(1, 10)
    assert not RAGGED.inside(1, 50)


def test_the_polyline_along_an_axis_holds_the_others():
    points, values = Grid({"x": [1, 2], "y": [1, 3, 5]}, np.array([[1, 3, 5], [2, 6, 10]])).along("y", 1.5)
    assert points == [1, 3, 5]
    assert values == [1.5, 4.5, 7.5]


def test_an_axis_of_one_point_is_held():
    grid = Grid({"x": [4], "y": [1, 2]}, np.array([[1.0, 2.0]]))
    assert grid.at(4, 1.5) == 1.5
    assert not grid.inside(5, 1.5)


@pytest.mark.parametrize(
    ("axes", "values", "rule"),
    [
        ({"x": [2, 1]}, [1.0, 2.0], "'x' must ascend"),
        ({"x": []}, [], "'x' must ascend"),
        ({"x": [1, 2]}, [1.0], r"must have shape \(2,\), got \(1,\)"),
        ({"x": [1, 2]}, [1.0, NAN], "must have a cell with all corners measured"),
        ({}, 1.0, "at least one axis"),
    ],
)
def test_a_grid_that_is_none_is_refused(axes, values, rule):
    with pytest.raises(ValueError, match=rule):
        Grid(axes, np.array(values))
