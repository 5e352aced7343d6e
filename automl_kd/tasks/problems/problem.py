"""What a problem type is: what a network's output means, how far it is from the labels, and what is said of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from automl_kd.core import Meaning, Output
from automl_kd.tasks.metrics import Metric


class Problem(ABC):
    """The problem of one task: a problem type with the names, and where it needs them the statistics, of its labels.

    Attributes:
        name: Of the type, as a task file says it: ``multiclass``, ``multilabel``, ``regression``.
        meaning: What the numbers of an output are.
        names: One name a number of the output, in its order: classes, labels, or values.
    """

    name: ClassVar[str]
    meaning: ClassVar[Meaning]
    names: tuple[str, ...]

    @property
    @abstractmethod
    def output(self) -> Output:
        """What a network of this problem answers."""

    @abstractmethod
    def metrics(self) -> tuple[Metric, ...]:
        """The metrics that it reports, its default first."""

    @abstractmethod
    def metric_named(self, name: str) -> Metric:
        """The metric that a name of a task file means.

        Raises:
            UserError: If the problem has no such metric; the message lists those it has.
        """

    @abstractmethod
    def losses(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The task's own loss of each example, (N,).

        Args:
            outputs: What a network answers, (N, width).
            targets: Labels as they are stored, or mixed ones as :meth:`blendable` makes them.
        """

    @abstractmethod
    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The mean of :meth:`losses`, a scalar, computed at once and at least in float32."""

    @abstractmethod
    def blendable(self, labels: Tensor) -> Tensor:
        """Labels as floats (N, width) of which weighted means are labels, too: those of mixed examples."""

    @abstractmethod
    def mean_of_members(self, outputs: Tensor) -> Tensor:
        """What several networks say together: (N, members, width) to (N, width), by the mean of what they believe."""

    @abstractmethod
    def strata(self, labels: Tensor) -> tuple[NDArray[np.int64], tuple[str, ...]]:
        """Groups of examples (N,) that every split should hold in equal shares, and the name of each group."""
