"""The best teacher that can be trained for a task without a file of the user's."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

from automl_kd.core import IMAGE_AXES
from automl_kd.distillation import fine_tuning
from automl_kd.hardware import load_profile
from automl_kd.recipes import Recipe, StudentPart
from automl_kd.students import plan
from automl_kd.studies.default_space import SMALL_PIXELS
from automl_kd.studies.published import published_here
from automl_kd.studies.timing import epoch_seconds
from automl_kd.tasks import FineTuning, Task

_SECONDS = 75.0
"""For training it here: a quarter of a search of five minutes."""
_EPOCHS = (6, 12)
"""As few as it may have, and as many as it needs."""
_RESOLUTIONS = (96, 128, 160, 224)


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
    network, epochs = _affordable(task, published)
    training = fine_tuning(network, task, FineTuning(epochs=epochs))
    student, train = (part.model_dump(mode="json", exclude_none=True) for part in (network, training))
    return _training(student, train)


def _affordable(task: Task, networks: Sequence[StudentPart]) -> tuple[StudentPart, int]:
    """That with the most arithmetic which a minute on this machine holds, and of how many epochs."""
    pixels = max(task.signature.input.shape[1:])
    sizes = [None, *(each for each in _RESOLUTIONS if each < pixels)]
    sized = (net.model_copy(update={"resolution": size}) for net, size in product(networks, sizes))
    by_work = sorted(((_work(task, student), student) for student in sized), key=lambda each: each[0])
    timed, cheapest = by_work[0]
    pace = _epoch(task, cheapest) / timed
    least, most = _EPOCHS
    fitting = [each for each in by_work if each[0] * pace * least <= _SECONDS]
    work, student = (fitting or by_work[:1])[-1]
    return student, min(most, max(least, int(_SECONDS / (work * pace))))


def _work(task: Task, student: StudentPart) -> int:
    """Operations for one picture."""
    (price,) = load_profile("raspberry-pi-4").price([plan(student, task.signature)])
    return price.flops


def _epoch(task: Task, student: StudentPart) -> float:
    """Seconds of an epoch on this machine."""
    recipe = Recipe.model_validate({"student": student.model_dump(), "train": {"epochs": _EPOCHS[0]}})
    return epoch_seconds(recipe, task, _EPOCHS[0], allow_code=False)


def _training(student: dict[str, Any], train: dict[str, Any]) -> dict[str, Any]:
    return {"train": {"student": student, "train": train}}
