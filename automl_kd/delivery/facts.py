"""What is known of a student: what its makers say, and what delivery measures itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from automl_kd.delivery.arms import Arms
from automl_kd.hardware import Prediction, Profile
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
        seeds: Seeds over which ``test_accuracy`` is a mean.
        test_accuracy: Mean over the seeds on the test split, in [0, 1].
        test_accuracy_std: Standard deviation over the seeds, in accuracy.
        arms: The same network trained in other ways.
        teacher_accuracy: On the test split.
        history: One row an epoch: ``epoch`` and whatever was measured, such as ``accuracy`` and the losses by name.
    """

    origin: Literal["distilled in full", "search checkpoint"]
    study: str | None = None
    trial: int | None = None
    epochs: int | None = None
    seeds: tuple[int, ...] = ()
    test_accuracy: float | None = None
    test_accuracy_std: float | None = None
    arms: Arms = field(default_factory=Arms)
    teacher_accuracy: float | None = None
    history: Sequence[Mapping[str, float]] = ()


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What delivery measured on the whole test split.

    Attributes:
        test_accuracy: Of the student in torch, float32.
        test_accuracy_deployed: Of the ONNX file as the profile's precision computes it.
        onnx_max_difference: Largest absolute difference between a logit of torch and of the ONNX file.
    """

    test_accuracy: float
    test_accuracy_deployed: float
    onnx_max_difference: float


@dataclass(frozen=True, kw_only=True)
class Datasheet:
    """All that the model card, the report and the manifest state about one student."""

    recipe: Recipe
    task: Task
    profile: Profile
    prediction: Prediction
    measured: Measured
    facts: Facts

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
    def preprocessing(self) -> dict[str, object]:
        """How an image becomes the network's input, as plain data."""
        return {
            "layout": "NCHW",
            "shape": list(self.task.input_shape),
            "channels": {1: "grey", 3: "RGB"}.get(self.task.input_shape[0], "as stored"),
            "images": str(self.task.test.images.dtype).removeprefix("torch."),
            "stored": self.task.found.stored,
            "pixels": self.task.found.pixels,
            "white": self.task.white,
            "scale": 1 / self.task.white,
            "mean": list(self.task.mean),
            "std": list(self.task.std),
        }
