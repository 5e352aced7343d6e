"""The quantised files of one student that differ in which of its layers compute with floats."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from pathlib import Path

import onnx
from torch import Tensor

from automl_kd.compression.layers import node_prefix
from automl_kd.core import Signature
from automl_kd.onnxio import Scheme, fold, quantise
from automl_kd.students import StudentModule


class QuantisedFiles:
    """Writes a student with any of its blocks kept in floats; it is folded and calibrated once.

    Args:
        student: Trained; it is not touched.
        signature: What it takes and answers.
        scheme: How it is quantised, apart from what is kept.
        examples: Training examples as the student takes them, in batches (N, …) on the CPU.
        folder: A place for what the files share.

    Raises:
        UserError: If the student cannot be folded into a graph.
    """

    def __init__(
        self,
        student: StudentModule,
        signature: Signature,
        scheme: Scheme,
        examples: Callable[[], Iterator[Tensor]],
        folder: Path,
    ) -> None:
        model = fold(student, signature.input, signature.output.name).model
        self._nodes = [node.name for node in model.graph.node]
        self._blocks = student.plan.block_names
        self._scheme = scheme
        self._examples = examples
        self._source = folder / "folded.onnx"
        self._ranges = folder / "ranges.json"
        onnx.save(model, self._source)

    def write(self, kept: Collection[int], path: Path) -> None:
        """Write the file in which the blocks at these places compute with floats and all others with integers.

        Raises:
            UserError: If an activation is not finite on the examples.
        """
        prefixes = tuple(node_prefix(self._blocks[at]) for at in sorted(kept))
        excluded = tuple(name for name in self._nodes if prefixes and name.startswith(prefixes))
        batches = (batch.numpy() for batch in self._examples())
        quantise(self._source, path, batches, replace(self._scheme, excluded=excluded), self._ranges)
