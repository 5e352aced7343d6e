"""Students as floats, quantised after training (PTQ) and trained with integers (QAT), each scored by its ONNX file.

    python -m benchmarks.quantisation FOLDER [--data fashion-mnist emoji] [--students resnet gated depthwise]
        [--seeds 0 1 2] [--epochs 12] [--packages EMOJI]

All forms of a student under one seed are trained by one recipe, from the same weights and by the same teacher, and
differ in ``compress`` alone: PTQ quantises the very student whose floats are stated. Scores are of the test split, by
onnxruntime; differences are paired by seed and example. The cost is training time over that of floats, whose first
part a search trains once for all forms. Called again it goes on.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from automl_kd.compression import begin_training, shipped, write
from automl_kd.core import write_text
from automl_kd.distillation import distill, evaluate, find_teacher, material_of
from automl_kd.objectives import paired_difference
from automl_kd.onnxio import Session
from automl_kd.recipes import Recipe, digest
from automl_kd.tasks import Task, open_task
from automl_kd.teachers import Teacher
from benchmarks.emoji import write_task
from benchmarks.tables import table

STUDENTS: Mapping[str, Mapping[str, Any]] = {
    "resnet": {
        "family": "resnet",
        "stem": {"kernel": 3, "stride": 2},
        "stages": [{"depth": 1, "channels": 16}, {"depth": 1, "channels": 32}],
    },
    "gated": {
        "family": "mobilenet",
        "stem": {"channels": 16},
        "head": 64,
        "stages": [
            {"depth": 1, "channels": 16, "kernel": 3, "expand": 3, "squeeze_excite": True},
            {"depth": 2, "channels": 24, "kernel": 5, "expand": 3, "squeeze_excite": True},
        ],
    },
    "depthwise": {
        "family": "mobilenet",
        "stem": {"channels": 16},
        "head": 64,
        "stages": [
            {"depth": 1, "channels": 16, "kernel": 3, "expand": 3},
            {"depth": 2, "channels": 24, "kernel": 3, "expand": 3},
        ],
    },
}
"""One of plain convolutions, one with squeeze-excite, one of depthwise convolutions."""

_DATA = ("fashion-mnist", "emoji", "digits")
_WEIGHTS = ("per-channel", "per-tensor")
_HEADER = ("data", "student", "weights", "float", "PTQ", "QAT", "QAT - float", "QAT - PTQ", "cost", "shared", "parity")
_SIZE = 48
_TEACHER = {
    "train": {
        "student": {"family": "resnet", "depth": 20, "stem": {"stride": 2}},
        "train": {"epochs": 20, "batch_size": 64, "optimizer": {"name": "adamw", "lr": 0.005}, "warmup": 0.1},
    }
}
"""Of emoji, from noise: the students are, too."""
_COMPARED = 2_000
"""Examples on which answers of the trained form and of its file are compared."""


@dataclass(frozen=True)
class Trained:
    """A form of a student under one seed.

    Attributes:
        test: Statistics of each test example, by the ONNX file.
        seconds: Of training.
        before: Of these, those before the switch to integers.
        parity: Share of equal answers of the trained form and of its file; not a number where they are one.
    """

    test: NDArray[np.float64]
    seconds: float
    before: float
    parity: float


class Runs:
    """Trainings of one task, each done once and kept in a folder."""

    def __init__(self, task: Task, teacher: Teacher, folder: Path, epochs: int) -> None:
        self._task, self._teacher, self._folder, self._epochs = task, teacher, folder, epochs

    def trained(self, student: str, seed: int, how: str, weights: str) -> Trained:
        """A student of floats, or in integers."""
        recipe = self._recipe(student, seed, how, weights)
        path = self._folder / f"{digest([self._task.sha256, recipe.document()])}.npz"
        if not path.is_file():
            self._train(recipe, path)
        with np.load(path) as kept:
            return Trained(kept["test"], float(kept["seconds"]), float(kept["before"]), float(kept["parity"]))

    def ptq(self, student: str, seed: int, weights: str) -> Trained:
        """The student of floats, quantised."""
        floats = self._recipe(student, seed, "float", weights)
        recipe = self._recipe(student, seed, "ptq", weights)
        path = self._folder / f"{digest([self._task.sha256, recipe.document()])}.npz"
        if not path.is_file():
            checkpoint = self._folder / f"{digest([self._task.sha256, floats.document()])}.pt"
            outcome = distill(floats, self._task, self._teacher, device="cpu", checkpoint=checkpoint)
            form = shipped(recipe.compress, outcome.student, self._material(recipe))
            found = evaluate(form, self._task, self._task.test, "cpu")
            np.savez(path, test=found.statistics, seconds=outcome.seconds, before=outcome.seconds, parity=np.nan)
        with np.load(path) as kept:
            return Trained(kept["test"], float(kept["seconds"]), float(kept["before"]), float(kept["parity"]))

    def _train(self, recipe: Recipe, path: Path) -> None:
        checkpoint = path.with_suffix(".pt")
        before = 0.0
        if recipe.compress:
            switch = round(0.7 * self._epochs)
            begun = distill(recipe, self._task, self._teacher, device="cpu", checkpoint=checkpoint, until=switch)
            before = begun.seconds
        outcome = distill(recipe, self._task, self._teacher, device="cpu", checkpoint=checkpoint)
        material = self._material(recipe)
        with TemporaryDirectory() as scratch:
            file = Path(scratch) / "student.onnx"
            write(recipe.compress, outcome.student, material, file, opset=13)
            session = Session(file)
        parity = np.nan
        if recipe.compress:
            state = torch.load(checkpoint, weights_only=True)["quantised"]
            form = begin_training(recipe.compress, outcome.student, material, (), state)
            inputs = self._task.modality.prepare(self._task.test.inputs[:_COMPARED])
            with torch.no_grad():
                ours = form(inputs)[0].argmax(1).numpy()
            parity = float((ours == session.run(inputs.numpy()).argmax(1)).mean())
        found = evaluate(_File(session), self._task, self._task.test, "cpu")
        np.savez(path, test=found.statistics, seconds=outcome.seconds, before=before, parity=parity)

    def _material(self, recipe: Recipe) -> Any:
        return material_of(self._task, recipe.seed)

    def _recipe(self, student: str, seed: int, how: str, weights: str) -> Recipe:
        stage = {"stage": "quantise", "how": how, "weights": weights}
        return Recipe.model_validate(
            {
                "seed": seed,
                "student": STUDENTS[student],
                "distill": {"losses": {"task": {"weight": 1.0}, "kd": {"weight": 1.0, "temperature": 4.0}}},
                "train": {
                    "epochs": self._epochs,
                    "batch_size": 64,
                    "optimizer": {"name": "adamw", "lr": 0.005},
                    "warmup": 0.1,
                },
                "compress": [] if how == "float" else [stage],
            }
        )


class _File(torch.nn.Module):
    """A session as a module."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(self._session.run(inputs.numpy()))


