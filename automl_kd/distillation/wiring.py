"""Which tensor meets which in every loss, settled and checked on shapes alone before any training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from automl_kd.distillation import schedules
from automl_kd.distillation.adapters import Regressor
from automl_kd.distillation.losses import CONTRACTS, Contract
from automl_kd.errors import UserError
from automl_kd.recipes import FeatureLoss, HandOver, Loss, Recipe
from automl_kd.students import StudentModule, Taps, build
from automl_kd.teachers import Teacher

Shape = tuple[int, int, int]


@dataclass(frozen=True)
class Pair:
    """A student's stage and the teacher's stage that it is compared with; shapes are channels, height, width."""

    student: str
    teacher: str
    student_shape: Shape
    teacher_shape: Shape


@dataclass(frozen=True)
class Signals:
    """What a network gives for a batch: logits (B, classes) and the maps (B, C, H, W) of the stages asked for."""

    logits: Tensor
    maps: Mapping[str, Tensor]


@dataclass(frozen=True)
class Term:
    """One loss of a recipe with its weight over the run and, where it compares features, the stages."""

    name: str
    part: Loss
    contract: Contract
    pairs: tuple[Pair, ...]
    handover: HandOver | None

    def weight(self, progress: float) -> float:
        """The weight at ``progress`` in [0, 1], with what the hand-over has moved."""
        own = schedules.weight(self.part, progress)
        if self.handover is None:
            return own
        moved = schedules.handed_over(self.handover, progress)
        return own * (moved if self.handover.target == self.name else 1 - moved)

    def value(
        self, student: Signals, teacher: Signals | None, labels: Tensor, adapters: nn.ModuleDict, progress: float
    ) -> Tensor:
        """The unweighted loss, a scalar; over several stages it is their sum."""
        compared = self._compared(student, teacher, labels, adapters)
        values = [self.contract.compare(self.part, ours, theirs, progress) for ours, theirs in compared]
        return values[0] if len(values) == 1 else torch.stack(values).sum()

    def adapter_name(self, pair: Pair) -> str:
        """The key in ``adapters`` of the regressor of a pair, should it have one."""
        return f"{self.name}_{pair.student}"

    def _compared(
        self, student: Signals, teacher: Signals | None, labels: Tensor, adapters: nn.ModuleDict
    ) -> Iterator[tuple[Tensor, Tensor]]:
        if self.contract.inputs == "labels":
            yield student.logits, labels
            return
        assert teacher is not None
        if self.contract.inputs == "logits":
            yield student.logits, teacher.logits
            return
        for pair in self.pairs:
            # Adapters and losses stand outside of autocast: relations and normalised maps need more than 8 bits.
            ours, theirs = student.maps[pair.student].float(), teacher.maps[pair.teacher].float()
            if self.contract.inputs == "embeddings":
                yield ours.mean(dim=(2, 3)), theirs.mean(dim=(2, 3))
                continue
            name = self.adapter_name(pair)
            yield (adapters[name](ours) if name in adapters else ours), theirs


@dataclass(frozen=True)
class Wiring:
    """The losses of a recipe, ready to be computed."""

    terms: tuple[Term, ...]

    @property
    def student_stages(self) -> tuple[str, ...]:
        """The student's stages that some loss reads."""
        return tuple(dict.fromkeys(pair.student for term in self.terms for pair in term.pairs))

    @property
    def teacher_stages(self) -> tuple[str, ...]:
        """The teacher's stages that some loss reads."""
        return tuple(dict.fromkeys(pair.teacher for term in self.terms for pair in term.pairs))

    def adapters(self) -> nn.ModuleDict:
        """Fresh regressors for the pairs whose channels differ, initialised from torch's global generator."""
        return nn.ModuleDict(
            {
                term.adapter_name(pair): Regressor(pair.student_shape[0], pair.teacher_shape[0])
                for term in self.terms
                if term.contract.parameters
                for pair in term.pairs
                if pair.student_shape[0] != pair.teacher_shape[0]
            }
        )


