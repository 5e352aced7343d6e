"""Which layers of picks compute with floats, where the space leaves that to be decided on trained weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from automl_kd.compression import undecided
from automl_kd.distillation import MixedPrecisionPolicy
from automl_kd.results import ARMS
from automl_kd.students import build, load_weights
from automl_kd.studies.context import StudyContext
from automl_kd.studies.pick import Pick, Run


def decide_layers(context: StudyContext, picks: Sequence[Pick], weights: Callable[[Run], Path]) -> None:
    """Decide for every pick that leaves it open, on the weights of its first run that ended.

    What is decided holds for all seeds and arms of a pick, so that they ship in one form. It is decided before any test
    is read. A candidate is priced with integers everywhere, which the limit of the search allows.

    Args:
        context: The study at hand.
        picks: Distilled in full, or taken as the search left them.
        weights: The student that a finished run made.

    Raises:
        Interrupted: If the user asked to stop.
    """

    def watch() -> None:
        if context.stop:
            raise context.interrupted()
        context.beat()

    task, limit = context.prepared.task, context.request.limits.max_latency_ms
    for pick in picks:
        run = next((run for arm in ARMS for run in pick.compared(arm)), None)
        if limit is None or run is None or undecided(run.recipe.compress) is None:
            continue
        student = build(run.recipe.student, task.signature, allow_code=context.request.allow_code)
        policy = MixedPrecisionPolicy(context.prepared.profile, limit)
        _, pick.mixed_precision = policy.decided(run.recipe, load_weights(student, weights(run)), task, watch)
