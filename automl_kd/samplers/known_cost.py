"""The sampler for objectives of which some are known before anything is evaluated."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from threading import RLock
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna import Study
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial

from automl_kd.core import UserError
from automl_kd.recipes import Space
from automl_kd.samplers.acquisition import Acquisition
from automl_kd.samplers.candidate_pool import CandidatePool
from automl_kd.samplers.candidates import CandidateSource, SpaceCandidates, distributions
from automl_kd.samplers.costs import CostFunction, Costs
from automl_kd.samplers.encoding import Features, Params
from automl_kd.samplers.history import ObservedTrial, TrialHistory
from automl_kd.samplers.observed_candidates import Guess, ObservedCandidates
from automl_kd.samplers.parameters import Parameters, contains
from automl_kd.samplers.readings import SCORE_ATTRIBUTES, Readings
from automl_kd.samplers.surrogate import Surrogate, SurrogateOptions
from automl_kd.samplers.worth import KnowsWorth

Array = NDArray[np.float64]

_FIRST_POOL, _MORE = 1000, 60
"""Random candidates: how many the pool begins with, and how many join it at every proposal."""
_MOST_IN_POOL = 1200
_PARENTS, _CHILDREN = 16, 6
"""Members of the front that are mutated at a proposal, and mutations of each."""
_LOCAL_ROUNDS, _LOCAL_BEST, _LOCAL_CHILDREN = 4, 8, 10
"""Rounds of local search at a proposal, candidates that are mutated in a round, and mutations of each."""
_NEAR_SHARE = 0.1
"""Share of the candidates that counts as near a place on the scale of costs."""
_PROMISING_SHARE = 0.25
"""Share of these, by features, from which a trial before the model is drawn. On NAS-Bench-201 sizes of networks, used
so, left .85 of the regret after 25 evaluations and .82 after 75 of what they left as inputs alone."""
_COMPLETIONS = 20
"""Random completions of a starting point, of which the first feasible one is taken."""
_EXPLORE_EVERY, _EXPLORING_SCALE = 3, 2.0
"""Every third proposal takes the model's standard deviation twice, because a model that is too sure of itself stops
looking where the front can still grow."""
_NO_TRIAL = -1
_LEAST_VOLUME = 1e-12


class KnownCostSampler(BaseSampler, KnowsWorth):
    r"""An Optuna sampler for objectives of which some are functions of the parameters, known without an evaluation.

    Only what must be evaluated is modelled, by a Gaussian process :math:`f \sim \mathcal{GP}(0, k)` over categorical,
    ordered and conditional parameters (``gaussian_process``), fidelity by fidelity (``multi_fidelity``). The next trial
    is the candidate with the largest expected hypervolume improvement, given its *known* costs :math:`c(x)`
    (``improvement``):

    .. math:: x^* = \arg\max_{x \in \mathcal{P}} \; P(\text{feasible} \mid x)
              \int V_{c(x)}(t) \, P(f(x) \text{ beats } t) \, dt,

    with :math:`V_{c(x)}(t)` the volume of costs that :math:`x` adds to the front at level :math:`t`, in the objectives'
    own units. Every third proposal takes the model's standard deviation twice. The pool :math:`\mathcal{P}` holds
    random candidates, mutations of the front, and mutations of the best of these. The first trials are spread evenly
    over the known costs, where there are features among the candidates with large ones. A trial under way counts at its
    expected value, so that workers are given different candidates. A candidate that was tried, or has an infinite cost,
    is never proposed while another one is left.

    It works in any Optuna study: any number of objectives, minimised or maximised, of any value that Optuna takes; with
    constraints, conditional parameters, ranges that change, choices of any kind, trials that were enqueued or added;
    in threads and in processes that share a storage. From four objectives on, and where the front of three is large,
    hypervolumes are counted by quasi-random points.

    Source: expected hypervolume improvement, Emmerich et al. 2011; objectives that are known exactly beside those that
    are modelled, as BoTorch has them by deterministic models (Balandat et al. 2020, arXiv:1910.06403). What is this
    project's own: the expectation in closed form, in the objectives' own units behind a warp.

    Args:
        costs: Position of an objective to a function of one complete set of parameters that gives its exact value, in
            the objective's own unit and direction; infinite where infeasible. Any other number is a valid cost, also
            zero or a negative one, because a cost can be a gain or a logarithm.
        vectorized: Whether the functions take a list of sets and give a sequence of values.
        space: A recipe space to draw candidates from. Without it they are drawn from what trials have shown.
        seed: Of all draws.
        n_startup_trials: Results before the model decides.
        starts: Parameters to begin with, complete or not: what is published, for example.
        features: A function of a list of sets of parameters that gives further inputs of the model, shape (n, k), for
            example :func:`automl_kd.students.synflow` of the untrained networks; infinite is allowed. Large ones are
            taken for good until results say otherwise. It is asked for every candidate, a thousand at first and some
            hundreds at a proposal.
        reference: The worst values that count, one an objective, None for what trials and candidates show.
        readings: A function of a trial that gives its results at lower fidelities, by epoch, of the first objective
            that is not a known cost. By default they are the trial's user attributes ``score@<epoch>``. It is asked for
            trials that run, were pruned or are complete; a complete trial's own value is no reading.

    Raises:
        UserError: On use, if ``features``, ``readings`` or a cost function raises or gives no number, with the
            parameters. A cost function may do so for parameters that no trial of this sampler came to a result with:
            those of trials that were added to the study, for example.
    """

    def __init__(
        self,
        costs: Mapping[int, CostFunction],
        *,
        vectorized: bool = False,
        space: Space | None = None,
        seed: int | None = None,
        n_startup_trials: int = 8,
        starts: Sequence[Params] = (),
        features: Features | None = None,
        reference: Sequence[float | None] | None = None,
        readings: Readings = SCORE_ATTRIBUTES,
    ) -> None:
        self._seeded = seed is not None
        self._lock = RLock()
        self._rng = random.Random(seed)
        self._independent = RandomSampler(seed=self._rng.getrandbits(31))
        self._costs = Costs(costs, vectorized)
        self._startup = n_startup_trials
        self._starts = list(starts)
        self._readings = readings
        self._space = space
        self._options = SurrogateOptions(self._costs.positions, features, reference, self._rng.getrandbits(31))
        self._parameters = Parameters({} if space is None else distributions(space))
        self._begin()
        self._study: str | None = None
        self._asking = _NO_TRIAL
        self._own: set[int] = set()
        self._improvement: float | None = None

    def _begin(self) -> None:
        """Forget all trials."""
        self._history = TrialHistory(self._readings, self._parameters)
        self._source: CandidateSource = ObservedCandidates() if self._space is None else SpaceCandidates(self._space)
        self._pool = CandidatePool(self._source, self._price)
        self._probes: list[Guess] = []
        self._guessed = False
        self._surrogate = Surrogate(self._source, self._parameters, self._options)

    def __getstate__(self) -> dict[str, Any]:
        """The state of a copy in another process; a lock cannot travel."""
        with self._lock:
            return {name: value for name, value in self.__dict__.items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Become the copy; without a seed it draws other candidates than the original."""
        self.__dict__.update(state, _lock=RLock())
        if not self._seeded:
            self.reseed_rng()

    # -- what Optuna calls ---------------------------------------------------------------------------------------------

    def reseed_rng(self) -> None:
        """Draw other candidates from here on, as every parallel worker should."""
        with self._lock:
            self._rng.seed()
            self._independent.reseed_rng()

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """The parameters of this sampler's trials, each in a range that holds those of all trials."""
        with self._lock:
            self._read(study, trial.number)
            asked = self._parameters.asked()
            wide = {name: each for name, each in self._source.distributions.items() if name in asked}
            return asked | {name: each for name, each in wide.items() if not isinstance(each, CategoricalDistribution)}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The next candidate's values in the search space; none before any trial has shown parameters."""
        with self._lock:
            if trial.number != self._asking:  # another thread asked since `infer_relative_search_space` read the trials
                self._read(study, trial.number)
            self._fix_others(search_space)
            proposal = self._propose()
            if proposal is None:
                return {}
            self._history.assign(trial.number, proposal)
            values = self._parameters.to_external(proposal)
        within = [name for name, each in search_space.items() if name in values and contains(each, values[name])]
        return {name: values[name] for name in within}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """The candidate's value, where it has one in this distribution, else a random one."""
        proposal = self._parameters.to_external(self._history.assigned(trial.number))
        if param_name in proposal and contains(param_distribution, proposal[param_name]):
            return proposal[param_name]
        return self._independent.sample_independent(study, trial, param_name, param_distribution)

    # -- what a trial is worth ----------------------------------------------------------------------------------------

    @property
    def improvement(self) -> float | None:
        """Expected improvement of the last proposal, as a share of the front's hypervolume; None before the model.

        Proposals that were made to explore do not count.
        """
        return self._improvement

    def renew(self) -> None:
        """Price all candidates anew, because a cost function would now give other values."""
        with self._lock:
            self._pool.clear()

    def expected_improvements(self, study: Study, numbers: Sequence[int]) -> dict[int, float]:
        """What finishing each of these trials is expected to add to the front, given its readings so far.

        Args:
            study: Their study.
            numbers: Of trials that have a reading and have not ended.

        Returns:
            Share of the front's hypervolume by number; zeros before the first result.
        """
        if not numbers:
            return {}
        with self._lock:
            self._read(study, _NO_TRIAL)
            if not self._source.distributions:
                return dict.fromkeys(numbers, 0.0)
            self._refill()
            waiting = [each for each in self._history.observations if each.number in set(numbers)]
            if not waiting or not len(self._pool) or not self._informed:
                return dict.fromkeys(numbers, 0.0)
            acquisition = self._surrogate.acquisition(self._history, self._costs.signs, self._pool)
            params = [each.params for each in waiting]
            points = self._surrogate.encoder(self._pool).encode(params)
            gains = acquisition.improvement(points, self._cost(params))
            whole = max(acquisition.hypervolume, _LEAST_VOLUME)
            return {each.number: float(gain) / whole for each, gain in zip(waiting, gains, strict=True)}

    # -- proposing ----------------------------------------------------------------------------------------------------

    def _read(self, study: Study, asking: int) -> None:
        if self._study not in (None, study.study_name):
            raise UserError(
                f"this sampler has learned from study {self._study} and cannot serve {study.study_name}; make another"
            )
        if self._study is None:
            beyond = [position for position in self._costs.positions if position >= len(study.directions)]
            if beyond:
                raise UserError(
                    f"costs[{beyond[0]}]: study {study.study_name} has {len(study.directions)} objectives,"
                    f" numbered from 0 to {len(study.directions) - 1}"
                )
            self._study = study.study_name
            self._costs.signs = [-1.0 if each == StudyDirection.MAXIMIZE else 1.0 for each in study.directions]
        self._asking = asking
        self._own.add(asking)
        trials = study.get_trials(deepcopy=False)
        if self._parameters.learn(trials, self._own):
            self._begin()
        fresh = self._history.read(trials, asking)
        if isinstance(self._source, ObservedCandidates):
            self._observe(self._source, fresh)

    def _observe(self, source: ObservedCandidates, fresh: Sequence[tuple[ObservedTrial, Params | None]]) -> None:
        before, outdated = source.dropped, False
        for observed, declined in fresh:
            if source.observe(observed, observed.number in self._own):
                self._cost([observed.params])  # raises: parameters of this sampler's own trials must have a cost
                outdated |= self._guessed
            if declined is not None:
                source.withdraw(declined, observed)
        if outdated or source.dropped > before:
            self._pool.clear()

    def _fix_others(self, search_space: Mapping[str, BaseDistribution]) -> None:
        """Fix the parameters that another sampler decides at their values in the latest trial."""
        latest = {} if self._history.latest is None else self._history.latest.params
        decided = self._parameters.asked().keys() - search_space.keys()
        self._pool.fix({name: value for name, value in latest.items() if name in decided})

    def _cost(self, candidates: Sequence[Params]) -> Array:
        return self._costs([self._parameters.to_external(each) for each in candidates])

    def _refill(self) -> None:
        self._pool.drop(self._history.tried)
        self._pool.refill(_MORE if len(self._pool) else _FIRST_POOL, self._rng, self._history.tried)

    def _propose(self) -> Params | None:
        """The best candidate of the pool; None where no feasible one is left untried, or no parameters are known."""
        if not self._source.distributions:
            return None
        self._refill()
        if (probe := self._probe()) is not None:
            return probe
        if not len(self._pool):
            return self._history.unstarted(self._rng)
        begun = self._history.count
        if begun < len(self._starts) and (start := self._completed(self._starts[begun])) is not None:
            return start
        if len(self._history.observations) < self._startup or not self._informed:
            return self._spread(begun)
        return self._improving()

    @property
    def _informed(self) -> bool:
        """Whether every modelled objective has a result; readings at lower fidelities are of the first one only."""
        unknown = len(self._surrogate.unknown(len(self._costs.signs)))
        return bool(self._history.complete) or unknown == 0 or (unknown == 1 and bool(self._history.observations))

    def _price(self, candidates: Sequence[Params]) -> Array:
        """Costs of candidates; where a candidate that rests on a guess has no cost, the guess is to be probed."""
        try:
            return self._cost(candidates)
        except UserError:
            if not isinstance(self._source, ObservedCandidates):
                raise
            return np.stack([self._guess(self._source, each) for each in candidates])

    def _guess(self, source: ObservedCandidates, candidate: Params) -> Array:
        try:
            return self._cost([candidate]).ravel()
        except UserError:
            unseen = source.unseen(candidate)
            if unseen:
                self._probes.append((frozenset(candidate), unseen))
            elif source.confirmed(candidate):
                raise
            else:
                self._guessed = True
            return np.full(len(self._costs.positions), np.inf)

    def _probe(self) -> Params | None:
        """Values that may lead into an unknown branch; Optuna draws the other parameters."""
        if not isinstance(self._source, ObservedCandidates):
            return None
        self._probes = list(filter(self._source.is_open, self._probes))
        return self._probes.pop()[1] if self._probes else None

    def _completed(self, start: Params) -> Params | None:
        """A candidate with the values of a starting point; None where none that was drawn is feasible and untried."""
        values = self._parameters.to_internal(start)
        drawn = [self._source.sample(self._rng, values) for _ in range(_COMPLETIONS)]
        self._pool.add(drawn, self._history.tried)
        return next(filter(self._pool.holds, drawn), None)

    def _spread(self, begun: int) -> Params:
        """A random one of the candidates near the next place of a sequence that fills the range of costs evenly.

        Where there are features it is one of those with the largest.
        """
        costs = self._pool.costs
        if not costs.shape[1]:
            return self._pool.params[int(self._rng.random() * len(costs))]
        ranks = costs[:, 0].argsort(kind="stable").argsort(kind="stable") / max(1, len(costs) - 1)
        distances = np.abs(ranks - _van_der_corput(begun + 1))
        near = np.argsort(distances, kind="stable")[: max(1, round(_NEAR_SHARE * len(costs)))]
        encoder = self._surrogate.encoder(self._pool)
        if encoder.layout.features:
            promise = self._pool.points(encoder).ordered[near, -encoder.layout.features :].mean(axis=1)
            near = near[np.argsort(-promise, kind="stable")[: max(1, round(_PROMISING_SHARE * len(near)))]]
        return self._pool.params[int(near[int(self._rng.random() * len(near))])]

    def _improving(self) -> Params:
        """The candidate with the largest expected improvement, after a local search around the front."""
        plain = self._surrogate.acquisition(self._history, self._costs.signs, self._pool)
        front = [each.params for each in self._history.complete if each.number in plain.members]
        parents = front if len(front) <= _PARENTS else self._rng.sample(front, _PARENTS)
        self._breed([self._source.adapt(each, self._rng) for each in parents], _CHILDREN)
        explores = self._history.count % _EXPLORE_EVERY == 0
        acquisition = replace(plain, std_scale=_EXPLORING_SCALE) if explores else plain
        scores = self._scores(acquisition, 0)
        for _ in range(_LOCAL_ROUNDS):
            best = np.argsort(-scores, kind="stable")[:_LOCAL_BEST]
            self._breed([self._pool.params[row] for row in best], _LOCAL_CHILDREN)
            scores = np.concatenate([scores, self._scores(acquisition, len(scores))])
        order = np.argsort(-scores, kind="stable")
        proposal: Params = self._pool.params[order[0]]
        if not explores:
            self._improvement = float(scores[order[0]]) / max(plain.hypervolume, _LEAST_VOLUME)
        if len(order) > _MOST_IN_POOL:
            self._pool.keep(np.sort(order[:_MOST_IN_POOL]))
        return proposal

    def _breed(self, parents: Sequence[Params], children: int) -> None:
        self._pool.breed(parents, children, self._rng, self._history.tried)

    def _scores(self, acquisition: Acquisition, start: int) -> Array:
        points = self._pool.points(self._surrogate.encoder(self._pool))[start:]
        return acquisition.improvement(points, self._pool.costs[start:]) if len(points) else np.zeros(0)


def _van_der_corput(index: int) -> float:
    """Member of the sequence of van der Corput in base 2, any first part of which fills [0, 1) evenly."""
    share, place = 0.0, 0.5
    while index:
        share += place * (index & 1)
        index >>= 1
        place /= 2
    return share
