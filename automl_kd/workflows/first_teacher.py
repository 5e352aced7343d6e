"""The best teacher that can be trained for a task without a file of the user's."""

from __future__ import annotations

from typing import Any

from automl_kd.core import IMAGE_AXES
from automl_kd.distillation import fine_tuning
from automl_kd.students import find_weights
from automl_kd.studies.default_space import SMALL_PIXELS
from automl_kd.studies.published import as_published, published_here
from automl_kd.tasks import FineTuning, Task


def first_teacher(task: Task) -> dict[str, Any]:
    """The teacher as plain data: a published network whose weights are here, else one that starts from nothing."""
    taken = task.signature.input
    if taken.axes != IMAGE_AXES:
        stages = [{"depth": 2, "channels": 128}]
        return _training({"family": "conv_text", "embedding": 64, "stages": stages}, {"epochs": 10})
    if max(taken.shape[1:]) <= SMALL_PIXELS:
        return _training({"family": "resnet", "depth": 20}, {"epochs": 30})
    published = published_here()
    if not published:
        return _training({"family": "resnet", "depth": 18}, {"epochs": 30})
    largest = max(published, key=lambda each: find_weights(each).stat().st_size)
    network = as_published(largest)
    training = fine_tuning(network, task, FineTuning())
    student, train = (part.model_dump(mode="json", exclude_none=True) for part in (network, training))
    return _training(student, train)


def _training(student: dict[str, Any], train: dict[str, Any]) -> dict[str, Any]:
    return {"train": {"student": student, "train": train}}
