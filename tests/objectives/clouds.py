"""Objectives and points to test with."""

import itertools

from hypothesis import strategies as st

from automl_kd.objectives import Objective, Point

ACCURACY = Objective("accuracy", "maximize", "%")
LATENCY = Objective("latency_ms", "minimize", "ms", known=True)
TWO = (ACCURACY, LATENCY)


def two(*pairs):
    """Points of accuracy and latency, numbered in their order."""
    return [Point(number, pair) for number, pair in enumerate(pairs)]


@st.composite
def settings_of_points(draw, least=1, most=4, points=12, levels=4, smallest=1):
    """Objectives of any direction, measured or known, and points on a grid on which many values are equal."""
    objectives = [
        Objective(f"objective_{number}", draw(st.sampled_from(("maximize", "minimize"))), "", known=draw(st.booleans()))
        for number in range(draw(st.integers(least, most)))
    ]
    values = st.tuples(*[st.integers(1, levels).map(float) for _ in objectives])
    rows = draw(st.lists(values, min_size=smallest, max_size=points))
    trials = draw(st.permutations(range(len(rows))))
    return [Point(trial, row) for trial, row in zip(trials, rows, strict=True)], objectives


def is_better(objective, ours, theirs):
    """By the definition of the direction alone."""
    return ours > theirs if objective.direction == "maximize" else ours < theirs


def dominates_by_definition(first, second, objectives):
    worse = any(is_better(o, b, a) for o, a, b in zip(objectives, first.values, second.values, strict=True))
    better = any(is_better(o, a, b) for o, a, b in zip(objectives, first.values, second.values, strict=True))
    return better and not worse


def cells(points, objectives, reference, levels=4):
    """Volume between the points and the reference, by counting cells of half a unit from 0 to ``levels`` + 1."""
    centres = itertools.product([each / 2 for each in range(2 * levels + 2)], repeat=len(objectives))
    return sum(
        all(is_better(o, at, worst) for o, at, worst in zip(objectives, centre, reference, strict=True))
        and any(
            all(is_better(o, value, at) for o, value, at in zip(objectives, point.values, centre, strict=True))
            for point in points
        )
        for centre in (tuple(c + 0.25 for c in each) for each in centres)
    ) / 2 ** len(objectives)
