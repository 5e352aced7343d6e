"""What short trainings tell of whole ones."""

import numpy as np
import pytest
from optuna.distributions import CategoricalDistribution
from scipy.stats import spearmanr

from automl_kd.samplers.encoding import Encoder
from automl_kd.samplers.multi_fidelity import MultiFidelityModel
from automl_kd.samplers.observations import Observations

OPTIONS = {"slow": 0.0, "fair": 1.0, "good": 1.6, "best": 2.0}
PLACES = [f"place{index}" for index in range(5)]


@pytest.fixture
def networks():
    encoder = Encoder({place: CategoricalDistribution(list(OPTIONS)) for place in PLACES})
    rng = np.random.default_rng(0)
    rows = [{place: str(rng.choice(list(OPTIONS))) for place in PLACES} for _ in range(160)]
    worth = np.array([sum(OPTIONS[option] for option in row.values()) for row in rows])
    return encoder, encoder.encode(rows), worth


def whole_accuracy(worth):
    """Saturates, as training does, where a short one still rises."""
    return 75.0 - 40.0 * np.exp(-worth / 2.5)


def posterior(encoder, points, short, whole, trained):
    """What is expected of whole trainings, from short ones of 100 networks and whole ones of some of them."""
    shorts = np.arange(100) if short is not None else np.arange(0)
    rows = np.concatenate([shorts, trained])
    levels = np.repeat([0, 1] if short is not None else [0, 0], [len(shorts), len(trained)])
    values = np.concatenate([short[shorts] if short is not None else [], whole[trained]])
    readings = Observations(points[rows], levels, values, np.zeros(len(rows), dtype=bool))
    return MultiFidelityModel(encoder.layout, 0).condition(readings, 1 if short is None else 2, None)


def test_short_trainings_of_many_tell_of_whole_ones_though_only_the_best_were_trained_whole(networks):
    encoder, points, worth = networks
    noise = np.random.default_rng(1).normal(size=len(worth))
    short, whole = 6.0 * worth + noise, whole_accuracy(worth)
    promoted = np.argsort(-short[:100])[:20]
    unseen = points[np.arange(100, 160)]
    alone, both = (posterior(encoder, points, each, whole, promoted) for each in (None, short))
    found = [spearmanr(each.predict(unseen)[0], whole[100:])[0] for each in (alone, both)]
    assert found[1] > 0.9
    assert found[1] > found[0] + 0.1


def test_short_trainings_that_tell_nothing_do_no_harm(networks):
    encoder, points, worth = networks
    short, whole = np.random.default_rng(2).normal(30.0, 5.0, len(worth)), whole_accuracy(worth)
    unseen = points[np.arange(100, 160)]
    alone, both = (posterior(encoder, points, each, whole, np.arange(60)) for each in (None, short))
    found = [spearmanr(each.predict(unseen)[0], whole[100:])[0] for each in (alone, both)]
    assert found[1] > found[0] - 0.05


def test_what_was_only_trained_briefly_is_less_certain_than_what_was_trained_whole(networks):
    encoder, points, worth = networks
    short = 6.0 * worth + np.random.default_rng(3).normal(size=len(worth))
    both = posterior(encoder, points, short, whole_accuracy(worth), np.arange(30))
    _, std = both.predict(points)
    trained, briefly, never = std[:30].mean(), std[30:100].mean(), std[100:].mean()
    assert trained < briefly < never


def test_before_any_whole_training_short_ones_order_what_is_to_come(networks):
    encoder, points, worth = networks
    nothing = np.arange(0)
    mean, _ = posterior(encoder, points, 6.0 * worth, worth, nothing).predict(points[np.arange(100, 160)])
    assert spearmanr(mean, worth[100:])[0] > 0.9


@pytest.mark.parametrize("count", [1, 3])
def test_few_whole_trainings_give_the_level_and_short_ones_the_order(networks, count):
    encoder, points, worth = networks
    short = 6.0 * worth
    trained = np.argsort(-short[:100])[5 : 5 + count]
    both = posterior(encoder, points, short, short + 30.0, trained)
    mean, std = both.predict(points[np.arange(100, 160)])
    assert spearmanr(mean, worth[100:])[0] > 0.9
    assert both.warp.inverse(mean) == pytest.approx(short[100:] + 30.0, abs=8.0)
    assert (std > 0).all()
