"""Results at lower fidelities: where a study keeps them is the user's choice."""

import math

import optuna
import pytest
from optuna.trial import TrialState

from automl_kd.core import UserError
from automl_kd.samplers import AttributeReadings, KnownCostSampler


def cost(params):
    return params["width"]


def run(readings, note, trials=16, **more):
    """Every third trial ends, the others wait after a first result that `note` keeps."""
    study = optuna.create_study(
        directions=["maximize", "minimize"],
        sampler=KnownCostSampler({1: cost}, seed=0, n_startup_trials=5, **readings, **more),
    )
    waiting = []
    for number in range(trials):
        trial = study.ask()
        params = {"width": trial.suggest_float("width", 1, 9), "rate": trial.suggest_float("rate", 0, 1)}
        value = math.tanh(params["width"] / 5) - abs(params["rate"] - 0.4)
        note(trial, 2, 0.5 * value)
        if number % 3:
            waiting.append(number)
        else:
            study.tell(trial, [value, cost(params)])
    return study, waiting


def as_attributes(prefix):
    return lambda trial, epoch, value: trial.set_user_attr(f"{prefix}{epoch}", value)


def as_history(trial, epoch, value):
    trial.set_user_attr("history", {"validation": [[epoch, value]]})


def from_history(trial):
    return dict(trial.user_attrs.get("history", {}).get("validation", []))


def test_the_same_results_kept_anywhere_make_the_same_proposals():
    ways = [
        ({}, as_attributes("score@")),
        ({"readings": AttributeReadings("my accuracy ")}, as_attributes("my accuracy ")),
        ({"readings": from_history}, as_history),
    ]
    studies = [run(*way)[0] for way in ways]
    first, *others = [[trial.params for trial in study.trials] for study in studies]
    assert all(other == first for other in others)


def test_results_that_are_not_given_are_not_known():
    (study, waiting), (other, _) = (
        run({"readings": readings}, as_attributes("score@"))
        for readings in (AttributeReadings("score@"), lambda trial: {})
    )
    assert any(study.sampler.expected_improvements(study, waiting).values())
    assert other.sampler.expected_improvements(other, waiting) == dict.fromkeys(waiting, 0.0)


def test_attributes_of_other_names_and_values_that_are_no_numbers_are_passed_over():
    attributes = {"score@3": 0.5, "score@x": 1.0, "score@9": None, "score@12": math.nan, "note": "score@1"}
    trial = optuna.create_trial(state=TrialState.PRUNED, user_attrs=attributes)
    readings = AttributeReadings("score@")(trial)
    assert {epoch: value for epoch, value in readings.items() if not math.isnan(value)} == {3: 0.5}


@pytest.mark.parametrize(
    ("readings", "message"),
    [
        (lambda trial: trial.user_attrs["missing"], "readings: raised KeyError: 'missing' for trial 0"),
        (lambda trial: 0.7, "readings: gave 0.7 for trial 0; it gives a mapping from epoch to result"),
        (lambda trial: {"last": 0.7}, "readings: gave {'last': 0.7} for trial 0; it gives a mapping from epoch"),
    ],
)
def test_a_function_that_gives_no_results_by_epoch_is_named_with_the_trial(readings, message):
    with pytest.raises(UserError) as told:
        run({"readings": readings}, as_history)
    assert str(told.value).startswith(message)
