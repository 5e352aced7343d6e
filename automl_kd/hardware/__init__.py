"""A plan, a module or an ONNX file to fused kernels, and those to latency and memory with an interval."""

from automl_kd.hardware.calibration import MeasuredNetwork
from automl_kd.hardware.evidence import Accuracy, MeasuredNetworks
from automl_kd.hardware.explanation import Explanation, Part
from automl_kd.hardware.kernels.graph import Kind
from automl_kd.hardware.kernels.kernel import Kernel, Network
from automl_kd.hardware.latency_error import LeftOut, left_out
from automl_kd.hardware.measurement.kit import Kit, KitTarget, read_kit, write_kit, write_picks_kit
from automl_kd.hardware.measurement.measure import Measurement, measure, measure_together
from automl_kd.hardware.measurement.results import Results, read_results
from automl_kd.hardware.measurement.selection import Candidate
from automl_kd.hardware.measurement.training import Step, Trained, train
from automl_kd.hardware.plan import Block, Plan
from automl_kd.hardware.predictor.prediction import Prediction
from automl_kd.hardware.profile import Profile, load_profile, profile_names

__all__ = [
    "Accuracy",
    "Block",
    "Candidate",
    "Explanation",
    "Kernel",
    "Kind",
    "Kit",
    "KitTarget",
    "LeftOut",
    "MeasuredNetwork",
    "MeasuredNetworks",
    "Measurement",
    "Network",
    "Part",
    "Plan",
    "Prediction",
    "Profile",
    "Results",
    "Step",
    "Trained",
    "left_out",
    "load_profile",
    "measure",
    "measure_together",
    "profile_names",
    "read_kit",
    "read_results",
    "train",
    "write_kit",
    "write_picks_kit",
]
