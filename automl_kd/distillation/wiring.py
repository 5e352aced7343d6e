"""The losses of a recipe with their stages paired, checked before any training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from automl_kd.core import Input, UserError, unknown
from automl_kd.distillation.custom_loss import custom_loss_spec
from automl_kd.distillation.losses import LOSS_SPECS, BuildContext, LossSpec, Pair, StepContext
from automl_kd.distillation.pairing import Pairing
from automl_kd.distillation.requirements import (
    check_fusion,
    check_loss,
    check_stages,
    check_teacher,
    check_unlabelled,
)
from automl_kd.distillation.signals import Signals
from automl_kd.distillation.term import Term
from automl_kd.recipes import Loss, Recipe
from automl_kd.recipes.losses import CustomLoss, FeatureLoss
from automl_kd.students import Plan, StudentModule, Taps, plan
from automl_kd.tasks import Task
from automl_kd.teachers import Teacher, mean_of

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
    def kept_outputs(self) -> tuple[str, ...]:
        """What a cache keeps of these stages: their maps, or the spatial means where no loss reads more."""
        terms = [term for term in self.terms if term.spec.inputs.needs_teacher]
        whole = {pair.teacher for term in terms if not term.spec.inputs.reads_means for pair in term.pairs}
        return tuple(stage if stage in whole else mean_of(stage) for stage in self.teacher_stages)

    @property
    def gradients(self) -> tuple[str, ...]:
        """The losses that read gradients by the input."""
        return tuple(term.name for term in self.terms if term.spec.inputs.reads_gradients)

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
        recipe: The recipe; of ``train`` only ``augment``, ``label_smoothing`` and ``unlabelled`` are read.
        task: The task, for its signature, problem and augmentations, and some of its labels.
        teacher: The teacher, or None for a recipe that needs none.
        allow_code: Whether custom losses and model spaces may be loaded, which runs their files.

    Raises:
        UserError: If the recipe needs a teacher and there is none, or the teacher has other outputs or another input;
            if the task's examples cannot be augmented so; if ``at`` names a stage twice, one that does not exist, or
            one without a partner; if a loss does not take the task's outputs, or needs features, gradients, a last
            layer or unmixed examples and does not get them; or if it cannot be computed.
    """
    if len(task.train) < 2:
        raise UserError(f"task {task.name} has {len(task.train)} {task.modality.noun}s to train on: give two or more")
    task.modality.check_augment(recipe.train.augment)
    seen, splits = task.at(recipe.student), task.learned_from(unlabelled=recipe.train.unlabelled is not None)
    distill = recipe.distill
    asked = teacher if distill.needs_teacher() else None
    if distill.needs_teacher():
        check_teacher(recipe, task, teacher)
        check_fusion(recipe, task)
    specs = {name: _spec(name, part, allow_code) for name, part in distill.losses.active()}
    for name, part in distill.losses.active():
        check_loss(name, part, specs[name], recipe, task, asked)
    check_unlabelled(recipe, specs)
    student = plan(recipe.student, seen.signature, allow_code=allow_code)
    check_stages(recipe, student)
    shapes = {name: blocks[-1].output_shape for name, blocks in student.stages[1:-1]}
    pairing = Pairing(student.maps(), lambda paths: _shapes(student, seen.signature.input, paths), asked)
    terms = []
    for name, part in distill.losses.active():
        spec = specs[name]
        pairs: tuple[Pair, ...] = ()
        if spec.pairs is not None:
            assert asked is not None
            pairs = spec.pairs(shapes, asked)
        elif spec.inputs.reads_maps:
            assert isinstance(part, FeatureLoss)
            pairs = pairing.pairs(name, part, spec)
        moves = distill.handover is not None and name in (distill.handover.source, distill.handover.target)
        terms.append(Term(name, part, spec, pairs, distill.handover if moves else None))
    build_context = BuildContext(
        student=recipe.student,
        signature=seen.signature,
        problem=task.problem,
        examples=sum(map(len, splits)),
        head=asked.head() if asked is not None else None,
        memory_format=task.modality.module_format(),
        allow_code=allow_code,
    )
    wiring = Wiring(tuple(terms), build_context)
    _rehearse(wiring, seen, recipe.train.label_smoothing or 0.0, unlabelled=len(splits) - 1)
    return wiring


def _shown_by_teacher(terms: Sequence[Term]) -> list[Pair]:
    """The pairs of which the teacher has to show its side."""
    return [pair for term in terms if term.spec.inputs.needs_teacher for pair in term.pairs]


def _spec(name: str, part: Loss, allow_code: bool) -> LossSpec:
    return custom_loss_spec(name, part, allow_code) if isinstance(part, CustomLoss) else LOSS_SPECS[name]


def _shapes(student: Plan, given: Input, paths: tuple[str, ...]) -> dict[str, Shape]:
    """Channels, height, width of what submodules of a student return, found on the meta device."""
    with torch.device("meta"), torch.no_grad():
        module = StudentModule(student).eval()
        known = [name for name, _ in module.named_modules() if name]
        for path in paths:
            if path not in known:
                raise unknown("student path", path, [name for name in known if name.count(".") < _SHOWN_DEPTH])
        with Taps(module, {path: path for path in paths}) as taps:
            module(given.zeros(1))
    found: dict[str, Shape] = {}
    for path in paths:
        if taps.maps[path].ndim != 4:
            raise UserError(f"the student's {path} returns {tuple(taps.maps[path].shape)}, which is no feature map")
        _, *shape = taps.maps[path].shape
        found[path] = (shape[0], shape[1], shape[2])
    return found


def _rehearse(wiring: Wiring, task: Task, label_smoothing: float, unlabelled: int) -> None:
    """Compute every loss once on noise. Not on the meta device, whose first use takes torch two seconds of imports."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        _compute(wiring, task, label_smoothing, unlabelled)


def _compute(wiring: Wiring, task: Task, label_smoothing: float, unlabelled: int) -> None:
    labels = task.train.labels[:_BATCH]
    count, width = len(labels) + unlabelled, task.signature.output.width

    def map_of(shape: Shape) -> Tensor:
        return torch.randn(count, *shape, requires_grad=True)

    inputs, outputs = task.signature.input.noise(count), torch.randn(count, width, requires_grad=True)
    if wiring.gradients:
        inputs.requires_grad_()
        # Made from the inputs, so that the outputs have a gradient by them.
        outputs = inputs.flatten(1).mean(dim=1, keepdim=True).expand(-1, width)
    pairs = [pair for term in wiring.terms for pair in term.pairs]
    ours = Signals(outputs, {pair.student: map_of(pair.student_shape) for pair in pairs}, inputs)
    maps = {pair.teacher: map_of(pair.teacher_shape).detach() for pair in _shown_by_teacher(wiring.terms)}
    gradients = torch.randn_like(inputs) if wiring.gradients else None
    theirs = Signals(torch.randn(count, width), maps, inputs, gradients)
    context = StepContext(0.5, labels, torch.arange(count), task.problem, label_smoothing=label_smoothing)
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