def row(task: Task, runs: Runs, student: str, weights: str, seeds: Sequence[int]) -> tuple[object, ...]:
    """What one student reaches in every form."""
    floats = [runs.trained(student, seed, "float", weights) for seed in seeds]
    ptq = [runs.ptq(student, seed, weights) for seed in seeds]
    qat = [runs.trained(student, seed, "qat", weights) for seed in seeds]
    cost = np.median([ours.seconds / theirs.seconds for ours, theirs in zip(qat, floats, strict=True)])
    shared = np.median([each.before / each.seconds for each in qat])
    return (
        task.name,
        student,
        weights,
        *(_mean(task, arm) for arm in (floats, ptq, qat)),
        _gain(task, qat, floats),
        _gain(task, qat, ptq),
        f"{cost:.2f} x",
        f"{100 * shared:.0f} %",
        f"{100 * min(each.parity for each in qat):.2f} %",
    )


def opened(name: str, folder: Path, packages: Path | None) -> Task:
    """A task by name."""
    if name != "emoji":
        return open_task(name)
    if packages is None:
        raise SystemExit("emoji need --packages, the folder of the unpacked pictures")
    return open_task(str(write_task(packages, folder, None, size=_SIZE, teacher=_TEACHER)))


def _mean(task: Task, arm: Sequence[Trained]) -> str:
    return task.metric.shown(float(np.mean([task.metric.value(each.test) for each in arm])))


def _gain(task: Task, ours: Sequence[Trained], theirs: Sequence[Trained]) -> str:
    gain = paired_difference(task.metric, [each.test for each in ours], [each.test for each in theirs])
    interval = ", ".join(task.metric.shown_difference(bound) for bound in (gain.low, gain.high))
    return f"**{task.metric.shown_difference(gain.difference)}** [{interval}]"


def main() -> None:
    """Train what is not there yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="for what was trained")
    parser.add_argument("--data", nargs="+", default=list(_DATA[:2]), choices=_DATA)
    parser.add_argument("--students", nargs="+", default=list(STUDENTS), choices=tuple(STUDENTS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--packages", type=Path, help="the unpacked packages of emoji")
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for name in options.data:
        task = opened(name, options.folder, options.packages)
        runs = Runs(task, find_teacher(task, None, device="cpu").teacher, options.folder, options.epochs)
        rows += [row(task, runs, each, weights, options.seeds) for each in options.students for weights in _WEIGHTS]
    shown = table(_HEADER, rows)
    write_text(options.folder / "quantisation.md", shown + "\n")
    print(shown)


if __name__ == "__main__":
    main()
