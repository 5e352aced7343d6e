"""The spec of a loss: what it reads, what it is told before a run and at a step, and how a recipe's part calls it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from torch import Tensor, nn

from automl_kd.core import Meaning, Registry
from automl_kd.distillation.losses.inputs import LossInputs, Pair, Shape
from automl_kd.recipes import Loss, Student
from automl_kd.recipes.losses import LOSSES

Features = TypeVar("Features", Tensor, tuple[Tensor, ...])
Kind = Literal["task", "logit", "feature", "relation", "attention"]


@dataclass(frozen=True)
class BuildContext:
    """What a loss may know before a run, to build its adapter.

    Attributes:
        student: The student's part of the recipe.
        classes: Number of logits.
        examples: Size of the training split.
        input_shape: Channels, height, width of an image.
        head: The teacher's classifier, weight (classes, D) and bias (classes,), where its logits are a linear function
            of its last map's spatial mean; else None.
        allow_code: Whether a model space in a file of the user's may be loaded, which runs that file.
    """

    student: Student
    classes: int
    examples: int
    input_shape: Shape
    head: tuple[Tensor, Tensor] | None
    allow_code: bool = False


@dataclass(frozen=True)
class StepContext:
    """What a loss may know of a step, beside what the networks show.

    Attributes:
        progress: The share of the schedule that is done, in [0, 1].
        labels: Classes (B,) int64, or distributions (B, classes) where images were mixed.
        index: Positions of the images in the training split, (B,) int64.
        temperature: Of the loss: a number, a scalar or one for each sample (B,); 1 where the loss has none.
        adapter: The module that :attr:`LossSpec.adapter` built for this comparison, if any.
    """

    progress: float
    labels: Tensor
    index: Tensor
    temperature: float | Tensor = 1.0
    adapter: nn.Module | None = None

    def adapted(self, student: Features) -> Features:
        """The student's features through the adapter, or as they are where none was needed."""
        return student if self.adapter is None else self.adapter(student)


@dataclass(frozen=True)
class LossOutput:
    """The value of a loss, with what its adapter learns by beside it.

    Attributes:
        loss: A scalar, which the recipe's weight multiplies.
        adapter_loss: A scalar that only the adapter learns by and that no weight multiplies; None where the adapter
            learns by ``loss``.
        warming_up: Whether the loss is not meant to move the student yet; it is then neither balanced nor reported as
            dead.
    """

    loss: Tensor
    adapter_loss: Tensor | None = None
    warming_up: bool = False


Compare = Callable[[Any, Any, Any, StepContext], Tensor | LossOutput]


@dataclass(frozen=True)
class LossSpec:
    """Everything that the wiring and the training loop know of one loss.

    Attributes:
        part: Its part of the recipe.
        kind: The level at which student and teacher are compared.
        inputs: What ``compare`` is given of student and teacher.
        compare: ``(part, student, teacher, context)`` to the scalar loss; ``part`` is the loss's part of the recipe.
        scale: How the value scales with its inputs and their sizes, in words.
        zero_at_identity: Whether the loss vanishes when the student equals the teacher.
        paper: Authors, year and arXiv number or venue.
        reference: The implementation whose values it agrees with.
        adapter: ``(part, pairs of one call, context)`` to a module that is trained beside the student, or None where
            none is needed. None for losses that train nothing.
        takes: What the outputs have to mean, None where it does not matter because the loss does not read them.
        spatial: Whether positions within a map are compared, so that the loss is constant on a map of one pixel.
        unmixed: Whether the loss, by its part, needs images that are not mixed: one class, or one position in the
            split.
    """

    part: type[Loss]
    kind: Kind
    inputs: LossInputs
    compare: Compare
    scale: str
    zero_at_identity: bool
    paper: str
    reference: str
    adapter: Callable[[Any, tuple[Pair, ...], BuildContext], nn.Module | None] | None = None
    takes: frozenset[Meaning] | None = None
    spatial: bool = False
    unmixed: Callable[[Any], bool] = lambda part: False

    @property
    def needs_teacher(self) -> bool:
        """Whether a teacher has to show something."""
        return self.inputs.needs_teacher

    @property
    def parameters(self) -> bool:
        """Whether the loss may train parameters of its own."""
        return self.adapter is not None


LOSS_SPECS: Registry[LossSpec] = LOSSES  # type: ignore[assignment]  # this room fills it, with specs alone
"""The spec of every loss by its name under ``distill.losses``."""
