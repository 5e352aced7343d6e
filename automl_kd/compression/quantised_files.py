"""The quantised files of one student that differ in which of its layers compute with floats."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
from numpy.typing import NDArray
from torch import Tensor

from automl_kd.compression.layers import nodes_of
from automl_kd.onnxio import NoRangeError, Scheme, check_finite, quantise
from automl_kd.students import Plan


class QuantisedFiles:
    """Writes a student with any of its blocks kept in floats; it is calibrated once.

    Args:
        model: The student as a graph without batch normalisation.
        plan: Its blocks.
        scheme: How it is quantised, apart from what is kept.
        examples: Training examples as the student takes them, in batches (N, …) on the CPU.
        folder: A place for what the files share.
    """

    def __init__(
        self,
        model: onnx.ModelProto,
        plan: Plan,
        scheme: Scheme,
        examples: Callable[[], Iterator[Tensor]],
        folder: Path,
    ) -> None:
        self._model = model
        self._plan = plan
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
        excluded = (*self._scheme.excluded, *nodes_of(self._model, self._plan, kept))
        scheme = replace(self._scheme, excluded=excluded)
        try:
            quantise(self._source, path, self._batches(), scheme, self._ranges)
        except NoRangeError:
            check_finite(self._model, self._batches())  # says where
            raise

    def _batches(self) -> Iterator[NDArray[Any]]:
        return (batch.numpy() for batch in self._examples())
