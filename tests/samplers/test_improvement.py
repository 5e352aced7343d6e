"""Expected hypervolume improvement and the process behind it, against closed forms and brute force."""

import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import approx_fprime

from automl_kd.objectives import non_dominated
from automl_kd.samplers.encoding import Encoder
from automl_kd.samplers.gaussian_process import GaussianProcess, TrainingData, _Likelihood, fit
from automl_kd.samplers.improvement import added_volume, expected_improvement, open_samples
from automl_kd.samplers.warp import Warp

D = optuna.distributions


def volume_by_counting(points, front, reference, draws):
    """Share of uniform draws in the unit box that a point dominates and the front does not, shape (m,)."""
    free = ~(front[None] <= draws[:, None]).all(axis=2).any(axis=1) & (draws < reference).all(axis=1)
    return np.array([(free & (point <= draws).all(axis=1)).mean() for point in points])


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_the_volume_that_a_point_adds_is_what_counting_finds(dimensions):
    rng = np.random.default_rng(0)
    front, points = rng.uniform(0.1, 1, (7, dimensions)), rng.uniform(0, 1, (9, dimensions))
    reference = np.full(dimensions, 0.95)
    counted = volume_by_counting(points, front, reference, rng.uniform(size=(200_000, dimensions)))
    assert added_volume(points, front, reference) == pytest.approx(counted, abs=4e-3)


def test_points_that_the_front_leaves_open_count_the_volume_it_does_not_cover():
    rng = np.random.default_rng(1)
    front, ideal, reference = rng.uniform(0.1, 1, (9, 3)), np.zeros(3), np.full(3, 1.1)
    points, each = open_samples(front, ideal, reference, 4096)
    assert each * len(points) == pytest.approx(added_volume(ideal[None], front, reference)[0], rel=0.03)


def test_the_first_point_adds_its_whole_box():
    assert added_volume(np.array([[1.0, 2.0]]), np.empty((0, 2)), np.array([3.0, 5.0])) == pytest.approx([6.0])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(*[st.integers(0, 6)] * 2), min_size=1, max_size=12))
def test_what_is_dominated_or_beyond_the_reference_adds_nothing_and_the_front_covers_all(rows):
    values = np.array(rows, dtype=float)
    front = values[non_dominated(values)]
    assert added_volume(values, front, np.array([6.0, 6.0])) == pytest.approx(np.zeros(len(values)))
    assert {tuple(row) for row in front} == {
        tuple(a) for a in values if not any((b <= a).all() and (b < a).any() for b in values)
    }


def test_above_the_knee_the_excess_is_the_closed_form_of_expected_improvement():
    # sigma (z Phi(z) + phi(z)) at z = 0 is sigma / sqrt(2 pi)
    found = Warp(knee=-100.0, reach=1.0).expected_excess(np.array([1.0, -48.0]), np.array([1.0]), np.array([2.0]))
    assert found[0] == pytest.approx([2.0 / np.sqrt(2 * np.pi), 49.0])


def test_the_excess_over_a_level_is_counted_in_the_values_own_unit():
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(65, 4, 80), rng.uniform(1, 60, 20)])
    warp = Warp.of(values)
    assert warp.inverse(warp(values)) == pytest.approx(values)
    levels = np.array([10.0, 40.0, 55.0, warp.knee, 66.0, 75.0])
    mean, std = np.array([-2.0, -1.0, 0.0, 1.0, 0.3, -1.0]), np.array([0.1, 0.5, 0.3, 1.0, 2.5, 1e-4])
    drawn = warp.inverse(mean[:, None] + std[:, None] * rng.normal(size=200_000))
    sampled = np.maximum(drawn[:, None, :] - levels[:, None], 0.0).mean(axis=2)
    assert warp.expected_excess(levels, mean, std) == pytest.approx(sampled, abs=0.05)


@pytest.mark.parametrize("known", [1, 2])
def test_expected_improvement_is_the_mean_over_draws_of_exact_improvements(known):
    rng = np.random.default_rng(1)
    values = rng.uniform(0, 1, (6, 1 + known))
    front = values[non_dominated(values)]
    mean, std = rng.uniform(0, 1, 8), rng.uniform(0.05, 0.4, 8)
    costs, reference = rng.uniform(0, 0.9, (8, known)), np.ones(1 + known)
    draws = (np.column_stack([mean + std * rng.normal(size=8), costs]) for _ in range(5000))
    sampled = np.mean([added_volume(each, front, reference) for each in draws], axis=0)
    plain = Warp(knee=-100.0, reach=1.0)  # larger is better there
    found = expected_improvement(lambda levels: plain.expected_excess(-levels, -mean, std), costs, front, reference)
    assert found == pytest.approx(sampled, abs=8e-3)


