"""What the searched metric changes where classes are unequal: macro F1 against accuracy on Fashion-MNIST, 1 : 20.

    python -m benchmarks.imbalanced FOLDER [--budget 8m] [--seeds 0 1]

Writes images (at half their resolution), task and space into FOLDER and trains the teacher once. Then two searches a
seed, alike but for their metric, run side by side, so that what else the machine does is the same for both. Called
again it goes on.
"""

from __future__ import annotations

import argparse
import math
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import avg_pool2d

from automl_kd.distillation import find_teacher
from automl_kd.objectives import Objective, Point, hypervolume, paired_difference, pareto_front
from automl_kd.results import PickResult, StudySummary, TrialResult
from automl_kd.storage import Database
from automl_kd.students import build, load_weights
from automl_kd.studies.summary import summarize
from automl_kd.tasks import Metric, Split, Task, metric_named, open_task
from benchmarks.imbalance import HARD_LAST, drawn, shares, whole_task
from benchmarks.tables import table

METRICS = ("accuracy", "macro_f1")
HW = "jetson-nano"
_CLI = Path(__file__).resolve().parents[1] / "cli.py"
_RATIO = 20.0
_SIZES = {"train": 3_000, "validation": 3_000, "test": 3_400}
_TASK = """\
name: fashion-mnist-imbalanced
data: {kind: npz, path: images.npz}
teacher:
  train:
    student: {family: resnet, depth: 8}
    train: {epochs: 6, warmup: 0.1}
"""
_SPACE = """\
version: 1
description: Residual networks of 4 k to 110 k parameters for a search of minutes.
search_epochs: 6
student:
  family: resnet
  width: {choice: [0.25, 0.5, 0.75, 1.0]}
  stem: {kernel: 3, stride: 2}
  stages:
  - {depth: {choice: [1, 2]}, channels: 16}
  - {depth: {choice: [1, 2]}, channels: 32}
  - {depth: {choice: [1, 2]}, channels: 64}
distill:
  balance: gradient
  losses:
    task: {weight: {choice: [0.1, 0.5, 1.0]}}
    kd: {optional: {weight: {float: [0.1, 10.0], log: true}, temperature: {float: [1.0, 8.0], log: true}}}
    dist: {optional: {weight: {float: [0.1, 10.0], log: true}, temperature: {float: [1.0, 8.0], log: true}}}
train:
  epochs: 12
  batch_size: {choice: [128, 256]}
  optimizer: {name: sgd, lr: {float: [0.02, 0.4], log: true}}
  warmup: 0.1     # without augmentation, so that the teacher is asked once
"""


def prepare(folder: Path) -> Task:
    """Write images, task and space, and train the teacher; what is there is left as it is."""
    if not (folder / "images.npz").is_file():
        folder.mkdir(parents=True, exist_ok=True)
        whole = whole_task()
        of_classes = shares(HARD_LAST, _RATIO)
        chosen = drawn(whole.train.labels, _SIZES["train"], of_classes, seed=0)
        # Search-validation comes from the official training images that are left.
        left = whole.train.take(np.setdiff1d(np.arange(len(whole.train)), chosen))
        validation = left.take(drawn(left.labels, _SIZES["validation"], of_classes, seed=1))
        test = whole.test.take(drawn(whole.test.labels, _SIZES["test"], of_classes, seed=2))
        splits = {"": whole.train.take(chosen), "_val": validation, "_test": test}
        arrays = {f"x{suffix}": halved(split.inputs) for suffix, split in splits.items()}
        arrays |= {f"y{suffix}": split.labels.numpy() for suffix, split in splits.items()}
        (folder / "task.yaml").write_text(_TASK, encoding="utf-8")
        (folder / "space.yaml").write_text(_SPACE, encoding="utf-8")
        np.savez(folder / "images.npz", **arrays)
    task = open_task(str(folder / "task.yaml"))
    find_teacher(task, None, device="cpu")
    return task


def halved(images: Tensor) -> NDArray[np.uint8]:
    """Images (N, 1, H, W) at half their resolution, (N, H / 2, W / 2): a quarter of the work."""
    found: NDArray[np.uint8] = avg_pool2d(images.float(), 2).round().byte()[:, 0].numpy()
    return found


def balanced_test() -> Split:
    """The official test images, as many of each class, at half their resolution."""
    test = whole_task().test
    return Split(torch.from_numpy(halved(test.inputs))[:, None], test.labels)


def search(folder: Path, budget: str, seed: int) -> list[StudySummary]:
    """What the searches by each metric found, both run at the same time."""
    names = [f"{metric}-{seed}" for metric in METRICS]
    running = []
    for metric, name in zip(METRICS, names, strict=True):
        command = [sys.executable, str(_CLI), "search", "--task", str(folder / "task.yaml"), "--hw", HW]
        command += ["--space", str(folder / "space.yaml"), "--budget", budget, "--seed", str(seed)]
        command += ["--metric", metric, "--study", name, "--storage", str(folder / f"{name}.db")]
        command += ["--executor", "inline", "--device", "cpu"]
        with (folder / f"{name}.log").open("a", encoding="utf-8") as log:
            running.append(subprocess.Popen(command, stdout=log, stderr=log))
    for name, process in zip(names, running, strict=True):
        if process.wait():
            raise SystemExit(f"search {name} ended with {process.returncode}; see {folder / name}.log")
    return [summarize(Database(str(folder / f"{name}.db")), name) for name in names]


