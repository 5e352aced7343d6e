"""The expected improvement of candidates under a fitted model, against brute force."""

import dataclasses

import numpy as np
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from scipy.special import ndtri

from automl_kd.objectives import dominated_volume, non_dominated
from automl_kd.samplers.acquisition import Acquisition
from automl_kd.samplers.encoding import Encoder
from automl_kd.samplers.multi_fidelity import MultiFidelityModel
from automl_kd.samplers.observations import Observations

DRAWS = 800


class State:
    """A study of one measured objective, minimised, and so many known ones, after 24 trials; and 6 candidates."""

    def __init__(self, known):
        encoder = Encoder({"x": FloatDistribution(0, 1), "kind": CategoricalDistribution(["a", "b"])})
        rng = np.random.default_rng(known)
        rows = [{"x": float(rng.uniform()), "kind": "ab"[rng.integers(2)]} for _ in range(30)]
        costs = rng.uniform(0.1, 1.0, (30, known))
        costs[24:] *= 0.6  # candidates that are worth something
        loss = np.array([1.5 - each["x"] + 0.3 * (each["kind"] == "a") for each in rows])
        loss = loss - 0.6 * costs.mean(axis=1) + 0.05 * rng.normal(size=30)
        loss[3] = 9.0  # a student that learned nothing: the model sees it below a knee
        points, all_values = encoder.encode(rows), np.column_stack([loss, costs])
        done, self.candidates = np.arange(24), np.arange(24, 30)
        observed = Observations(points[done], np.zeros(24, dtype=int), -loss[done], np.zeros(24, dtype=bool))
        posterior = MultiFidelityModel(encoder.layout, 0).condition(observed, 1, None)
        reference = np.array([1.6, *[0.9] * known])
        front = all_values[done][non_dominated(all_values[done])]
        front = front[(front < reference).all(axis=1)]
        ideal = np.array([loss.min() - 0.3, *costs.min(axis=0)])
        self.acquisition = Acquisition([posterior], [], front, reference, ideal, frozenset())
        self.points, self.costs = points[self.candidates], costs[self.candidates]

    def drawn(self, std_scale=1.0):
        """Mean of what each candidate's values add to the front's volume, over quantiles of what the model says."""
        state, numbers = self.acquisition, ndtri((np.arange(DRAWS) + 0.5) / DRAWS)
        (posterior,) = state.modelled
        mean, std = posterior.predict(self.points)
        before = dominated_volume(state.front, state.reference)
        draws = -posterior.warp.inverse(mean[:, None] + std_scale * std[:, None] * numbers)
        return [
            np.mean([dominated_volume(np.vstack([state.front, [y, *costs]]), state.reference) for y in values]) - before
            for values, costs in zip(draws, self.costs, strict=True)
        ]

    def counted(self):
        """The same by counting random places that a draw dominates and the front does not; for any dimension."""
        state, rng = self.acquisition, np.random.default_rng(0)
        (posterior,) = state.modelled
        places = rng.uniform(state.ideal, state.reference, (200_000, len(state.ideal)))
        places = places[~(state.front[None] <= places[:, None]).all(axis=2).any(axis=1)]
        mean, std = posterior.predict(self.points)
        losses = -posterior.warp.inverse(mean[:, None] + std[:, None] * rng.normal(size=len(places)))
        inside = (self.costs[:, None] <= places[None, :, 1:]).all(axis=2) & (losses <= places[:, 0])
        return inside.sum(axis=1) * np.prod(state.reference - state.ideal) / 200_000


@pytest.mark.parametrize("known", [1, 2])
@pytest.mark.parametrize("std_scale", [1.0, 2.0])
def test_expected_improvement_is_the_mean_of_what_draws_of_the_model_add(known, std_scale):
    state = State(known)
    found = dataclasses.replace(state.acquisition, std_scale=std_scale).improvement(state.points, state.costs)
    drawn = state.drawn(std_scale)
    assert max(drawn) > 0.02
    assert found == pytest.approx(drawn, abs=0.003 * max(drawn))


@pytest.mark.parametrize("known", [1, 2, 3])
def test_expected_improvement_is_the_volume_of_the_places_that_draws_of_the_model_reach(known):
    state = State(known)
    found = state.acquisition.improvement(state.points, state.costs)
    counted = state.counted()
    assert max(counted) > 0.01
    assert found == pytest.approx(counted, abs=0.06 * max(counted))


@pytest.mark.parametrize(("known", "error"), [(1, 1e-9), (2, 1e-9), (3, 0.03)])
def test_the_hypervolume_is_that_of_the_front(known, error):
    state = State(known).acquisition
    box = np.prod(state.reference - state.ideal)
    assert state.hypervolume == pytest.approx(dominated_volume(state.front, state.reference), abs=error * box)
