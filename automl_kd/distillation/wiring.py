"""The losses of a recipe with their stages paired, checked before any training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from automl_kd.core import UserError, unknown
from automl_kd.distillation.custom_loss import custom_loss_spec
from automl_kd.distillation.losses import LOSS_SPECS, BuildContext, LossSpec, Pair, StepContext
from automl_kd.distillation.losses.simkd import SimKD
from automl_kd.distillation.pairing import Pairing
from automl_kd.distillation.signals import Signals
from automl_kd.distillation.term import Term
from automl_kd.recipes import Loss, Recipe, mixing_among
from automl_kd.recipes.losses import CustomLoss, FeatureLoss
from automl_kd.students import PROJECTOR, Plan, StudentModule, Taps, plan
from automl_kd.tasks import Task
from automl_kd.teachers import Teacher

Shape = tuple[int, ...]

_BATCH = 4
_SHOWN_DEPTH = 2


@dataclass(frozen=True)
class Wiring:
    """The losses of a recipe, ready to be computed.

    Attributes:
        terms: The losses, in the order of the schema.
        build_context: What their adapters are built from.
    """

    terms: tuple[Term, ...]
    build_context: BuildContext

    @property
    def student_stages(self) -> tuple[str, ...]:
        """The student's stages and paths that some loss reads."""
        return tuple(dict.fromkeys(pair.student for term in self.terms for pair in term.pairs))

    @property
    def teacher_stages(self) -> tuple[str, ...]:
        """The teacher's stages and paths that some loss reads."""
        return tuple(dict.fromkeys(pair.teacher for pair in _shown_by_teacher(self.terms)))

    @property
    def gradients(self) -> bool:
        """Whether some loss reads gradients by the image."""
        return any(term.spec.inputs.reads_gradients for term in self.terms)

    def adapters(self) -> nn.ModuleDict:
        """Fresh modules that the losses train, initialised by torch's global generator."""
        return nn.ModuleDict(
            {name: module for term in self.terms for name, module in term.adapters(self.build_context)}
        )


def wire(recipe: Recipe, task: Task, teacher: Teacher | None, *, allow_code: bool = False) -> Wiring:
    """Check a recipe's losses against student, task and teacher, and pair their stages.

    Every loss is computed once on noise, with adapters that are thrown away. Stages are paired from the end: the last
    of the student with the last of the teacher, the one before with the one before, and so on.

    Args:
        recipe: The recipe; only ``student``, ``distill`` and ``train.augment`` are read.
        task: The task, for shapes and classes.
        teacher: The teacher, or None for a recipe that needs none.
        allow_code: Whether custom losses and model spaces may be loaded, which runs their files.

    Raises:
        UserError: If the recipe needs a teacher and there is none, or the teacher has other classes or another
            input; if ``at`` names a stage twice, one that does not exist, or one without a partner; if a loss needs
            features, gradients, a classifier or unmixed images and does not get them; or if it cannot be computed.
    """
    if len(task.train) < 2:
        raise UserError(f"task {task.name} has {len(task.train)} images to train on: give two or more")
    distill = recipe.distill
    asked = teacher if distill.needs_teacher() else None
    if distill.needs_teacher():
        _check_teacher(recipe, task, teacher)
    specs = {name: _spec(name, part, allow_code) for name, part in distill.losses.active()}
    _check_needs(recipe, specs, asked)
    student = plan(recipe.student, input_shape=task.input_shape, classes=task.classes, allow_code=allow_code)
    shapes = {name: blocks[-1].output_shape for name, blocks in student.stages[1:-1]}
    pairing = Pairing(student.maps(), lambda paths: _shapes(student, paths), asked)
    terms = []
    for name, part in distill.losses.active():
        pairs: tuple[Pair, ...] = ()
        if isinstance(part, SimKD):
            assert asked is not None
            pairs = _projected(shapes, asked)
        elif specs[name].inputs.reads_maps:
            assert isinstance(part, FeatureLoss)
            pairs = pairing.pairs(name, part, specs[name])
        moves = distill.handover is not None and name in (distill.handover.source, distill.handover.target)
        terms.append(Term(name, part, specs[name], pairs, distill.handover if moves else None))
    head = asked.head() if asked is not None else None
    build_context = BuildContext(recipe.student, task.classes, len(task.train), task.input_shape, head, allow_code)
    wiring = Wiring(tuple(terms), build_context)
    _rehearse(wiring, task)
    return wiring


def _shown_by_teacher(terms: Sequence[Term]) -> list[Pair]:
    """The pairs of which the teacher has to show its side."""
    return [pair for term in terms if term.spec.inputs.needs_teacher for pair in term.pairs]


def _spec(name: str, part: Loss, allow_code: bool) -> LossSpec:
    return custom_loss_spec(name, part, allow_code) if isinstance(part, CustomLoss) else LOSS_SPECS[name]


