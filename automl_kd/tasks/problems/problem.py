"""What a problem type is: what a network's output means, how far it is from the labels, and what is said of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from automl_kd.core import Meaning, Output, UserError
from automl_kd.tasks.labels import Labels
from automl_kd.tasks.metrics import Metric, metric_named, metrics_of
from automl_kd.tasks.problems.answer import ANSWERS, Answer
from automl_kd.tasks.reading import Found


@dataclass(frozen=True, eq=False)
class ReadLabels:
    """What a problem type has made of stored labels.

    Attributes:
        problem: The problem of these labels; :meth:`Problem.fitted` completes it.
        labels: The labels of each split, as tensors.
        warnings: What is odd, a line each.
    """

    problem: Problem
    labels: Mapping[str, Tensor]
    warnings: tuple[str, ...] = ()


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

    @classmethod
    @abstractmethod
    def read(cls, stored: Mapping[str, Labels]) -> ReadLabels:
        """Stored labels, read and checked.

        Args:
            stored: By split, ``train`` among them: what the labels are is read from those.

        Raises:
            UserError: If they are no labels of this problem type; one line with the file, the place and the value.
        """

    def fitted(self, labels: Tensor) -> Problem:
        """The problem with what has to be learned of the labels of the training split."""
        return self

    @property
    @abstractmethod
    def output(self) -> Output:
        """What a network of this problem answers."""

    @property
    def answer(self) -> Answer:
        """How an output is read, for who uses a student: by default as its meaning says."""
        return ANSWERS[self.meaning]

    def metrics(self) -> tuple[Metric, ...]:
        """The metrics that it reports, its default first: those for its type and for the meaning of its output."""
        return metrics_of(self.name, self.output.width, self.meaning)

    def metric_named(self, name: str) -> Metric:
        """The metric that a name of a task file means.

        Raises:
            UserError: If the problem has no such metric; the message lists those it has.
        """
        return metric_named(name, self.name, self.output.width, self.meaning)

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

    def smoothed(self, targets: Tensor, share: float) -> Tensor:
        """Labels (N, width) of which a share went to all answers alike (Szegedy et al. 2016, arXiv:1512.00567).

        Args:
            targets: As for :meth:`losses`.
            share: In [0, 1).

        Raises:
            UserError: If the labels of this problem type are no probabilities.
        """
        raise UserError(f"train.label_smoothing: labels of a {self.name} problem are no probabilities: leave it out")

    @abstractmethod
    def mean_of_members(self, outputs: Tensor) -> Tensor:
        """What several networks say together: (N, members, width) to (N, width), by the mean of what they believe."""

    @abstractmethod
    def constant_answer(self, labels: Tensor) -> Tensor:
        """The outputs (width,) that are best for these labels if every example gets the same."""

    @abstractmethod
    def strata(self, labels: Tensor) -> tuple[NDArray[np.int64], tuple[str, ...]]:
        """Groups of examples (N,) that every split should hold in equal shares.

        Returns:
            The group of each example, from 0, and the name of each group; no names where a split may lack a group.
        """

    def identity(self) -> dict[str, Any]:
        """What the labels are, as plain data: a part of the task's hash."""
        return {"problem": {"type": self.name, "names": self.names}}

    # What is said of the labels when data are read.

    @property
    @abstractmethod
    def words(self) -> str:
        """What the labels are, for people, after the word for examples: ``of 10 classes``."""

    @abstractmethod
    def counts(self, labels: Tensor) -> tuple[int, ...]:
        """For each name, how many examples have it."""

    @abstractmethod
    def told(self, labels: Tensor) -> str:
        """The labels of a split for people: how many there are of what."""

    @abstractmethod
    def shown(self, label: Tensor) -> str:
        """The label of one example for people."""

    def odd(self, labels: Mapping[str, Tensor], found: Found, noun: str) -> tuple[str, ...]:
        """What is odd about the labels, a warning a line.

        Args:
            labels: By split.
            found: What the kind of data says of itself.
            noun: What an example is called.
        """
        return ()

    def groups(self, labels: Tensor) -> dict[str, NDArray[np.bool_]]:
        """Examples that belong together, by what a message calls them, so that differences between them are found."""
        return {}

    def refusal(self, labels: Tensor, noun: str) -> str | None:
        """Why nothing can be learned from the labels of a training split, None where something can."""
        return None
