"""From the trials of a study to what is expected of any candidate."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution

from automl_kd.samplers.candidates import Source
from automl_kd.samplers.encoding import Encoder, Features, Params, Points
from automl_kd.samplers.expectation import Expectation
from automl_kd.samplers.finite import bounded
from automl_kd.samplers.history import History, Observation
from automl_kd.samplers.improvement import non_dominated
from automl_kd.samplers.model import Model, Posterior
from automl_kd.samplers.pool import Pool
from automl_kd.samplers.readings import Gathered

Array = NDArray[np.float64]

_BELOW_KNEE = 3.0
"""What counts for something, in standard deviations below the knee of the values."""
_AHEAD = 1.0
"""How far beyond the best value yet room is looked for, in standard deviations."""


class Surrogate:
    """Models of what is not known before it is evaluated; they keep what they learned.

    Args:
        source: Where candidates come from.
        known: Positions of the known objectives.
        features: Further inputs, or None.
        reference: Worst values that count by objective, None where trials and candidates show them.
        seed: Of the choice of observations where there are many.
        outward: Gives the parameters of a candidate as ``features`` knows them.
    """

    def __init__(
        self,
        source: Source,
        known: Sequence[int],
        features: Features | None,
        reference: Sequence[float | None] | None,
        seed: int,
        outward: Callable[[Params], Params],
    ) -> None:
        self._source = source
        self._known = list(known)
        self._features = features
        self._reference = reference
        self._seed = seed
        self._outward = outward
        self._distributions: Mapping[str, BaseDistribution] = {}
        self._encoder: Encoder | None = None
        self._encoded: dict[tuple[int, int], Points] = {}
        self._models: dict[int | str, Model] = {}
        self._gathered: dict[int | str, Gathered] = {}
        self._counted = 0
        self._feasible: list[Observation] = []
        self._rows: Array | None = None

    def encoder(self, pool: Pool) -> Encoder:
        """The encoder of the parameters known now; the models begin anew where there are more, or wider ranges."""
        known = self._source.distributions
        if self._encoder is None or known != self._distributions:
            self._encoder = Encoder(known, self._features, pool.params, self._outward)
            self._distributions, self._encoded, self._models, self._gathered = dict(known), {}, {}, {}
        return self._encoder

    def expectation(self, history: History, signs: Sequence[float], pool: Pool) -> Expectation:
        """What is expected of candidates now.

        Args:
            history: With at least one result in every modelled objective.
            signs: 1 where an objective is minimised, -1 where it is maximised.
            pool: The candidates.
        """
        encoder = self.encoder(pool)
        unknown = self.unknown(len(signs))
        rows = _attained(self._results(history, signs))
        best = non_dominated(rows)
        members = frozenset(self._feasible[row].number for row in np.flatnonzero(best))
        pending = encoder.encode([each.params for each in history.pending]) if history.pending else None

        def model(name: int | str, value: Callable[[Observation], float | None], lower: float = 0.0) -> Posterior:
            gathered = self._gathered.setdefault(name, Gathered(value, lower))
            readings, levels = gathered.readings(history, members, self._encode)
            begun = self._models.setdefault(name, Model(encoder.layout, self._seed))
            return begun.condition(readings, levels, pending)

        modelled = [
            model(
                position,
                partial(_objective, position, -signs[position]),
                -signs[position] if position == unknown[0] else 0.0,
            )
            for position in unknown
        ]
        constraints = [model(name, partial(_constraint, name)) for name in sorted(history.constraints)]
        columns = [*unknown, *self._known]
        front = rows[best][:, columns]
        worst = [self._worst(posterior, position, signs) for posterior, position in zip(modelled, unknown, strict=True)]
        costs = pool.costs
        for column, position in enumerate(self._known):
            given = self._given(position)
            reported = rows[np.isfinite(rows[:, position]), position]
            shown = max(costs[:, column].max(), reported.max(initial=-np.inf))
            worst.append(float(shown) if given is None else signs[position] * given)
        reference = np.array(worst)
        front = front[(front < reference).all(axis=1)]
        best_values = [*map(_ahead, modelled, front.T[: len(unknown)]), *costs.min(axis=0)]
        ideal = np.minimum(np.array(best_values), front.min(axis=0, initial=np.inf))
        return Expectation(modelled, constraints, front, reference, ideal, members)

    def unknown(self, objectives: int) -> list[int]:
        """Positions of the objectives that are modelled."""
        return [position for position in range(objectives) if position not in self._known]

    def _worst(self, posterior: Posterior, position: int, signs: Sequence[float]) -> float:
        """The worst value of a modelled objective that counts, minimised."""
        given = self._given(position)
        if given is None:
            return _BELOW_KNEE * posterior.warp.scale - posterior.warp.knee
        return signs[position] * given

    def _given(self, position: int) -> float | None:
        given = None if self._reference is None else self._reference[position]
        return None if given is None else bounded(given)

    def _encode(self, each: Observation) -> Points:
        """A trial's point; features are asked for once."""
        assert self._encoder is not None
        name = each.number, len(each.params)
        if name not in self._encoded:
            self._encoded[name] = self._encoder.encode([each.params])
        return self._encoded[name]

    def _results(self, history: History, signs: Sequence[float]) -> Array:
        """Objectives of the trials that keep all constraints, minimised, in the order of ``_feasible``."""
        fresh = [each for each in history.complete[self._counted :] if each.feasible]
        self._counted = len(history.complete)
        self._feasible += fresh
        rows = np.array([each.values for each in fresh]).reshape(len(fresh), len(signs)) * np.array(signs)
        self._rows = rows if self._rows is None else np.concatenate([self._rows, rows])
        return self._rows


def _objective(position: int, sign: float, each: Observation) -> float | None:
    return None if each.values is None else sign * each.values[position]


def _constraint(name: str, each: Observation) -> float | None:
    """How far a constraint is kept."""
    return -each.violations[name] if name in each.violations else None


def _attained(rows: Array) -> Array:
    """Minimised objectives in which nothing is infinitely good: that counts as the best of the others."""
    best = np.where(np.isneginf(rows), np.inf, rows).min(axis=0, initial=np.inf)
    return np.maximum(rows, np.where(np.isfinite(best), best, 0.0)) if np.isneginf(rows).any() else rows


def _ahead(posterior: Posterior, front: Array) -> float:
    """A value of a modelled objective, minimised, that is better than any yet."""
    warp = posterior.warp
    best = warp(-front).max(initial=0.0)
    return -float(warp.inverse(np.array([best + _AHEAD]))[0])
