"""Candidates are priced before training: what is over a limit is told so and never handed out."""

import optuna
import pytest
from optuna.trial import TrialState

from automl_kd.core import UserError
from automl_kd.recipes import Space
from automl_kd.studies.admission import Admission
from automl_kd.studies.attributes import TrialAttributes
from automl_kd.studies.pricing import Limits
from automl_kd.studies.proposer import Proposer
from automl_kd.studies.survey import survey

FIXED = {"task": "digits", "seed": 0}


@pytest.fixture(scope="module")
def prices(space, pricing):
    """Quantiles of what the space costs."""
    return survey(space, pricing, Limits(), seed=0)


@pytest.mark.parametrize("share", [1, 2])
def test_no_candidate_over_a_limit_is_ever_handed_out(open_store, propose_for, pricing, space, prices, database, share):
    limits = Limits(max_latency_ms=prices.latency_ms[share], max_params=prices.params[2])
    store = open_store()
    source = propose_for(store, limits)
    candidates = [source.next() for _ in range(12)]

    for candidate in candidates:
        (price,) = pricing.price([candidate.recipe])
        assert price.here.ms <= limits.max_latency_ms
        assert price.here.params <= limits.max_params
        assert candidate.price.latency_ms == price.here.ms
    trials = optuna.load_study(study_name="cam", storage=database.optuna()).get_trials()
    screened = [trial for trial in trials if TrialAttributes.of(trial).ending == "screened"]
    assert store.screened == len(screened) > 0
    for trial in screened:
        assert trial.state == TrialState.PRUNED
        assert TrialAttributes.of(trial).recipe is None
        (price,) = pricing.price([space.from_params(trial.params)])
        assert price.here.ms > limits.max_latency_ms or price.here.params > limits.max_params
        assert "is over the limit of" in TrialAttributes.of(trial).reason


def test_candidates_share_what_the_study_fixes(open_store, propose_for):
    recipe = propose_for(open_store()).next().recipe
    assert (recipe.task.name, recipe.seed) == ("digits", 0)


def decided(recipe):
    """What a study completes its recipes by; a restart must know them again."""
    return recipe.with_(distill=recipe.distill.model_dump(exclude_none=True) | {"targets": "cache-fp16"})


def proposer(trials, space, pricing, affordable=lambda recipe, price: True, seed=0):
    sampler = optuna.samplers.RandomSampler(seed=seed)
    return Proposer(trials, sampler, Admission(space, pricing, Limits(), affordable), FIXED, decided)


def test_no_recipe_is_handed_out_twice_also_after_a_restart_and_a_small_space_ends(open_store, pricing):
    space = Space(
        {
            "search_epochs": 9,
            "student": {"family": "resnet", "depth": 8, "width": {"choice": [0.25, 0.5, 0.75]}},
            "train": {"epochs": 9},
        }
    )
    first = proposer(open_store(), space, pricing)
    widths = [first.next().recipe.student.width for _ in range(2)]

    again = proposer(open_store(), space, pricing, seed=5)
    widths.append(again.next().recipe.student.width)

    assert sorted(widths) == [0.25, 0.5, 0.75]
    assert not again.exhausted
    assert again.next() is None
    assert again.exhausted


def test_a_space_of_one_recipe_is_nothing_to_search(pricing):
    one = Space({"search_epochs": 9, "student": {"family": "resnet", "depth": 8}, "train": {"epochs": 9}})
    with pytest.raises(UserError, match="holds a single recipe, so there is nothing to search"):
        survey(one, pricing, Limits(), seed=0)


def test_narrow_limits_still_find_the_few_candidates_that_fit(open_store, propose_for, prices, pricing, space):
    limits = Limits(max_params=min(prices.params) * 1.01)
    candidate = propose_for(open_store(), limits).next()
    assert candidate is not None
    assert candidate.price.params <= limits.max_params


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (Limits(max_latency_ms=1e-3), r"--max-latency is 0\.001 ms, but the least in the sample is \d"),
        (Limits(max_params=10), r"--max-params is 10 parameters, but the least in the sample is \d"),
        (Limits(max_memory_bytes=64), r"--max-memory is 64 bytes, but the least in the sample is \d"),
    ],
)
def test_where_nothing_fits_the_message_names_the_limit_and_the_nearest(space, pricing, limits, message):
    with pytest.raises(UserError, match=message):
        survey(space, pricing, limits, seed=0)


def test_a_survey_tells_how_much_of_the_space_fits(space, pricing, prices):
    found = survey(space, pricing, Limits(max_latency_ms=prices.latency_ms[2]), seed=0)
    assert 0.3 < found.feasible < 0.8
    assert list(found.latency_ms) == sorted(found.latency_ms)
    assert survey(space, pricing, Limits(), seed=0).feasible == 1


def test_what_the_budget_cannot_train_is_passed_over_and_is_neither_screened_nor_trained(open_store, pricing):
    widths = [0.25, 0.5, 0.75, 1.0]
    student = {"family": "resnet", "depth": 8, "width": {"choice": widths}}
    space = Space({"search_epochs": 9, "student": student, "train": {"epochs": 9}})
    store = open_store()
    source = proposer(store, space, pricing, lambda recipe, price: recipe.student.width <= 0.5)
    found = [source.next(), source.next(), source.next()]
    assert sorted(each.recipe.student.width for each in found if each) == [0.25, 0.5]
    assert found[2] is None
    trials = store.study.get_trials()
    passed = [trial for trial in trials if TrialAttributes.of(trial).ending == "passed over"]
    assert any("too dear" in TrialAttributes.of(trial).reason for trial in passed)
    assert all(trial.state == TrialState.FAIL for trial in passed)
    assert store.screened == 0