def share_of_volume(trials: Sequence[TrialResult], metric: str, fastest: float, slowest: float) -> float:
    """The best value of a metric among students of at most a latency, averaged over the logarithm of the latency.

    It is the hypervolume below the slowest latency by the width of the range; before the first student it is 0.
    """
    objectives = [Objective(metric, "maximize", "%"), Objective("log_latency", "minimize", "")]
    points = [Point(each.trial, (each.metrics[metric], math.log(each.latency_ms))) for each in trials]
    return hypervolume(points, objectives, (0.0, math.log(slowest))) / math.log(slowest / fastest)


def front_by(trials: Sequence[TrialResult], metric: str) -> list[TrialResult]:
    """The front that a metric draws through the trials of a search, whichever metric that search was by."""
    objectives = [Objective(metric, "maximize", "%"), Objective("latency_ms", "minimize", "ms", known=True)]
    by_number = {each.trial: each for each in trials}
    points = [Point(each.trial, (each.metrics[metric], each.latency_ms)) for each in trials]
    return [by_number[point.trial] for point in pareto_front(points, objectives)]


def fronts(summaries: Sequence[StudySummary]) -> str:
    """A table of fronts, each read by both metrics over the same range of latencies."""
    latencies = [each.latency_ms for summary in summaries for each in summary.complete]
    fastest, slowest = min(latencies), 1.01 * max(latencies)
    rows = []
    for summary in summaries:
        counts = summary.trials
        row = [f"{summary.seed}", summary.metric, f"{counts.complete} + {counts.pruned}", f"{len(summary.front)}"]
        for metric in METRICS:
            volume = share_of_volume(summary.front, metric, fastest, slowest)
            best = max(each.metrics[metric] for each in summary.front)
            row += [f"{100 * volume:.1f}", f"{100 * best:.1f}"]
        row.append(f"{100 * share_of_volume(summary.complete, 'macro_f1', fastest, slowest):.1f}")
        rows.append(row)
    header = ["seed", "searched", "trials whole + pruned", "front"]
    header += [f"{metric} {what}, %" for metric in METRICS for what in ("volume", "best")]
    return table([*header, "macro_f1 volume of all its trials, %"], rows)


def points(summaries: Sequence[StudySummary]) -> str:
    """A table of the points of all fronts, on search-validation."""
    rows = []
    for summary in summaries:
        of_both = {each.trial for each in front_by(summary.complete, METRICS[1])}
        for each in summary.front:
            shown = (f"{100 * each.metrics[metric]:.1f}" for metric in METRICS)
            also = "yes" if each.trial in of_both else "no"
            rows.append((summary.seed, summary.metric, f"{each.latency_ms:.3f}", each.params, *shown, also))
    header = ("seed", "searched", "ms", "parameters", *(f"{metric}, %" for metric in METRICS))
    return table((*header, "on its trials' front by macro_f1"), rows)


def answers(pick: PickResult, task: Task, split: Split, metrics: Sequence[Metric]) -> list[NDArray[np.float64]]:
    """What each metric keeps of the answers of a delivered student, (N, K)."""
    student = build(pick.recipe.student, task.signature)
    load_weights(student, Path(pick.path) / "student.safetensors")
    with torch.inference_mode():
        logits = torch.cat([student(task.modality.prepare(images)) for images in torch.split(split.inputs, 1024)])
    return [metric.statistics(logits, split.labels) for metric in metrics]


def picks(summaries: Sequence[StudySummary], task: Task) -> str:
    """A table of the delivered students on the imbalanced test split and on the whole, balanced one."""
    splits = (task.test, balanced_test())
    metrics = [metric_named(name, "multiclass", task.signature.output.width) for name in METRICS]
    rows = []
    for summary in summaries:
        for pick in summary.picks:
            found = [answers(pick, task, split, metrics) for split in splits]
            values = [
                f"{100 * metric.value(kept):.1f}"
                for of_split in found
                for metric, kept in zip(metrics, of_split, strict=True)
            ]
            rows.append((summary.seed, summary.metric, pick.role, pick.arm, f"{pick.latency_ms:.3f}", *values))
    header = ("seed", "searched", "pick", "arm", "ms")
    return table((*header, *(f"{metric} {of}, %" for of in ("1 : 20", "balanced") for metric in METRICS)), rows)


def differences(summaries: Sequence[StudySummary], task: Task) -> str:
    """A table of differences between the best picks of the two searches of a seed, with their intervals."""
    metrics = [metric_named(name, "multiclass", task.signature.output.width) for name in METRICS]
    rows = []
    for by_accuracy, by_f1 in zip(summaries[::2], summaries[1::2], strict=True):
        best = [max(each.picks, key=lambda pick: pick.latency_ms, default=None) for each in (by_accuracy, by_f1)]
        if best[0] is None or best[1] is None:
            continue
        for of, split in (("1 : 20", task.test), ("balanced", balanced_test())):
            theirs, ours = (answers(pick, task, split, metrics) for pick in best if pick is not None)
            for metric, mine, other in zip(metrics, ours, theirs, strict=True):
                found = paired_difference(metric, [mine], [other])
                shown = (f"{100 * value:+.1f}" for value in (found.difference, found.low, found.high))
                rows.append((by_f1.seed, of, metric.name, *shown))
    return table(("seed", "test", "metric", "searched by macro_f1 minus by accuracy, points", "from", "to"), rows)


def main() -> None:
    """Search where nothing is found yet, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="for images, task, space, studies and deliveries")
    parser.add_argument("--budget", default="8m", help="of each search")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    options = parser.parse_args()
    torch.set_num_threads(1)
    task = prepare(options.folder)
    summaries = [each for seed in options.seeds for each in search(options.folder, options.budget, seed)]
    for each in (fronts(summaries), points(summaries), picks(summaries, task), differences(summaries, task)):
        print(each, end="\n\n")


if __name__ == "__main__":
    main()
