"""Knee, spread and near ties at values that can be worked out by hand, and their properties for any objectives."""

import numpy as np
import pytest
from clouds import ACCURACY, TWO, dominates_by_definition, settings_of_points, two
from hypothesis import given

from automl_kd.objectives import Objective, Point, choose_spread, knee, near_ties, pareto_front

MEMORY = Objective("memory_bytes", "minimize", "bytes", known=True)
THREE = (*TWO, MEMORY)


def test_the_knee_is_the_bend():
    front = two((0.5, 1.0), (0.88, 1.5), (0.9, 4.0), (0.91, 16.0))
    assert knee(front, TWO).trial == 1
    assert knee(front[:1], TWO).trial == 0
    assert knee(front[:2], TWO).trial == 1


def test_the_knee_of_a_front_that_sags_is_its_most_accurate_point():
    sagging = two((0.38, 1.0), (0.44, 3.0), (0.85, 4.0))
    assert knee(sagging, TWO) == sagging[2]
    assert knee([*sagging, Point(3, (0.86, 100.0))], TWO) == sagging[2]


def test_the_knee_does_not_hang_on_the_order_of_the_objectives():
    front = two((0.5, 1.0), (0.88, 1.5), (0.9, 4.0), (0.91, 16.0))
    turned = [Point(point.trial, point.values[::-1]) for point in front]
    assert knee(turned, TWO[::-1]).trial == knee(front, TWO).trial


def test_the_knee_of_a_minimised_score_is_that_of_the_maximised_one():
    front = two((0.5, 1.0), (0.88, 1.5), (0.9, 4.0), (0.91, 16.0))
    errors = [Point(point.trial, (1 - point.values[0], point.values[1])) for point in front]
    assert knee(errors, [Objective("error", "minimize", "%"), TWO[1]]).trial == 1


def test_the_knee_of_three_objectives_has_the_largest_sum_of_what_it_keeps_of_each():
    # Kept of accuracy, latency (log) and memory (log): the corners 1, 1 and 1, the bend .9 + .5 + .5.
    corners = [Point(0, (1.0, 16.0, 16.0)), Point(1, (0.0, 1.0, 16.0)), Point(2, (0.0, 16.0, 1.0))]
    bend = Point(3, (0.9, 4.0, 4.0))
    assert knee([*corners, bend], THREE) == bend
    assert knee(corners, THREE).trial == 0
    inward = Point(3, (0.2, 8.0, 8.0))  # .2 + .25 + .25: not as far out as the corners
    assert knee([*corners, inward], THREE).trial == 0


def test_a_spread_starts_at_the_knee_and_covers_the_front():
    front = [Point(n, (1 - 0.5**n, 2.0**n)) for n in range(9)]
    dominated = [Point(20, (0.1, 300.0))]
    picks = choose_spread(front + dominated, TWO, 5)
    assert len({pick.trial for pick in picks}) == 5
    assert picks[0] == knee(front, TWO)
    assert {front[0], front[-1]} <= set(picks)
    assert choose_spread([], TWO, 5) == []
    assert len(choose_spread(front, TWO, 100)) == 9


def test_a_spread_of_three_objectives_holds_the_best_of_each():
    corners = [Point(0, (1.0, 16.0, 16.0)), Point(1, (0.0, 1.0, 16.0)), Point(2, (0.0, 16.0, 1.0))]
    bend, beside = Point(3, (0.9, 4.0, 4.0)), Point(4, (0.91, 4.1, 4.1))
    picks = choose_spread([*corners, bend, beside], THREE, 5)
    assert [each.trial for each in picks[1:4]] == [0, 1, 2]
    assert {picks[0], picks[4]} == {bend, beside}


@given(settings_of_points())
def test_a_spread_is_of_the_front_without_doubles_and_a_shorter_one_begins_a_longer_one(case):
    points, objectives = case
    front = pareto_front(points, objectives)
    whole = choose_spread(points, objectives, 100)
    assert sorted(whole, key=front.index) == front
    for count in range(len(whole)):
        assert choose_spread(points, objectives, count) == whole[:count]


