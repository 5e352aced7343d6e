"""The file that a device loads: made here where the converter is installed, else by commands that are told."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl_kd.core import UserError, first_line
from automl_kd.hardware import DeviceFile
from automl_kd.onnxio import TFLITE, Session, TFLiteSession, litert, load_model, to_tflite
from automl_kd.tasks import Task

_BATCH, _BATCHES = 64, 8
"""Of the test split, on which files are compared."""
_OFF = 0.05
"""Of the range of an answer: the mean difference of two files that round alike is a step of 255 or less."""


@dataclass(frozen=True)
class Converted:
    """A file that was made here, and how far it computes what ``student.onnx`` does.

    Attributes:
        name: Of the file.
        size: In bytes.
        examples: Of the test split, on which the two were compared.
        equal: Share of them with equal answers; None where answers are no classes.
        difference: Largest absolute difference between two outputs.
    """

    name: str
    size: int
    examples: int
    equal: float | None
    difference: float


@dataclass(frozen=True)
class OnDevice:
    """What a device loads.

    Attributes:
        loads: The file as the profile tells it.
        commands: What is left to be run in the folder of the delivery; none where that would fail as it did here.
        converted: What was made here; None where nothing was.
        missing: Why what could be made here was not; empty where it was, or where nothing could.
    """

    loads: DeviceFile
    commands: tuple[str, ...]
    converted: Converted | None = None
    missing: str = ""

    def document(self) -> dict[str, Any]:
        """As the manifest has it."""
        made = self.converted
        told = None if made is None else {name: value for name, value in vars(made).items() if value is not None}
        return {
            "name": self.loads.name,
            "commands": list(self.commands),
            "source": self.loads.source,
            **({"note": self.loads.note} if self.loads.note else {}),
            **({"converted": told} if told else {}),
            **({"not_converted": self.missing} if self.missing else {}),
        }


def on_device(loads: DeviceFile, student: Path, floats: str, task: Task) -> OnDevice:
    """Make what can be made here of the device's file, beside the student's; what cannot be is told.

    Args:
        loads: What the device loads.
        student: The ONNX file that ships.
        floats: Name of the ONNX file that computes with floats.
        task: Whose test split the files are compared on.
    """
    takes, integers = task.signature.input, of_integers(student)
    commands = loads.made_by(floats, takes.name, takes.shape, integers, takes.ids is not None)
    if loads.begins != "tflite":
        return OnDevice(loads, commands)
    if not integers:
        return OnDevice(loads, (), missing=f"{student.name} computes with floats")
    try:
        litert()
    except UserError as error:
        return OnDevice(loads, commands, missing=str(error))
    path = student.with_name(TFLITE)
    try:
        made = _compared(to_tflite(student, path), student, task)
    except Exception as error:  # a converter must not cost the delivery
        path.unlink(missing_ok=True)
        return OnDevice(loads, (), missing=first_line(error))
    return OnDevice(loads, commands[1:], made)


def of_integers(student: Path) -> bool:
    """Whether values of a network are rounded to integers, not weights alone."""
    return any(node.op_type == "QuantizeLinear" for node in load_model(student).graph.node)


def _compared(made: Path, student: Path, task: Task) -> Converted:
    ours, theirs = Session(student), TFLiteSession(made)
    answers: list[tuple[NDArray[Any], NDArray[Any]]] = []
    for examples in islice(task.test.batches(_BATCH), _BATCHES):
        inputs = task.modality.prepare(examples).numpy()
        answers.append((ours.run(inputs), theirs.run(inputs)))
    first, second = (np.concatenate(each) for each in zip(*answers, strict=True))
    # Logits share their steps; values have a unit each.
    reach = np.ptp(first, 0 if task.signature.output.meaning == "real" else None)
    off = float((np.abs(first - second).mean(0) / np.maximum(reach, np.finfo(np.float32).tiny)).max())
    if not off <= _OFF:
        raise UserError(f"{made.name} answers otherwise than {student.name}, by {off:.0%} of the range of its answers")
    classes = task.signature.output.meaning == "categorical"
    return Converted(
        name=made.name,
        size=made.stat().st_size,
        examples=len(first),
        equal=float((first.argmax(1) == second.argmax(1)).mean()) if classes else None,
        difference=float(np.abs(first - second).max()),
    )
