"""Trials that differ in distillation only: this project, torchdistill and a textbook loop, in turns."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Self

import torch

from automl_kd.tasks import Task, open_task
from benchmarks.distillation.data import full_resolution_teacher, subset
from benchmarks.distillation.speed_trials import BATCH, Splits, Trial, trials
from benchmarks.tables import points, table

_ROOT = Path(__file__).resolve().parents[2]
_NAMES = {
    "ours": "automl-kd, cached teacher",
    "torchdistill": "torchdistill 1.1.5",
    "plain": "textbook loop, live teacher",
}


class Contender:
    """A contender's process, asked over its standard input."""

    def __init__(self, name: str, python: str, folder: Path, arguments: Sequence[object]) -> None:
        self._process = subprocess.Popen(
            [python, "-m", "benchmarks.distillation.contenders", name, str(folder), *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(folder / f"{name}.log").open("a"),
            text=True,
            cwd=_ROOT,
            env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(_ROOT)},
        )
        self._name, self._log = name, folder / f"{name}.log"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.communicate()

    def train(self, trial: Trial) -> dict[str, float]:
        """Seconds on the wall and of the processor, and test accuracy."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            print(json.dumps(asdict(trial)), file=self._process.stdin, flush=True)
            answer: dict[str, float] = json.loads(self._process.stdout.readline())
        except (BrokenPipeError, json.JSONDecodeError):
            self._process.wait()
            sys.exit(f"{self._name} ended:\n{self._log.read_text()[-2000:]}")
        return answer


@dataclass
class Results:
    """Times and test accuracies by contender, trial by trial in one order for all."""

    names: Sequence[str]
    answers: list[dict[str, dict[str, float]]] = field(default_factory=list)

    def of(self, name: str, what: str) -> list[float]:
        """What a contender answered, trial by trial."""
        return [answers[name][what] for answers in self.answers]

    def table(self, what: str) -> str:
        """The table of the README."""
        ours, rows = self.of("ours", "accuracy"), []
        for name in self.names:
            wall, processor = self.of(name, "wall"), self.of(name, "processor")
            row = [_NAMES[name], f"{sum(wall):.1f}", f"{sum(processor):.1f}", f"{statistics.median(processor):.2f}"]
            if name == "ours":
                row += ["", f"{100 * statistics.fmean(ours):.2f}", ""]
            else:
                theirs = self.of(name, "accuracy")
                times = f"{sum(wall) / sum(self.of('ours', 'wall')):.2f}"
                times += f" ({sum(processor) / sum(self.of('ours', 'processor')):.2f})"
                differences = [mine - other for mine, other in zip(ours, theirs, strict=True)]
                row += [times, f"{100 * statistics.fmean(theirs):.2f}", points(differences)]
            rows.append(row)
        seconds = ("seconds", "of the processor", "those of the median trial", "times ours (of the processor)")
        return table((what, *seconds, "test accuracy, %", "ours minus it, points"), rows)


def run(task: Task, count: int, epochs: int, peer_python: str | None, lanes: int, augment: bool) -> Results:
    """Every trial by every contender, one after the other, in an order that turns from trial to trial."""
    names = [name for name in _NAMES if name != "torchdistill" or peer_python is not None]
    results, waiting = Results(names), SimpleQueue[tuple[int, Trial]]()
    for numbered in enumerate(trials(count)):
        waiting.put(numbered)
    with tempfile.TemporaryDirectory() as temporary, ExitStack() as stack:
        folder = Path(temporary)
        _exchange(task, folder)
        arguments = (len(task.train), epochs, augment)
        processes = [
            {
                name: stack.enter_context(
                    Contender(name, sys.executable if name != "torchdistill" else peer_python or "", folder, arguments)
                )
                for name in names
            }
            for _ in range(lanes)
        ]

        def serve(contenders: dict[str, Contender]) -> None:
            while True:
                try:
                    number, trial = waiting.get_nowait()
                except Empty:
                    return
                turn = number % len(names)
                answers = {name: contenders[name].train(trial) for name in [*names[turn:], *names[:turn]]}
                results.answers.append(answers)
                said = ", ".join(f"{name} {answers[name]['wall']:.1f} s" for name in names)
                print(f"trial {number + 1} of {count}: {said}", flush=True)

        with ThreadPoolExecutor(lanes) as pool:
            list(pool.map(serve, processes))
    return results


def _exchange(task: Task, folder: Path) -> None:
    """What the contenders read: the images as floats, and the teacher's weights."""
    parts = {name: getattr(task, name) for name in ("train", "validation", "test")}
    splits = Splits(**{name: (task.modality.prepare(part.inputs), part.labels) for name, part in parts.items()})
    splits.save(folder / "splits.pt")
    shutil.copyfile(full_resolution_teacher(task), folder / "teacher.safetensors")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``speed``."""
    parser.add_argument("--peer-python", help="interpreter with torchdistill; without it that row is left out")
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--lanes", type=int, default=2, help="trials at a time, each on a core of its own")
    parser.add_argument("--augment", action="store_true", help="crop and flip: no output can be cached")


def main(options: argparse.Namespace) -> None:
    """Print the table."""
    torch.set_num_threads(options.lanes)
    task = subset(open_task("fashion-mnist"), options.images)
    began = time.monotonic()
    results = run(task, options.trials, options.epochs, options.peer_python, options.lanes, options.augment)
    views = "crop and flip" if options.augment else "no augmentation"
    print(
        results.table(
            f"{options.trials} trials of {options.epochs} epochs, {len(task.train):,} images, batch {BATCH}, {views}"
        )
    )
    print(f"\nAll in {(time.monotonic() - began) / 60:.1f} minutes.")
