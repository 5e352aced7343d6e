"""One measured objective beside one to three known ones: what is found, and what waiting trials are worth."""

import math

import numpy as np
import optuna
import pytest
from scipy.stats import spearmanr

from automl_kd.objectives import Objective, Point, hypervolume
from automl_kd.samplers import KnownCostSampler


def network(trial):
    return {
        "depth": trial.suggest_int("depth", 1, 8),
        "width": trial.suggest_float("width", 0.25, 2.0, log=True),
        "kernel": trial.suggest_categorical("kernel", [3, 5, 7]),
        "kind": trial.suggest_categorical("kind", ["plain", "separable"]),
        "rate": trial.suggest_float("rate", 1e-3, 1.0, log=True),
        "weight": trial.suggest_float("weight", 0.0, 1.0),
    }


def operations(params):
    taps = params["kernel"] ** 2 if params["kind"] == "plain" else params["kernel"] + 2
    return params["depth"] * params["width"] ** 2 * taps


def log_loss(params):
    capacity = math.log1p(operations(params)) + 0.4 * (params["kind"] == "separable") + 0.1 * (params["kernel"] == 5)
    distance = 0.08 * (math.log10(params["rate"]) + 1.3) ** 2 + 0.2 * (params["weight"] - 0.6) ** 2
    return 2.3 * math.exp(-0.5 * capacity) + distance


def latency(params):
    return 0.2 * operations(params) + 0.5 * params["depth"]


def latency_elsewhere(params):
    return 0.02 * operations(params) + 2.0 * params["depth"] * params["width"] ** 0.5 + 0.4 * params["kernel"]


def memory(params):
    return params["width"] + params["width"] ** 2 * params["kernel"] ** 2 * (0.3 if params["kind"] != "plain" else 1.0)


class Problem:
    """The log loss, or its negative to be maximised, beside so many known costs."""

    def __init__(self, known, measured="minimize"):
        self.sign = 1 if measured == "minimize" else -1
        self.functions = [latency, latency_elsewhere, memory][:known]
        self.costs = dict(enumerate(self.functions, 1))
        self.objectives = [
            Objective("score", measured, ""),
            *(Objective(each.__name__, "minimize", "", known=True) for each in self.functions),
        ]
        self.reference = [self.sign * 2.5, *[60.0, 40.0, 200.0][:known]]

    def score(self, params):
        return self.sign * log_loss(params)

    def values(self, params):
        return (self.score(params), *(each(params) for each in self.functions))

    def study(self, sampler):
        return optuna.create_study(directions=[each.direction for each in self.objectives], sampler=sampler)

    def volume(self, rows):
        points = [Point(number, tuple(values)) for number, values in enumerate(rows)]
        return hypervolume(points, self.objectives, self.reference)

    def run(self, sampler, trials):
        study = self.study(sampler)
        study.optimize(lambda trial: self.values(network(trial)), n_trials=trials)
        return study


@pytest.mark.parametrize("known", [1, 2, 3])
def test_it_covers_more_than_random_search_does_with_twice_the_trials(known):
    problem = Problem(known)

    def covered(make, trials, seeds):
        return np.mean([problem.volume(t.values for t in problem.run(make(seed), trials).trials) for seed in seeds])

    ours = covered(lambda seed: KnownCostSampler(problem.costs, seed=seed), 30, range(2))
    drawn = covered(lambda seed: optuna.samplers.RandomSampler(seed=seed), 60, range(4))
    assert ours > drawn


@pytest.mark.parametrize("known", [1, 2, 3])
def test_a_loss_that_is_minimised_is_searched_as_its_negative_that_is_maximised(known):
    runs = [
        problem.run(KnownCostSampler(problem.costs, seed=4, n_startup_trials=6), 14)
        for problem in (Problem(known, "minimize"), Problem(known, "maximize"))
    ]
    first, second = ([trial.params for trial in study.trials] for study in runs)
    assert first == second
    assert runs[0].sampler.improvement == runs[1].sampler.improvement > 0


def test_what_any_cost_calls_infeasible_is_not_proposed():
    def small(params):
        return math.inf if params["depth"] > 4 else memory(params)

    study = Problem(2).study(KnownCostSampler({1: latency, 2: small}, seed=0, n_startup_trials=4))
    study.optimize(lambda t: (log_loss(p := network(t)), latency(p), memory(p)), n_trials=16)
    asked = [trial.params["depth"] for trial in study.trials[1:]]  # of the first no parameters were known
    assert max(asked) <= 4


@pytest.mark.parametrize(("known", "measured"), [(1, "minimize"), pytest.param(2, "maximize", marks=pytest.mark.long)])
def test_what_waiting_trials_are_said_to_be_worth_is_what_they_come_to(known, measured):
    problem, expected, came, ranks = Problem(known, measured), 0.0, 0.0, []
    for seed in range(3):
        sampler = KnownCostSampler(problem.costs, seed=seed, reference=problem.reference, n_startup_trials=12)
        study, done, waiting = problem.study(sampler), [], {}
        for number in range(36):
            trial = study.ask()
            params = network(trial)
            trial.set_user_attr("score@2", problem.sign * (0.5 + 1.2 * log_loss(params)))
            if number % 3:
                waiting[number] = params
            else:
                done.append(problem.values(params))
                study.tell(trial, done[-1])
        worth = sampler.expected_improvements(study, list(waiting))
        true = [problem.volume([*done, problem.values(p)]) / problem.volume(done) - 1 for p in waiting.values()]
        expected, came = expected + sum(worth.values()), came + sum(true)
        ranks.append(spearmanr([worth[number] for number in waiting], true)[0])
    assert 0.67 < expected / came < 1.5
    assert np.mean(ranks) > 0.8
