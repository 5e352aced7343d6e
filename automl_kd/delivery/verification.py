"""A delivered folder beside what its manifest says: hashes, files that open, parity and score."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from torch import Generator, Tensor

from automl_kd.compression import applied, computes_as_module
from automl_kd.core import Output, UserError, counted, first_line, sha256_of, whole
from automl_kd.delivery.folder import FLOAT, LABELS, MANIFEST, ONNX, RECIPE, WEIGHTS
from automl_kd.delivery.manifest import Manifest
from automl_kd.delivery.measure import Collected
from automl_kd.delivery.run_script import labels_text
from automl_kd.onnxio import Session
from automl_kd.recipes import Recipe, load_recipe
from automl_kd.results import Check, Outcome
from automl_kd.students import StudentModule, build, load_weights
from automl_kd.tasks import Task

_BATCH, _MADE_UP = 256, 64
_TOLERANCE = 1e-4
_INTEGERS = 1.5
"""How much farther integers may be from floats on another processor than on the one that they were written on."""
_SHARE, _RELATIVE = 1e-3, 2e-3
"""How far a score may be off: a share, beside one example; and any other score."""


@dataclass(frozen=True)
class DeliveredFolder:
    """A folder, and what its manifest says.

    Attributes:
        path: The folder.
        manifest: Its manifest.
    """

    path: Path
    manifest: Manifest

    @classmethod
    def opened(cls, path: Path) -> DeliveredFolder:
        """Read the manifest of a folder.

        Raises:
            UserError: If there is none, or it is no manifest of a delivery.
        """
        return cls(path, Manifest.read(path))

    @property
    def onnx_files(self) -> list[Path]:
        """Its ONNX files, the one that ships first."""
        others = sorted(name for name in self.manifest.files if name.endswith(".onnx") and name != ONNX)
        return [self.path / name for name in (ONNX, *others)]

    def unchanged(self, name: str) -> bool:
        """Whether a file is there and has the hash that the manifest says."""
        path = self.path / name
        return path.is_file() and sha256_of(path) == self.manifest.files.get(name)

    def recipe(self) -> Recipe:
        """The recipe.

        Raises:
            UserError: If it is missing or has a mistake.
        """
        return load_recipe(self.path / RECIPE)


def check_folder(folder: DeliveredFolder) -> Iterator[Check]:
    """Hashes, files that open, labels and recipe: what needs neither data nor PyTorch."""
    yield _tried("files", lambda: _files(folder))
    yield _tried("onnx", lambda: _opens(folder))
    if LABELS in folder.manifest.files:
        yield _tried("labels", lambda: _labels(folder))
    yield _recipe(folder)


def check_student(
    folder: DeliveredFolder, task: Task | None, unreachable: str, *, allow_code: bool = False
) -> Iterator[Check]:
    """Parity of the ONNX files with weights and recipe, and the test score again.

    Args:
        folder: The folder.
        task: What the student was made for, where its data are at hand.
        unreachable: Why they are not, where they are not.
        allow_code: Whether a model space of the user's own may be loaded, which runs its file.
    """
    why = "the student cannot be built here" if task is not None else f"the data are not at hand: {unreachable}"
    unscored = Check(name="score", outcome="not checked", told=why)
    try:
        recipe = folder.recipe()
        shown = None if task is None else task.at(recipe.student)
        signature = folder.manifest.signature() if shown is None else shown.signature
        if signature is None:
            raise UserError(f"only the task says what goes in: {unreachable}")
        student = build(recipe.student, signature, allow_code=allow_code)
    except UserError as error:
        yield Check(name="parity", outcome="not checked", told=str(error))
        yield unscored
        return
    if shown is None:
        inputs = [signature.input.noise(_MADE_UP, Generator().manual_seed(0))]
        yield _tried(
            "parity", lambda: _Parity(folder, recipe, student).told(inputs, signature.output, "made-up examples")
        )
        yield unscored
        return
    prepared = map(shown.modality.prepare, shown.test.batches(_BATCH))
    parity = _Parity(folder, recipe, student)
    yield _tried("parity", lambda: parity.told(prepared, signature.output, f"test {shown.modality.noun}s"))
    yield _score(folder.manifest, shown, parity.written)


def _tried(name: str, check: Callable[[], tuple[bool, str]]) -> Check:
    """What a check says; what it cannot read differs."""
    try:
        right, told = check()
    except UserError as error:
        right, told = False, str(error)
    return Check(name=name, outcome="ok" if right else "differs", told=told)


def _files(folder: DeliveredFolder) -> tuple[bool, str]:
    hashes, faults = folder.manifest.files, []
    for name in sorted({*hashes, ONNX, WEIGHTS, RECIPE}):
        path = folder.path / name
        if not path.is_file():
            faults.append(f"{name} is missing")
        elif name not in hashes:
            faults.append(f"{name} has no hash in {MANIFEST}")
        elif not folder.unchanged(name):
            faults.append(f"{name} has another SHA-256")
    if faults:
        return False, ", ".join(faults)
    beside = sorted({each.name for each in folder.path.iterdir()} - {*hashes, MANIFEST})
    more = f"; beside them, and none of the delivery: {', '.join(beside)}" if beside else ""
    return True, f"{counted(len(hashes), 'file')} with the hashes of {MANIFEST}{more}"


def _opens(folder: DeliveredFolder) -> tuple[bool, str]:
    manifest = folder.manifest
    session, *others = map(Session, folder.onnx_files)
    if manifest.onnx.opset not in (None, session.opset):
        return False, f"{ONNX} has opset {session.opset}, {MANIFEST} says {manifest.onnx.opset}"
    width = session.output_shape[-1] if session.output_shape else None
    if width not in (None, len(manifest.outputs)):
        return False, f"{ONNX} gives {width} numbers, {MANIFEST} names {len(manifest.outputs)}"
    takes = ", ".join("any" if size is None else str(size) for size in session.input_shape)
    opened = " and ".join(each.path.name for each in (session, *others)) + (" open" if others else " opens")
    return True, f"{opened}: opset {session.opset}, (batch, {takes}) to {session.returned} (batch, {width})"


def _labels(folder: DeliveredFolder) -> tuple[bool, str]:
    names = folder.manifest.outputs
    try:
        text = (folder.path / LABELS).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        return False, f"{LABELS} cannot be read: {getattr(error, 'strerror', None) or error}"
    if text == labels_text(names):
        return True, f"{counted(len(names), 'name')}, in the order of the outputs"
    pairs = enumerate(zip_longest(text.split("\n"), labels_text(names).split("\n")), start=1)
    line, pair = next((line, pair) for line, pair in pairs if pair[0] != pair[1])
    found, said = (repr(each) if each else "nothing" for each in pair)
    return False, f"line {line} of {LABELS} is {found}, {MANIFEST} says {said}"


def _recipe(folder: DeliveredFolder) -> Check:
    try:
        digest, said = folder.recipe().digest(), folder.manifest.recipe.digest
    except UserError as error:
        # One that is as it was delivered names what this machine lacks, such as a part of a package that is not here.
        outcome: Outcome = "not checked" if folder.unchanged(RECIPE) else "differs"
        return Check(name="recipe", outcome=outcome, told=str(error))
    if digest != said:
        told = f"{RECIPE} has the digest {digest[:12]}, {MANIFEST} says {str(said)[:12]}"
        return Check(name="recipe", outcome="differs", told=told)
    return Check(name="recipe", outcome="ok", told=f"{RECIPE} reads, its digest is {digest[:12]}")


@dataclass
class _Parity:
    """How far a student's ONNX files are from what PyTorch computes by weights and recipe.

    Attributes:
        folder: Where the files lie.
        recipe: Of the student.
        student: As the recipe describes it, with any weights.
        written: What ``student.onnx`` has answered, batch by batch.
    """

    folder: DeliveredFolder
    recipe: Recipe
    student: StudentModule
    written: list[NDArray[Any]] = field(default_factory=list)

    def told(self, batches: Iterable[Tensor], gives: Output, examples: str) -> tuple[bool, str]:
        """Whether they are near enough, and how far they are.

        Args:
            batches: Inputs.
            gives: The output.
            examples: What the inputs are.
        """
        compress = self.recipe.compress
        sessions = {name: Session(self.folder.path / name, self.recipe.threads) for name in self._names()}
        trained = self._trained()
        integers = not computes_as_module(compress)
        modules = {ONNX: trained if integers else applied(compress, trained), FLOAT: trained}
        off, reach, count = dict.fromkeys(sessions, 0.0), 0.0, 0
        for inputs in batches:
            for name, session in sessions.items():
                answers = session.run(inputs.numpy())
                with torch.inference_mode():
                    expected: NDArray[Any] = modules[name](inputs).numpy()
                if answers.shape != expected.shape:
                    self.written.clear()
                    return False, f"{name} answers {answers.shape}, the student of {RECIPE} {expected.shape}"
                off[name] = max(off[name], float(np.abs(answers - expected).max()))
                reach = max(reach, float(np.abs(expected).max()))
                if name == ONNX:
                    self.written.append(answers)
            count += len(inputs)
        limits = dict.fromkeys(sessions, _TOLERANCE * max(min(gives.std, default=1.0), reach))
        if integers:
            said = self.folder.manifest.onnx.max_difference
            limits[ONNX] = math.inf if said is None else _INTEGERS * said
        far = [name for name in sessions if not off[name] <= limits[name]]
        differs = ", ".join(f"{name} by at most {off[name]:.2g}" for name in sessions)
        allowed = f"; allowed are {limits[far[0]]:.2g}" if far else ""
        return not far, f"off PyTorch on {whole(count)} {examples}: {differs}{allowed}"

    def _trained(self) -> StudentModule:
        try:
            return load_weights(self.student, self.folder.path / WEIGHTS).eval()
        except (OSError, RuntimeError, SafetensorError) as error:
            raise UserError(f"{WEIGHTS} holds no weights of the student of {RECIPE}: {first_line(error)}") from None

    def _names(self) -> tuple[str, ...]:
        return (ONNX, FLOAT) if FLOAT in self.folder.manifest.files else (ONNX,)


def _score(manifest: Manifest, task: Task, written: list[NDArray[Any]]) -> Check:
    """The score of ``student.onnx`` on the test split beside that of the manifest."""
    labels, collected = task.test.labels, Collected(task.metrics)
    if sum(map(len, written)) < len(labels):
        return Check(name="score", outcome="not checked", told=f"{ONNX} was not run")
    for answers in written:
        collected.add(answers, labels[: len(answers)])
        labels = labels[len(answers) :]
    said, metric = manifest.reached, next((each for each in task.metrics if each.name == manifest.metric), None)
    if metric is None or said is None:
        return Check(name="score", outcome="not checked", told=f"{MANIFEST} tells none that the task has")
    objective, again = metric.objective, collected.values()[metric.name]
    allowed = _SHARE + 1 / len(task.test) if objective.unit == "%" else _RELATIVE * abs(said)
    shown = f"{objective.title} {objective.shown(again)} on {whole(len(task.test))} test {task.modality.noun}s"
    return Check(
        name="score",
        outcome="ok" if abs(again - said) <= allowed else "differs",
        told=f"{shown}, {MANIFEST} says {objective.shown(said)}",
    )
