"""Train one student by one recipe, from where a checkpoint left it up to an epoch."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from automl_kd.compression import shipped
from automl_kd.core import Interrupted, UserError
from automl_kd.distillation.checkpoint import load, save
from automl_kd.distillation.evaluation import Evaluation, evaluate
from automl_kd.distillation.randomness import reproducible
from automl_kd.distillation.run import Run
from automl_kd.distillation.wiring import wire
from automl_kd.recipes import Recipe
from automl_kd.students import StudentModule
from automl_kd.tasks import Task
from automl_kd.teachers import Teacher

_SAVE_SECONDS = 20.0


@dataclass(frozen=True, eq=False)
class Outcome:
    """A student as training left it.

    Attributes:
        student: As it was judged, in evaluation mode, on the device of the training: as trained, or with averaged
            weights and statistics measured anew where the recipe says so.
        epoch: Epochs trained since the start, those before a checkpoint included.
        step: Steps, likewise.
        evaluation: What the metrics of the task say on the search-validation split of the form of it that ships, after
            the stages of ``compress``.
        losses: Unweighted mean of each loss over the last epoch.
        seconds: Spent in training since the start, without evaluation and files.
        finished: Whether the schedule is at its end.
        dropped: Losses that were left out on the way, and why.
    """

    student: StudentModule
    epoch: int
    step: int
    evaluation: Evaluation
    losses: dict[str, float]
    seconds: float
    finished: bool
    dropped: dict[str, str]

    @property
    def score(self) -> float:
        """The value of the task's first metric on the search-validation split."""
        return self.evaluation.score

    @property
    def values(self) -> Mapping[str, float]:
        """The values of all metrics of the task there, by name."""
        return self.evaluation.values


def distill(
    recipe: Recipe,
    task: Task,
    teacher: Teacher | None,
    *,
    total_epochs: int | None = None,
    until: int | None = None,
    checkpoint: Path | None = None,
    device: str = "auto",
    cache: Path | None = None,
    on_epoch: Callable[[int, float | None], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
    allow_code: bool = False,
    compiled: bool = False,
) -> Outcome:
    """Train a student.

    Equal arguments give equal weights, bit by bit, on one CPU with an equal number of torch threads, whether the run
    goes through or stops and resumes at any step. On CUDA the convolutions are held to deterministic algorithms, but
    average pooling between sizes that do not divide is not. The caller's random state is left as it was.

    Args:
        recipe: What to train and how.
        task: What to train on. The test split is not read.
        teacher: The teacher; may be None if no loss of the recipe needs one.
        total_epochs: Length of the schedule, by default ``train.epochs``.
        until: The epoch to train to now, by default ``total_epochs``: a run stopped early is a prefix of the full one.
        checkpoint: The file to resume from, if it exists, and to write the state to: at the end, when stopped, and
            after an epoch now and then, so that a kill costs little.
        device: The torch device: ``"auto"`` (CUDA where there is one), or what ``torch.device`` takes.
        cache: Where the teacher's outputs are kept if ``distill.targets`` says so; by default in the user's cache. A
            recipe without ``distill.targets`` asks the teacher at every step.
        on_epoch: Called after every epoch with its number, counted from 1, and None; with the score at the end.
        should_stop: Called before every step; if it returns true, the state is written and the run ends. Also called
            between batches of the evaluation, where its answer is ignored.
        allow_code: Whether custom losses may be loaded, which runs their files.
        compiled: Whether the student is compiled (``torch.compile``), which takes a minute and pays on long runs; its
            weights differ in the last bits from those of a run that is not.

    Raises:
        UserError: If the recipe does not fit student, task or teacher, the checkpoint belongs to another run, or the
            trained student cannot be compressed.
        Diverged: If a loss, its gradient or a weight became infinite or not a number, at the latest when that epoch
            ends; or a loss does harm or nothing (:class:`automl_kd.distillation.health.Health`).
        Interrupted: If ``should_stop`` said so.
        ValueError: If ``until`` is not in 1..total_epochs.
    """
    total_epochs = recipe.train.epochs if total_epochs is None else total_epochs
    until = total_epochs if until is None else until
    if not 1 <= until <= total_epochs:
        raise ValueError(f"until is {until}: should be from 1 to total_epochs, {total_epochs}")
    torch_device = resolve_device(device)
    wiring = wire(recipe, task, teacher, allow_code=allow_code)
    if compiled and torch_device.type == "cpu" and not any(map(shutil.which, ("g++", "clang++"))):
        raise UserError("a student that is compiled for a CPU needs a C++ compiler: install g++, or do not compile")
    if compiled and wiring.gradients:
        raise UserError(f"distill.losses.{wiring.gradients[0]} differentiates twice, which a compiled student cannot")
    asked = teacher if recipe.distill.needs_teacher() else None
    with reproducible(recipe.seed, torch_device):
        begun = checkpoint if checkpoint is not None and checkpoint.exists() else None
        run = Run(recipe, task, asked, wiring, total_epochs, torch_device, cache, compiled, fresh=begun is None)
        if begun is not None:
            run.restore(load(begun, run.identity, torch_device))
        with run:
            _train(run, until, checkpoint, on_epoch, should_stop)
        judged = run.judged()
        # Called here too, because the call shows that the run is alive; its answer comes too late to matter.
        watch = should_stop or (lambda: False)
        form = shipped(recipe.compress, judged, run.material, recipe.threads)
        evaluation = evaluate(form, run.seen, task.validation, torch_device, watch)
        if on_epoch is not None:
            on_epoch(run.epoch, evaluation.score)
    return Outcome(
        student=judged.eval(),
        epoch=run.epoch,
        step=run.step,
        evaluation=evaluation,
        losses=run.objective.history.means(),
        dropped=dict(run.objective.dropped),
        seconds=run.seconds,
        finished=run.epoch == total_epochs,
    )


def _train(
    run: Run,
    until: int,
    checkpoint: Path | None,
    on_epoch: Callable[[int, float | None], None] | None,
    should_stop: Callable[[], bool] | None,
) -> None:
    """Train to an epoch, and write the state there, when stopped, and now and then."""
    saved = time.monotonic()
    while run.epoch < until:
        started = time.perf_counter()
        whole = run.train_epoch(should_stop)
        run.seconds += time.perf_counter() - started
        if not whole:
            if checkpoint is not None:
                save(run.state(), checkpoint)
            raise Interrupted(f"training stopped at step {run.step} of epoch {run.epoch + 1}")
        if checkpoint is not None and run.epoch < until and time.monotonic() - saved > _SAVE_SECONDS:
            save(run.state(), checkpoint)
            saved = time.monotonic()
        if on_epoch is not None and run.epoch < until:
            on_epoch(run.epoch, None)
    if checkpoint is not None:
        save(run.state(), checkpoint)


def resolve_device(device: str) -> torch.device:
    """The torch device of a training, from ``"auto"`` (CUDA where there is one) or what ``torch.device`` takes.

    Raises:
        UserError: If there is no such device.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch_device = torch.device(device)
    except RuntimeError as error:
        raise UserError(f"device {device!r} does not exist: should be auto, cpu or cuda") from error
    if torch_device.type == "cuda" and not torch.cuda.is_available():
        raise UserError(f"device {device!r}: this machine has no CUDA; use cpu, or auto")
    return torch_device
