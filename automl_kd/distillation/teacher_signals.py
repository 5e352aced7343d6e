"""What the teacher shows of a batch: asked now or read from the cache, several teachers fused to one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from torch import Tensor, nn

from automl_kd.core import cache_dir
from automl_kd.distillation import fusion
from automl_kd.distillation.signals import Signals
from automl_kd.distillation.term import Term
from automl_kd.distillation.wiring import Wiring
from automl_kd.recipes import Distill, Recipe
from automl_kd.tasks import Mix, Task, Views
from automl_kd.teachers import TargetCache, Teacher

FUSION = "fusion"
"""The name among the adapters of the module that learns how much each of several teachers counts."""


class TeacherSignals:
    """The teacher of a run, as a source of signals for its losses.

    Args:
        recipe: The recipe; ``distill`` and ``train.unlabelled`` are read.
        wiring: The losses, which say what of the teacher is read.
        teacher: The teacher, on the device of the run.
        task: What is learned.
        views: How examples are augmented.
        numbers: The numbers of the views that the run will go through.
        cache: Folder for kept outputs, or None for the user's cache.
    """

    def __init__(
        self,
        recipe: Recipe,
        wiring: Wiring,
        teacher: Teacher,
        task: Task,
        views: Views,
        numbers: Sequence[int],
        cache: Path | None,
    ) -> None:
        self._teacher, self._problem = teacher, task.problem
        distill = recipe.distill
        self._fuse = distill.fuse or "mean"
        self._kept: TargetCache | None = None
        self._kept_as = dict(zip(wiring.teacher_stages, wiring.kept_outputs, strict=True))
        if distill.targets is not None and distill.targets != "live":
            folder = cache if cache is not None else cache_dir() / "outputs"
            stages, unlabelled = wiring.kept_outputs, recipe.train.unlabelled is not None
            self._kept = TargetCache(
                teacher, task, views, numbers, stages, distill.targets, folder, unlabelled=unlabelled
            )

    def module(self) -> nn.Module | None:
        """A fresh module that learns how much each of several teachers counts, where the recipe asks for one."""
        learned = self._teacher.members > 1 and self._fuse == "learned"
        return fusion.LearnedFusion(self._teacher.members, self._problem.meaning) if learned else None

    def for_batch(
        self,
        terms: Sequence[Term],
        shown: Callable[[], Tensor],
        index: Tensor,
        number: int,
        mix: Mix | None,
        labels: Tensor,
        adapters: nn.ModuleDict,
    ) -> tuple[Signals | None, Tensor | None]:
        """The teacher's signals for one batch, and the loss by which learned fusion learns; None where there is none.

        Args:
            terms: The losses of the step. Where none of them needs the teacher, it is not asked.
            shown: Gives the view (B, …), mixed, at the resolution of the task; called where the teacher is asked.
            index: Positions of the examples (B,) in the training split, and behind it in the unlabelled examples.
            number: The number of the view.
            mix: How the examples were mixed.
            labels: Of the first examples, those that have one, as the task stores them, or blended ones (…, width).
            adapters: The modules of the run; under ``FUSION`` the one that :meth:`module` made.
        """
        asking = [term for term in terms if term.spec.inputs.needs_teacher]
        if not asking:
            return None, None
        stages = tuple(dict.fromkeys(pair.teacher for term in asking for pair in term.pairs))
        gradients = None
        if self._kept is not None:
            outputs = self._kept.rows(index, number, [self._kept_as[stage] for stage in stages])
        else:
            inputs = shown().detach()
            outputs = self._teacher.outputs(inputs, stages)
            if any(term.spec.inputs.reads_gradients for term in asking):
                gradients = self._teacher.input_gradients(inputs)
        device = labels.device
        logits = outputs.logits.to(device, non_blocking=True)
        maps = {stage: features.to(device, non_blocking=True) for stage, features in outputs.maps.items()}
        if self._kept is not None and mix is not None:
            logits, maps = mix.blend(logits), {stage: mix.blend(features) for stage, features in maps.items()}
        signals = Signals(logits, maps, gradients=gradients)
        return self._fused(signals, labels, adapters) if logits.ndim == 3 else (signals, None)

    def _fused(self, teacher: Signals, labels: Tensor, adapters: nn.ModuleDict) -> tuple[Signals, Tensor | None]:
        match self._fuse:
            case "learned":
                fused = adapters[FUSION](teacher.logits)
                return replace(teacher, logits=fused.detach()), self._problem.loss(fused[: len(labels)], labels)
            case "entropy":
                return replace(teacher, logits=fusion.by_entropy(teacher.logits, self._problem.meaning)), None
            case "dempster-shafer":
                return replace(teacher, logits=fusion.dempster_shafer(teacher.logits)), None
            case "mean":
                return replace(teacher, logits=fusion.mean(teacher.logits, self._problem.meaning)), None


def view_number(distill: Distill, epoch: int) -> int:
    """The number of the view that an epoch, counted from 0, goes through."""
    return epoch if distill.views is None else epoch % distill.views
