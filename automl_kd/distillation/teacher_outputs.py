"""Whether a recipe's teacher is asked at every step or its outputs are kept, decided once and written down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import torch

from automl_kd.core import cache_dir, free_bytes
from automl_kd.distillation import resolve_device, wire
from automl_kd.recipes import Recipe
from automl_kd.tasks import Task
from automl_kd.teachers import DEFAULT_LIMIT, OutputCost, Teacher, TeacherCost, decide_targets, measure_cost

_SHARE_OF_DISK = 0.25


class Targets:
    """Decides for recipes that leave ``distill.targets`` open.

    Args:
        task: What is learned.
        teacher: Who teaches.
        cost: What the teacher costs here, as :meth:`cost` gave it before; measured if None.
        device: Where students train.
        threads: Of one training.
        runs: Trainings that share what is kept.
        allow_code: Whether losses of the user's own may be loaded.
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
        """What was measured, as plain data."""
        return asdict(self._cost)

    def decided(self, recipe: Recipe) -> Recipe:
        """The recipe, checked, with its ``distill.targets``; as it is where it has them, or never hears the teacher.

        What is decided holds for the recipe's full length too, so that picks are trained as their candidates were.

        Raises:
            UserError: If the recipe does not fit task or teacher.
        """
        wiring = wire(recipe, self._task, self._teacher, allow_code=self._allow_code)
        if recipe.distill.targets is not None or not recipe.distill.listens():
            return recipe
        document = recipe.document()
        document["distill"]["targets"] = "live" if wiring.gradients else self._decide(recipe, wiring.teacher_stages)
        return Recipe.model_validate(document)

    def _decide(self, recipe: Recipe, stages: Sequence[str]) -> str:
        missing = [stage for stage in stages if stage not in self._cost.maps]
        if missing:
            more = self._measure(missing)
            self._cost = replace(self._cost, maps={**self._cost.maps, **more.maps})
        return decide_targets(
            recipe,
            self._cost,
            runs=self._runs,
            images=len(self._task.train),
            stages=stages,
            limit_bytes=self._limit,
        )

    def _measure(self, stages: Sequence[str]) -> TeacherCost:
        # With the threads of a training, not of this process.
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
