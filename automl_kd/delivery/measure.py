"""What the student reaches on the test split, as trained and as deployed, and how far the two are apart."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from automl_kd.compression import FileForm
from automl_kd.core import UserError
from automl_kd.delivery.facts import Measured
from automl_kd.objectives import paired_difference
from automl_kd.onnxio import Session, to_half, to_int8
from automl_kd.results import Gain
from automl_kd.students import StudentModule
from automl_kd.tasks import Metric, Task

_BATCH = 256
_TOLERANCE = 1e-4
_CALIBRATION_EXAMPLES = 512


def measure(
    form: StudentModule | FileForm,
    trained: StudentModule,
    onnx: Path,
    exported: Path,
    task: Task,
    precision: str,
    threads: int,
) -> Measured:
    """Run the whole test split through what ships, through its ONNX file, and through it in the device's precision.

    Args:
        form: What ships, on the CPU, in evaluation mode.
        trained: The student before the stages of ``compress``; ``form`` itself where there are none.
        onnx: The ONNX file of what ships: in float32, or quantised.
        exported: The same with its weights in float32, from which the device's precision is made.
        task: Whose test split is read.
        precision: ``"fp32"``, ``"fp16"``, ``"int8"`` or ``"w8a16"``; the last two are quantised after training, on
            training examples. A quantised file is run as it is.
        threads: Of torch and of onnxruntime; equal counts give equal numbers.

    Raises:
        UserError: If the outputs of a file that is not quantised differ from torch's by more than 1e-4 (of values by
            1e-4 of the labels' smallest standard deviation; relative to the largest where that is larger), the
            precision cannot be computed here, or the weights do not fit into it.
    """
    quantised = isinstance(form, FileForm)
    with TemporaryDirectory() as scratch, _torch_threads(threads):
        exact = Session(onnx, threads)
        deployed = exact
        if precision != "fp32" and not quantised:
            deployed = Session(_converted(exported, precision, task, Path(scratch)), threads)
        ships, shipped, floats = (Collected(task.metrics) for _ in range(3))
        difference = largest = 0.0
        labels = task.test.labels
        for examples in task.test.batches(_BATCH):
            with torch.inference_mode():
                inputs = task.modality.prepare(examples)
                before: NDArray[Any] = trained(inputs).numpy()
                expected = before if quantised or form is trained else form(inputs).numpy()
            written = exact.run(inputs.numpy())
            in_precision = written if deployed is exact else deployed.run(inputs.numpy())
            ships.add(written if quantised else expected, labels[: len(examples)])
            shipped.add(in_precision, labels[: len(examples)])
            floats.add(before, labels[: len(examples)])
            labels = labels[len(examples) :]
            difference = max(difference, float(np.abs(written - expected).max()))
            largest = max(largest, float(np.abs(expected).max()))
    reach = max(min(task.signature.output.std, default=1.0), largest)
    if not quantised and not difference <= _TOLERANCE * reach:
        raise UserError(
            f"the exported student differs from torch by {difference:.2g} on the test {task.modality.noun}s of"
            f" {task.name} (allowed {_TOLERANCE * reach:.2g} where outputs reach {reach:.3g})"
        )
    return Measured(
        test_metrics=ships.values(),
        deployed_metrics=shipped.values(),
        float_metrics={} if form is trained else floats.values(),
        gain_over_float=None if form is trained else _gain(task.metric, ships, floats),
        onnx_max_difference=difference,
        opset=exact.opset,
        size=onnx.stat().st_size,
    )


class Collected:
    """The statistics of every metric, batch by batch."""

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self._metrics = metrics
        self._rows: list[list[NDArray[np.float64]]] = [[] for _ in metrics]

    def add(self, outputs: NDArray[Any], labels: Tensor) -> None:
        # Half precision is widened: metrics take float32 at least.
        answers = torch.from_numpy(outputs).float()
        for metric, rows in zip(self._metrics, self._rows, strict=True):
            rows.append(metric.statistics(answers, labels))

    def values(self) -> dict[str, float]:
        return {
            metric.name: metric.value(np.concatenate(rows))
            for metric, rows in zip(self._metrics, self._rows, strict=True)
        }

    def of_first(self) -> NDArray[np.float64]:
        return np.concatenate(self._rows[0])


def _gain(metric: Metric, ours: Collected, theirs: Collected) -> Gain | None:
    """Ours minus theirs; None where the test split does not define the metric."""
    found = paired_difference(metric, [ours.of_first()], [theirs.of_first()]).as_dict()
    return Gain(**found) if all(map(math.isfinite, found.values())) else None


def _converted(onnx: Path, precision: str, task: Task, scratch: Path) -> Path:
    if precision == "fp16":
        return to_half(onnx, scratch / onnx.name)
    bits: dict[str, Literal[8, 16]] = {"int8": 8, "w8a16": 16}
    if precision in bits:
        seen = torch.split(task.train.inputs[:_CALIBRATION_EXAMPLES], _BATCH)
        batches = (task.modality.prepare(examples).numpy() for examples in seen)
        return to_int8(onnx, scratch / onnx.name, batches, bits[precision])
    raise UserError(f"precision {precision!r} cannot be computed here; known: fp16, fp32, int8, w8a16")


@contextmanager
def _torch_threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
