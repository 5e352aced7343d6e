"""What a stored student answers to search-validation, in the form that ships."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from torch import Tensor

from automl_kd.compression import decided, form_in_words, form_of, priced, shipped
from automl_kd.distillation import material_of, outputs_of
from automl_kd.objectives import standard_error
from automl_kd.recipes import Recipe, load_recipe
from automl_kd.results import Estimate, Reading, defined
from automl_kd.students import build, load_weights
from automl_kd.studies.mistakes import LARGEST_MATRIX, class_rows, confusion_matrix, confusions, label_rows, value_rows
from automl_kd.studies.study_files import StudyFiles
from automl_kd.tasks import Task


class StoredStudent:
    """The student that is kept of a trial: what is delivered of a pick, else what the search left.

    Args:
        files: Of the study.
        number: The trial's.
        recipe: The trial's.
    """

    def __init__(self, files: StudyFiles, number: int, recipe: Recipe) -> None:
        folder = files.pick(number)
        delivered = folder / "student.safetensors"
        self.is_delivered = delivered.exists()
        self.weights = delivered if self.is_delivered else files.weights(number)
        self._folder = folder
        self._recipe = recipe

    @property
    def kind(self) -> Literal["search checkpoint", "delivered"]:
        """Which student it is."""
        return "delivered" if self.is_delivered else "search checkpoint"

    @property
    def recipe(self) -> Recipe:
        """What it was made by; where the search left layers to be decided, none of them is in floats."""
        if self.is_delivered:
            return load_recipe(self._folder / "recipe.yaml")
        return self._recipe.model_copy(update={"compress": decided(self._recipe.compress, ())})

    @property
    def file(self) -> Path | None:
        """The file that ships, where it is there already."""
        path = self._folder / "student.onnx"
        return path if self.is_delivered and path.exists() else None


def read_student(student: StoredStudent, task: Task, allow_code: bool = False) -> Reading:
    """Have a student answer search-validation, on the CPU.

    Raises:
        UserError: If it cannot be built, or its weights are damaged.
    """
    recipe = student.recipe
    seen = task.at(recipe.student)
    trained = load_weights(build(recipe.student, seen.signature, allow_code=allow_code), student.weights)
    if student.file is None:
        form = shipped(recipe.compress, trained, material_of(seen, recipe.seed), recipe.threads)
    else:
        form = form_of(recipe.compress, trained, student.file, recipe.threads)
    outputs, labels = outputs_of(form, seen, task.validation, "cpu"), task.validation.labels.cpu()
    floats = outputs_of(trained, seen, task.validation, "cpu") if recipe.compress else None
    return Reading(
        student=student.kind,
        form=form_in_words(recipe, priced(recipe.compress, trained.plan)),
        examples=len(task.validation),
        metrics=_estimates(outputs, labels, task),
        float_metrics={} if floats is None else _values(floats, labels, task),
        **_mistakes(outputs, labels, task),
    )


def _estimates(outputs: Tensor, labels: Tensor, task: Task) -> dict[str, Estimate]:
    found = {}
    for metric in task.metrics:
        statistics = metric.statistics(outputs, labels)
        if defined({metric.name: (value := metric.value(statistics))}):
            found[metric.name] = Estimate.of(value, standard_error(metric, statistics), metric.unit)
    return found


def _values(outputs: Tensor, labels: Tensor, task: Task) -> dict[str, float]:
    return {metric.name: metric.value(metric.statistics(outputs, labels)) for metric in task.metrics}


def _mistakes(outputs: Tensor, labels: Tensor, task: Task) -> Mapping[str, Any]:
    """The fields of a reading that say where it errs, by what the numbers of an output mean."""
    names = task.problem.names
    if task.problem.meaning == "bernoulli":
        return {"classes": label_rows(outputs, labels, names)}
    if task.problem.meaning == "real":
        return {"values": value_rows(outputs, labels, names)}
    matrix = confusion_matrix(outputs, labels, len(names))
    shown = tuple(map(tuple, matrix.tolist())) if len(names) <= LARGEST_MATRIX else None
    return {"classes": class_rows(matrix, names), "matrix": shown, "confusions": confusions(matrix, names)}
