"""Mixed precision by layer under a limit of latency, against integers everywhere and floats everywhere.

    python -m benchmarks.mixed_precision FOLDER [--students depthwise squeeze-excite] [--seeds 0 1 2]
        [--hw snapdragon-8-gen-3:tflite-npu-int8] [--epochs 8] [--examples 10000]

Fashion-MNIST; weights quantised by tensor, which depthwise convolutions bear badly. Each limit lies a share of the way
from the time of integers to that of floats. Scores are of ONNX files under onnxruntime on the test split, paired by
seed and example. The second table says how far what layers lose alone adds up to what random choices of them lose
together. Called again it goes on.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from scipy.stats import spearmanr
from torch import nn

from automl_kd.compression import (
    Assignment,
    FileForm,
    Judged,
    Sensitivity,
    decided,
    kept_names,
    least_loss,
    priced,
    shipped,
    write,
)
from automl_kd.core import write_text
from automl_kd.distillation import distill, evaluate, material_of, outputs_of
from automl_kd.hardware import Profile, load_profile
from automl_kd.objectives import paired_difference
from automl_kd.recipes import Recipe, digest
from automl_kd.tasks import Task
from benchmarks.imbalance import whole_task
from benchmarks.tables import points, table, with_error

_SHARES = (0.25, 0.5, 0.75)
_CHOICES = 12
_STAGES = [{"depth": 2, "kernel": 3, "expand": 3, "channels": channels} for channels in (16, 24, 32)]
STUDENTS: Mapping[str, Mapping[str, Any]] = {
    "depthwise": {"family": "mobilenet", "stages": _STAGES, "head": 128},
    "squeeze-excite": {
        "family": "mobilenet",
        "stages": [each | {"squeeze_excite": True} for each in _STAGES],
        "head": 128,
    },
}


def recipe(student: str, seed: int, epochs: int) -> Recipe:
    """A student that learns from labels, and leaves its layers to be decided."""
    return Recipe.model_validate(
        {
            "seed": seed,
            "student": STUDENTS[student],
            "distill": {"losses": {"task": {"weight": 1.0}}},
            "train": {"epochs": epochs, "batch_size": 64, "optimizer": {"name": "adamw", "lr": 0.003}, "warmup": 0.1},
            "compress": [{"stage": "quantise", "weights": "per-tensor", "keep_float": "auto"}],
        }
    )


def measured(of: Recipe, task: Task, profile: Profile) -> dict[str, Any]:
    """What every form of one student reaches and takes, and what random choices of its layers lose."""
    student = distill(of.model_copy(update={"compress": ()}), task, None, device="cpu").student.eval()
    whole, blocks = priced(of.compress, student.plan), len(student.plan.blocks)

    def prices(choices: Sequence[Assignment]) -> list[float]:
        return [each.ms for each in profile.price([dataclasses.replace(whole, integers=each) for each in choices])]

    def judge(form: nn.Module) -> Judged:
        outputs = outputs_of(form, task, task.validation, "cpu")
        return Judged(outputs, task.metric.statistics(outputs, task.validation.labels))

    def reached(form: nn.Module, choice: Assignment) -> dict[str, Any]:
        found = evaluate(form, task, task.test, "cpu")
        right = found.statistics[:, 0].tolist()
        return {"ms": prices([choice])[0], "kept": choice.count(False), "score": found.score, "right": right}

    everywhere, nowhere = (True,) * blocks, (False,) * blocks
    (least, most), material = prices([everywhere, nowhere]), material_of(task, of.seed)
    with TemporaryDirectory() as folder:
        (part,) = of.compress
        sensitivity = Sensitivity(part, student, material, judge, task.metric, Path(folder))
        alone = np.array([each.nats for each in sensitivity.of_layers()])
        chosen = np.random.default_rng(of.seed).random((_CHOICES, blocks)) < 0.5
        sums = [(float(alone[each].sum()), sensitivity.of(each.tolist()).nats) for each in chosen if each.any()]
        path = Path(folder) / "student.float.onnx"
        write((), student, material, path, opset=13)
        forms = {"floats": reached(FileForm(path, student.plan), nowhere)}
    choices = {"integers": everywhere}
    for share in _SHARES:
        choice = least_loss(alone.tolist(), prices, least + share * (most - least))
        assert choice is not None  # integers everywhere keep every limit
        choices[f"mixed, {share:.0%}"] = choice
    for name, choice in choices.items():
        compress = decided(of.compress, kept_names(student.plan, choice))
        forms[name] = reached(shipped(compress, student, material), choice)
    return {"forms": forms, "sums": sums}


def row(name: str, form: str, runs: Sequence[Mapping[str, Any]], task: Task) -> tuple[object, ...]:
    """One form of one student over its seeds, beside integers and floats everywhere."""

    def rows(which: str) -> list[Any]:
        return [np.array(run["forms"][which]["right"]).reshape(-1, 1) for run in runs]

    def against(other: str) -> str:
        found = paired_difference(task.metric, rows(form), rows(other))
        return f"{100 * found.difference:+.2f} [{100 * found.low:+.2f}, {100 * found.high:+.2f}]"

    forms = [run["forms"][form] for run in runs]
    return (
        name,
        form,
        with_error([each["ms"] for each in forms]),
        with_error([float(each["kept"]) for each in forms]),
        points([each["score"] for each in forms], sign=""),
        "" if form == "integers" else against("integers"),
        "" if form == "floats" else against("floats"),
    )


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="for what was measured")
    parser.add_argument("--students", nargs="+", default=["depthwise"], choices=list(STUDENTS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--hw", default="snapdragon-8-gen-3:tflite-npu-int8")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--examples", type=int, default=10_000)
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    whole, profile = whole_task(), load_profile(asked.hw)
    train = whole.train.take(np.arange(min(asked.examples, len(whole.train))))
    task = dataclasses.replace(whole, train=train, sha256=digest([whole.sha256, len(train)]))
    rows: list[tuple[object, ...]] = []
    sums: list[tuple[object, ...]] = []
    for name in asked.students:
        runs = []
        for seed in asked.seeds:
            of = recipe(name, seed, asked.epochs)
            path = asked.folder / f"{digest([task.sha256, of.document(), profile.digest()])}.json"
            if not path.is_file():
                write_text(path, json.dumps(measured(of, task, profile)))
            runs.append(json.loads(path.read_text(encoding="utf-8")))
        rows += [row(name, form, runs, task) for form in runs[0]["forms"]]
        ratios = [together / alone for run in runs for alone, together in run["sums"]]
        ranks = [float(spearmanr(*zip(*run["sums"], strict=True)).statistic) for run in runs]
        quantiles = ", ".join(f"{each:.2f}" for each in np.quantile(ratios, [0.1, 0.9]))
        sums.append((name, f"{statistics.median(ratios):.2f} ({quantiles})", with_error(ranks)))
    heads = (
        "student",
        "form",
        "ms",
        "layers in floats",
        "test accuracy, %",
        "minus integers, points",
        "minus floats, points",
    )
    print(table(heads, rows), end="\n\n")
    print(table(("student", "together / sum: median (10 %, 90 %)", "Spearman"), sums))


if __name__ == "__main__":
    main()
