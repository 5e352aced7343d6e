"""A task: examples with labels in three splits, of a modality and a problem type, and what networks are judged by."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from automl_kd.core import Signature, UserError
from automl_kd.recipes import StudentPart, TaskReference
from automl_kd.tasks.look import look
from automl_kd.tasks.metrics import Metric
from automl_kd.tasks.modalities import Modality, Resolution
from automl_kd.tasks.names_of_0_1 import TaskNamesOf01
from automl_kd.tasks.problems import Problem
from automl_kd.tasks.reading import DataReading, Found
from automl_kd.tasks.split import Split
from automl_kd.tasks.teacher import TeacherSpec


@dataclass(frozen=True, eq=False)
class Task(TaskNamesOf01):
    """What is learned.

    A search reads ``train`` and ``validation``; ``test`` is read once, by final picks and their teacher.

    Attributes:
        name: Its name in tables and reports.
        modality: What the examples are, and how they reach a network.
        problem: What the labels are, and what a network's outputs mean.
        train: What students learn from.
        validation: What a search compares students by.
        test: What final results are stated on.
        unlabelled: Examples without labels that students may learn from beside ``train``, whose labels are all zeros
            and mean nothing; None where there are none.
        metrics: What networks are judged by: a search compares them by the first, all are reported.
        sha256: Hash of all that a network learns from: the splits, and what modality and problem learned of them.
        teacher: The teacher that the task file names, if any.
        reference: The reference by which a recipe names this task.
        found: What reading the data showed; the report on them builds on it.
    """

    name: str
    modality: Modality
    problem: Problem
    train: Split
    validation: Split
    test: Split
    metrics: tuple[Metric, ...]
    sha256: str
    teacher: TeacherSpec | None
    reference: TaskReference
    found: Found = field(default=Found(), repr=False)
    unlabelled: Split | None = None

    @cached_property
    def signature(self) -> Signature:
        """What a network of this task takes and answers."""
        return Signature(self.modality.input, self.problem.output)

    def at(self, student: StudentPart) -> Task:
        """The task as a student takes its examples: at the student's resolution, normalised as its weights know them.

        Itself where the student says nothing of either. Splits, labels and hash are the same.

        Raises:
            UserError: If the modality knows no resolution, or the student cannot be shown its examples.
        """
        start = student.start
        channels = self.modality.input.shape[0]
        asked = Resolution(student.resolution, *((None, None) if start is None else start.statistics(channels)))
        return self if asked == Resolution() else replace(self, modality=self.modality.at(asked))

    def learned_from(self, *, unlabelled: bool) -> tuple[Split, ...]:
        """The splits that a training reads, whose positions are counted on from one to the next.

        Raises:
            UserError: If unlabelled examples are asked for and there are none.
        """
        if not unlabelled:
            return (self.train,)
        if self.unlabelled is None or not len(self.unlabelled):
            raise UserError(
                f"train.unlabelled: task {self.name} has no unlabelled {self.modality.noun}s: leave it out, or name a"
                " folder of them under data.unlabelled of the task"
            )
        return (self.train, self.unlabelled)

    @property
    def metric(self) -> Metric:
        """The metric by which a search compares networks."""
        return self.metrics[0]

    @cached_property
    def reading(self) -> DataReading:
        """The report on the data: what was read, and what is odd about it. Made when first asked for."""
        splits = {"train": self.train, "validation": self.validation, "test": self.test}
        return look(self.found, splits, self.modality, self.problem)

    def manifest(self) -> dict[str, Any]:
        """What the inputs and outputs of its networks are, as plain data; of images with one class each as in 0.1."""
        preprocessing, names = self.modality.preprocessing(), list(self.problem.names)
        if (self.modality.name, self.problem.name) == ("image", "multiclass"):
            return {"preprocessing": preprocessing, "class_names": names}
        return {
            "modality": self.modality.name,
            "problem": self.problem.name,
            "preprocessing": preprocessing,
            "names": names,
        }
