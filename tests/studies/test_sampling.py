"""What a study asks of its sampler beyond the next candidate."""

import optuna
import pytest

from automl_kd.execution import Trained
from automl_kd.samplers import SAMPLERS, KnowsWorth
from automl_kd.studies.admission import Admission
from automl_kd.studies.objectives import parse_objectives
from automl_kd.studies.pricing import Limits
from automl_kd.studies.proposer import Proposer
from automl_kd.studies.sampling import sampler_for


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


def proposer_of(trials, space, pricing, sampler, affordable=lambda recipe, price: True):
    admission = Admission(space, pricing, Limits(), affordable)
    return Proposer(trials, sampler, admission, {"task": "digits"}, lambda recipe: recipe)


def arrive(trials, candidate):
    trials.arrive(candidate, 0, Trained(0.5, 0.01, {"accuracy": 0.5}, epoch=3, seconds=1.0, between=None))


def test_a_sampler_that_declares_that_it_knows_what_a_trial_is_worth_is_asked(open_store, space, pricing):
    trials, sampler = open_store(), OwnSampler(seed=0)
    proposer = proposer_of(trials, space, pricing, sampler)
    for _ in range(2):
        arrive(trials, proposer.next())
    waiting = [number for number, each in trials.candidates.items() if each.status == "waiting"]
    assert proposer.worth() == {number: float(number) for number in waiting}
    assert len(waiting) == 2
    assert proposer.expected_gain() == 0.25


def test_what_the_budget_does_not_hold_makes_it_price_its_candidates_anew(open_store, space, pricing):
    sampler = OwnSampler(seed=0)
    assert proposer_of(open_store(), space, pricing, sampler, lambda recipe, price: False).next() is None
    assert sampler.renewed > 0


def test_any_other_sampler_is_not_asked(open_store, propose_for):
    trials = open_store()
    proposer = propose_for(trials)
    arrive(trials, proposer.next())
    assert proposer.worth() is None
    assert proposer.expected_gain() is None


def test_only_the_samplers_that_can_tell_are_offered_for_a_search_that_ends_when_it_is_flat():
    assert [name for name, each in SAMPLERS.items() if each.knows_worth] == ["known-cost"]


@pytest.mark.parametrize("name", SAMPLERS)
def test_each_sampler_is_made_for_a_study_and_proposes_the_same_by_the_same_seed(name, space, pricing):
    admission, known = Admission(space, pricing, Limits(), lambda recipe, price: True), parse_objectives((), "local")

    def proposals(seed):
        study = optuna.create_study(
            directions=["maximize", "minimize"], sampler=sampler_for(name, admission, known, seed)
        )
        return [space.draw(study.ask()) for _ in range(3)]

    assert proposals(3) == proposals(3 + 2**32) != proposals(4)
