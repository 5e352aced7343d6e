"""The stages of a recipe one after the other: on a plan, on a student, on its file."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from functools import reduce
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from automl_kd.compression.form import FileForm
from automl_kd.compression.material import Material
from automl_kd.compression.stage import STAGES
from automl_kd.compression.training import QuantisedStudent
from automl_kd.core import UserError
from automl_kd.onnxio import export
from automl_kd.recipes import StagePart
from automl_kd.students import Plan, StudentModule

Stages = Sequence[StagePart]
"""``compress`` of a recipe."""


def priced(compress: Stages, plan: Plan) -> Plan:
    """The plan of what ships, from the plan of what is trained."""
    return reduce(lambda before, part: STAGES[part.stage].price(part, before), compress, plan)


def applied(compress: Stages, student: StudentModule) -> StudentModule:
    """The compressed student as a module, in evaluation mode; the student itself where there are no stages.

    A stage that writes the file changes only the plan here: :func:`shipped` is what computes as the file does.

    Raises:
        UserError: If a stage cannot be applied to these weights.
    """
    return reduce(lambda before, part: STAGES[part.stage].apply(part, before), compress, student)


def shipped(compress: Stages, student: StudentModule, material: Material, threads: int = 1) -> StudentModule | FileForm:
    """What ships, in evaluation mode, as something that can be scored: the module, or the file where that differs.

    Args:
        compress: The stages.
        student: A trained student, which is not touched.
        material: What it takes and answers, and examples.
        threads: Of onnxruntime, where the file is what is scored.

    Raises:
        UserError: If a stage cannot be applied to these weights.
    """
    if not _writes_file(compress):
        return applied(compress, student)
    with TemporaryDirectory() as scratch:
        path = Path(scratch) / "student.onnx"
        write(compress, student, material, path, opset=None)
        return form_of(compress, student, path, threads)


def form_of(compress: Stages, student: StudentModule, path: Path, threads: int = 1) -> StudentModule | FileForm:
    """What ships as :func:`shipped` gives it, where its file is there already.

    Args:
        compress: The stages.
        student: A trained student, which is not touched.
        path: What :func:`write` made of it.
        threads: Of onnxruntime, where the file is what is scored.

    Raises:
        UserError: If a stage cannot be applied to these weights.
    """
    if not _writes_file(compress):
        return applied(compress, student)
    return FileForm(path, priced(compress, student.plan), threads)


def write(compress: Stages, student: StudentModule, material: Material, path: Path, opset: int | None) -> None:
    """Write the ONNX file of what ships.

    Args:
        compress: The stages.
        student: A trained student on the CPU, which is not touched.
        material: What it takes and answers, and examples.
        path: Where to.
        opset: Of a file that is exported; a stage that writes the file itself says its own.

    Raises:
        UserError: If a stage cannot be applied to these weights, or the student not exported.
    """
    if _writes_file(compress):
        *before, last = compress
        made = STAGES[last.stage].write
        assert made is not None
        made(last, applied(before, student), material, path)
        return
    assert opset is not None
    with TemporaryDirectory() as scratch:
        # Under a name of its own first: an exported file appears only once it was checked, and is then rewritten.
        draft = export(applied(compress, student), Path(scratch) / path.name, material.signature, opset)
        for part in compress:
            store = STAGES[part.stage].store
            if store is not None:
                store(part, draft)
        shutil.copyfile(draft, path)


def order_fault(compress: Stages) -> str | None:
    """Why stages cannot follow each other, in one line; None where they can."""
    for part, behind in pairwise(compress):
        if STAGES[part.stage].write is not None:
            return f"compress: {part.stage} writes the file and must be the last stage: leave {behind.stage} out"
    return None


def trained_share(compress: Stages) -> float:
    """The share of a run, at its end, in which the student is trained in the form of its file; 0 for none."""
    training = STAGES[compress[-1].stage].training if compress else None
    return 0.0 if training is None else training.share(compress[-1])


def check_training(compress: Stages, student: StudentModule, material: Material, paths: Sequence[str]) -> None:
    """Refuse, before any training, a student of which there is no file, or that cannot be trained in its form.

    Args:
        compress: The stages; any, also none.
        student: With any weights.
        material: What it takes and answers, and examples.
        paths: Stages and paths of submodules whose outputs the losses read.

    Raises:
        UserError: In one line.
    """
    training = STAGES[compress[-1].stage].training if compress else None
    if training is None:
        return
    *before, last = compress
    if before and training.share(last):
        raise UserError(f"compress: {last.stage} is trained and must be the only stage: leave {before[0].stage} out")
    training.check(last, applied(before, student), material, paths)


def begin_training(
    compress: Stages,
    student: StudentModule,
    material: Material,
    paths: Sequence[str],
    state: Mapping[str, Any] | None = None,
) -> QuantisedStudent:
    """The student in the form of its file, to be trained from now on.

    Args:
        compress: Stages of which :func:`trained_share` is above 0.
        student: Its weights are those that are trained.
        material: What it takes and answers, and examples.
        paths: Stages and paths of submodules whose outputs the losses read.
        state: What ``state_dict`` of the form gave, where a run goes on.
    """
    training = STAGES[compress[-1].stage].training
    assert training is not None
    return training.begin(compress[-1], student, material, paths, state)


def computes_as_module(compress: Stages) -> bool:
    """Whether the file computes what the compressed module does."""
    return not _writes_file(compress)


def described(compress: Stages) -> str:
    """The stages for people: ``fp16 (weights in half precision)``; nothing where there are none."""
    return ", then ".join(f"{part.stage} ({STAGES[part.stage].words(part)})" for part in compress)


def _writes_file(compress: Stages) -> bool:
    return bool(compress) and STAGES[compress[-1].stage].write is not None
