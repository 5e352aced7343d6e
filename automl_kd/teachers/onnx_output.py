"""Which tensor of an ONNX file teaches: one of its outputs, or the logits before its last activation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from automl_kd.core import UserError, sha256_of, unknown
from automl_kd.onnxio import Ending, Session, ending, load_model
from automl_kd.recipes import digest
from automl_kd.students import Shape
from automl_kd.tasks import OnnxTeacher, OutputKind
from automl_kd.teachers.answers import Opened, Readout, stated_readout
from automl_kd.teachers.onnx import SessionTeacher, fed_to
from automl_kd.teachers.onnx_card import Layout

_PROBES = 3
_AGREE = 0.02  # of probabilities: half precision, or 8 bits

Array = NDArray[Any]


@dataclass(frozen=True)
class _Read:
    """A tensor that teaches, and what is said of it; None where its values have to say what it is."""

    session: Session
    readout: Readout | None


def open_onnx(spec: OnnxTeacher, session: Session, layout: Layout, shape: Shape, classes: int) -> Opened:
    """An ONNX file as a teacher.

    Args:
        spec: What the user says of it.
        session: The file.
        layout: Of its input.
        shape: Channels, height, width of the images that it is shown.
        classes: How many outputs it should have.

    Raises:
        UserError: If it does not take such images, or has none or several such outputs.
    """
    path = session.path
    if not layout.takes(shape):
        stated = _spelled((layout.channels, layout.height, layout.width))
        raise UserError(f"{path} takes images of shape {stated}; the task needs {_spelled(shape)}")
    probe, seen = _probed(session, layout, shape, classes)
    graph = {name: ending(load_model(path), name) for name in seen}
    name = _chosen(path, seen, graph, len(probe), classes, spec.output)
    read = _read(session, name, graph[name], seen[name], probe, spec.outputs)
    tensor = read.session.returned
    # What was always read keeps the hash of the file.
    sha256 = sha256_of(path)
    if tensor != session.outputs[0]:
        sha256 = digest({"file": sha256, "tensor": tensor})
    batch = 1 if len(probe) == 1 else session.batch
    teacher = SessionTeacher(read.session, layout, shape, classes, sha256, batch)
    return Opened(teacher, f"ONNX file {path}, output {name}", read.readout)


def _probed(session: Session, layout: Layout, shape: Shape, classes: int) -> tuple[Array, dict[str, Array]]:
    """Random images as the file takes them, and all that it returns for them.

    A file may declare batches of any size and hold a reshape for one image: then it is asked about one at a time.
    """
    source = torch.Generator().manual_seed(0)
    images = torch.randn(session.batch or _PROBES, *shape, generator=source)
    probe = fed_to(session, layout, images)
    try:
        seen = session.every_output(probe)
    except UserError:
        if session.batch is not None:
            raise
        seen = {}
    if session.batch is not None or any(_fits(values, len(probe), classes) for values in seen.values()):
        return probe, seen
    single = session.every_output(probe[:1])
    return (
        (probe[:1], single) if any(_fits(values, 1, classes) for values in single.values()) else (probe, seen or single)
    )


def _chosen(
    path: Path, seen: Mapping[str, Array], graph: Mapping[str, Ending], batch: int, classes: int, stated: str | None
) -> str:
    if stated is not None and stated not in seen:
        raise unknown(f"output of {path}", stated, seen)
    asked = seen if stated is None else {stated: seen[stated]}
    fitting = [name for name, values in asked.items() if _fits(values, batch, classes)]
    if not fitting:
        returned = "; ".join(f"{name} of shape {_spelled(values.shape[1:])}" for name, values in asked.items())
        if len(asked) == 1:
            returned = f"logits of shape {_spelled(next(iter(asked.values())).shape[1:])}"
        raise UserError(
            f"{path} returns {returned}; the task needs {_spelled((classes,))}; if the task's classes are among those"
            " of the file, name all of these in the order of its outputs with classes: [NAMES]"
        )
    if len({graph[name].tensor for name in fitting}) > 1:
        listed = ", ".join(fitting)
        raise UserError(
            f"{path} has {len(fitting)} outputs that could be the logits of {classes} classes ({listed}): say which"
            f" with output: NAME, as in {{onnx: {path}, output: {fitting[-1]}}}"
        )
    # Copies of one tensor, or what an activation takes and what it makes: the same answers.
    return next((name for name in fitting if graph[name].activation is None), fitting[0])


def _fits(values: Array, batch: int, classes: int) -> bool:
    """Whether these are (B, classes), beside axes of one."""
    one_axis = (
        values.ndim > 1 and classes in values.shape[1:] and values.size == batch * classes == len(values) * classes
    )
    return one_axis and np.issubdtype(values.dtype, np.floating)


def _read(session: Session, name: str, end: Ending, values: Array, probe: Array, stated: OutputKind | None) -> _Read:
    """The tensor that teaches: that before a last Softmax or Sigmoid, unless the user says otherwise."""
    chosen = session.returning(name)
    if end.activation in ("Softmax", "Sigmoid") and stated in (None, "probabilities"):
        before = session.returning(end.tensor)
        if _agrees(before.run(probe), values, end.activation):
            return _Read(before, _before(name, end.activation, stated))
    if end.activation == "LogSoftmax" and stated is None:
        return _Read(chosen, Readout(None, "log-probabilities (it ends in LogSoftmax), which are logits"))
    return _Read(chosen, None if stated is None else stated_readout(stated))


def _agrees(before: Array, after: Array, activation: str) -> bool:
    """Whether the activation of all numbers of an image is what the output is: it could be one of groups of them."""
    if before.size != after.size:
        return False
    logits = torch.from_numpy(before).float().reshape(len(before), -1)
    made = logits.softmax(dim=1) if activation == "Softmax" else logits.sigmoid()
    return bool(torch.allclose(made, torch.from_numpy(after).float().reshape(len(after), -1), rtol=0, atol=_AGREE))


def _before(name: str, activation: str, stated: OutputKind | None) -> Readout:
    words = f"probabilities: the logits before the {activation} at its end are taken"
    if stated is not None:
        return Readout(None, f"{words} (stated by outputs)")
    return Readout(
        None,
        words,
        (
            f"its output {name} holds probabilities, made by a {activation}: the logits before that are taken; to take"
            " the output as it is, say outputs: logits",
        ),
    )


def _spelled(shape: tuple[int | None, ...]) -> str:
    return "(" + ", ".join("any" if size is None else str(size) for size in shape) + ")"
