"""What a loss asks of the wiring, what it is told at a step, and how a recipe's part calls it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from torch import Tensor, nn

from automl_kd.recipes import Student

Shape = tuple[int, int, int]
Features = TypeVar("Features", Tensor, tuple[Tensor, ...])
Kind = Literal["task", "logit", "feature", "relation", "attention"]
Inputs = Literal["labels", "logits", "maps", "embeddings", "flows", "pyramid", "gradients", "exits", "peer"]


@dataclass(frozen=True)
class Pair:
    """A student's stage or submodule and the teacher's that it meets; shapes are channels, height, width."""

    student: str
    teacher: str
    student_shape: Shape
    teacher_shape: Shape


@dataclass(frozen=True)
class Scene:
    """What surrounds a loss and is known before a run.

    Attributes:
        student: What the student is, as its recipe says it.
        classes: Number of logits.
        examples: Size of the training split.
        input_shape: Channels, height, width of an image.
        head: The teacher's classifier, weight (classes, D) and bias (classes,), where its logits are a linear function
            of its last map's spatial mean; else None.
        allow_code: Whether a model space of the user's own may be loaded, which runs its file.
    """

    student: Student
    classes: int
    examples: int
    input_shape: Shape
    head: tuple[Tensor, Tensor] | None
    allow_code: bool = False


@dataclass(frozen=True)
class Moment:
    """What a loss may know of a step, beside what the networks show.

    Attributes:
        progress: Where the run stands, in [0, 1].
        labels: Classes (B,) int64, or distributions (B, classes) where images were mixed.
        index: Positions of the images in the training split, (B,) int64.
        temperature: Of the loss, a number, a scalar or one for each sample (B,); 1 where the loss has none.
        adapter: The module that :attr:`Contract.adapter` built for this comparison, if any.
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
class WithOwn:
    """A loss together with what its own parameters learn by, which no weight of the recipe scales; both scalars.

    ``silent`` losses are not meant to move the student yet: they are neither balanced nor taken for dead.
    """

    loss: Tensor
    own: Tensor | None = None
    silent: bool = False


Compare = Callable[[Any, Any, Any, Moment], Tensor | WithOwn]


@dataclass(frozen=True)
class Contract:
    """One loss, as the wiring and the loop see it.

    ``inputs`` says what ``compare`` is given of student and teacher:

    ============  ===================================================================================
    labels        logits (B, classes), and the labels in the teacher's place
    logits        logits (B, classes)
    maps          feature maps (B, C, H, W) of one pair of stages
    embeddings    the spatial means (B, C) of the maps of one pair
    flows         tuples of two maps, of two neighbouring pairs
    pyramid       tuples of the maps of all pairs, from the input to the output
    gradients     gradients of the logit of the teacher's top class by the image, (B, C, H, W)
    exits         a tuple of the student's maps and its logits, and the labels in the teacher's place
    peer          logits (B, classes), and the images (B, C, H, W) in the teacher's place
    ============  ===================================================================================

    Attributes:
        kind: What is compared.
        inputs: See above.
        compare: ``(part, student, teacher, moment)`` to the scalar loss; ``part`` is the loss's part of the recipe.
        scale: How the value scales with its inputs and their sizes.
        zero_at_identity: Whether the loss vanishes when the student equals the teacher.
        paper: Authors, year and arXiv number or venue.
        reference: The implementation whose values it agrees with.
        adapter: ``(part, pairs of one comparison, scene)`` to a module trained beside the student, or None where none
            is needed. None for losses that train nothing.
        places: Whether it compares where things are, of which a map of one pixel tells nothing.
        unmixed: Whether, by its part, the loss needs images that are not mixed: one class, or one place in the split.
    """

    kind: Kind
    inputs: Inputs
    compare: Compare
    scale: str
    zero_at_identity: bool
    paper: str
    reference: str
    adapter: Callable[[Any, tuple[Pair, ...], Scene], nn.Module | None] | None = None
    places: bool = False
    unmixed: Callable[[Any], bool] = lambda part: False

    @property
    def parameters(self) -> bool:
        """Whether the loss may train parameters of its own."""
        return self.adapter is not None

    @property
    def stages(self) -> bool:
        """Whether it reads feature maps."""
        return self.inputs in ("maps", "embeddings", "flows", "pyramid", "exits")
