"""The textbook loop: a data loader, the teacher asked at every step, losses as papers write them."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader

from automl_kd.recipes import Recipe
from automl_kd.students import StudentModule, build
from benchmarks.distillation.speed_trials import (
    BATCH,
    CLASSES,
    LEARNING_RATE,
    MOMENTUM,
    PAIR,
    WEIGHT_DECAY,
    Clock,
    Images,
    SameOrder,
    Spent,
    Splits,
    Trial,
    accuracy,
    read_teacher,
)


def initial_student(trial: Trial, recipe: Recipe, input_shape: tuple[int, int, int]) -> StudentModule:
    """The student with the initial weights that ``distill`` gives it."""
    torch.manual_seed(trial.seed)
    return build(recipe.student, input_shape=input_shape, classes=CLASSES)


class Regressor(nn.Sequential):
    """1x1 convolution, batch normalisation, ReLU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


class Plain:
    """A loop over a data loader with a live teacher."""

    def __init__(self, folder: Path, images: int, epochs: int, augment: bool) -> None:
        self.folder, self.epochs, self.augment = folder, epochs, augment
        self.splits = Splits.load(folder / "splits.pt")
        self.shape = tuple(self.splits.train[0].shape[1:])

    def train(self, trial: Trial) -> tuple[Spent, float]:
        """Time, evaluation on the validation split included, and test accuracy."""
        clock = Clock()
        recipe = trial.recipe(self.epochs, self.augment)
        student, teacher = initial_student(trial, recipe, self.shape), read_teacher(self.folder, self.shape)
        regressor = Regressor(PAIR[2], PAIR[3])
        parameters = [*student.parameters(), *(regressor.parameters() if trial.hint else ())]
        optimizer = torch.optim.SGD(
            parameters, lr=LEARNING_RATE, momentum=MOMENTUM, nesterov=True, weight_decay=WEIGHT_DECAY
        )
        data = Images(self.splits.train, self.augment)
        loader = DataLoader(data, batch_size=BATCH, sampler=SameOrder(data, trial.seed))
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=self.epochs * len(loader))
        maps: dict[str, Tensor] = {}
        student.get_submodule(PAIR[0]).register_forward_hook(lambda m, i, output: maps.update(student=output))
        teacher.get_submodule(PAIR[1]).register_forward_hook(lambda m, i, output: maps.update(teacher=output))
        student.train()
        for _ in range(self.epochs):
            for images, labels in loader:
                with torch.no_grad():
                    said = teacher(images)
                logits = student(images)
                temperature = trial.temperature
                soft = functional.kl_div(
                    functional.log_softmax(logits / temperature, dim=1),
                    functional.softmax(said / temperature, dim=1),
                    reduction="batchmean",
                )
                loss = trial.task * functional.cross_entropy(logits, labels) + trial.kd * temperature**2 * soft
                if trial.hint:
                    loss = loss + trial.hint * functional.mse_loss(regressor(maps["student"]), maps["teacher"])
                if trial.attention:
                    ours, theirs = (
                        functional.normalize(maps[side].pow(2).mean(1).flatten(1)) for side in ("student", "teacher")
                    )
                    loss = loss + trial.attention * (ours - theirs).pow(2).mean()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
        accuracy(student, self.splits.validation)
        return clock.read(), accuracy(student, self.splits.test)
