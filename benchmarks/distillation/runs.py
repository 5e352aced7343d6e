"""Many short trainings in worker processes, each kept as a line of a file as soon as it is done."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

from automl_kd.core import Interrupted, UserError
from automl_kd.distillation import Diverged, distill, evaluate, find_teacher
from automl_kd.recipes import Recipe, digest
from automl_kd.tasks import Task, open_task
from automl_kd.teachers import Teacher
from benchmarks.distillation.data import subset


@dataclass(frozen=True)
class Run:
    """One training.

    Attributes:
        document: Its recipe.
        test: Whether the test split is read, too.
    """

    document: Mapping[str, Any]
    test: bool = False


@dataclass(frozen=True)
class Result:
    """What a training came to: accuracies in [0, 1], 0 where it ended early for the reason ``failed``."""

    validation: float
    test: float | None
    seconds: float
    failed: str | None


class Runs:
    """Trainings on so many images under the teacher of the task, which has seen all of its 10,000.

    Args:
        images: Training images that the students get.
        path: The file of results, read at the start and added to; what it holds is not run again.
        workers: Processes, one torch thread each.
    """

    def __init__(self, images: int, path: Path, workers: int) -> None:
        torch.set_num_threads(1)
        self._images, self._path, self._workers = images, path, workers
        self.task, self.teacher = _classroom(images)
        self._results: dict[str, Result] = {}
        for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
            # What was cut short while it was written is not there.
            with suppress(json.JSONDecodeError):
                kept = json.loads(line)
                key = kept.pop("key")
                self._results[key] = Result(**kept)

    def reason_against(self, document: Mapping[str, Any]) -> str | None:
        """Why a recipe cannot be run with this teacher, or None."""
        try:
            distill(Recipe.model_validate(document), self.task, self.teacher, device="cpu", should_stop=lambda: True)
        except (UserError, ValueError) as error:
            return " ".join(str(error).split())
        except Interrupted:
            return None
        raise AssertionError("a training that is stopped before its first step went on")

    def of(self, run: Run) -> Result:
        """The result of a run that was done."""
        return self._results[self._key(run)]

    def do(self, what: str, runs: Iterable[Run]) -> None:
        """Do what is not done yet, and say beforehand how long it takes."""
        waiting = {self._key(run): run for run in runs}
        total = len(waiting)
        waiting = {key: run for key, run in waiting.items() if key not in self._results}
        print(f"{what}: {total} trainings, {total - len(waiting)} of them kept in {self._path}", flush=True)
        if not waiting:
            return
        if self._results:
            pace = statistics.fmean(result.seconds for result in self._results.values()) / self._workers
            print(f"  about {pace * len(waiting) / 60:.1f} minutes at the pace of those kept", flush=True)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        began = time.monotonic()
        with self._path.open("a", encoding="utf-8") as file:
            pool = ProcessPoolExecutor(self._workers, get_context("spawn"))
            futures = {pool.submit(_train, run, self._images): key for key, run in waiting.items()}
            try:
                for number, future in enumerate(as_completed(futures), start=1):
                    key, result = futures[future], future.result()
                    self._results[key] = result
                    file.write("\n" + json.dumps({"key": key, **asdict(result)}))
                    file.flush()
                    if number == self._workers or number % 20 == 0:
                        left = (time.monotonic() - began) / number * (len(waiting) - number) / 60
                        print(f"  {number} of {len(waiting)} done, about {left:.1f} minutes left", flush=True)
            finally:
                pool.shutdown(cancel_futures=True)

    def _key(self, run: Run) -> str:
        # Not the task by name: other images or another teacher are other results.
        return digest([run.document, run.test, self.task.sha256, self.teacher.sha256])


def losses_of(documents: Mapping[str, Mapping[str, Any]], runs: Runs) -> list[str]:
    """The names whose recipe can be run here; of the others it is said why not."""
    possible = []
    for name, document in documents.items():
        reason = runs.reason_against(document)
        if reason is None:
            possible.append(name)
        else:
            print(f"left out, {name}: {reason}")
    return possible


@cache
def _classroom(images: int) -> tuple[Task, Teacher]:
    """Task and teacher, read once by every process."""
    task = open_task("fashion-mnist")
    return subset(task, images), find_teacher(task, None, device="cpu").teacher


def _train(run: Run, images: int) -> Result:
    torch.set_num_threads(1)
    began, (task, teacher) = time.monotonic(), _classroom(images)
    try:
        outcome = distill(Recipe.model_validate(run.document), task, teacher, device="cpu")
    except Diverged as error:
        return Result(0.0, 0.0 if run.test else None, time.monotonic() - began, error.reason)
    test = evaluate(outcome.student, task, task.test, "cpu").score if run.test else None
    return Result(outcome.score, test, time.monotonic() - began, None)


def best_by_validation(runs: Runs, candidates: Sequence[Run]) -> Run:
    """The first of the candidates with the highest accuracy on the search-validation split."""
    return max(candidates, key=lambda run: runs.of(run).validation)
