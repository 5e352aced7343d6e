"""A run between two steps: student, adapters and optimizer, and the one step that moves them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import TracebackType
from typing import Self

import torch
from torch import Tensor, nn

from automl_kd.distillation import schedules
from automl_kd.distillation.checkpoint import Checkpoint
from automl_kd.distillation.history import Diverged, History
from automl_kd.distillation.losses.task import mix_labels
from automl_kd.distillation.optimizers import build_optimizer
from automl_kd.distillation.wiring import Signals, Term, Wiring
from automl_kd.paths import cache_dir
from automl_kd.recipes import Recipe
from automl_kd.students import Taps, build
from automl_kd.tasks import Task, Views, draw_mix, generator
from automl_kd.teachers import TargetCache, Teacher


class Run:
    """The state of a training and its steps; features are tapped while it is open.

    The student is initialised before the adapters, from torch's global generator: recipes that differ only in what
    they distil start from the same weights.

    Args:
        recipe: What to train and how.
        task: What to train on.
        teacher: The teacher if the recipe listens, else None.
        wiring: The recipe's losses, as :func:`automl_kd.distillation.wiring.wire` settled them.
        total_epochs: Length of the schedule.
        device: Where to compute, channels last; on CUDA in bfloat16.
        cache: Folder for cached outputs of the teacher, or None for the user's cache.
    """

    def __init__(
        self,
        recipe: Recipe,
        task: Task,
        teacher: Teacher | None,
        wiring: Wiring,
        total_epochs: int,
        device: torch.device,
        cache: Path | None,
    ) -> None:
        train, targets = recipe.train, recipe.distill.targets
        self.recipe, self.task, self.wiring, self.device = recipe, task, wiring, device
        self.identity = {
            "recipe": recipe.digest(),
            "task": task.sha256,
            "teacher": teacher.sha256 if teacher is not None else "none",
            "schedule": f"{total_epochs} epochs",
        }
        # On CPUs, too, depthwise and pointwise convolutions are up to twice as fast with channels last.
        student = build(recipe.student, input_shape=task.input_shape, classes=task.classes)
        self.student = student.to(device=device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
        self.adapters = wiring.adapters().to(device).train()
        parameters = [*self.student.parameters(), *self.adapters.parameters()]
        self.optimizer = build_optimizer(train.optimizer, parameters)
        self.history = History()
        self.step = 0
        self.seconds = 0.0

        # A last batch of one image has no variance for batch normalisation: it is left out.
        self.steps_per_epoch = len(task.train) // train.batch_size + (len(task.train) % train.batch_size > 1)
        self._total_steps = total_epochs * self.steps_per_epoch
        self._images = task.train.images.to(device)
        self._labels = task.train.labels.to(device)
        self._taps = Taps(self.student, {stage: stage for stage in wiring.student_stages})
        self._autocast: AbstractContextManager[object] = (
            torch.autocast("cuda", torch.bfloat16) if device.type == "cuda" else nullcontext()
        )
        self._views = Views(len(task.train), train.augment, recipe.seed)
        self._teacher = self._cached = None
        if teacher is not None:
            placed = teacher.to(device)
            if targets is None or targets == "live":
                self._teacher = placed
            else:
                folder = cache if cache is not None else cache_dir() / "outputs"
                self._cached = TargetCache(
                    placed, task, self._views, range(total_epochs), wiring.teacher_stages, targets, folder
                )

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
            Diverged: If a loss of the epoch, or a weight after it, is not finite.
        """
        epoch, taken = divmod(self.step, self.steps_per_epoch)
        if taken == 0:
            self.history.start_epoch()
        order = torch.randperm(len(self.task.train), generator=generator("order", self.recipe.seed, epoch))
        for index in torch.split(order, self.recipe.train.batch_size)[taken : self.steps_per_epoch]:
            if should_stop is not None and should_stop():
                return False
            self._take_step(index)
        self.history.check()
        self._check_weights()
        return True

    def state(self) -> Checkpoint:
        """All that decides the steps to come."""
        return Checkpoint(
            identity=self.identity,
            step=self.step,
            student=self.student.state_dict(),
            adapters=self.adapters.state_dict(),
            optimizer=self.optimizer.state_dict(),
            rng=torch.get_rng_state(),
            cuda_rng=torch.cuda.get_rng_state() if self.device.type == "cuda" else None,
            losses=self.history.state_dict(),
            seconds=self.seconds,
        )

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint of the same run."""
        self.student.load_state_dict(checkpoint.student)
        self.adapters.load_state_dict(checkpoint.adapters)
        self.optimizer.load_state_dict(checkpoint.optimizer)
        self.history.load_state_dict(checkpoint.losses)
        self.step = checkpoint.step
        self.seconds = checkpoint.seconds
        torch.set_rng_state(checkpoint.rng.cpu())
        if checkpoint.cuda_rng is not None and self.device.type == "cuda":
            torch.cuda.set_rng_state(checkpoint.cuda_rng.cpu())

    def _take_step(self, index: Tensor) -> None:
        progress = self.step / self._total_steps
        images, labels = self._view(index.to(self.device))
        active = [(term, weight) for term in self.wiring.terms if (weight := term.weight(progress)) > 0]
        with self._autocast:
            student = Signals(self.student(images), self._taps.maps)
            teacher = self._listen([term for term, _ in active], images, index)
        total: Tensor | float = 0.0
        for term, weight in active:
            value = term.value(student, teacher, labels, self.adapters, progress)
            self.history.record(term.name, self.step, value)
            total = total + weight * value
        for group in self.optimizer.param_groups:
            group["lr"] = schedules.learning_rate(self.recipe.train, progress)
        if isinstance(total, Tensor):
            self.optimizer.zero_grad()
            torch.autograd.backward(total)
            self.optimizer.step()
        self.step += 1

    def _view(self, index: Tensor) -> tuple[Tensor, Tensor]:
        images = self._views.images(self.task.normalize(self._images[index]), index, self.epoch)
        labels = self._labels[index]
        mix = draw_mix(self.recipe.train.augment, images.shape, generator("mix", self.recipe.seed, self.step))
        if mix is not None:
            images = mix.images(images)
            labels = mix_labels(labels, mix.permutation.to(self.device), mix.share, self.task.classes)
        return images.contiguous(memory_format=torch.channels_last), labels

    def _listen(self, terms: Sequence[Term], images: Tensor, index: Tensor) -> Signals | None:
        """What the teacher says of a batch, as far as some loss of this step needs it."""
        if all(term.contract.inputs == "labels" for term in terms):
            return None
        stages = tuple(dict.fromkeys(pair.teacher for term in terms for pair in term.pairs))
        if self._cached is not None:
            outputs = self._cached.rows(index, self.epoch, stages)
        else:
            assert self._teacher is not None
            outputs = self._teacher.outputs(images, stages)
        return Signals(
            outputs.logits.to(self.device),
            {stage: features.to(self.device) for stage, features in outputs.maps.items()},
        )

    def _check_weights(self) -> None:
        tensors = [*self.student.state_dict().values(), *self.adapters.state_dict().values()]
        floating = [tensor for tensor in tensors if tensor.is_floating_point()]
        if not torch.isfinite(nn.utils.get_total_norm(floating, float("inf"))):
            raise Diverged(f"non-finite weights after step {self.step - 1}")
