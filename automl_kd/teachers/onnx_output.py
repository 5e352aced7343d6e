"""Which tensor of an ONNX file teaches: one of its outputs, or the logits before its last activation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from automl_kd.core import Meaning, Output, Signature, UserError, sha256_of, unknown
from automl_kd.onnxio import Ending, Session, ending, load_model
from automl_kd.recipes import digest
from automl_kd.tasks import OutputKind
from automl_kd.teachers.answers import Opened, Readout, stated_readout
from automl_kd.teachers.onnx import SessionTeacher, fed_to
from automl_kd.teachers.onnx_card import Layout

_PROBES = 3
_AGREE = 0.02  # of probabilities: half precision, or 8 bits
# The activations at an end whose inputs are the logits. Both tell classes apart; of labels each is alone.
_UNDONE: Mapping[Meaning, tuple[str, ...]] = MappingProxyType(
    {"categorical": ("Softmax", "Sigmoid"), "bernoulli": ("Sigmoid",), "real": ()}
)

Array = NDArray[Any]


@dataclass(frozen=True)
class _Read:
    """A tensor that teaches, and what is said of it; None where its values have to say what it is."""

    session: Session
    readout: Readout | None


def open_onnx(
    session: Session, layout: Layout, signature: Signature, *, output: str | None, stated: OutputKind | None
) -> Opened:
    """An ONNX file as a teacher.

    Args:
        session: The file.
        layout: Of its input.
        signature: What it is shown, and how many outputs it should have.
        output: Which of its outputs the user means.
        stated: What the user says that its outputs are.

    Raises:
        UserError: If it does not take such inputs, or has none or several such outputs.
    """
    path, shape = session.path, signature.input.shape
    if not layout.takes(shape):
        raise UserError(f"{path} takes inputs of shape {_spelled(layout.sizes)}; the task needs {_spelled(shape)}")
    probe, seen = _probed(session, layout, signature)
    graph = {name: ending(load_model(path), name) for name in seen}
    name = _chosen(path, seen, graph, len(probe), signature.output, output)
    read = _read(session, name, graph[name], seen[name], probe, signature.output.meaning, stated)
    tensor = read.session.returned
    # What was always read keeps the hash of the file.
    sha256 = sha256_of(path)
    if tensor != session.outputs[0]:
        sha256 = digest({"file": sha256, "tensor": tensor})
    batch = 1 if len(probe) == 1 else session.batch
    teacher = SessionTeacher(read.session, layout, signature, sha256, batch)
    return Opened(teacher, f"ONNX file {path}, output {name}", read.readout)


def _probed(session: Session, layout: Layout, signature: Signature) -> tuple[Array, dict[str, Array]]:
    """Random examples as the file takes them, and all that it returns for them.

    A file may declare batches of any size and hold a reshape for one example: then it is asked about one at a time.
    """
    width = signature.output.width
    noise = signature.input.noise(session.batch or _PROBES, torch.Generator().manual_seed(0))
    probe = fed_to(session, layout, noise)
    try:
        seen = session.every_output(probe)
    except UserError:
        if session.batch is not None:
            raise
        seen = {}
    if session.batch is not None or any(_fits(values, len(probe), width) for values in seen.values()):
        return probe, seen
    single = session.every_output(probe[:1])
    return (
        (probe[:1], single) if any(_fits(values, 1, width) for values in single.values()) else (probe, seen or single)
    )


def _chosen(
    path: Path, seen: Mapping[str, Array], graph: Mapping[str, Ending], batch: int, output: Output, stated: str | None
) -> str:
    width = output.width
    if stated is not None and stated not in seen:
        raise unknown(f"output of {path}", stated, seen)
    asked = seen if stated is None else {stated: seen[stated]}
    fitting = [name for name, values in asked.items() if _fits(values, batch, width)]
    if not fitting:
        returned = "; ".join(f"{name} of shape {_spelled(values.shape[1:])}" for name, values in asked.items())
        if len(asked) == 1:
            returned = f"{output.name} of shape {_spelled(next(iter(asked.values())).shape[1:])}"
        named = (
            "; if the task's names are among those of the file, name all of these in the order of its outputs with"
            " classes: [NAMES]"
        )
        raise UserError(
            f"{path} returns {returned}; the task needs {_spelled((width,))}{'' if output.meaning == 'real' else named}"
        )
    if len({graph[name].tensor for name in fitting}) > 1:
        listed = ", ".join(fitting)
        raise UserError(
            f"{path} has {len(fitting)} outputs that could be the {width} numbers of the task ({listed}): say which"
            f" with output: NAME, as in {{onnx: {path}, output: {fitting[-1]}}}"
        )
    # Copies of one tensor, or what an activation takes and what it makes: the same answers.
    return next((name for name in fitting if graph[name].activation is None), fitting[0])


def _fits(values: Array, batch: int, width: int) -> bool:
    """Whether these are (B, width), beside axes of one."""
    one_axis = values.ndim > 1 and width in values.shape[1:] and values.size == batch * width == len(values) * width
    return one_axis and np.issubdtype(values.dtype, np.floating)


def _read(
    session: Session,
    name: str,
    end: Ending,
    values: Array,
    probe: Array,
    meaning: Meaning,
    stated: OutputKind | None,
) -> _Read:
    """The tensor that teaches: that before a last Softmax or Sigmoid of logits, unless the user says otherwise."""
    chosen = session.returning(name)
    if end.activation in _UNDONE[meaning] and stated in (None, "probabilities"):
        before = session.returning(end.tensor)
        if _agrees(before.run(probe), values, end.activation):
            return _Read(before, _before(name, end.activation, stated))
    if end.activation == "LogSoftmax" and stated is None and meaning == "categorical":
        return _Read(chosen, Readout(None, "log-probabilities (it ends in LogSoftmax), which are logits"))
    return _Read(chosen, None if stated is None else stated_readout(stated, meaning))


def _agrees(before: Array, after: Array, activation: str | None) -> bool:
    """Whether the activation of all numbers of an example is what the output is: it could be one of groups of them."""
    if before.size != after.size:
        return False
    logits = torch.from_numpy(before).float().reshape(len(before), -1)
    made = logits.softmax(dim=1) if activation == "Softmax" else logits.sigmoid()
    return bool(torch.allclose(made, torch.from_numpy(after).float().reshape(len(after), -1), rtol=0, atol=_AGREE))


def _before(name: str, activation: str | None, stated: OutputKind | None) -> Readout:
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