def near(points, intervals, error, count=5):
    """Near ties of points whose accuracies are off by equally much."""
    return near_ties(points, TWO, intervals, {point.trial: [error] for point in points}, count)


def test_near_ties_are_what_accuracy_and_predicted_latency_cannot_tell_from_the_front():
    front = two((0.90, 1.0), (0.95, 2.0))
    close, slower, worse = Point(2, (0.945, 2.1)), Point(3, (0.949, 9.0)), Point(4, (0.80, 1.9))
    latency = {0: (0.8, 1.3), 1: (1.6, 2.6), 2: (1.7, 2.7), 3: (7.0, 11.0), 4: (1.5, 2.4)}
    intervals = {trial: [each] for trial, each in latency.items()}
    points = [*front, close, slower, worse]
    assert near(points, intervals, 0.01) == [close]
    assert near(points, intervals, 0.01, count=0) == []
    assert near(points, intervals, 0.002) == []  # half a point is more than two errors
    assert near(points, intervals | {3: [(1.5, 11.0)]}, 0.01) == [slower, close]


def test_one_known_cost_or_one_measured_value_that_is_surely_better_is_enough():
    robust = Objective("robust_accuracy", "maximize", "%")
    objectives = (ACCURACY, robust, TWO[1], MEMORY)
    best, point = Point(0, (0.9, 0.5, 1.0, 10.0)), Point(1, (0.899, 0.499, 1.1, 11.0))
    wide = {0: [(0.5, 2.0), (5.0, 20.0)], 1: [(0.6, 2.1), (6.0, 21.0)]}
    errors = {0: [0.01, 0.01], 1: [0.01, 0.01]}
    assert near_ties([best, point], objectives, wide, errors, 5) == [point]
    assert near_ties([best, point], objectives, wide | {1: [(0.6, 2.1), (20.5, 21.0)]}, errors, 5) == []
    assert near_ties([best, point], objectives, wide, errors | {1: [0.01, 0.0001]}, 5) == []


def test_a_known_gain_is_surely_better_where_its_interval_lies_above():
    objectives = (ACCURACY, Objective("battery_hours", "maximize", "h", known=True))
    best, point = Point(0, (0.9, 12.0)), Point(1, (0.899, 10.0))
    errors = {0: [0.01], 1: [0.01]}
    assert near_ties([best, point], objectives, {0: [(11.0, 13.0)], 1: [(9.0, 11.5)]}, errors, 5) == [point]
    assert near_ties([best, point], objectives, {0: [(11.0, 13.0)], 1: [(9.0, 10.5)]}, errors, 5) == []


@given(settings_of_points())
def test_without_any_error_near_ties_are_copies_of_the_front_and_with_endless_error_all_behind_it(case):
    points, objectives = case
    measured = sum(not each.known for each in objectives)

    def found(error, width):
        intervals = {
            point.trial: [(v - width, v + width) for v, o in zip(point.values, objectives, strict=True) if o.known]
            for point in points
        }
        errors = {point.trial: [error] * measured for point in points}
        return near_ties(points, objectives, intervals, errors, 100)

    front = pareto_front(points, objectives)
    copies = {
        point
        for point in points
        if point not in front and not any(dominates_by_definition(other, point, objectives) for other in points)
    }
    assert set(found(0.0, 0.0)) == copies
    assert set(found(np.inf, np.inf)) == set(points) - set(front)


@pytest.mark.parametrize("known", [True, False])
def test_with_one_objective_all_choices_are_its_best(known):
    points = [Point(0, (3.0,)), Point(1, (1.0,)), Point(2, (1.0,))]
    objective = [Objective("loss", "minimize", "", known=known)]
    assert pareto_front(points, objective) == choose_spread(points, objective, 3) == [points[1]]
    assert knee(points, objective) == points[1]
