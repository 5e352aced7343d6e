"""The acquisition function: what candidates are expected to add to the front of a study."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from automl_kd.objectives import dominated_volume
from automl_kd.samplers.encoding import Points
from automl_kd.samplers.improvement import added_volume, expected_improvement, open_samples
from automl_kd.samplers.multi_fidelity import Posterior

Array = NDArray[np.float64]

_DRAWS = 64
"""Quasi-random draws of the modelled objectives, where they are several."""
_MOST_EXACT, _MOST_SLABS = 3, 30_000
"""Objectives and slabs up to which volumes are exact; slabs grow with the front to the power of the objectives."""
_SAMPLES = 2048
"""Quasi-random points by which other volumes are counted."""


@dataclass(frozen=True)
class Acquisition:
    """The expected hypervolume improvement of candidates in one state of a study.

    All objectives are minimised here, and the modelled ones come first.

    Attributes:
        modelled: One posterior a modelled objective.
        constraints: One posterior a constraint, of the margin by which it is kept.
        front: Shape (k, objectives), all within the reference.
        reference: Worst values that count, shape (objectives,).
        ideal: Values that hardly any candidate reaches, shape (objectives,).
        members: Numbers of the front's trials.
        std_scale: Factor on the models' standard deviations; above 1 the unknown is preferred.
    """

    modelled: Sequence[Posterior]
    constraints: Sequence[Posterior]
    front: Array
    reference: Array
    ideal: Array
    members: frozenset[int]
    std_scale: float = 1.0

    @cached_property
    def hypervolume(self) -> float:
        """Volume between the front and the reference."""
        if self._exact:
            return dominated_volume(self.front, self.reference)
        points, each = self._open_samples
        return each * (_SAMPLES - len(points))

    def improvement(self, points: Points, costs: Array) -> Array:
        """Expected hypervolume improvement times the probability that all constraints are kept, shape (m,).

        Args:
            points: m candidates.
            costs: Their known objectives, shape (m, known).
        """
        predicted = [(mean, self.std_scale * std) for mean, std in (each.predict(points) for each in self.modelled)]
        if not self._exact:
            gain = self._counted(predicted, costs)
        elif len(predicted) == 1:
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

    @property
    def _exact(self) -> bool:
        """Whether volumes are exact, cut into slabs; where these are too many, points are counted instead."""
        members, objectives = len(self.front), len(self.reference)
        match len(self.modelled):
            case 0:
                slabs = members ** (objectives - 1)
            case 1:
                slabs = members ** max(1, objectives - 1)
            case _:
                slabs = _DRAWS * members ** (objectives - 1)
        return objectives <= _MOST_EXACT and bool(slabs <= _MOST_SLABS)

    @cached_property
    def _open_samples(self) -> tuple[Array, float]:
        """Points that the front does not dominate, and the volume that each stands for."""
        return open_samples(self.front, self.ideal, self.reference, _SAMPLES)

    def _counted(self, predicted: Sequence[tuple[Array, Array]], costs: Array) -> Array:
        """The volume of all points outside the front, each times the probability that a candidate dominates it."""
        points, each = self._open_samples
        reached = (costs[:, None, :] <= points[None, :, len(predicted) :]).all(axis=2).astype(np.float64)
        for column, (posterior, (mean, std)) in enumerate(zip(self.modelled, predicted, strict=True)):
            reached *= ndtr((mean[:, None] - posterior.warp(-points[:, column])) / std[:, None])
        return np.asarray(each * reached.sum(axis=1))

    def _sampled(self, predicted: Sequence[tuple[Array, Array]], costs: Array) -> Array:
        """Mean over quasi-random draws, the same ones for all candidates; exact where no objective is modelled."""
        if not predicted:
            return added_volume(costs, self.front, self.reference)
        from scipy.stats import qmc  # here, because the import takes a second and few studies model two objectives

        draws = ndtri(qmc.Sobol(len(predicted), seed=0).random(_DRAWS))
        total = np.zeros(len(costs))
        for draw in draws:
            values = [
                -posterior.warp.inverse(mean + std * number)
                for posterior, (mean, std), number in zip(self.modelled, predicted, draw, strict=True)
            ]
            total += added_volume(np.column_stack([*values, costs]), self.front, self.reference)
        return total / len(draws)
