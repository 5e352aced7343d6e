"""Random studies of every kind that Optuna takes: the sampler raises nothing and proposes what was asked for."""

import math
import random
import warnings

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

from automl_kd.samplers import KnownCostSampler

CHOICES = [
    ("a", "b", "c"),
    (1, 2, 4, 8),
    (True, False),
    ([8, 16], [16, 32], [32, 64]),
    ({"kind": "sgd"}, {"kind": "adam", "betas": [0.9, 0.99]}),
    (None, math.nan, "x"),
    (math.inf, 1.0, -math.inf),
    (True, 1, 1.0, 0),
    ("same", "same"),
    ((1, 2), [1, 2], frozenset({3})),
    ("only",),
]
VALUES = [math.inf, -math.inf, 1e308, -1e308, 1e-308, 0.0, 1e40]


class PlannedError(Exception):
    """What an objective raises of its own."""


class RandomStudy:
    """A define-by-run objective, and what else befalls its study, drawn from a seed."""

    def __init__(self, seed, objectives=None):
        rng = random.Random(seed)
        self.seed = seed
        self.directions = rng.choices(["minimize", "maximize"], k=objectives or rng.choice([1, 1, 2, 2, 2, 3, 4]))
        self.known = [position for position in range(len(self.directions)) if rng.random() < 0.4]
        self.makers = [self._maker(rng) for _ in range(rng.randint(1, 6))]
        self.conditional = rng.random() < 0.5
        self.mishaps = rng.choice([0.0, 0.15, 0.5])
        self.foreign = rng.randint(0, 3)
        self.enqueued = rng.randint(0, 3)
        self.constrained = rng.random() < 0.2

    def _maker(self, rng):
        """From the trial's number and the values so far to a distribution."""
        low, span = rng.choice([-3, 0, 1, 100]), rng.choice([0, 1, 7, 60, 2**40])
        match rng.randrange(9):
            case 0 | 1:
                choices = rng.choice(CHOICES)
                return lambda number, values: CategoricalDistribution(choices)
            case 2:
                return lambda number, values: IntDistribution(low, low + span)
            case 3:
                return lambda number, values: IntDistribution(1, 1 + span, log=True)
            case 4:
                return lambda number, values: IntDistribution(low, low + 6 * (span % 9), step=3)
            case 5:
                return lambda number, values: FloatDistribution(low, low + span)
            case 6:
                return lambda number, values: FloatDistribution(1e-300, 1e-300 + span, log=True)
            case 7:
                return lambda number, values: FloatDistribution(low, low + span % 8 + number // 5, step=0.25)
            case _:
                return lambda number, values: IntDistribution(low, low + 2 + sum(map(number_of, values)) % 5)

    def distributions(self, number, values):
        """The distributions of a trial, one after another: what comes depends on the values before."""
        for index, maker in enumerate(self.makers):
            if self.conditional and index > 1 and (index + number_of(values[0])) % 2:
                continue
            yield f"p{index}", maker(number, values)

    def suggest(self, trial):
        values = []
        for name, each in self.distributions(trial.number, values):
            values.append(trial._suggest(name, each))

    def cost(self, params):
        return number_of(params["p0"]) + 0.5 * len(params)

    def objective(self, trial):
        self.suggest(trial)
        rng = random.Random(f"{self.seed} {trial.number}")
        if self.constrained:
            trial.set_constraint("c", rng.choice([-1.0, 1.0, math.inf, -math.inf]))
        if rng.random() < self.mishaps:
            if len(self.directions) == 1 and rng.random() < 0.3:
                raise optuna.TrialPruned
            if rng.random() < 0.3:
                raise PlannedError
            return [rng.choice([*VALUES, math.nan]) for _ in self.directions]
        total = sum(map(number_of, trial.params.values()))
        return [
            self.cost(trial.params) if position in self.known else math.sin(total + position)
            for position in range(len(self.directions))
        ]

    def sampler(self):
        costs = dict.fromkeys(self.known, self.cost)
        return KnownCostSampler(costs, seed=self.seed, n_startup_trials=random.Random(self.seed).choice([0, 1, 4]))

    def befall(self, study):
        """Trials of other samplers, of other parameters, and of other kinds under the same names; enqueued ones."""
        rng = random.Random(self.seed + 1)
        for _ in range(self.foreign):
            names = rng.sample(["p0", "p1", "p2", "other"], rng.randint(0, 3))
            kinds = [
                CategoricalDistribution(("u", "v")),
                FloatDistribution(-5.0, 5.0),
                IntDistribution(-5, 5),
            ]
            distributions = {name: rng.choice(kinds) for name in names}
            drawn = {
                name: rng.choice(("u", "v")) if isinstance(each, CategoricalDistribution) else rng.randint(-5, 5)
                for name, each in distributions.items()
            }
            state = rng.choice([TrialState.COMPLETE, TrialState.COMPLETE, TrialState.FAIL])
            values = [rng.choice([0.5, *VALUES]) for _ in self.directions] if state == TrialState.COMPLETE else None
            trial = optuna.create_trial(
                params=drawn,
                distributions=distributions,
                values=values,
                state=state,
                user_attrs={"score@x": 1, "score@3": None, "note": "of another"},
            )
            study.add_trial(trial)
        for _ in range(self.enqueued):
            values = []
            for _, each in self.distributions(0, values):
                if isinstance(each, CategoricalDistribution):
                    values.append(rng.choice(each.choices))
                else:
                    values.append(rng.choice([each.low, each.high, each.high + 1, each.high + 10**9]))
            names = [name for name, _ in self.distributions(0, values)]
            kept = {name: value for name, value in zip(names, values, strict=True) if rng.random() < 0.6}
            study.enqueue_trial(kept)

    def run(self, trials, n_jobs=1):
        study = optuna.create_study(directions=self.directions, sampler=self.sampler())
        self.befall(study)
        study.optimize(self.objective, n_trials=trials // 2, n_jobs=n_jobs, catch=(PlannedError,))
        self.befall(study)
        study.optimize(self.objective, n_trials=trials - trials // 2, n_jobs=n_jobs, catch=(PlannedError,))
        return study


def number_of(value):
    """Any value as a small number."""
    if isinstance(value, int | float) and math.isfinite(value):
        return int(value) % 1000
    return len(repr(value))


def check(study):
    """Every value lies in its distribution, but for those that the trial was enqueued with."""
    for trial in study.trials:
        fixed = trial.system_attrs.get("fixed_params", {})
        for name, value in trial.params.items():
            distribution = trial.distributions[name]
            assert name in fixed or distribution._contains(distribution.to_internal_repr(value)), (name, value)


@pytest.fixture(autouse=True)
def _quiet():
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.mark.parametrize("seed", [*range(5), *(pytest.param(seed, marks=pytest.mark.long) for seed in range(5, 12))])
def test_equal_seeds_propose_alike_in_any_study_and_within_what_was_asked_for(seed):
    studies = [RandomStudy(seed).run(12) for _ in range(2)]
    check(studies[0])
    assert repr([trial.params for trial in studies[0].trials]) == repr([trial.params for trial in studies[1].trials])


@pytest.mark.parametrize("seed", range(100, 104))
def test_threads_share_a_sampler_in_any_study(seed):
    check(RandomStudy(seed).run(16, n_jobs=2 + seed % 4))
