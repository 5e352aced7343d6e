"""A module to one checked ONNX file at an asked opset, and back to a session."""

from automl_kd.onnxio._ending import Ending, ending
from automl_kd.onnxio._export import difference, export
from automl_kd.onnxio._half import to_half
from automl_kd.onnxio._quantize import to_int8
from automl_kd.onnxio._runtime import onnxruntime
from automl_kd.onnxio._session import Session, load_model, repeatable

__all__ = [
    "Ending",
    "Session",
    "difference",
    "ending",
    "export",
    "load_model",
    "onnxruntime",
    "repeatable",
    "to_half",
    "to_int8",
]
