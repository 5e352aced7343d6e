"""Hypervolumes are what counting cells finds, and grow as if counted anew."""

import numpy as np
import pytest
from clouds import TWO, cells, settings_of_points, two
from hypothesis import given, settings
from hypothesis import strategies as st

from automl_kd.objectives import Objective, Point, dominated_volume, dominated_volumes, growth, hypervolume


def references(objectives, levels=4):
    """Corners on the grid of ``cells``, the best that a point can reach, the worst and between."""
    return st.tuples(*[st.sampled_from((0.5, 2.0, levels - 0.5, levels + 0.5)) for _ in objectives])


@settings(deadline=None)
@given(st.data())
def test_hypervolume_counts_grid_cells(data):
    points, objectives = data.draw(settings_of_points(most=3, smallest=0))
    reference = data.draw(references(objectives))
    assert hypervolume(points, objectives, reference) == pytest.approx(cells(points, objectives, reference))


@settings(deadline=None, max_examples=20)
@given(st.data())
def test_hypervolume_of_four_objectives_counts_grid_cells(data):
    points, objectives = data.draw(settings_of_points(least=4, points=8, levels=3))
    reference = data.draw(references(objectives, 3))
    assert hypervolume(points, objectives, reference) == pytest.approx(cells(points, objectives, reference, 3))


@settings(deadline=None)
@given(st.data())
def test_the_hypervolume_grows_as_if_counted_anew_after_each_point(data):
    points, objectives = data.draw(settings_of_points(smallest=0))
    reference = data.draw(references(objectives))
    anew = [hypervolume(points[: end + 1], objectives, reference) for end in range(len(points))]
    grown = growth(points, objectives, reference)
    assert list(grown) == pytest.approx(anew)
    assert all(np.diff(grown) >= 0)


def test_two_stairs_by_hand():
    points = two((0.75, 2.0), (0.5, 1.0), (0.4, 3.0))
    assert hypervolume(points, TWO, (0.0, 4.0)) == 0.5 * 3 + 0.25 * 2
    assert hypervolume(points, TWO, (0.75, 4.0)) == 0
    assert hypervolume([], TWO, (0.0, 4.0)) == 0


def test_a_simplex_of_points_has_the_volume_of_its_boxes():
    # Points (i, j, 9 - i - j): of the cube of ten, the cells with i + j + k >= 9 of the grid are dominated.
    steps = [(i, j, 9 - i - j) for i in range(10) for j in range(10 - i)]
    rows = np.array(steps, dtype=float)
    dominated = sum(i + j + k >= 9 for i in range(10) for j in range(10) for k in range(10))
    assert dominated_volume(rows, np.full(3, 10.0)) == dominated
    assert dominated_volumes(rows, np.full(3, 10.0))[-1] == dominated
    four = np.column_stack([rows, np.full(len(rows), 8.0)])
    assert dominated_volume(four, np.full(4, 10.0)) == 2 * dominated


def test_a_maximised_price_counts_with_its_own_sign():
    life = Objective("battery_hours", "maximize", "h", known=True)
    assert hypervolume([Point(0, (0.5, 12.0))], [TWO[0], life], (0.25, 10.0)) == 0.5
