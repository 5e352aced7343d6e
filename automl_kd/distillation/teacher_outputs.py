"""The policy for a teacher's outputs: asked at every step, or kept; decided once and written into the recipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import torch

from automl_kd.core import cache_dir, free_bytes
from automl_kd.distillation.loop import resolve_device
from automl_kd.distillation.wiring import wire
from automl_kd.recipes import Recipe
from automl_kd.tasks import Task
from automl_kd.teachers import DEFAULT_LIMIT, OutputCost, Teacher, TeacherCost, decide_targets, measure_cost

_SHARE_OF_DISK = 0.25


class TeacherOutputPolicy:
    """Decides whether a teacher's outputs are asked live or kept, for recipes without ``distill.targets``.

    Args:
        task: What is learned.
        teacher: The teacher.
        cost: What the teacher costs on this machine, as :attr:`cost` gave it before; measured if None.
        device: The torch device on which students train, as :func:`resolve_device` takes it.
        threads: Threads of one training.
        runs: Trainings that share the kept outputs.
        allow_code: Whether custom losses may be loaded, which runs their files.
    """

    def __init__(
        self,
        task: Task,
        teacher: Teacher,
        cost: Mapping[str, Any] | None = None,
        *,
        device: str,
        threads: int,
        runs: int,
        allow_code: bool,
    ) -> None:
        self._task = task
        self._teacher = teacher.to(resolve_device(device))
        self._runs = runs
        self._threads = threads
        self._allow_code = allow_code
        self._folder = cache_dir() / "outputs"
        self._cost = _read(cost) if cost else self._measure(teacher.stage_names())
        self._limit = min(DEFAULT_LIMIT, int(_SHARE_OF_DISK * free_bytes(self._folder)))

    @property
    def cost(self) -> dict[str, Any]:
        """The measured cost of the teacher, as plain data."""
        return asdict(self._cost)

    def decided(self, recipe: Recipe) -> Recipe:
        """The recipe, checked, with ``distill.targets``; unchanged where it has that already, or needs no teacher.

        The decision is made for the recipe's full length, so that picks are trained as their candidates were.

        Raises:
            UserError: If the recipe does not fit task or teacher.
        """
        wiring = wire(recipe, self._task, self._teacher, allow_code=self._allow_code)
        if recipe.distill.targets is not None or not recipe.distill.needs_teacher():
            return recipe
        document = recipe.document()
        document["distill"]["targets"] = "live" if wiring.gradients else self._decide(recipe, wiring.kept_outputs)
        return Recipe.model_validate(document)

    def _decide(self, recipe: Recipe, stages: Sequence[str]) -> str:
        missing = [stage for stage in stages if stage not in self._cost.maps]
        if missing:
            more = self._measure(missing)
            self._cost = replace(self._cost, maps={**self._cost.maps, **more.maps})
        train = recipe.train
        examples = sum(map(len, self._task.learned_from(unlabelled=train.unlabelled is not None)))
        shown = len(self._task.train) * train.batch_size / train.labelled_batch
        return decide_targets(
            recipe,
            self._cost,
            runs=self._runs,
            examples=examples,
            stages=stages,
            limit_bytes=self._limit,
            share=shown / examples,
        )

    def _measure(self, stages: Sequence[str]) -> TeacherCost:
        # With as many threads as a training has, not as this process has.
        before = torch.get_num_threads()
        torch.set_num_threads(self._threads)
        try:
            return measure_cost(self._teacher, self._task, stages, self._folder)
        finally:
            torch.set_num_threads(before)


def _read(cost: Mapping[str, Any]) -> TeacherCost:
    return TeacherCost(
        cost["live_seconds"],
        OutputCost(**cost["logits"]),
        {stage: OutputCost(**each) for stage, each in cost["maps"].items()},
    )
