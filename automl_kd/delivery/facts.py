"""What is known of a student: what its makers say, and what delivery measures itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from automl_kd.compression import computes_as_module, described
from automl_kd.delivery.arms import Arms
from automl_kd.delivery.on_device import OnDevice
from automl_kd.hardware import Prediction, Profile
from automl_kd.objectives import Objective
from automl_kd.recipes import Recipe
from automl_kd.tasks import Task


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a workflow knows of a student beside the student; None or empty where it does not.

    Attributes:
        origin: ``"distilled in full"``, or ``"search checkpoint"`` for a student taken from the middle of a search.
        study: The study that found it.
        trial: Its trial there.
        epochs: Epochs that it was trained for.
        seeds: Seeds over which ``test_metrics`` are means.
        test_metrics: Means over the seeds on the test split, by the name of a metric.
        test_metrics_std: Their standard deviations; empty for a single seed.
        arms: The same network trained in other ways.
        teacher_metrics: Of the teacher on the test split.
        history: One row an epoch: ``epoch`` and whatever was measured, metrics and losses by name.
    """

    origin: Literal["distilled in full", "search checkpoint"]
    study: str | None = None
    trial: int | None = None
    epochs: int | None = None
    seeds: tuple[int, ...] = ()
    test_metrics: Mapping[str, float] = field(default_factory=dict, hash=False)
    test_metrics_std: Mapping[str, float] = field(default_factory=dict, hash=False)
    arms: Arms = field(default_factory=Arms)
    teacher_metrics: Mapping[str, float] = field(default_factory=dict, hash=False)
    history: Sequence[Mapping[str, float]] = field(default=(), hash=False)


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What delivery measured on the whole test split.

    Attributes:
        test_metrics: All metrics of the task of the student in torch, float32, or of its file where that is quantised,
            by name.
        deployed_metrics: The same of the ONNX file as the profile's precision computes it.
        float_metrics: The same of the student without the stages of ``compress``; empty where there are none.
        onnx_max_difference: Largest absolute difference between an output of torch and of the ONNX file; of a quantised
            file that to the student before.
        opset: Of the ONNX file.
        size: Of the ONNX file, in bytes.
    """

    test_metrics: Mapping[str, float]
    deployed_metrics: Mapping[str, float]
    float_metrics: Mapping[str, float]
    onnx_max_difference: float
    opset: int
    size: int


@dataclass(frozen=True, kw_only=True)
class Datasheet:
    """All that the model card, the report and the manifest state about one student."""

    recipe: Recipe
    task: Task
    profile: Profile
    prediction: Prediction
    measured: Measured
    facts: Facts
    on_device: OnDevice | None

    @property
    def metrics(self) -> tuple[Objective, ...]:
        """The metrics of the task: the one that students are compared by, then the others."""
        return tuple(metric.objective for metric in self.task.metrics)

    @property
    def objective(self) -> Objective:
        """The metric that students are compared by."""
        return self.metrics[0]

    @property
    def origin(self) -> str:
        """How the student came about, for people: one that hears no teacher is not distilled."""
        whole = self.facts.origin == "distilled in full"
        return (
            "trained in full, without a teacher"
            if whole and not self.recipe.distill.needs_teacher()
            else self.facts.origin
        )

    @property
    def examples(self) -> str:
        """What the task's examples are and what becomes of stored ones, for people."""
        task = self.task
        splits = {"train": task.train, "validation": task.validation, "test": task.test}
        return "; ".join(task.modality.told(splits, task.found))

    @property
    def quantised(self) -> bool:
        """Whether the ONNX file computes what no module does: with integers."""
        return not computes_as_module(self.recipe.compress)

    @property
    def compression(self) -> str:
        """The stages of ``compress``, for people; empty where there are none."""
        return described(self.recipe.compress)
