"""From a recipe and weights to a delivery, as verbs answer it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from automl_kd.core import UserError
from automl_kd.delivery import Arms, Delivered, Facts
from automl_kd.recipes import Recipe
from automl_kd.tasks import Task, open_task

DEFAULT_HW = "local"


def open_recipe_task(recipe: Recipe, source: str, name: str | None = None, data: str | None = None) -> Task:
    """The task that a recipe names, with the very data that it was made for.

    Args:
        recipe: The recipe.
        source: Where it came from, for errors.
        name: The task's file, if not where the recipe says.
        data: The data, if not where task or recipe say.

    Raises:
        UserError: If the recipe names no task, or the data are others.
    """
    if recipe.task is None:
        raise UserError(f"{source}: task: is missing; a recipe names what is learned, for example task: digits")
    task = open_task(name or recipe.task.name, data or recipe.task.data)
    if recipe.task.sha256 not in (None, task.sha256):
        raise UserError(
            f"{source}: task.sha256: the recipe was made for data {str(recipe.task.sha256)[:12]}, but task"
            f" {recipe.task.name} here has {task.sha256[:12]}; give the same data with --data, or remove the hash"
        )
    return task


def delivery_document(delivered: Delivered) -> dict[str, Any]:
    """A delivery as ``export --json`` and ``distill --json`` print it."""
    return {
        "path": str(delivered.path),
        "test_accuracy": delivered.test_accuracy,
        "test_accuracy_deployed": delivered.test_accuracy_deployed,
        "latency_ms": delivered.latency_ms,
        "latency_low": delivered.latency_low,
        "latency_high": delivered.latency_high,
        "onnx_opset": delivered.opset,
        "onnx_max_difference": delivered.onnx_max_difference,
        "files": delivered.files,
    }


def facts_of(found: Mapping[str, Any], study: str, teacher_accuracy: float | None) -> Facts:
    """What a pick's runs showed, for its delivery.

    Args:
        found: The pick as ``measured`` gives it, or as it stands in the search's JSON.
        study: The study's name.
        teacher_accuracy: On the test split.
    """
    return Facts(
        origin=found["origin"],
        study=study,
        trial=found["trial"],
        epochs=found["epochs"],
        seeds=tuple(found["seeds"]),
        test_accuracy=found["test_accuracy"],
        test_accuracy_std=found["test_accuracy_std"],
        arms=Arms.of(found),
        teacher_accuracy=teacher_accuracy,
    )