def _check_teacher(recipe: Recipe, task: Task, teacher: Teacher | None) -> None:
    if teacher is None:
        name = recipe.distill.losses.needing_teacher()[0]
        raise UserError(f"distill.losses.{name} needs a teacher and there is none: give one, or leave it out")
    if teacher.classes != task.classes:
        raise UserError(
            f"the teacher knows {teacher.classes} classes and the task has {task.classes}: they should be equal"
        )
    if tuple(teacher.input_shape) != tuple(task.input_shape):
        raise UserError(
            f"the teacher takes images {tuple(teacher.input_shape)} and the task has {tuple(task.input_shape)}"
            " (channels, height, width): they should be equal"
        )


def _check_needs(recipe: Recipe, specs: Mapping[str, LossSpec], teacher: Teacher | None) -> None:
    mixing = mixing_among(recipe.train.augment)
    for name, part in recipe.distill.losses.active():
        if mixing and specs[name].unmixed(part):
            raise UserError(
                f"distill.losses.{name} needs images of one class each, and train.augment has {mixing[0]}:"
                " leave one of them out"
            )
        if specs[name].inputs.reads_gradients:
            if recipe.distill.targets not in (None, "live"):
                raise UserError(f"distill.losses.{name} needs the teacher's gradients, which are not cached: use live")
            assert teacher is not None
            try:
                teacher.input_gradients(torch.zeros(2, *teacher.input_shape, device=teacher.device))
            except UserError as error:
                raise UserError(f"distill.losses.{name}: {error}") from None


def _projected(shapes: Mapping[str, Shape], teacher: Teacher) -> tuple[Pair, ...]:
    """The one pair of SimKD: the projector, which is delivered, and the teacher's last stage."""
    theirs = teacher.stage_names()
    if not theirs or teacher.head() is None:
        raise UserError(
            "distill.losses.simkd: needs a teacher whose logits are one linear layer on its last map's spatial mean,"
            " and this one is not: use another loss"
        )
    shape = teacher.feature_shapes((theirs[-1],))[theirs[-1]]
    if shape[0] != shapes[PROJECTOR][0]:
        raise UserError(
            f"student.projector.channels is {shapes[PROJECTOR][0]} and the teacher's last map has {shape[0]} channels:"
            " they should be equal"
        )
    return (Pair(PROJECTOR, theirs[-1], shapes[PROJECTOR], shape),)


def _shapes(student: Plan, paths: tuple[str, ...]) -> dict[str, Shape]:
    """Channels, height, width of what submodules of a student return, found on the meta device."""
    with torch.device("meta"), torch.no_grad():
        module = StudentModule(student).eval()
        known = [name for name, _ in module.named_modules() if name]
        for path in paths:
            if path not in known:
                raise unknown("student path", path, [name for name in known if name.count(".") < _SHOWN_DEPTH])
        with Taps(module, {path: path for path in paths}) as taps:
            module(torch.empty(1, *student.input_shape))
    found: dict[str, Shape] = {}
    for path in paths:
        if taps.maps[path].ndim != 4:
            raise UserError(f"the student's {path} returns {tuple(taps.maps[path].shape)}, which is no feature map")
        _, *shape = taps.maps[path].shape
        found[path] = (shape[0], shape[1], shape[2])
    return found


def _rehearse(wiring: Wiring, task: Task) -> None:
    """Compute every loss once on noise. Not on the meta device, whose first use takes torch two seconds of imports."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        _compute(wiring, task)


def _compute(wiring: Wiring, task: Task) -> None:
    def map_of(shape: Shape) -> Tensor:
        return torch.randn(_BATCH, *shape, requires_grad=True)

    images = map_of(task.input_shape)
    # Made from the images, so that the logits have a gradient by them.
    logits = images.mean(dim=(1, 2, 3)).unsqueeze(1).expand(-1, task.classes)
    pairs = [pair for term in wiring.terms for pair in term.pairs]
    ours = Signals(logits, {pair.student: map_of(pair.student_shape) for pair in pairs}, images)
    maps = {pair.teacher: map_of(pair.teacher_shape).detach() for pair in _shown_by_teacher(wiring.terms)}
    theirs = Signals(torch.randn(_BATCH, task.classes), maps, images, torch.randn_like(images))
    labels = torch.zeros(_BATCH, dtype=torch.int64)
    context = StepContext(0.5, labels, index=labels)
    adapters = wiring.adapters()
    for term in wiring.terms:
        try:
            value = term.value(ours, theirs, context, adapters).loss
        except Exception as error:
            if not (isinstance(term.part, CustomLoss) or isinstance(error, RuntimeError | TypeError | ValueError)):
                raise
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise UserError(f"distill.losses.{term.name}: cannot be computed here: {reason}") from None
        if not isinstance(value, Tensor) or value.ndim:
            given = f"a tensor of shape {tuple(value.shape)}" if isinstance(value, Tensor) else f"{value!r}"
            raise UserError(f"distill.losses.{term.name}: gives {given}; a loss gives a tensor of one number")
