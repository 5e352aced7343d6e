"""Ranges of activations by the distribution of their values, found a few examples at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

_AT_ONCE = 16
"""Examples whose activations are held; histograms of all of them are kept."""


def find_ranges(
    source: str | Path, target: Path, takes: str, batches: Iterable[NDArray[Any]], method: Any, types: Collection[str]
) -> None:
    """Write the ranges of a network's activations as onnxruntime's quantisation reads them.

    It would hold all activations of all examples at once, which are gigabytes for a small network of 96x96 pixels.

    Args:
        source: A float32 model.
        target: Where the ranges go.
        takes: Name of its input.
        batches: Inputs (N, …).
        method: ``CalibrationMethod`` of onnxruntime that keeps histograms.
        types: Operators whose activations have ranges.

    Raises:
        ValueError: If there is no example, or a value that is not finite.
    """
    from onnxruntime.quantization.calibrate import CalibrationDataReader, create_calibrator, save_tensors_data

    class Few(CalibrationDataReader):
        def __init__(self, examples: NDArray[Any]) -> None:
            self._rest = iter([{takes: examples}])

        def get_next(self) -> dict[str, Any]:
            return next(self._rest, None)  # type: ignore[arg-type]  # None ends the data, whatever is declared

    with TemporaryDirectory() as scratch:
        augmented = str(Path(scratch) / "augmented.onnx")
        found = create_calibrator(Path(source), sorted(types), augmented, calibrate_method=method)
        for batch in batches:
            for examples in np.array_split(batch, -(-len(batch) // _AT_ONCE)):
                found.collect_data(Few(examples))
        save_tensors_data(found.compute_data(), target)
