"""What candidates are expected to add to the front of a study."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from automl_kd.samplers._encoding import Points
from automl_kd.samplers._improvement import expected_improvement, uncovered
from automl_kd.samplers._model import Posterior

Array = NDArray[np.float64]

_DRAWS = 64


@dataclass(frozen=True)
class Expectation:
    """The state of a study, from which the worth of a candidate follows. Objectives are minimised, the modelled first.

    Attributes:
        modelled: One posterior a modelled objective.
        constraints: One posterior a constraint, of how far it is kept.
        front: Shape (k, objectives).
        reference: Worst values that count, shape (objectives,).
        members: Trials of the front.
        doubt: How many times the models' standard deviations are taken.
    """

    modelled: Sequence[Posterior]
    constraints: Sequence[Posterior]
    front: Array
    reference: Array
    members: frozenset[int]
    doubt: float = 1.0

    @property
    def hypervolume(self) -> float:
        """Of the front."""
        empty = np.empty((0, len(self.reference)))
        total, covered = 0.0, empty
        for member in self.front:
            total += float(uncovered(member[None, :], covered, self.reference)[0])
            covered = np.concatenate([covered, member[None, :]])
        return total

    def improvement(self, points: Points, costs: Array) -> Array:
        """Expected hypervolume improvement times the probability that all constraints are kept, shape (m,).

        Args:
            points: m candidates.
            costs: Their known objectives, shape (m, known).
        """
        predicted = [(mean, self.doubt * std) for mean, std in (each.predict(points) for each in self.modelled)]
        if len(predicted) == 1:
            warp, (mean, std) = self.modelled[0].warp, predicted[0]
            gain = expected_improvement(
                lambda levels: warp.expected_excess(-levels, mean, std), costs, self.front, self.reference
            )
        else:
            gain = self._sampled(predicted, costs)
        for posterior in self.constraints:
            mean, std = posterior.predict(points)
            gain = gain * ndtr((mean - posterior.warp(np.zeros(1))) / std)
        return np.asarray(gain)

    def _sampled(self, predicted: Sequence[tuple[Array, Array]], costs: Array) -> Array:
        """Mean over quasi-random draws, the same for all candidates; exact where nothing is modelled."""
        if not predicted:
            return uncovered(costs, self.front, self.reference)
        from scipy.stats import qmc  # takes a second, and few studies model two objectives

        draws = ndtri(qmc.Sobol(len(predicted), seed=0).random(_DRAWS))
        total = np.zeros(len(costs))
        for draw in draws:
            values = [
                -posterior.warp.inverse(mean + std * number)
                for posterior, (mean, std), number in zip(self.modelled, predicted, draw, strict=True)
            ]
            total += uncovered(np.column_stack([*values, costs]), self.front, self.reference)
        return total / len(draws)
