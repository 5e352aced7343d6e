"""What is known of a student: what its makers say, and what delivery measures itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from automl_kd.compression import computes_as_module, described
from automl_kd.delivery.arms import Arms
from automl_kd.delivery.form_words import FloatScore, form_sentences
from automl_kd.delivery.on_device import OnDevice
from automl_kd.distillation import MixedPrecision
from automl_kd.hardware import Prediction, Profile
from automl_kd.objectives import Objective
from automl_kd.recipes import Recipe
from automl_kd.results import Gain, ShippedFile
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
        float_metrics: Means over the same seeds without the stages of ``compress``; empty where there are none.
        gain_over_float: What ships minus the same weights without the stages, over examples and seeds.
        arms: The same network trained in other ways.
        teacher_metrics: Of the teacher on the test split.
        history: One row an epoch: ``epoch`` and whatever was measured, metrics and losses by name.
        mixed_precision: Which of its layers compute with floats, where that was decided for this student.
    """

    origin: Literal["distilled in full", "search checkpoint"]
    study: str | None = None
    trial: int | None = None
    epochs: int | None = None
    seeds: tuple[int, ...] = ()
    test_metrics: Mapping[str, float] = field(default_factory=dict, hash=False)
    test_metrics_std: Mapping[str, float] = field(default_factory=dict, hash=False)
    float_metrics: Mapping[str, float] = field(default_factory=dict, hash=False)
    gain_over_float: Gain | None = None
    arms: Arms = field(default_factory=Arms)
    teacher_metrics: Mapping[str, float] = field(default_factory=dict, hash=False)
    history: Sequence[Mapping[str, float]] = field(default=(), hash=False)
    mixed_precision: MixedPrecision | None = field(default=None, hash=False)


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What delivery measured on the whole test split.

    Attributes:
        test_metrics: All metrics of the task of the student in torch, float32, or of its file where that is quantised,
            by name.
        deployed_metrics: The same of the ONNX file as the profile's precision computes it.
        float_metrics: The same of the student without the stages of ``compress``; empty where there are none.
        gain_over_float: What ships minus that student, over the examples; None where there are no stages,
            or the test split does not define the metric.
        onnx_max_difference: Largest absolute difference between an output of torch and of the ONNX file; of a quantised
            file that to the student before.
        opset: Of the ONNX file.
        size: Of the ONNX file, in bytes.
    """

    test_metrics: Mapping[str, float]
    deployed_metrics: Mapping[str, float]
    float_metrics: Mapping[str, float]
    gain_over_float: Gain | None
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
    shipped: ShippedFile
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
    def form(self) -> str:
        """What ships, in a word or two: ``int8``, ``int8 (mixed)``, ``float32``."""
        return self.shipped.form or self.recipe.form

    @property
    def quantised(self) -> bool:
        """Whether the ONNX file computes what no module does: with integers."""
        return not computes_as_module(self.recipe.compress)

    @property
    def compression(self) -> str:
        """The stages of ``compress``, for people; empty where there are none."""
        return described(self.recipe.compress)

    @property
    def beside_float(self) -> float | None:
        """Score of the same weights in float32, over the seeds where those were read, else of this very student."""
        name = self.objective.name
        return self.facts.float_metrics.get(name, self.measured.float_metrics.get(name))

    @property
    def gain_over_float(self) -> Gain | None:
        """What ships minus that, with its interval."""
        return self.facts.gain_over_float or self.measured.gain_over_float

    @property
    def form_sentences(self) -> list[str]:
        """What that form costs, computes with floats, and takes; nothing where the student is not compressed."""
        if not self.recipe.compress:
            return []
        seeds = len(self.facts.seeds) if self.facts.gain_over_float else 1
        beside = FloatScore(self.beside_float, self.gain_over_float, seeds)
        return form_sentences(self.form, beside, self.shipped, self.objective)
