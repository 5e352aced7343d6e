"""How long an epoch takes, timed by a few steps."""

from __future__ import annotations

import statistics
import time
from itertools import pairwise

import torch

from automl_kd.core import Interrupted
from automl_kd.distillation import Diverged, distill, untrainable_teacher
from automl_kd.recipes import Recipe
from automl_kd.studies.policy import no_distillation
from automl_kd.tasks import Task

_SECONDS_PER_EXAMPLE = 5.0
_LEAST_STEPS = 2


def epoch_seconds(recipe: Recipe, task: Task, epochs: int, allow_code: bool, must_learn: bool = False) -> float:
    """Time of one epoch without a teacher, from as many steps as fit into a few seconds.

    The median step counts, without the first where there are more: it imports, allocates, chooses kernels and weighs
    the losses, which is done once.

    Args:
        recipe: What is trained.
        task: On what.
        epochs: Of the whole training, which decide its schedule.
        allow_code: Whether a model space of the user's own may be loaded.
        must_learn: Whether it is a teacher; a search goes on with other students where one does not learn.

    Raises:
        UserError: If it must learn and cannot.
    """
    begun: list[float] = []

    def enough() -> bool:
        begun.append(time.monotonic())
        return len(begun) > _LEAST_STEPS and begun[-1] - begun[0] > _SECONDS_PER_EXAMPLE

    def by_step() -> float:
        steps = [after - before for before, after in pairwise([*begun, time.monotonic()])]
        return statistics.median(steps[1:] or steps) * len(task.train.labels) / recipe.train.batch_size

    # A step takes as long from noise, for which no weights need to be at hand.
    student = recipe.student if must_learn else recipe.student.model_copy(update={"start": None})
    threads = torch.get_num_threads()
    torch.set_num_threads(recipe.threads)
    try:
        whole = distill(
            no_distillation(recipe.model_copy(update={"student": student})),
            task,
            None,
            total_epochs=epochs,
            until=1,
            should_stop=enough,
            allow_code=allow_code,
        ).seconds
        seconds = min(whole, by_step())
    except (Interrupted, Diverged) as error:
        if must_learn and isinstance(error, Diverged):
            raise untrainable_teacher(recipe, task, error) from None
        seconds = by_step()
    finally:
        torch.set_num_threads(threads)
    # Timed without unlabelled examples, which no loss of this recipe reads; with them an epoch has more steps.
    return seconds * recipe.train.batch_size / recipe.train.labelled_batch
