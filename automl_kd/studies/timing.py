"""How long an epoch takes, timed by a few steps."""

from __future__ import annotations

import time

import torch

from automl_kd.core import Interrupted
from automl_kd.distillation import Diverged, distill, untrainable_teacher
from automl_kd.recipes import Recipe
from automl_kd.studies.policy import no_distillation
from automl_kd.tasks import Task

_SECONDS_PER_EXAMPLE = 5.0


def epoch_seconds(recipe: Recipe, task: Task, epochs: int, allow_code: bool, must_learn: bool = False) -> float:
    """Time of one epoch without a teacher, from as many steps as fit into a few seconds.

    Args:
        recipe: What is trained.
        task: On what.
        epochs: Of the whole training, which decide its schedule.
        allow_code: Whether a model space of the user's own may be loaded.
        must_learn: Whether it is a teacher; a search goes on with other students where one does not learn.

    Raises:
        UserError: If it must learn and cannot.
    """
    steps = 0
    began = time.monotonic()

    def enough() -> bool:
        nonlocal steps
        steps += 1
        return time.monotonic() - began > _SECONDS_PER_EXAMPLE

    # A step takes as long from noise, for which no weights need to be at hand.
    student = recipe.student if must_learn else recipe.student.model_copy(update={"start": None})
    threads = torch.get_num_threads()
    torch.set_num_threads(recipe.threads)
    try:
        seconds = distill(
            no_distillation(recipe.model_copy(update={"student": student})),
            task,
            None,
            total_epochs=epochs,
            until=1,
            should_stop=enough,
            allow_code=allow_code,
        ).seconds
    except (Interrupted, Diverged) as error:
        if must_learn and isinstance(error, Diverged):
            raise untrainable_teacher(recipe, task, error) from None
        per_epoch = len(task.train.labels) / recipe.train.batch_size
        seconds = (time.monotonic() - began) / steps * per_epoch
    finally:
        torch.set_num_threads(threads)
    return seconds
