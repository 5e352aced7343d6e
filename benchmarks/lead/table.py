"""A table of trainings: every recipe of a reduced space, so that a search can be replayed as often as one likes."""

from __future__ import annotations

import argparse
import csv
import gzip
import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import product
from pathlib import Path
from typing import Any

import torch

from automl_kd.core import cache_dir
from automl_kd.distillation import Diverged, TeacherOutputPolicy, distill, evaluate, find_teacher
from automl_kd.hardware import load_profile
from automl_kd.recipes import Recipe, Space, digest, load_space
from automl_kd.studies.policy import of_length
from automl_kd.studies.pricing import Pricing
from automl_kd.tasks import Task, open_task
from automl_kd.teachers import Teacher
from benchmarks.distillation.data import subset
from benchmarks.search import kept

_HERE = Path(__file__).resolve().parent
_SHARING = 100
"""Trainings that share what is kept of the teacher, at the least."""


@dataclass(frozen=True)
class Length:
    """A length of training.

    Attributes:
        name: As the table calls it.
        epochs: The schedule anneals over so many.
        seeds: Seeds under which every recipe is trained so.
    """

    name: str
    epochs: int
    seeds: tuple[int, ...]


FULL, SHORT, LONG = Length("full", 12, (0, 1)), Length("short", 4, (2,)), Length("long", 24, (3,))
LENGTHS = (FULL, SHORT, LONG)


@dataclass(frozen=True)
class Bed:
    """A reduced space with the task and the device that it is searched for.

    Attributes:
        name: Of the files beside this one: the space, and the table.
        task: The task, with the teacher that it trains for itself.
        images: Training images of the students; the teacher has seen all of them.
        hw: The device that prices students.
    """

    name: str
    task: str
    images: int
    hw: str

    @cached_property
    def space(self) -> Space:
        """The space."""
        return load_space(str(_HERE / f"{self.name}.yaml"))

    @property
    def file(self) -> Path:
        """The table."""
        return _HERE / f"{self.name}.csv.gz"

    def recipes(self) -> dict[str, Recipe]:
        """All recipes by their place in the space."""
        return {str(number): self.space.from_params(params) for number, params in enumerate(self.space.all_params())}


BEDS = {"fashion-mnist": Bed("fashion-mnist", "fashion-mnist", 2_000, "x86-server")}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``table``."""
    kept.add_arguments(parser)
    parser.add_argument("--bed", choices=list(BEDS), default="fashion-mnist")
    parser.add_argument("--lengths", nargs="+", choices=[each.name for each in LENGTHS], default=["full"])


def main(options: argparse.Namespace) -> None:
    """Train what the table does not hold yet, and write it."""
    bed = BEDS[options.bed]
    _classroom(bed)  # the teacher is trained once, before there are processes
    known = {_key(row.recipe, row.length, row.seed): {"scores": row.scores, "test": row.test} for row in read(bed)}
    for length in (each for each in LENGTHS if each.name in options.lengths):
        for seed in length.seeds:
            wanted = {_key(number, length.name, seed): (bed.name, number, length, seed) for number in bed.recipes()}
            known |= kept.run(trained, {key: job for key, job in wanted.items() if key not in known}, options)
            write(bed, known)


def trained(name: str, number: str, length: Length, seed: int) -> dict[str, Any]:
    """Scores on search-validation after each epoch, and on the test split at the end; one that diverged has fewer."""
    torch.set_num_threads(1)
    bed = BEDS[name]
    task, teacher, targets = _classroom(bed)
    recipe = targets.decided(of_length(bed.recipes()[number], length.epochs).with_(seed=seed))
    checkpoint = cache_dir() / "benchmarks" / f"{digest([task.sha256, recipe.document()])}.pt"
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    scores: list[float] = []
    test, seconds = 0.0, 0.0
    try:
        for epoch in range(1, length.epochs + 1):
            outcome = distill(recipe, task, teacher, device="cpu", until=epoch, checkpoint=checkpoint)
            scores.append(round(outcome.score, 4))
        test = round(evaluate(outcome.student, task, task.test, "cpu").score, 4)
        seconds = round(outcome.seconds, 1)
    except Diverged:
        pass
    checkpoint.unlink(missing_ok=True)
    return {"scores": scores, "test": test, "seconds": seconds}


@dataclass(frozen=True)
class Row:
    """One training of a table.

    Attributes:
        recipe: Its place in the space.
        latency_ms: Predicted for the bed's device.
        params: Of the student.
        length: Name of the length.
        seed: Of the training.
        test: Score on the test split at the end.
        scores: On search-validation after each epoch; one that diverged has fewer than epochs.
    """

    recipe: str
    latency_ms: float
    params: int
    length: str
    seed: int
    test: float
    scores: tuple[float, ...]


def read(bed: Bed) -> list[Row]:
    """The table as far as it goes."""
    if not bed.file.is_file():
        return []
    with gzip.open(bed.file, "rt") as file:
        return [
            Row(
                each["recipe"],
                float(each["latency_ms"]),
                int(each["params"]),
                each["length"],
                int(each["seed"]),
                float(each["test"]),
                tuple(map(float, each["scores"].split())),
            )
            for each in csv.DictReader(file)
        ]


def write(bed: Bed, known: Mapping[str, Any]) -> None:
    """Keep the table: a line a training."""
    pricing, recipes = Pricing(_classroom(bed)[0], load_profile(bed.hw)), bed.recipes()
    prices = dict(zip(recipes, pricing.price(list(recipes.values())), strict=True))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("recipe", "latency_ms", "params", "length", "seed", "test", "scores"))
    for number, length in product(recipes, LENGTHS):
        for seed in length.seeds:
            if (found := known.get(_key(number, length.name, seed))) is not None:
                here, scores = prices[number].here, " ".join(f"{each:.4f}" for each in found["scores"])
                writer.writerow((number, f"{here.ms:.5f}", here.params, length.name, seed, found["test"], scores))
    # Without a time in its header, equal tables are equal files.
    bed.file.write_bytes(gzip.compress(text.getvalue().encode(), mtime=0))


def _key(recipe: str, length: str, seed: int) -> str:
    return f"{recipe} {length} {seed}"


@cache
def _classroom(bed: Bed) -> tuple[Task, Teacher, TeacherOutputPolicy]:
    whole = open_task(bed.task)
    teacher = find_teacher(whole, None, device="cpu").teacher
    task = subset(whole, bed.images)
    return task, teacher, TeacherOutputPolicy(task, teacher, device="cpu", threads=1, runs=_SHARING, allow_code=False)
