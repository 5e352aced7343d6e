"""Distilled against undistilled students where labels are no classes: several labels an image, and values.

    python -m benchmarks.problems FOLDER [--tasks tiled-digits digit-value] [--seeds 0 1 2 3 4]

Both arms train the same network for as long. The learning rate is chosen without a teacher, then the distillation
among plain KD, hints and both, all by search-validation under two seeds of their own; what is stated is of the test
split, under other seeds. Called again it goes on.
"""

from __future__ import annotations

import argparse
import itertools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from automl_kd.core import write_text
from automl_kd.distillation import Diverged, distill, evaluate, evaluate_teacher, find_teacher
from automl_kd.objectives import paired_difference
from automl_kd.recipes import Recipe, digest
from automl_kd.tasks import Task, open_task
from automl_kd.teachers import Teacher
from benchmarks.fashion_scenes import write_angles, write_tiles
from benchmarks.tables import table

_STAGES = [{"depth": 1, "channels": 8}, {"depth": 1, "channels": 16}]
_WIDE = 28
_RATES = (0.003, 0.01)
_WEIGHTS = (1.0, 4.0)
_HINTS = (1.0, 4.0)
_TEMPERATURES: Mapping[str, Sequence[float]] = {"bernoulli": (1.0, 4.0), "real": (1.0,)}
_CHOOSING_SEEDS = (100, 101)
_MADE = {"tiled-fashion": write_tiles, "fashion-angle": write_angles}
TASKS = ("tiled-digits", "tiled-fashion", "digit-value", "fashion-angle")


def opened(name: str, folder: Path) -> Task:
    """A task by name: a built-in one, or one of pictures of Fashion-MNIST that is made first."""
    if name not in _MADE:
        return open_task(name)
    place = folder / name
    if not (place / "task.yaml").is_file():
        place.mkdir(parents=True, exist_ok=True)
        _MADE[name](place)
    return open_task(str(place / "task.yaml"))


def recipe(task: Task, rate: float, seed: int, distillation: Mapping[str, Any]) -> Recipe:
    """A recipe that differs from others of its task in learning rate, seed and distillation alone."""
    # A thousand small pictures are learned in a minute of epochs; of larger ones there are twice as many.
    stride, epochs = (2, 20) if task.signature.input.shape[-1] >= _WIDE else (1, 60)
    return Recipe.model_validate(
        {
            "seed": seed,
            "student": {"family": "resnet", "stem": {"kernel": 3, "stride": stride}, "stages": _STAGES},
            "distill": {"losses": {"task": {"weight": 1.0}, **distillation}},
            "train": {"epochs": epochs, "batch_size": 64, "optimizer": {"name": "adamw", "lr": rate}, "warmup": 0.1},
        }
    )


def distillations(task: Task) -> list[dict[str, Any]]:
    """What the distilled arm chooses from: plain KD, hints, and plain KD with a hint."""
    temperatures = _TEMPERATURES[task.signature.output.meaning]
    plain = [
        {"kd": {"weight": weight, "temperature": temperature}}
        for weight, temperature in itertools.product(_WEIGHTS, temperatures)
    ]
    hints = [{"hint": {"weight": weight}} for weight in _HINTS]
    return [*plain, *hints, *({**plain[0], **hint} for hint in hints)]


class Runs:
    """Trainings of one task, each done once and kept in a folder."""

    def __init__(self, task: Task, teacher: Teacher, folder: Path) -> None:
        self._task, self._teacher, self._folder = task, teacher, folder
        self._worst = -math.inf if task.metric.direction == "maximize" else math.inf

    def validation(self, of: Recipe) -> float:
        """The score on search-validation, negative where less is better."""
        sign = 1 if self._task.metric.direction == "maximize" else -1
        return sign * float(self._run(of)["validation"])

    def test(self, of: Recipe) -> NDArray[np.float64]:
        """Statistics of each test example."""
        return self._run(of)["test"]

    def _run(self, of: Recipe) -> Mapping[str, NDArray[np.float64]]:
        path = self._folder / f"{digest([self._task.sha256, of.document()])}.npz"
        if not path.is_file():
            teacher = self._teacher if of.distill.needs_teacher() else None
            try:
                outcome = distill(of, self._task, teacher, device="cpu")
            except Diverged:  # a learning rate that is too high; it is not chosen
                return {"validation": np.array(self._worst)}
            found = evaluate(outcome.student, self._task, self._task.test, "cpu")
            np.savez(path, validation=outcome.score, test=found.statistics)
        with np.load(path) as kept:
            return dict(kept)


def compare(name: str, folder: Path, seeds: Sequence[int]) -> list[tuple[object, ...]]:
    """A row for each metric of the task that is searched: teacher, both arms, their difference on the test split."""
    task = opened(name, folder)
    teacher = find_teacher(task, None, device="cpu").teacher
    runs = Runs(task, teacher, folder)

    def worth(rate: float, distillation: Mapping[str, Any]) -> float:
        return sum(runs.validation(recipe(task, rate, seed, distillation)) for seed in _CHOOSING_SEEDS)

    rate = max(_RATES, key=lambda each: worth(each, {}))
    chosen = max(distillations(task), key=lambda each: worth(rate, each))
    without = [runs.test(recipe(task, rate, seed, {})) for seed in seeds]
    distilled = [runs.test(recipe(task, rate, seed, chosen)) for seed in seeds]
    metric = task.metric
    gain = paired_difference(metric, distilled, without)
    taught = evaluate_teacher(teacher, task, task.test).score

    def mean(arm: Sequence[NDArray[np.float64]]) -> str:
        values = [metric.value(each) for each in arm]
        return f"{metric.shown(float(np.mean(values)))} ± {np.std(values, ddof=1):.2g}"

    words = "; ".join(f"{name} {', '.join(map(str, part.values()))}" for name, part in chosen.items())
    interval = ", ".join(metric.shown_difference(bound) for bound in (gain.low, gain.high))
    return [
        (
            name,
            task.problem.name,
            metric.title,
            metric.shown(taught),
            mean(without),
            mean(distilled),
            f"**{metric.shown_difference(gain.difference)}** [{interval}]",
            f"lr {rate:g}; {words}",
        )
    ]


def main() -> None:
    """Train what is not there yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="for pictures and what was trained")
    parser.add_argument("--tasks", nargs="+", default=list(TASKS), choices=TASKS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.folder.mkdir(parents=True, exist_ok=True)
    rows = [row for name in options.tasks for row in compare(name, options.folder, options.seeds)]
    header = ("task", "problem", "metric", "teacher", "no distillation", "distilled", "gain, 95 %", "chosen")
    shown = table(header, rows)
    write_text(options.folder / "table.md", shown + "\n")
    print(shown)


if __name__ == "__main__":
    main()
