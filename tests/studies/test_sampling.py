"""What a study asks of its sampler beyond the next candidate."""

import optuna
import pytest

from automl_kd.samplers import KnowsWorth
from automl_kd.studies.sampling import SAMPLERS, knows_worth


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


def test_a_sampler_that_declares_that_it_knows_what_a_trial_is_worth_is_asked(open_store, supply):
    store = open_store()
    store.study.sampler = OwnSampler(seed=0)
    proposer = supply(store)
    for _ in range(2):
        store.arrive(proposer.next(), 0, 0.5, 1.0, None)
    waiting = [number for number, each in store.candidates.items() if each.status == "waiting"]
    assert store.worth() == {number: float(number) for number in waiting}
    assert len(waiting) == 2
    assert store.expected_gain() == 0.25
    store.renew_candidates()
    assert store.study.sampler.renewed == 1


def test_any_other_sampler_is_not_asked(open_store, supply):
    store = open_store()
    store.arrive(supply(store).next(), 0, 0.5, 1.0, None)
    store.renew_candidates()
    assert store.worth() is None
    assert store.expected_gain() is None


@pytest.mark.parametrize("name", SAMPLERS)
def test_whether_a_sampler_can_tell_is_known_from_its_name(name):
    assert knows_worth(name) == (name == "known-cost")
