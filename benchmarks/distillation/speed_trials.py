"""The trials of the speed comparison: one student, one teacher, twenty ways to distil; the same for every contender.

This module and the contenders' own are imported under the peer's interpreter too, so they need few packages.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from automl_kd.recipes import Recipe
from automl_kd.students import StudentModule, build, load_weights
from automl_kd.tasks import generator

BATCH = 64
CLASSES = 10
LEARNING_RATE = 0.05
MOMENTUM = 0.9
WEIGHT_DECAY = 5e-4
STUDENT: dict[str, Any] = {
    "family": "resnet",
    "stem": {"stride": 2},
    "stages": [{"depth": 1, "channels": 8}, {"depth": 1, "channels": 16}],
}
TEACHER: dict[str, Any] = {"family": "resnet", "depth": 20}
# Student's stage, teacher's stage, their channels: equal sizes, as the peer's losses need them.
PAIR = ("stage2", "stage3", 16, 64)


@dataclass(frozen=True)
class Trial:
    """Weights of the losses, and the temperature of KD; 0 is off."""

    seed: int
    task: float
    kd: float
    temperature: float
    hint: float = 0.0
    attention: float = 0.0

    def recipe(self, epochs: int, augment: bool) -> Recipe:
        losses: dict[str, Any] = {
            "task": {"weight": self.task},
            "kd": {"weight": self.kd, "temperature": self.temperature},
        }
        if self.hint:
            losses["hint"] = {"weight": self.hint}
        if self.attention:
            losses["attention_transfer"] = {"weight": self.attention}
        optimizer = {"name": "sgd", "lr": LEARNING_RATE, "momentum": MOMENTUM, "weight_decay": WEIGHT_DECAY}
        train = {"epochs": epochs, "batch_size": BATCH, "optimizer": optimizer}
        if augment:
            train["augment"] = ["crop", "flip"]
        distill = {"targets": "live" if augment else "cache-fp32", "losses": losses}
        return Recipe.model_validate({"seed": self.seed, "student": STUDENT, "distill": distill, "train": train})


def read_teacher(folder: Path, input_shape: tuple[int, int, int]) -> StudentModule:
    """The teacher, frozen; torch's random state is left as it was."""
    spec = Recipe.model_validate({"student": TEACHER, "train": {"epochs": 1}}).student
    with torch.random.fork_rng():
        module = build(spec, input_shape=input_shape, classes=CLASSES)
    return load_weights(module, folder / "teacher.safetensors").requires_grad_(False)


def trials(count: int) -> list[Trial]:
    """Of five trials, three have KD alone, one a hint beside it, one attention transfer."""
    temperatures, weights = (1.0, 2.0, 4.0, 8.0), ((0.1, 0.9), (0.5, 0.5), (1.0, 1.0), (0.5, 2.0), (1.0, 4.0))
    made = []
    for number in range(count):
        task, kd = weights[number % 5]
        temperature = temperatures[number // 5 % 4]
        hint = (0.3, 1.0, 3.0, 10.0)[number // 5 % 4] if number % 5 == 2 else 0.0
        attention = (30.0, 100.0, 300.0, 1000.0)[number // 5 % 4] if number % 5 == 3 else 0.0
        made.append(Trial(number, task, kd, temperature, hint, attention))
    return made


@dataclass(frozen=True)
class Spent:
    """Seconds on the wall, and of the processor: the second hardly depends on what else the machine does."""

    wall: float
    processor: float


class Clock:
    """Runs from when it is made."""

    def __init__(self) -> None:
        self._began = Spent(time.perf_counter(), time.process_time())

    def read(self) -> Spent:
        """What was spent so far."""
        return Spent(time.perf_counter() - self._began.wall, time.process_time() - self._began.processor)


@dataclass(frozen=True)
class Splits:
    """Normalised images, float32 (N, C, H, W), and labels of the three splits."""

    train: tuple[Tensor, Tensor]
    validation: tuple[Tensor, Tensor]
    test: tuple[Tensor, Tensor]

    def save(self, path: Path) -> None:
        torch.save(vars(self), path)

    @staticmethod
    def load(path: Path) -> Splits:
        return Splits(**torch.load(path, weights_only=True))


class Images(Dataset[tuple[Tensor, int]]):
    """One image and its label at a time, as data loaders have it; with crop and flip where asked."""

    def __init__(self, split: tuple[Tensor, Tensor], augment: bool) -> None:
        self.images, self.labels = split
        self.labels_list = self.labels.tolist()
        self.augment = augment

    def __len__(self) -> int:
        return len(self.labels_list)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image = self.images[index]
        if self.augment:
            size = image.shape[-1]
            reach = size // 8
            down, across, mirrored = (int(torch.randint(high, ())) for high in (2 * reach + 1, 2 * reach + 1, 2))
            image = torch.nn.functional.pad(image, (reach,) * 4)[:, down : down + size, across : across + size]
            image = image.flip(-1) if mirrored else image
        return image, self.labels_list[index]


class SameOrder(Sampler[int]):
    """The order of images that the project draws, so that every contender sees the same batches."""

    def __init__(self, data: Dataset[Any], seed: int) -> None:
        self.count, self.seed, self.epoch = len(data), seed, 0  # type: ignore[arg-type]

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[int]:
        order = torch.randperm(self.count, generator=generator("order", self.seed, self.epoch))
        self.epoch += 1
        return iter(order.tolist())


def accuracy(student: torch.nn.Module, split: tuple[Tensor, Tensor]) -> float:
    """Share of right answers, in evaluation mode."""
    student.eval()
    with torch.inference_mode():
        right = [
            student(images).argmax(dim=1) == labels
            for images, labels in zip(split[0].split(1024), split[1].split(1024), strict=True)
        ]
    student.train()
    return torch.cat(right).float().mean().item()
