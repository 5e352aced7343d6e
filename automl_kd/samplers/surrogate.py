"""The models of a study's objectives and constraints, and the acquisition function that they make."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution

from automl_kd.objectives import non_dominated
from automl_kd.samplers.acquisition import Acquisition
from automl_kd.samplers.candidate_pool import CandidatePool
from automl_kd.samplers.candidates import CandidateSource
from automl_kd.samplers.clipping import clip_magnitude
from automl_kd.samplers.encoding import Encoder, Features, Points
from automl_kd.samplers.history import ObservedTrial, TrialHistory
from automl_kd.samplers.multi_fidelity import MultiFidelityModel, Posterior
from automl_kd.samplers.observations import ObservationStore
from automl_kd.samplers.parameters import Parameters

Array = NDArray[np.float64]

_BELOW_KNEE = 3.0
"""Worst value that counts by default, in standard deviations below the knee of the values."""
_AHEAD = 1.0
"""How far beyond the best value so far a volume is counted, in standard deviations."""


@dataclass(frozen=True)
class SurrogateOptions:
    """What a study's models are told once.

    Attributes:
        known: Positions of the objectives that need no model.
        features: Further inputs of the models, or None.
        reference: Worst values that count by objective, each None where trials and candidates show it; or None.
        seed: Of the choice of observations where there are many.
    """

    known: Sequence[int]
    features: Features | None
    reference: Sequence[float | None] | None
    seed: int


class Surrogate:
    """Models of all that must be evaluated: of the objectives that are not known, and of the constraints.

    They keep their hyper-parameters from one proposal to the next.

    Args:
        source: Where candidates come from.
        parameters: Of the study.
        options: What the models are told.
    """

    def __init__(self, source: CandidateSource, parameters: Parameters, options: SurrogateOptions) -> None:
        self._source = source
        self._parameters = parameters
        self._options = options
        self._distributions: Mapping[str, BaseDistribution] = {}
        self._encoder: Encoder | None = None
        self._encoded: dict[tuple[int, int], Points] = {}
        self._models: dict[int | str, MultiFidelityModel] = {}
        self._stores: dict[int | str, ObservationStore] = {}
        self._counted = 0
        self._feasible: list[ObservedTrial] = []
        self._rows: Array | None = None

    def encoder(self, pool: CandidatePool) -> Encoder:
        """The encoder of all known parameters; where these are more or wider than before, the models begin anew."""
        known = self._source.distributions
        if self._encoder is None or known != self._distributions:
            self._encoder = Encoder(known, self._options.features, pool.params, self._parameters.to_external)
            self._distributions, self._encoded, self._models, self._stores = dict(known), {}, {}, {}
        return self._encoder

    def acquisition(self, history: TrialHistory, signs: Sequence[float], pool: CandidatePool) -> Acquisition:
        """The acquisition function, given the trials so far.

        Args:
            history: With at least one result in every modelled objective.
            signs: 1 where an objective is minimised, -1 where it is maximised.
            pool: The candidates.
        """
        encoder = self.encoder(pool)
        known, unknown = self._options.known, self.unknown(len(signs))
        rows = _attained(self._results(history, signs))
        best = non_dominated(rows)
        members = frozenset(self._feasible[row].number for row in np.flatnonzero(best))
        pending = encoder.encode([each.params for each in history.pending]) if history.pending else None

        def model(name: int | str, value: Callable[[ObservedTrial], float | None], sign: float = 0.0) -> Posterior:
            store = self._stores.setdefault(name, ObservationStore(value, sign))
            observations, levels = store.observations(history, members, self._encode)
            begun = self._models.setdefault(name, MultiFidelityModel(encoder.layout, self._options.seed))
            return begun.condition(observations, levels, pending)

        modelled = [
            model(
                position,
                partial(_objective, position, -signs[position]),
                -signs[position] if position == unknown[0] else 0.0,
            )
            for position in unknown
        ]
        constraints = [model(name, partial(_constraint, name)) for name in sorted(history.constraints)]
        columns = [*unknown, *known]
        front = rows[best][:, columns]
        worst = [self._worst(posterior, position, signs) for posterior, position in zip(modelled, unknown, strict=True)]
        costs = pool.costs
        for column, position in enumerate(known):
            given = self._given(position)
            reported = rows[np.isfinite(rows[:, position]), position]
            shown = max(costs[:, column].max(), reported.max(initial=-np.inf))
            worst.append(float(shown) if given is None else signs[position] * given)
        reference = np.array(worst)
        front = front[(front < reference).all(axis=1)]
        best_values = [*map(_ahead, modelled, front.T[: len(unknown)]), *costs.min(axis=0)]
        ideal = np.minimum(np.array(best_values), front.min(axis=0, initial=np.inf))
        return Acquisition(modelled, constraints, front, reference, ideal, members)

    def unknown(self, objectives: int) -> list[int]:
        """Positions of the objectives that are modelled."""
        return [position for position in range(objectives) if position not in self._options.known]

    def _worst(self, posterior: Posterior, position: int, signs: Sequence[float]) -> float:
        """The worst value of a modelled objective that counts, minimised."""
        given = self._given(position)
        if given is None:
            return _BELOW_KNEE * posterior.warp.scale - posterior.warp.knee
        return signs[position] * given

    def _given(self, position: int) -> float | None:
        reference = self._options.reference
        given = None if reference is None else reference[position]
        return None if given is None else clip_magnitude(given)

    def _encode(self, each: ObservedTrial) -> Points:
        """A trial's point; it is kept, because features can take long."""
        assert self._encoder is not None
        name = each.number, len(each.params)
        if name not in self._encoded:
            self._encoded[name] = self._encoder.encode([each.params])
        return self._encoded[name]

    def _results(self, history: TrialHistory, signs: Sequence[float]) -> Array:
        """Objectives of the trials that keep all constraints, minimised, in the order of ``_feasible``."""
        fresh = [each for each in history.complete[self._counted :] if each.feasible]
        self._counted = len(history.complete)
        self._feasible += fresh
        rows = np.array([each.values for each in fresh]).reshape(len(fresh), len(signs)) * np.array(signs)
        self._rows = rows if self._rows is None else np.concatenate([self._rows, rows])
        return self._rows


def _objective(position: int, sign: float, each: ObservedTrial) -> float | None:
    return None if each.values is None else sign * each.values[position]


def _constraint(name: str, each: ObservedTrial) -> float | None:
    """The margin by which a constraint is kept; negative where it is violated."""
    return -each.violations[name] if name in each.violations else None


def _attained(rows: Array) -> Array:
    """Minimised objectives with the best finite value in place of infinitely good ones."""
    best = np.where(np.isneginf(rows), np.inf, rows).min(axis=0, initial=np.inf)
    return np.maximum(rows, np.where(np.isfinite(best), best, 0.0)) if np.isneginf(rows).any() else rows


def _ahead(posterior: Posterior, front: Array) -> float:
    """A value of a modelled objective, minimised, that is better than any so far."""
    warp = posterior.warp
    best = warp(-front).max(initial=0.0)
    return -float(warp.inverse(np.array([best + _AHEAD]))[0])
