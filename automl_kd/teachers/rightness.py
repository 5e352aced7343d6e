"""How often answers are right as they are, by chance, and with their classes in the best other order."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_SURE = 3.0  # standard errors
_WORTH = 0.05  # share of examples that another order has to gain
# An untrained network tells classes apart a little, and gains by another order: up to a third of the way in digits.
_KNOWS = 0.5  # of the way from chance to always being right

Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Rightness:
    """How often a teacher's answers are right.

    Attributes:
        correct: Share that is right.
        chance: Share that always answering the most frequent label is right on.
        permuted: Share that is right once every answer stands for the class that it goes with best. The order is chosen
            on one half of the examples and counted on the other, so that small samples do not flatter it.
        better: Whether another order is better beyond noise, and by enough to matter.
        meant: The class that each answer goes with best, where that is another.
    """

    correct: float
    chance: float
    permuted: float
    better: bool
    meant: Mapping[int, int]

    @property
    def misordered(self) -> bool:
        """Whether it knows the classes, in another order."""
        return self.better and self.beyond_chance(self.permuted) > _KNOWS

    def beyond_chance(self, share: float) -> float:
        """How far a share is on the way from chance (0) to always being right (1)."""
        return (share - self.chance) / (1 - self.chance) if self.chance < 1 else 0.0

    def by_output(self, order: Sequence[int]) -> list[int] | None:
        """The class that each output goes with best; None where there are outputs that no class stands for.

        Args:
            order: For each class the output that stands for it now.
        """
        if sorted(order) != list(range(len(order))):
            return None
        return [self.meant.get(answer, answer) for answer in map(list(order).index, range(len(order)))]


def rightness(labels: Labels, answers: Labels, half: NDArray[np.bool_]) -> Rightness:
    """Compare answers with labels.

    Args:
        labels: (N,).
        answers: (N,).
        half: (N,), which examples are in the one of two halves, each with a share of every class.
    """
    right = labels == answers
    chosen = np.zeros(len(labels), bool)
    for one in (half, ~half):
        meant = _meant(labels[~one], answers[~one])
        chosen[one] = [
            meant.get(answer, answer) == label for label, answer in zip(labels[one], answers[one], strict=True)
        ]
    gain = chosen.astype(float) - right
    error = float(gain.std()) / math.sqrt(len(gain))
    return Rightness(
        correct=float(right.mean()),
        chance=float(np.bincount(labels).max() / len(labels)),
        permuted=max(float(chosen.mean()), float(right.mean())),
        better=bool(gain.mean() > max(_WORTH, _SURE * error)),
        meant=_meant(labels, answers),
    )


def _meant(labels: Labels, answers: Labels) -> dict[int, int]:
    """The permutation of classes under which answers agree with labels most often, where it moves one."""
    # Here and not above: a quarter of a second, which every worker would pay.
    from scipy.optimize import linear_sum_assignment  # type: ignore[attr-defined]

    classes = np.union1d(labels, answers)
    counts = np.zeros((len(classes), len(classes)))
    np.add.at(counts, (np.searchsorted(classes, answers), np.searchsorted(classes, labels)), 1)
    # Half an example for the order as it is: where the examples do not say, a class stays what it is.
    np.fill_diagonal(counts, counts.diagonal() + 0.5)
    answered, meant = linear_sum_assignment(counts, maximize=True)
    return {int(classes[a]): int(classes[m]) for a, m in zip(answered, meant, strict=True) if a != m}
