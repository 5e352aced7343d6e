"""How far the training of a teacher is, and how long it will take."""

from __future__ import annotations

import statistics
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from automl_kd.recipes import Recipe
from automl_kd.tasks import Task


@dataclass(frozen=True)
class TrainingProgress:
    """The progress of a teacher's training.

    Attributes:
        epoch: The epoch under way, from 1.
        epochs: Epochs in all.
        done: Share of the training that is done, in [0, 1].
        seconds_per_epoch: Estimated from the steps so far; None before there are enough of them.
        number: Which teacher it is, from 1, where several are trained or one teaches the next.
        count: How many teachers are trained in all.
        verb: What is done: ``training``, or ``fine-tuning`` of one that starts from weights.
    """

    epoch: int
    epochs: int
    done: float
    seconds_per_epoch: float | None
    number: int = 1
    count: int = 1
    verb: str = "training"

    @property
    def seconds_left(self) -> float | None:
        """Seconds until this teacher is trained, without the teachers after it; None as long as that is not known."""
        return None if self.seconds_per_epoch is None else self.seconds_per_epoch * self.epochs * (1 - self.done)

    @property
    def doing(self) -> str:
        """What is being done, in words."""
        which = "the teacher" if self.count == 1 else f"teacher {self.number} of {self.count}"
        return f"{self.verb} {which}, epoch {self.epoch} of {self.epochs}"


class StepTimer:
    """Times the steps of a training, to tell how long it will take.

    The median of the steps counts, not the mean, because the first steps open files and allocate memory, and take many
    times as long.
    """

    _ENOUGH = 20
    _REMEMBERED = 200

    def __init__(
        self, recipe: Recipe, task: Task, number: int, count: int, watch: Callable[[TrainingProgress], bool]
    ) -> None:
        self._epochs = recipe.train.epochs
        self._per_epoch = max(1, len(task.train) / recipe.train.labelled_batch)
        self._number, self._count = number, count
        self._verb = "training" if recipe.student.start is None else "fine-tuning"
        self._watch = watch
        self._durations: deque[float] = deque(maxlen=self._REMEMBERED)
        self._stepped = time.monotonic()
        self._taken = -1
        self._before = 0.0  # steps before the checkpoint that the training went on from, known once an epoch ends

    def on_epoch(self, epoch: int, score: float | None) -> None:
        self._before = max(0.0, epoch * self._per_epoch - self._taken - 1)

    def should_stop(self) -> bool:
        self._taken += 1
        done = min(1.0, (self._before + self._taken) / (self._epochs * self._per_epoch))
        now = time.monotonic()
        self._durations.append(now - self._stepped)
        self._stepped = now
        pace = None if self._taken < self._ENOUGH else statistics.median(self._durations) * self._per_epoch
        epoch = min(self._epochs, int(done * self._epochs) + 1)
        return self._watch(TrainingProgress(epoch, self._epochs, done, pace, self._number, self._count, self._verb))
