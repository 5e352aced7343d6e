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
from automl_kd.samplers._model import Model, Posterior, Readings
from automl_kd.samplers._pool import Pool

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

    def encoder(self, pool: Pool) -> Encoder:
        """The encoder of the parameters known now; the models begin anew where there are more than before."""
        names = frozenset(self._source.distributions)
        if self._encoder is None or names != self._names:
            self._encoder = Encoder(self._source.distributions, self._features, pool.params)
            self._names, self._encoded, self._models = names, {}, {}
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
        eligible = [each for each in history.complete if each.feasible]
        rows = np.array([each.values for each in eligible]).reshape(len(eligible), len(signs)) * np.array(signs)
        best = non_dominated(rows)
        members = frozenset(each.number for each, keep in zip(eligible, best, strict=True) if keep)
        pending = encoder.encode([each.params for each in history.pending]) if history.pending else None
        observations = history.observations

        def model(name: int | str, value: Callable[[Observation], float | None], partial: float = 0.0) -> Posterior:
            readings, levels = self._readings(encoder, observations, members, value, partial)
            begun = self._models.setdefault(name, Model(encoder.layout, self._seed))
            return begun.condition(readings, levels, pending)

        modelled = [
            model(position, _objective(position, -signs[position]), -signs[position] if position == unknown[0] else 0.0)
            for position in unknown
        ]
        names = sorted({name for each in observations for name in each.violations})
        constraints = [model(name, _constraint(name)) for name in names]
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

    def _readings(
        self,
        encoder: Encoder,
        observations: Sequence[Observation],
        members: frozenset[int],
        value: Callable[[Observation], float | None],
        partial: float,
    ) -> tuple[Readings, int]:
        """Observations of a quantity, and the number of fidelities among them.

        Args:
            encoder: Of parameters.
            observations: Of trials.
            members: Trials of the front.
            value: The quantity at full fidelity.
            partial: Sign of what is known at lower fidelities, 0 where that is another quantity.
        """
        epochs = sorted({epoch for each in observations for epoch in each.partial}) if partial else []
        level = {epoch: index for index, epoch in enumerate(epochs)}
        found: list[tuple[Observation, int, float]] = []
        for each in observations:
            found += [(each, level[epoch], partial * reading) for epoch, reading in each.partial.items() if partial]
            full = value(each)
            if full is not None:
                found.append((each, len(epochs), full))
        missing = [each for each, _, _ in found if each.number not in self._encoded]
        for each in missing:
            self._encoded[each.number] = encoder.encode([each.params])
        rows = [self._encoded[each.number] for each, _, _ in found]
        points = Points(np.concatenate([row.categories for row in rows]), np.concatenate([row.ordered for row in rows]))
        return Readings(
            points,
            np.array([index for _, index, _ in found]),
            np.array([reading for _, _, reading in found]),
            np.array([each.number for each, _, _ in found]),
            np.array([each.number in members for each, _, _ in found]),
        ), len(epochs) + 1


def _objective(position: int, sign: float) -> Callable[[Observation], float | None]:
    return lambda each: None if each.values is None else sign * each.values[position]


def _constraint(name: str) -> Callable[[Observation], float | None]:
    """How far a constraint is kept."""
    return lambda each: -each.violations[name] if name in each.violations else None
