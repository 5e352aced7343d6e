"""This project: ``distill`` with the teacher's outputs cached."""

from __future__ import annotations

from pathlib import Path

from automl_kd.distillation import distill
from automl_kd.tasks import open_task
from automl_kd.teachers import module_teacher
from benchmarks.distillation.data import subset
from benchmarks.distillation.speed_trials import Clock, Spent, Splits, Trial, accuracy, read_teacher


class Ours:
    """Trains by :func:`automl_kd.distillation.distill`; outputs of the teacher are computed once for all trials."""

    def __init__(self, folder: Path, images: int, epochs: int, augment: bool) -> None:
        self.task, self.epochs, self.augment = subset(open_task("fashion-mnist"), images), epochs, augment
        self.cache = folder / "outputs"
        module = read_teacher(folder, self.task.signature.input.shape)
        self.teacher = module_teacher(module, self.task.signature)
        self.test = Splits.load(folder / "splits.pt").test

    def train(self, trial: Trial) -> tuple[Spent, float]:
        """Time, evaluation on the validation split included, and test accuracy."""
        clock = Clock()
        recipe = trial.recipe(self.epochs, self.augment)
        outcome = distill(recipe, self.task, self.teacher, device="cpu", cache=self.cache)
        spent = clock.read()
        return spent, accuracy(outcome.student, self.test)