@pytest.fixture
def sample():
    encoder = Encoder(
        {
            "a": D.CategoricalDistribution(["x", "y", "z"]),
            "b": D.CategoricalDistribution(["x", "y", "z"]),
            "c": D.FloatDistribution(0.1, 10, log=True),
            "d": D.IntDistribution(1, 5),
        }
    )
    rng = np.random.default_rng(0)
    letters = ["x", "y", "z"]
    params = [
        {"a": letters[rng.integers(3)], "b": letters[rng.integers(3)], "c": float(rng.uniform(0.1, 10))}
        | ({"d": int(rng.integers(1, 6))} if rng.random() < 0.5 else {})
        for _ in range(30)
    ]
    values = np.array([(each["a"] == "x") + np.log(each["c"]) / 4 for each in params])
    return encoder, TrainingData(encoder.encode(params), values - values.mean())


def test_the_likelihoods_gradient_is_its_slope(sample):
    encoder, observed = sample
    likelihood = _Likelihood(observed, encoder.layout, 1)
    at = likelihood.prior.vector() + 0.3 * np.random.default_rng(1).normal(size=len(likelihood.prior.vector()))
    slope = approx_fprime(at, lambda vector: likelihood(vector)[0], 1e-6)
    assert likelihood(at)[1] == pytest.approx(slope, abs=1e-4)


def test_what_decides_the_values_gets_the_weight_and_what_was_seen_is_known(sample):
    encoder, observed = sample
    learned = fit(observed, encoder.layout, 0, None, 60)
    first, second, log_scale, step = np.exp(learned.weights[:4])
    assert first > second
    assert log_scale > step
    mean, std = GaussianProcess(observed, encoder.layout, learned).predict(observed.points[:10])
    assert mean == pytest.approx(observed.values[:10], abs=0.25)
    assert (std < observed.values.std()).all()


def test_conditional_parameters_that_are_missing_stand_between_those_that_are_there():
    encoder = Encoder({"a": D.CategoricalDistribution(["x", "y"]), "n": D.IntDistribution(1, 3)})
    x, y, none = encoder.encode([{"a": "x", "n": 1}, {"a": "y", "n": 3}, {}]).categories
    assert ((x - y) ** 2).sum() == pytest.approx(1.0)
    assert ((x - none) ** 2).sum() == pytest.approx(0.5)
    assert encoder.encode([{"n": 1}, {"n": 3}, {}]).ordered[:, 0] == pytest.approx([-0.5, 0.5, 0.0])


def test_what_an_option_does_in_one_place_tells_of_the_places_where_it_was_never_tried():
    places = [f"place{index}" for index in range(6)]
    encoder = Encoder({place: D.CategoricalDistribution(["good", "bad", "so-so"]) for place in places})
    rng = np.random.default_rng(0)
    worth = {"good": 1.0, "so-so": 0.5, "bad": 0.0}
    rows = [{place: str(rng.choice(list(worth))) for place in places[:-1]} | {"place5": "so-so"} for _ in range(40)]
    values = np.array([sum(worth[option] for option in row.values()) for row in rows])
    observed = TrainingData(encoder.encode(rows), (values - values.mean()) / values.std())
    process = GaussianProcess(observed, encoder.layout, fit(observed, encoder.layout, 0, None, 60))
    good, bad = ([row | {"place5": option} for row in rows] for option in ("good", "bad"))
    assert (process.mean(encoder.encode(good)) > process.mean(encoder.encode(bad))).mean() > 0.9


def test_options_are_counted_where_parameters_share_them_and_only_there():
    several = {name: D.CategoricalDistribution(["x", "y"]) for name in "ab"}
    encoder = Encoder(several | {"alone": D.CategoricalDistribution(["p", "q"]), "n": D.IntDistribution(1, 3)})
    points = encoder.encode(
        [{"a": a, "b": b, "alone": "p", "n": 1} for a, b in [("x", "y"), ("y", "x"), ("x", "x"), ("y", "y")]]
    )
    assert points.ordered.shape == (4, 1 + 2)
    one, other, both, neither = points.ordered
    assert one == pytest.approx(other)
    assert both[1] > one[1] > neither[1]
    assert both[1] - one[1] == pytest.approx(one[1] - neither[1])
