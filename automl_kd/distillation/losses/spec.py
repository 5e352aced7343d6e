"""The spec of a loss: what it reads, what it is told before a run and at a step, and how a recipe's part calls it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, get_args

import torch
from torch import Tensor, nn

from automl_kd.core import Meaning, Registry, Signature
from automl_kd.distillation.losses.inputs import LossInputs, Pair, Shape
from automl_kd.recipes import Loss, Student
from automl_kd.recipes.losses import LOSSES
from automl_kd.students import StudentModule
from automl_kd.tasks import Problem
from automl_kd.teachers import Teacher

Features = TypeVar("Features", Tensor, tuple[Tensor, ...])
Kind = Literal["task", "logit", "feature", "relation", "attention"]
Meanings = frozenset[Meaning]

ANY: Meanings = frozenset(get_args(Meaning))
"""Outputs of every meaning."""
CATEGORICAL: Meanings = frozenset({"categorical"})
"""Logits of classes of which one is right."""
PROBABLE: Meanings = frozenset({"categorical", "bernoulli"})
"""Logits: outputs that a softmax or a sigmoid makes probabilities."""


@dataclass(frozen=True)
class BuildContext:
    """What a loss may know before a run, to build its adapter.

    Attributes:
        student: The student's part of the recipe.
        signature: What the student takes and answers.
        problem: What the outputs mean, and the task's own loss.
        examples: How many there are to learn from: the size of the training split, and where unlabelled examples are
            learned from, of those too.
        head: The teacher's last layer, weight (width, D) and bias (width,), where its outputs are a linear function of
            its last map's spatial mean; else None.
        memory_format: That of the student's weights.
        allow_code: Whether a model space in a file of the user's may be loaded, which runs that file.
    """

    student: Student
    signature: Signature
    problem: Problem
    examples: int
    head: tuple[Tensor, Tensor] | None
    memory_format: torch.memory_format = torch.contiguous_format
    allow_code: bool = False


@dataclass(frozen=True)
class StepContext:
    """What a loss may know of a step, beside what the networks show.

    Attributes:
        progress: The share of the schedule that is done, in [0, 1].
        labels: As the task stores them, (B, …), or blended ones (B, width) where examples were mixed. A loss that reads
            no labels may be given more examples than labels: those without come last.
        index: Positions of the examples in the training split, (B,) int64; those of unlabelled ones follow its size.
        problem: What the outputs mean, and the task's own loss.
        temperature: Of the loss: a number, a scalar or one for each sample (B,); 1 where the loss has none.
        adapter: The module that :attr:`LossSpec.adapter` built for this comparison, if any.
        label_smoothing: The share of every label that goes to all answers alike in the task's own loss.
    """

    progress: float
    labels: Tensor
    index: Tensor
    problem: Problem
    temperature: float | Tensor = 1.0
    adapter: nn.Module | None = None
    label_smoothing: float = 0.0

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
        takes: What the outputs have to mean. Left out, it is ``CATEGORICAL`` where the loss reads outputs, and ``ANY``
            where it does not; :attr:`meanings` tells.
        per_position: Whether outputs at every position, of sequences (B, L, C) and of dense maps (B, C, H, W), are
            compared too, each position like an example.
        spatial: Whether positions within a map are compared, so that the loss is constant on a map of one pixel.
        unmixed: Whether the loss, by its part, needs examples that are not mixed: one class, or one position in the
            split.
        labels: Whether the loss, by its part, reads ``context.labels``, where its inputs hold none.
        reads_head: Whether the teacher's last layer is read.
        pairs: ``(shapes of the student's stages by name, teacher)`` to the stages that are compared, for a loss that
            reads maps and whose part has no ``at``. Raises UserError where the two do not fit.
        prepare: ``(student, context)``: what is done to a fresh student before it is trained, in place.
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
    takes: Meanings | None = None
    per_position: bool = False
    spatial: bool = False
    unmixed: Callable[[Any], bool] = lambda part: False
    labels: Callable[[Any], bool] = lambda part: False
    reads_head: bool = False
    pairs: Callable[[Mapping[str, Shape], Teacher], tuple[Pair, ...]] | None = None
    prepare: Callable[[StudentModule, BuildContext], None] | None = None

    @property
    def needs_teacher(self) -> bool:
        """Whether a teacher has to show something."""
        return self.inputs.needs_teacher

    @property
    def reads_answers(self) -> bool:
        """Whether the teacher's outputs are read, or its last layer is."""
        return self.reads_head or (self.needs_teacher and self.inputs.reads_outputs)

    @property
    def parameters(self) -> bool:
        """Whether the loss may train parameters of its own."""
        return self.adapter is not None

    @property
    def meanings(self) -> Meanings:
        """What the outputs may mean."""
        if self.takes is not None:
            return self.takes
        return CATEGORICAL if self.inputs.reads_outputs else ANY

    def reads_labels(self, part: Any) -> bool:
        """Whether the loss, by its part of the recipe, is computed of examples with labels alone."""
        return self.inputs.reads_labels or self.labels(part)

    def suits(self, signature: Signature) -> bool:
        """Whether the loss can be computed for networks of a signature, whatever student and teacher are."""
        differentiable = signature.input.ids is None or not self.inputs.reads_gradients
        return signature.output.meaning in self.meanings and differentiable


LOSS_SPECS: Registry[LossSpec] = LOSSES  # type: ignore[assignment]  # this room fills it, with specs alone
"""The spec of every loss by its name under ``distill.losses``."""
