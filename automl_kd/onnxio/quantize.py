"""An ONNX file computed in integers, as integer accelerators do."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from numpy.typing import NDArray

from automl_kd.onnxio.session import load_model


def to_int8(
    source: str | Path, target: str | Path, batches: Iterable[NDArray[Any]], activation_bits: Literal[8, 16] = 8
) -> Path:
    """Quantise weights by channel and activations by tensor after training (Jacob et al. 2018, arXiv:1712.05877).

    Values are rounded to integers and back around every operator (QDQ), so that onnxruntime computes what a
    full-integer runtime computes. Ranges of activations are the smallest and largest values seen.

    Args:
        source: A float32 model.
        target: Where the model goes.
        batches: Inputs (N, …) to see ranges on.
        activation_bits: Of an activation; weights have 8.

    Returns:
        ``target``.

    Raises:
        UserError: If the file is no ONNX model.
    """
    from onnxruntime.quantization.calibrate import CalibrationDataReader
    from onnxruntime.quantization.quant_utils import QuantFormat, QuantType
    from onnxruntime.quantization.quantize import quantize_static

    class Batches(CalibrationDataReader):
        def __init__(self, name: str) -> None:
            self._rest = ({name: batch} for batch in batches)

        def get_next(self) -> dict[str, Any]:
            return next(self._rest, None)  # type: ignore[arg-type]  # None ends the data, whatever is declared

    name = load_model(source).graph.input[0].name
    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.ERROR)  # it advises preprocessing that changes nothing for networks exported here
    try:
        quantize_static(
            str(source),
            str(target),
            Batches(name),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type={8: QuantType.QInt8, 16: QuantType.QInt16}[activation_bits],
            weight_type=QuantType.QInt8,
        )
    finally:
        logger.setLevel(level)
    return Path(target)
