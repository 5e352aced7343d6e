"""Fronts, ranks and the ranking are those of their definitions, for any number and direction of objectives."""

import numpy as np
import pytest
from clouds import TWO, dominates_by_definition, settings_of_points, two
from hypothesis import given

from automl_kd.objectives import (
    Objective,
    Point,
    crowding_distances,
    dominates,
    non_dominated,
    non_dominated_ranks,
    pareto_front,
    ranking,
)


def ranks_by_definition(points, objectives):
    left, ranks, rank = set(range(len(points))), {}, 0
    while left:
        best = {i for i in left if not any(dominates_by_definition(points[j], points[i], objectives) for j in left)}
        ranks |= dict.fromkeys(best, rank)
        left -= best
        rank += 1
    return [ranks[index] for index in range(len(points))]


@given(settings_of_points())
def test_dominance_is_that_of_the_definition(case):
    points, objectives = case
    for first in points:
        for second in points:
            assert dominates(first, second, objectives) == dominates_by_definition(first, second, objectives)


@given(settings_of_points(smallest=0))
def test_the_front_is_what_nothing_dominates_and_of_equals_the_oldest(case):
    points, objectives = case
    best = [p for p in points if not any(dominates_by_definition(other, p, objectives) for other in points)]
    oldest = {}
    for point in sorted(best, key=lambda each: each.trial):
        oldest.setdefault(point.values, point)
    front = pareto_front(points, objectives)
    assert len(front) == len(oldest)
    assert set(front) == set(oldest.values())


@given(settings_of_points())
def test_the_front_begins_with_the_best_in_the_first_known_objective(case):
    points, objectives = case
    front = pareto_front(points, objectives)
    lead = next((at for at, each in enumerate(objectives) if each.known), len(objectives) - 1)
    goodness = [objectives[lead].goodness(point.values[lead]) for point in front]
    assert goodness == sorted(goodness, reverse=True)
    if len(objectives) == 2:
        other = [objectives[1 - lead].goodness(point.values[1 - lead]) for point in front]
        assert other == sorted(other)


@given(settings_of_points(smallest=0))
def test_ranks_are_those_of_the_definition(case):
    points, objectives = case
    assert non_dominated_ranks(points, objectives) == ranks_by_definition(points, objectives)


@given(settings_of_points(smallest=2))
def test_a_rank_never_falls_when_a_candidate_arrives(case):
    points, objectives = case
    before, after = non_dominated_ranks(points[:-1], objectives), non_dominated_ranks(points, objectives)
    assert all(new >= old for old, new in zip(before, after, strict=False))


@given(settings_of_points(smallest=0))
def test_the_ranking_goes_by_rank_then_by_how_alone_a_point_stands_then_by_age(case):
    points, objectives = case
    order, ranks = ranking(points, objectives), non_dominated_ranks(points, objectives)
    assert sorted(order) == list(range(len(points)))
    keys = []
    for index in order:
        members = [other for other, rank in enumerate(ranks) if rank == ranks[index]]
        alone = crowding_distances([points[each] for each in members], objectives)[members.index(index)]
        keys.append((ranks[index], -alone, points[index].trial))
    assert keys == sorted(keys)


def test_crowding_adds_the_gaps_of_all_objectives_and_prices_count_by_their_ratio():
    memory = Objective("memory_bytes", "minimize", "bytes", known=True)
    front = [
        Point(0, (0.5, 1.0, 8.0)),
        Point(1, (0.7, 2.0, 4.0)),
        Point(2, (0.8, 8.0, 2.0)),
        Point(3, (0.9, 16.0, 1.0)),
    ]
    found = crowding_distances(front, [*TWO, memory])
    # Accuracy spans .4, latency four doublings, memory three.
    assert found == pytest.approx([np.inf, 0.3 / 0.4 + 3 / 4 + 2 / 3, 0.2 / 0.4 + 3 / 4 + 2 / 3, np.inf])
    assert crowding_distances(two((0.5, 1.0), (0.7, 2.0)), TWO).tolist() == [np.inf, np.inf]
    assert len(crowding_distances([], TWO)) == 0


@given(settings_of_points())
def test_rows_that_nothing_dominates_are_the_front(case):
    points, _ = case
    smaller = [Objective(f"objective_{at}", "minimize", "") for at in range(len(points[0].values))]
    rows = np.array([point.values for point in points])
    kept = non_dominated(rows)
    assert {tuple(row) for row in rows[kept]} == {point.values for point in pareto_front(points, smaller)}
    assert len({tuple(row) for row in rows[kept]}) == kept.sum()


def test_a_title_says_quantity_and_device():
    assert Objective("memory_bytes", "minimize", "bytes", known=True).title == "memory"
    assert Objective("energy_mj@jetson-nano", "minimize", "mJ", known=True).title == "energy on jetson-nano"
    assert Objective("macro_f1", "maximize", "%").title == "macro f1"
    assert Objective("macro_f1", "maximize", "%", title="macro F1").title == "macro F1"
