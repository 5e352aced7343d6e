"""A module to one checked ONNX file at an asked opset, and back to a session."""

from automl_kd.onnxio.exporting import difference, export
from automl_kd.onnxio.finite import check_finite
from automl_kd.onnxio.float_operators import FloatOperator, float_operators
from automl_kd.onnxio.folded import OPSET as QUANTISED_OPSET
from automl_kd.onnxio.folded import FoldedNetwork, fold
from automl_kd.onnxio.half import to_half
from automl_kd.onnxio.half_weights import store_halves
from automl_kd.onnxio.integer_weights import store_integers
from automl_kd.onnxio.network import Network
from automl_kd.onnxio.quantize import NoRangeError, Ranges, Scheme, quantise, to_int8
from automl_kd.onnxio.runtime import onnxruntime
from automl_kd.onnxio.scopes import returned_by, scope
from automl_kd.onnxio.session import Session, load_model, repeatable
from automl_kd.onnxio.suffix import Ending, ending
from automl_kd.onnxio.tflite import COMMAND as TO_TFLITE
from automl_kd.onnxio.tflite import TFLITE, TFLiteSession, litert, to_tflite

__all__ = [
    "QUANTISED_OPSET",
    "TFLITE",
    "TO_TFLITE",
    "Ending",
    "FloatOperator",
    "FoldedNetwork",
    "Network",
    "NoRangeError",
    "Ranges",
    "Scheme",
    "Session",
    "TFLiteSession",
    "check_finite",
    "difference",
    "ending",
    "export",
    "float_operators",
    "fold",
    "litert",
    "load_model",
    "onnxruntime",
    "quantise",
    "repeatable",
    "returned_by",
    "scope",
    "store_halves",
    "store_integers",
    "to_half",
    "to_int8",
    "to_tflite",
]
