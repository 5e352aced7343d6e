"""A module to one checked ONNX file at an asked opset, and back to a session."""

from automl_kd.onnxio.exporting import difference, export
from automl_kd.onnxio.half import to_half
from automl_kd.onnxio.half_weights import store_halves
from automl_kd.onnxio.quantize import to_int8
from automl_kd.onnxio.runtime import onnxruntime
from automl_kd.onnxio.session import Session, load_model, repeatable
from automl_kd.onnxio.suffix import Ending, ending

__all__ = [
    "Ending",
    "Session",
    "difference",
    "ending",
    "export",
    "load_model",
    "onnxruntime",
    "repeatable",
    "store_halves",
    "to_half",
    "to_int8",
]