def wire(recipe: Recipe, input_shape: Shape, classes: int, teacher: Teacher | None) -> Wiring:
    """Check a recipe's losses against student and teacher, and pair their stages.

    Nothing is computed but shapes: the student is built on the meta device. The last stage of the student meets the
    last of the teacher, the one before it the one before, and so on.

    Args:
        recipe: The recipe; only ``student`` and ``distill`` are read.
        input_shape: Channels, height, width of an image of the task.
        classes: Number of classes of the task.
        teacher: The teacher, or None for a recipe that does not listen to one.

    Raises:
        UserError: If the recipe listens to a teacher and there is none, or the teacher has other classes or another
            input; if ``at`` names a stage twice, one that the student lacks, or one without a partner in the teacher;
            or if a feature loss meets a teacher that gives logits only.
    """
    distill = recipe.distill
    if distill.listens():
        _check_teacher(recipe, input_shape, classes, teacher)
    shapes: Mapping[str, Shape] = {}
    if any(CONTRACTS[name].inputs in ("maps", "embeddings") for name, _ in distill.losses.active()):
        shapes = _student_shapes(recipe, input_shape, classes)
    terms = []
    for name, part in distill.losses.active():
        contract = CONTRACTS[name]
        pairs: tuple[Pair, ...] = ()
        if contract.inputs in ("maps", "embeddings"):
            assert teacher is not None
            at = part.at if isinstance(part, FeatureLoss) else ("last",)
            pairs = _pair(name, at, shapes, teacher)
        handover = distill.handover
        moves = handover is not None and name in (handover.source, handover.target)
        terms.append(Term(name, part, contract, pairs, handover if moves else None))
    return Wiring(tuple(terms))


def _check_teacher(recipe: Recipe, input_shape: Shape, classes: int, teacher: Teacher | None) -> None:
    names = [name for name, _ in recipe.distill.losses.active() if name != "task"]
    if teacher is None:
        raise UserError(f"distill.losses.{names[0]} listens to a teacher and there is none: give one, or leave it out")
    if teacher.classes != classes:
        raise UserError(f"the teacher knows {teacher.classes} classes and the task has {classes}: they should be equal")
    if tuple(teacher.input_shape) != tuple(input_shape):
        raise UserError(
            f"the teacher takes images {tuple(teacher.input_shape)} and the task has {tuple(input_shape)}"
            " (channels, height, width): they should be equal"
        )


def _student_shapes(recipe: Recipe, input_shape: Shape, classes: int) -> dict[str, Shape]:
    with torch.device("meta"), torch.no_grad():
        student: StudentModule = build(recipe.student, input_shape=input_shape, classes=classes).eval()
        with Taps(student, {stage: stage for stage in student.stage_names()}) as taps:
            student(torch.empty(1, *input_shape))
    return {stage: _shape(taps.maps[stage]) for stage in student.stage_names()}


def _shape(features: Tensor) -> Shape:
    _, channels, height, width = features.shape
    return channels, height, width


def _pair(name: str, at: tuple[str, ...], shapes: Mapping[str, Shape], teacher: Teacher) -> tuple[Pair, ...]:
    where = f"distill.losses.{name}" + (".at" if name != "rkd" else "")
    theirs = teacher.stage_names()
    if not theirs:
        raise UserError(f"{where}: this teacher gives logits only, no feature maps: use kd, or a teacher of layers")
    ours = tuple(shapes)
    teacher_shapes = teacher.feature_shapes()
    pairs: dict[str, Pair] = {}
    for asked in at:
        stage = ours[-1] if asked == "last" else asked
        if stage not in shapes:
            raise UserError(f"{where}: the student has no stage {stage!r}: use {', '.join(ours)} or last")
        if stage in pairs:
            raise UserError(f"{where}: names the stage {stage} twice; once is right")
        from_end = len(ours) - ours.index(stage)
        if from_end > len(theirs):
            paired = ", ".join(ours[-len(theirs) :])
            raise UserError(
                f"{where}: {stage} has no partner among the teacher's {len(theirs)} stages"
                f" (paired from the last backwards): use {paired}"
            )
        partner = theirs[-from_end]
        pairs[stage] = Pair(stage, partner, shapes[stage], teacher_shapes[partner])
    return tuple(pairs.values())
