"""What a search asks of its sampler beyond the next candidate."""

import optuna
import pytest

from automl_kd.execution import Trained
from automl_kd.samplers import KnowsWorth
from automl_kd.studies.pricing import Limits
from automl_kd.studies.proposer import Proposer
from automl_kd.studies.sampling import SAMPLERS, tells_worth


class OwnSampler(optuna.samplers.RandomSampler, KnowsWorth):
    """A user's sampler that says what trials are worth; the last one most."""

    renewed = 0

    @property
    def improvement(self):
        return 0.25

    def expected_improvements(self, study, numbers):
        return {number: float(number) for number in numbers}

    def renew(self):
        self.renewed += 1


def begun(proposer, store, count):
    """So many candidates that wait at the lowest rung."""
    for _ in range(count):
        store.arrive(proposer.next(), 0, Trained(0.5, 0.01, {"accuracy": 0.5}, 3, 1.0, None))
    return [number for number, each in store.candidates.items() if each.status == "waiting"]


def test_a_sampler_that_declares_that_it_knows_what_a_trial_is_worth_is_asked(open_store, space, pricing):
    store, sampler, dear = open_store(), OwnSampler(seed=0), []

    def affordable(recipe, price):
        return not dear and not dear.append(recipe)  # the first candidate alone

    proposer = Proposer(store, sampler, space, pricing, Limits(), affordable, {"seed": 0}, lambda recipe: recipe)
    waiting = begun(proposer, store, 1)
    assert proposer.worth() == {number: float(number) for number in waiting}
    assert proposer.expected_gain() == 0.25
    assert sampler.renewed == 0
    assert proposer.next() is None
    assert sampler.renewed > 0, "what the budget can hold has changed"


def test_any_other_sampler_is_not_asked(open_store, propose_for):
    store = open_store()
    proposer = propose_for(store)
    assert begun(proposer, store, 2)
    assert proposer.worth() is None
    assert proposer.expected_gain() is None


@pytest.mark.parametrize("name", SAMPLERS)
def test_whether_a_sampler_can_tell_is_known_from_its_name(name):
    assert tells_worth(name) == (name == "known-cost")
