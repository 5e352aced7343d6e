"""Whether a recipe's teacher is asked at every step or its outputs are kept, decided once and written down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from automl_kd.distillation import wire
from automl_kd.paths import cache_dir
from automl_kd.recipes import Recipe
from automl_kd.storage import free_bytes
from automl_kd.tasks import Task
from automl_kd.teachers import DEFAULT_LIMIT, OutputCost, Teacher, TeacherCost, decide_targets, measure_cost

_SHARE_OF_DISK = 0.25


class Targets:
    """Decides for recipes that leave ``distill.targets`` open.

    Args:
        task: What is learned.
        teacher: Who teaches.
        cost: What the teacher costs here, as :meth:`cost` gave it before; measured if None.
        runs: Trainings that share what is kept.
        allow_code: Whether losses of the user's own may be loaded.
    """

    def __init__(
        self,
        task: Task,
        teacher: Teacher,
        cost: Mapping[str, Any] | None = None,
        *,
        runs: int,
        allow_code: bool,
    ) -> None:
        self._task = task
        self._teacher = teacher
        self._runs = runs
        self._allow_code = allow_code
        folder = cache_dir() / "outputs"
        self._cost = _read(cost) if cost else measure_cost(teacher, task, teacher.stage_names(), folder)
        self._limit = min(DEFAULT_LIMIT, int(_SHARE_OF_DISK * free_bytes(folder)))

    @property
    def cost(self) -> dict[str, Any]:
        """What was measured, as plain data."""
        return asdict(self._cost)

    def decided(self, recipe: Recipe, epochs: int) -> Recipe:
        """The recipe, checked, with its ``distill.targets``; as it is where it has them, or never hears the teacher.

        Args:
            recipe: The recipe.
            epochs: Length of its training.

        Raises:
            UserError: If the recipe does not fit task or teacher.
        """
        wiring = wire(recipe, self._task, self._teacher, allow_code=self._allow_code)
        if recipe.distill.targets is not None or not recipe.distill.listens():
            return recipe
        targets = decide_targets(
            recipe,
            self._cost,
            runs=self._runs,
            epochs=epochs,
            views=recipe.distill.views,
            images=len(self._task.train),
            stages=wiring.teacher_stages,
            limit_bytes=self._limit,
        )
        document = recipe.document()
        document["distill"]["targets"] = targets
        return Recipe.model_validate(document)


def _read(cost: Mapping[str, Any]) -> TeacherCost:
    return TeacherCost(
        cost["live_seconds"],
        OutputCost(**cost["logits"]),
        {stage: OutputCost(**each) for stage, each in cost["maps"].items()},
    )
