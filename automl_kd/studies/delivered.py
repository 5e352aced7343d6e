"""From a recipe and weights to a delivery, as verbs answer it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from automl_kd.core import UserError
from automl_kd.delivery import Arms, Delivered, Facts
from automl_kd.pictures import Progress, silent
from automl_kd.recipes import Recipe
from automl_kd.results import PickResult
from automl_kd.studies.pick_result import Finding
from automl_kd.tasks import Task, open_task

DEFAULT_HW = "local"


def open_recipe_task(
    recipe: Recipe,
    source: str,
    name: str | None = None,
    data: str | None = None,
    *,
    progress: Progress = silent,
) -> Task:
    """The task that a recipe names, with the very data that it was made for.

    Args:
        recipe: The recipe.
        source: Where it came from, for errors.
        name: The task's file, if not where the recipe says.
        data: The data, if not where task or recipe say.
        progress: Told how far the reading is, where it takes long.

    Raises:
        UserError: If the recipe names no task, or the data are others.
    """
    if recipe.task is None:
        raise UserError(f"{source}: task: is missing; a recipe names what is learned, for example task: digits")
    place = data or recipe.task.data
    task = open_task(name or recipe.task.name, place, recipe.task.metric, progress=progress)
    if recipe.task.sha256 not in (None, task.sha256):
        raise UserError(
            f"{source}: task.sha256: the recipe was made for data {str(recipe.task.sha256)[:12]}, but task"
            f" {recipe.task.name} here has {task.sha256[:12]}; give the same data with --data, or remove the hash"
        )
    return task


def delivery_document(delivered: Delivered, task: Task) -> dict[str, Any]:
    """A delivery as ``export --json`` and ``distill --json`` print it; what is named accuracy is that, or is absent."""
    accuracies = {
        "test_accuracy": delivered.test_accuracy,
        "test_accuracy_deployed": delivered.test_accuracy_deployed,
    }
    return {
        "path": str(delivered.path),
        "metric": task.metric.name,
        "direction": task.metric.direction,
        "metrics": [asdict(each.objective) for each in task.metrics],
        "test_score": delivered.test_score,
        "test_score_deployed": delivered.test_score_deployed,
        "test_metrics": delivered.test_metrics,
        "deployed_metrics": delivered.deployed_metrics,
        "form": delivered.form,
        "test_score_float": delivered.float_metrics.get(task.metric.name),
        "float_metrics": delivered.float_metrics,
        "gain_over_float": None if delivered.gain_over_float is None else delivered.gain_over_float.model_dump(),
        "shipped": delivered.shipped.model_dump(mode="json"),
        **{name: value for name, value in accuracies.items() if value is not None},
        "latency_ms": delivered.latency_ms,
        "latency_low": delivered.latency_low,
        "latency_high": delivered.latency_high,
        "onnx_opset": delivered.opset,
        "onnx_max_difference": delivered.onnx_max_difference,
        "files": delivered.files,
    }


def facts_of(found: Finding | PickResult, study: str, trial: int, teacher_metrics: Mapping[str, float]) -> Facts:
    """What a pick's runs showed, for its delivery.

    Args:
        found: What they showed, before or after it was stored.
        study: The study's name.
        trial: The pick's.
        teacher_metrics: Of the teacher, on the test split.
    """
    return Facts(
        origin=found.origin,
        study=study,
        trial=trial,
        epochs=found.epochs,
        seeds=found.seeds,
        test_metrics=found.test_metrics,
        test_metrics_std=found.test_metrics_std,
        float_metrics=found.float_metrics,
        gain_over_float=found.gain_over_float,
        arms=Arms(
            arm=found.arm,
            hears_teacher=found.hears_teacher,
            pretrained=found.pretrained,
            results=found.arms,
            missing=found.missing,
            plain_kd_setting=found.plain_kd_setting,
        ),
        teacher_metrics=teacher_metrics,
    )
