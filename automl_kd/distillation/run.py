"""A run between two steps: what learns, what it learns from, and the step that moves it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import torch
from torch import Tensor, nn

from automl_kd.compression import QuantisedStudent, begin_training, check_training, trained_share
from automl_kd.distillation import schedules
from automl_kd.distillation.balance import UncertaintyBalance
from automl_kd.distillation.batch_norm import BatchNorm, batch_norms, measured_batches, reestimate
from automl_kd.distillation.checkpoint import Checkpoint
from automl_kd.distillation.composition import Composition
from automl_kd.distillation.feed import Batch, Feed
from automl_kd.distillation.history import Diverged
from automl_kd.distillation.learner import Learner
from automl_kd.distillation.losses import StepContext
from automl_kd.distillation.material import material_of
from automl_kd.distillation.mixing import draw_mix
from automl_kd.distillation.objective import UNCERTAINTY, Objective
from automl_kd.distillation.precision import autocast
from automl_kd.distillation.signals import Signals
from automl_kd.distillation.teacher_signals import FUSION, TeacherSignals, view_number
from automl_kd.distillation.wiring import Wiring
from automl_kd.recipes import Recipe
from automl_kd.students import HEAD, StudentModule, Taps, build, start
from automl_kd.tasks import Mix, Task
from automl_kd.teachers import Teacher

_EXAMPLES_OF_A_START = 256
"""On which statistics are measured for weights of which channels are missing; training goes on with them."""


class Run:
    """The state of a training, and its steps. Used as a context: the student's features are tapped inside.

    The student is initialised before the adapters, by torch's global generator, so that recipes which differ only in
    their losses start from the same weights.

    Args:
        recipe: What to train and how.
        task: What to train on.
        teacher: The teacher if the recipe needs one, else None.
        wiring: The recipe's losses, as :func:`automl_kd.distillation.wiring.wire` gave them.
        total_epochs: Length of the schedule.
        torch_device: Where to compute, in the memory format of the modality.
        cache: Folder for cached outputs of the teacher, or None for the user's cache.
        compiled: Whether the student's forward and backward pass are compiled.
        fresh: Whether the run begins, from the weights that the recipe names; false where :meth:`restore` follows.
    """

    def __init__(
        self,
        recipe: Recipe,
        task: Task,
        teacher: Teacher | None,
        wiring: Wiring,
        total_epochs: int,
        torch_device: torch.device,
        cache: Path | None,
        compiled: bool,
        fresh: bool = True,
    ) -> None:
        train = recipe.train
        self.recipe, self.task, self.wiring, self.torch_device = recipe, task, wiring, torch_device
        self._autocast = autocast(train.precision, torch_device)
        self.seen = task.at(recipe.student)
        self.identity = {
            "recipe": recipe.digest(),
            "task": task.sha256,
            "teacher": teacher.sha256 if teacher is not None else "none",
            "schedule": f"{total_epochs} epochs",
        }
        student = build(recipe.student, self.seen.signature, allow_code=wiring.build_context.allow_code)
        inherited = start(student, recipe.student, self.seen.signature) if fresh else None
        memory = wiring.build_context.memory_format
        self.student: StudentModule = student.to(device=torch_device, memory_format=memory).train()  # type: ignore[call-overload]
        if inherited is not None and inherited.sliced:
            reestimate(self.student, measured_batches(self.seen, recipe.seed, torch_device, _EXAMPLES_OF_A_START))
        for term in wiring.terms:
            if term.spec.prepare is not None:
                term.spec.prepare(self.student, wiring.build_context)
        splits = task.learned_from(unlabelled=train.unlabelled is not None)
        examples = sum(map(len, splits))
        self._views = self.seen.modality.views(examples, train.augment, recipe.seed)
        # The teacher is shown the same part of each example, as large as the task has it.
        self._teacher_views = task.modality.views(examples, train.augment, recipe.seed)
        self._teacher_signals = None
        if teacher is not None:
            numbers = sorted({view_number(recipe.distill, epoch) for epoch in range(total_epochs)})
            self._teacher_signals = TeacherSignals(
                recipe, wiring, teacher.to(torch_device), task, self._teacher_views, numbers, cache
            )
        self.adapters = self._build_adapters()
        self.learner = Learner(self.student, self.adapters, train, inherited=recipe.student.start is not None)
        self.step = 0
        self.seconds = 0.0

        self._composition = Composition(train, recipe.seed, len(task.train), examples - len(task.train))
        self.steps_per_epoch = self._composition.steps
        self._total_steps = total_epochs * self.steps_per_epoch
        # The head is left out, because only losses of outputs reach it.
        trunk = [weight for name, weight in self.student.named_parameters() if not name.startswith(f"{HEAD}.")]
        others = self.learner.trunk.others
        self.objective = Objective(recipe.distill, wiring, self.adapters, trunk, others, self._total_steps)
        self._feed = Feed(splits, torch_device)
        self._labels = task.train.labels.to(torch_device)
        self._taps = Taps(self.student, {stage: stage for stage in wiring.student_stages})
        self._forward: Callable[[Tensor], Tensor] = torch.compile(self.student) if compiled else self.student
        self.material = material_of(self.seen, recipe.seed)
        self._quantised: QuantisedStudent | None = None
        share = trained_share(recipe.compress)
        in_floats = round((1 - share) * self._total_steps)
        # One that is asked for is not rounded away.
        self._float_steps = min(in_floats, self._total_steps - 1) if share else self._total_steps
        if fresh and trained_share(recipe.compress):  # what is written alone is tried before a training is begun
            check_training(recipe.compress, self.student, self.material, wiring.student_stages)

    def __enter__(self) -> Self:
        self._taps.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._taps.__exit__(kind, error, trace)

    @property
    def epoch(self) -> int:
        """Whole epochs trained since the start."""
        return self.step // self.steps_per_epoch

    def train_epoch(self, should_stop: Callable[[], bool] | None) -> bool:
        """Take the steps that are left of the epoch under way; false if ``should_stop`` ended it before the last.

        Raises:
            Diverged: If a loss of the epoch, or a weight after it, is not finite, or a loss does harm or nothing.
        """
        epoch, taken = divmod(self.step, self.steps_per_epoch)
        if taken == 0:
            self.objective.history.start_epoch()
        with closing(self._feed.batches(self._composition.epoch(epoch)[taken:])) as batches:
            for batch in batches:
                if should_stop is not None and should_stop():
                    return False
                self._take_step(batch)
        self.objective.history.check()
        self._check_weights()
        return True

    def judged(self) -> StudentModule:
        """The student as it is judged and delivered: with averaged weights, and statistics measured anew, if asked.

        It is then a copy, because what a run does next never depends on where it was judged.
        """
        train = self.recipe.train
        measured = train.batch_norm == "reestimated" and self._quantised is None
        student = self.student if train.ema is None and not measured else self.learner.averaged()
        if measured:
            self._reestimate(student)
        if self._quantised is not None:
            student.ranges = self._quantised.ranges()
        return student

    def state(self) -> Checkpoint:
        """All that decides the steps to come."""
        return Checkpoint(
            identity=self.identity,
            step=self.step,
            student=self.student.state_dict(),
            adapters=self.adapters.state_dict(),
            rng=torch.get_rng_state(),
            cuda_rng=torch.cuda.get_rng_state() if self.torch_device.type == "cuda" else None,
            objective=self.objective.state_dict(),
            seconds=self.seconds,
            quantised=None if self._quantised is None else self._quantised.state_dict(),
            **self.learner.state_dict(),
        )

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint of the same run."""
        self.student.load_state_dict(checkpoint.student)
        self.adapters.load_state_dict(checkpoint.adapters)
        if checkpoint.quantised is not None:
            self._quantise(checkpoint.quantised)
        self.learner.load_state_dict(checkpoint.optimizer, checkpoint.average)
        self.objective.load_state_dict(checkpoint.objective)
        self.step = checkpoint.step
        self.seconds = checkpoint.seconds
        torch.set_rng_state(checkpoint.rng.cpu())
        if checkpoint.cuda_rng is not None and self.torch_device.type == "cuda":
            torch.cuda.set_rng_state(checkpoint.cuda_rng.cpu())

    def _build_adapters(self) -> nn.ModuleDict:
        adapters = self.wiring.adapters()
        if self.recipe.distill.balance == "uncertainty":
            adapters[UNCERTAINTY] = UncertaintyBalance(term.name for term in self.wiring.terms)
        learned = None if self._teacher_signals is None else self._teacher_signals.module()
        if learned is not None:
            adapters[FUSION] = learned
        return adapters.to(self.torch_device).train()

    def _take_step(self, batch: Batch) -> None:
        progress = self.step / self._total_steps
        held = self._begin(progress)
        number = view_number(self.recipe.distill, self.epoch)
        inputs, labels, mix = self._view(batch, number)
        active = self.objective.active(progress, held=held)
        if any(term.spec.inputs.reads_gradients for term, _ in active):
            inputs = inputs.requires_grad_()
        student = self._signals(inputs)
        teacher = fusion_loss = None
        if self._teacher_signals is not None:
            teacher, fusion_loss = self._teacher_signals.for_batch(
                [term for term, _ in active],
                lambda: inputs if self.seen is self.task else self._shown(batch, number, mix),
                batch.index,
                number,
                mix,
                labels,
                self.adapters,
            )
        smoothing = self.recipe.train.label_smoothing or 0.0
        context = StepContext(progress, labels, batch.at, self.task.problem, label_smoothing=smoothing)
        total = self.objective.total(self.step, active, student, teacher, context, held=held)
        self.learner.move(total if total is None or fusion_loss is None else total + fusion_loss, self.step)
        self.step += 1

    def _signals(self, inputs: Tensor) -> Signals:
        """What the student shows of inputs (B, …): in the form of its file once that is what is trained."""
        if self._quantised is not None:
            # In float32 whatever the precision: bfloat16 holds no more digits than the integers that it would imitate.
            outputs, maps = self._quantised(inputs)
            return Signals(outputs, maps, inputs)
        with self._autocast:
            return Signals(self._forward(inputs), self._taps.maps, inputs)

    def _quantise(self, state: Mapping[str, Any] | None = None) -> None:
        """Train the form of the student's file from now on; the statistics of its batch normalisation stay.

        Those that are gathered are measured anew first: they lag behind weights that still move fast, and would be kept
        so. Frozen ones, and those of a trunk that is held, are what the recipe wants them to be.
        """
        if state is None:
            gathering = [layer for layer in batch_norms(self.student) if layer.training]
            self._reestimate(self.student, gathering)
        self._quantised = begin_training(
            self.recipe.compress, self.student, self.material, self.wiring.student_stages, state
        )
        self.learner.learn_integers(self._quantised.ratios)

    def _reestimate(self, student: StudentModule, layers: Sequence[BatchNorm] | None = None) -> None:
        reestimate(student, measured_batches(self.seen, self.recipe.seed, self.torch_device), layers)

    def _begin(self, progress: float) -> bool:
        """Make ready for a step; whether the student's trunk is held in it."""
        train = self.recipe.train
        if self.step >= self._float_steps and self._quantised is None:
            self._quantise()
        held = schedules.held(train, progress)
        if not held and schedules.held(train, (self.step - 1) / self._total_steps):
            self.objective.restart_balance()
        self.learner.begin(progress, held=held)
        return held

    def _view(self, batch: Batch, number: int) -> tuple[Tensor, Tensor, Mix | None]:
        """Examples (B, …) as the student sees them, the labels of those that have one, and how they were mixed."""
        modality, augment = self.seen.modality, self.recipe.train.augment
        inputs = self._views.of(batch.stored, batch.index, number)
        labels = self._labels[batch.at[: batch.labelled]]
        mix = draw_mix(modality, augment, inputs.shape, batch.labelled, self.recipe.seed, self.step)
        if mix is not None:
            mix = mix.to(self.torch_device)
            inputs = mix.mixed(inputs)
            labels = mix.blend(self.task.problem.blendable(labels))
        return modality.arranged(inputs), labels, mix

    def _shown(self, batch: Batch, number: int, mix: Mix | None) -> Tensor:
        """The same examples as the teacher sees them."""
        inputs = self._teacher_views.of(batch.stored, batch.index, number)
        return self.task.modality.arranged(inputs if mix is None else mix.mixed(inputs))

    def _check_weights(self) -> None:
        tensors = [*self.student.state_dict().values(), *self.adapters.state_dict().values()]
        if self._quantised is not None:
            tensors.append(self._quantised.ratios.detach())
        floating = [tensor for tensor in tensors if tensor.is_floating_point()]
        if not torch.isfinite(nn.utils.get_total_norm(floating, float("inf"))):
            raise Diverged(f"non-finite weights after step {self.step - 1}")
