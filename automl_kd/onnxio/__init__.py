"""A module to one checked ONNX file at an asked opset, and back to a session."""

from automl_kd.onnxio.exporting import difference, export
from automl_kd.onnxio.folded import FoldedNetwork, fold
from automl_kd.onnxio.half import to_half
from automl_kd.onnxio.half_weights import store_halves
from automl_kd.onnxio.integer_weights import store_integers
from automl_kd.onnxio.network import Network
from automl_kd.onnxio.quantize import Ranges, Scheme, quantise, to_int8
from automl_kd.onnxio.runtime import onnxruntime
from automl_kd.onnxio.scopes import returned_by, scope
from automl_kd.onnxio.session import Session, load_model, repeatable
from automl_kd.onnxio.suffix import Ending, ending

__all__ = [
    "Ending",
    "FoldedNetwork",
    "Network",
    "Ranges",
    "Scheme",
    "Session",
    "difference",
    "ending",
    "export",
    "fold",
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
]
