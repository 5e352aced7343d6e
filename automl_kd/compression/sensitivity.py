"""What a trained student loses where one layer of it computes with integers and all others with floats."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from automl_kd.compression.divergence import divergence
from automl_kd.compression.form import FileForm
from automl_kd.compression.material import Material
from automl_kd.compression.stages.quantise import Quantise, files_of
from automl_kd.core import Output
from automl_kd.objectives import Difference, Resampled, paired_difference
from automl_kd.students import StudentModule

_DRAWS = 500


@dataclass(frozen=True, eq=False)
class Judged:
    """What a network answers on the examples that it is judged by.

    Attributes:
        outputs: (N, width).
        statistics: Of the metric, one row an example, (N, K).
    """

    outputs: Tensor
    statistics: NDArray[np.float64]


Judge = Callable[[nn.Module], Judged]


@dataclass(frozen=True)
class Loss:
    """What one form of a student loses to the student in floats, on the examples that it is judged by.

    Attributes:
        nats: Mean Kullback-Leibler divergence of its outputs.
        nats_error: Standard error of that mean.
        score: The metric's value minus that of the student in floats, with a 95 % interval over examples.
    """

    nats: float
    nats_error: float
    score: Difference


class Sensitivity:
    """Measures what a student loses in any choice of layers that compute with integers.

    The losses of layers are added up by their divergence, not by their scores. To second order in the changes of the
    outputs a divergence is a sum of squares, so that the rounding of different layers, which is hardly correlated, adds
    up; it is never negative, and it sees every example. A score on some hundred examples changes by a whole one or not
    at all, so that most layers tie at 0. The sum as a model of the whole is that of ZeroQ (Cai et al. 2020,
    arXiv:2001.00281, section 3.2). The scores are measured beside it, for people.

    Args:
        part: How the student is quantised; what it keeps in floats does not count.
        student: Trained, on the CPU, in evaluation mode; it is not touched.
        material: What it takes and answers, and examples for the calibration, which is done once.
        judge: What a form of the student answers.
        metric: What its score is.
        folder: A place for files.
        threads: Of onnxruntime.
    """

    def __init__(
        self,
        part: Quantise,
        student: StudentModule,
        material: Material,
        judge: Judge,
        metric: Resampled,
        folder: Path,
        threads: int = 1,
    ) -> None:
        self._files = files_of(part, student, material, folder)
        self._path = folder / "student.onnx"
        self._plan = student.plan
        self._output: Output = material.signature.output
        self._judge, self._metric, self._threads = judge, metric, threads
        self._floats = judge(student)

    def of_layers(self) -> tuple[Loss, ...]:
        """What each block of the plan loses alone: one evaluation a block."""
        every = range(len(self._plan.blocks))
        return tuple(self.of([at == block for at in every]) for block in every)

    def of(self, integers: Sequence[bool]) -> Loss:
        """What is lost together, measured.

        Args:
            integers: For each block of the plan whether it computes with integers.
        """
        kept = [at for at, integer in enumerate(integers) if not integer]
        self._files.write(kept, self._path)
        judged = self._judge(FileForm(self._path, self._plan, self._threads))
        nats = divergence(self._output, self._floats.outputs, judged.outputs)
        return Loss(
            nats=max(0.0, float(nats.mean())),
            nats_error=float(nats.std()) / math.sqrt(len(nats)),
            score=paired_difference(self._metric, [judged.statistics], [self._floats.statistics], draws=_DRAWS),
        )
