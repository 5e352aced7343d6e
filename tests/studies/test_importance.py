"""What decides accuracy is named, what could be chance is not."""

import random

import optuna
import pytest
from optuna.trial import TrialState

from automl_kd.recipes import load_space
from automl_kd.studies.importance import importances
from automl_kd.studies.state import ACCURACY, LATENCY

OBJECTIVES = (ACCURACY, LATENCY)


def study_of(trials, seed=0):
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=optuna.samplers.RandomSampler(seed=seed))

    def run(trial):
        rate = trial.suggest_float("rate", 1e-3, 1.0, log=True)
        trial.suggest_float("noise", 0.0, 1.0)
        deep = trial.suggest_categorical("family", ["deep", "wide"]) == "deep"
        depth = trial.suggest_int("depth", 1, 8) if deep else 4
        return 0.5 + 0.05 * depth - 0.02 * abs(rate - 0.1), float(depth)

    study.optimize(run, n_trials=trials)
    return study.get_trials()


def test_a_hole_that_decides_accuracy_comes_first_also_where_only_a_branch_has_it():
    found = importances(study_of(150), OBJECTIVES)
    assert found[0].hole == "depth"
    assert found[0].score > 0.5
    assert 50 < found[0].trials < 100
    for goal in ("score", "front"):
        assert sum(getattr(each, goal) or 0 for each in found) in (0, pytest.approx(1))


def test_what_makes_candidates_fast_decides_the_front_and_not_accuracy():
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=optuna.samplers.RandomSampler(seed=0))
    rng = random.Random(0)

    def run(trial):
        kind = trial.suggest_categorical("kind", ["a", "b", "c", "d", "e", "f"])
        trial.suggest_float("noise", 0.0, 1.0)
        accuracy = rng.random()
        return accuracy, accuracy + (0.0 if kind == "a" else 2.0)

    study.optimize(run, n_trials=150)
    (found,) = importances(study.get_trials(), OBJECTIVES)
    assert found.model_dump() == {"hole": "kind", "score": None, "front": 1.0, "trials": 150}


def test_accuracies_that_are_noise_name_no_hole_of_a_space_of_many():
    space = load_space("tiny_cnn")
    named = 0
    for seed in range(2):
        rng = random.Random(seed)
        study = optuna.create_study(
            directions=["maximize", "minimize"], sampler=optuna.samplers.RandomSampler(seed=seed)
        )
        for _ in range(100):
            trial = study.ask()
            space.draw(trial)
            study.tell(trial, [rng.random(), 1.0])
        named += len(importances(study.get_trials(), OBJECTIVES))
    assert named <= 1  # each study errs with a chance of one in twenty


def test_a_handful_of_trials_says_nothing():
    assert importances([], OBJECTIVES) == ()
    assert importances(study_of(10), OBJECTIVES) == ()


def test_trials_that_were_stopped_do_not_count():
    trials = study_of(60)
    for trial in trials:
        trial.state = TrialState.PRUNED
    assert importances(trials, OBJECTIVES) == ()
