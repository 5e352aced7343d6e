"""What the front of a study has in common is named with its numbers, what could be chance is not."""

import random

import optuna
import pytest

from automl_kd.recipes import load_space
from automl_kd.studies.enrichment import common
from automl_kd.studies.state import ACCURACY, LATENCY

OBJECTIVES = (ACCURACY, LATENCY)


@pytest.fixture(scope="module")
def drawn():
    """Parameters of 60 candidates of a space of many holes, with their distributions."""
    space = load_space("tiny_cnn")
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(60):
        space.draw(study.ask())
    return [(trial.params, trial.distributions) for trial in study.get_trials()]


def mixes(params):
    return params["train.augment"] == '["mixup"]'


def finished(drawn, values):
    """Trials of a study of two objectives."""
    return [
        optuna.trial.create_trial(params=params, distributions=distributions, values=value)
        for (params, distributions), value in zip(drawn, values, strict=True)
    ]


def curve(rng, slower):
    """Values on a curve on which nothing beats anything, and off it where slower."""
    place = rng.random()
    return [0.5 + 0.4 * place, 1 + place + 2 * slower]


def test_noise_in_a_space_of_many_holes_is_no_finding(drawn):
    found = 0
    for seed in range(200):
        rng = random.Random(seed)
        values = [[rng.random(), rng.random()] for _ in drawn]
        found += any(each.sure for each in common(finished(drawn, values), OBJECTIVES).values)
    assert found <= 0.05 * 200


def test_what_puts_candidates_on_the_front_is_found(drawn):
    rng = random.Random(0)
    study = common(finished(drawn, [curve(rng, not mixes(params)) for params, _ in drawn]), OBJECTIVES)
    first = study.values[0]
    assert (first.hole, first.value, first.sure) == ("train.augment", "[mixup]", True)
    assert (first.count, first.of_count) == (sum(mixes(params) for params, _ in drawn), 60)
    assert first.count * first.of_chosen < 0.5 * first.chosen * 60  # at least twice as often as in all
    assert not any(each.sure for each in study.values[1:])
    assert {each.value for each in study.values if each.hole == "distill.losses.kd"} <= {"on", "off"}


def test_numbers_of_many_values_are_compared_by_thirds():
    rng = random.Random(0)
    rates = [number / 59 for number in range(60)]
    drawn = [({"rate": rate}, {"rate": optuna.distributions.FloatDistribution(0, 1)}) for rate in rates]
    first, *_ = common(finished(drawn, [curve(rng, rate > 0.33) for rate in rates]), OBJECTIVES).values
    assert (first.hole, first.value, first.count) == ("rate", "below 0.333", 20)
    assert first.sure


def test_a_front_of_one_shares_nothing_and_so_does_none(drawn):
    assert common([], OBJECTIVES).looked_at == 0
    assert common(finished(drawn[:1], [[0.9, 1.0]]), OBJECTIVES).values == ()
