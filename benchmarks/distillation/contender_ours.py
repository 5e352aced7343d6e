"""This project: ``distill`` with the teacher's outputs cached."""

from __future__ import annotations

import time
from pathlib import Path

from automl_kd.distillation import distill, wire
from automl_kd.teachers import cached_outputs, module_teacher
from benchmarks.distillation.data import fashion_mnist
from benchmarks.distillation.speed_trials import Splits, Trial, accuracy, read_teacher, trials


class Ours:
    """Trains by :func:`automl_kd.distillation.distill`; outputs of the teacher are computed once for all trials."""

    def __init__(self, folder: Path, images: int, epochs: int, augment: bool) -> None:
        self.task, self.epochs, self.augment = fashion_mnist(images), epochs, augment
        self.cache = folder / "outputs"
        module = read_teacher(folder, self.task.input_shape)
        self.teacher = module_teacher(module, self.task.input_shape, self.task.classes)
        self.test = Splits.load(folder / "splits.pt").test

    def prepare(self) -> float:
        """Seconds for the outputs of the teacher that the trials read."""
        if self.augment:
            return 0.0
        began = time.perf_counter()
        for trial in trials(5):
            wiring = wire(trial.recipe(1, False), self.task.input_shape, self.task.classes, self.teacher)
            cached_outputs(self.teacher, self.task, wiring.teacher_stages, "cache-fp32", self.cache)
        return time.perf_counter() - began

    def train(self, trial: Trial) -> tuple[float, float]:
        """Seconds, evaluation on the validation split included, and test accuracy."""
        recipe = trial.recipe(self.epochs, self.augment)
        began = time.perf_counter()
        outcome = distill(recipe, self.task, self.teacher, device="cpu", cache=self.cache)
        seconds = time.perf_counter() - began
        return seconds, accuracy(outcome.student, self.test)
