"""From the trials of a study to what is expected of any candidate."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from automl_kd.samplers._candidates import Source
from automl_kd.samplers._encoding import Encoder, Features, Points
from automl_kd.samplers._expectation import Expectation
from automl_kd.samplers._history import History, Observation
from automl_kd.samplers._improvement import non_dominated
from automl_kd.samplers._model import Model, Posterior
from automl_kd.samplers._pool import Pool
from automl_kd.samplers._readings import Gathered

Array = NDArray[np.float64]

_BELOW_KNEE = 3.0
"""What counts for something, in standard deviations below the knee of the values."""


class Surrogate:
    """Models of what is not known before it is evaluated; they keep what they learned.

    Args:
        source: Where candidates come from.
        known: Positions of the known objectives.
        features: Further inputs, or None.
        reference: Worst values that count by objective, None where trials and candidates show them.
        seed: Of the choice of observations where there are many.
    """

    def __init__(
        self,
        source: Source,
        known: Sequence[int],
        features: Features | None,
        reference: Sequence[float | None] | None,
        seed: int,
    ) -> None:
        self._source = source
        self._known = list(known)
        self._features = features
        self._reference = reference
        self._seed = seed
        self._names: frozenset[str] = frozenset()
        self._encoder: Encoder | None = None
        self._encoded: dict[int, Points] = {}
        self._models: dict[int | str, Model] = {}
        self._gathered: dict[int | str, Gathered] = {}
        self._counted = 0
        self._feasible: list[Observation] = []
        self._rows: Array | None = None

    def encoder(self, pool: Pool) -> Encoder:
        """The encoder of the parameters known now; the models begin anew where there are more than before."""
        names = frozenset(self._source.distributions)
        if self._encoder is None or names != self._names:
            self._encoder = Encoder(self._source.distributions, self._features, pool.params)
            self._names, self._encoded, self._models, self._gathered = names, {}, {}, {}
        return self._encoder

    def expectation(self, history: History, signs: Sequence[float], pool: Pool) -> Expectation:
        """What is expected of candidates now.

        Args:
            history: With at least one result.
            signs: 1 where an objective is minimised, -1 where it is maximised.
            pool: The candidates.
        """
        encoder = self.encoder(pool)
        unknown = [position for position in range(len(signs)) if position not in self._known]
        rows = self._results(history, signs)
        best = non_dominated(rows)
        members = frozenset(self._feasible[row].number for row in np.flatnonzero(best))
        pending = encoder.encode([each.params for each in history.pending]) if history.pending else None

        def model(name: int | str, value: Callable[[Observation], float | None], partial: float = 0.0) -> Posterior:
            gathered = self._gathered.setdefault(name, Gathered(value, partial))
            readings, levels = gathered.readings(history, members, self._encode)
            begun = self._models.setdefault(name, Model(encoder.layout, self._seed))
            return begun.condition(readings, levels, pending)

        modelled = [
            model(position, _objective(position, -signs[position]), -signs[position] if position == unknown[0] else 0.0)
            for position in unknown
        ]
        constraints = [model(name, _constraint(name)) for name in sorted(history.constraints)]
        front = rows[best]
        columns = [front[:, position] for position in unknown]
        worst = [self._worst(posterior, position, signs) for posterior, position in zip(modelled, unknown, strict=True)]
        costs = pool.costs
        for column, position in enumerate(self._known):
            given = self._given(position)
            shown = max(costs[:, column].max(), rows[:, position].max(initial=-np.inf))
            worst.append(float(shown) if given is None else signs[position] * given)
        front = np.column_stack([*columns, front[:, self._known]])
        return Expectation(modelled, constraints, front, np.array(worst), members)

    def _worst(self, posterior: Posterior, position: int, signs: Sequence[float]) -> float:
        """The worst value of a modelled objective that counts, minimised."""
        given = self._given(position)
        if given is None:
            return _BELOW_KNEE * posterior.warp.scale - posterior.warp.knee
        return signs[position] * given

    def _given(self, position: int) -> float | None:
        return None if self._reference is None else self._reference[position]

    def _encode(self, each: Observation) -> Points:
        """A trial's point; features are asked for once."""
        assert self._encoder is not None
        if each.number not in self._encoded:
            self._encoded[each.number] = self._encoder.encode([each.params])
        return self._encoded[each.number]

    def _results(self, history: History, signs: Sequence[float]) -> Array:
        """Objectives of the trials that keep all constraints, minimised, in the order of ``_feasible``."""
        fresh = [each for each in history.complete[self._counted :] if each.feasible]
        self._counted = len(history.complete)
        self._feasible += fresh
        rows = np.array([each.values for each in fresh]).reshape(len(fresh), len(signs)) * np.array(signs)
        self._rows = rows if self._rows is None else np.concatenate([self._rows, rows])
        return self._rows


def _objective(position: int, sign: float) -> Callable[[Observation], float | None]:
    return lambda each: None if each.values is None else sign * each.values[position]


def _constraint(name: str) -> Callable[[Observation], float | None]:
    """How far a constraint is kept."""
    return lambda each: -each.violations[name] if name in each.violations else None
