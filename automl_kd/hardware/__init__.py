"""A plan, a module or an ONNX file to fused kernels, and those to latency and memory with an interval."""

from automl_kd.hardware._kernels.graph import Kind
from automl_kd.hardware._kernels.lower import Kernel, Network
from automl_kd.hardware._measurement.measure import Measurement, measure
from automl_kd.hardware._plan import Block, Plan
from automl_kd.hardware._predictor.prediction import Prediction
from automl_kd.hardware._profile import Profile, load_profile, profile_names

__all__ = [
    "Block",
    "Kernel",
    "Kind",
    "Measurement",
    "Network",
    "Plan",
    "Prediction",
    "Profile",
    "load_profile",
    "measure",
    "profile_names",
]
