"""What a sampler declares that can say what a trial is worth."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from optuna import Study


class KnowsWorth(ABC):
    """A sampler that says how much it expects a trial to add to the front of its study.

    Such a sampler derives from this class besides Optuna's. A search asks it which waiting trials to go on with, and
    whether to go on at all; with any other sampler it decides the former without it, and refuses to decide the latter.
    """

    @property
    @abstractmethod
    def improvement(self) -> float | None:
        """Expected improvement of the last proposal, as a share of the front's hypervolume; None where unknown."""

    @abstractmethod
    def expected_improvements(self, study: Study, numbers: Sequence[int]) -> Mapping[int, float]:
        """Share of the front's hypervolume that finishing each of these trials is expected to add, by number."""

    @abstractmethod
    def renew(self) -> None:
        """Forget what candidates cost, because costs or limits have changed."""
