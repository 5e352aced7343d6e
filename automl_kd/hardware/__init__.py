"""A plan, a module or an ONNX file to fused kernels, and those to latency and memory with an interval."""

from automl_kd.hardware.calibration import MeasuredNetwork
from automl_kd.hardware.catalogue import load_profile, profile_names
from automl_kd.hardware.cross_validation import CrossValidation, cross_validation
from automl_kd.hardware.device_file import DeviceFile
from automl_kd.hardware.explanation import Explanation, Part
from automl_kd.hardware.kernels.graph import Kind
from automl_kd.hardware.kernels.kernel import Kernel, Network
from automl_kd.hardware.latency_error import LatencyError, NetworkCounts
from automl_kd.hardware.measurement.kit import Kit, KitTarget, read_kit, write_kit, write_picks_kit
from automl_kd.hardware.measurement.latency import Measurement, measure_latencies, measure_latency
from automl_kd.hardware.measurement.results import Results, read_results
from automl_kd.hardware.measurement.selection import Candidate
from automl_kd.hardware.measurement.training import TrainedProfile, TrainingStep, train_profile
from automl_kd.hardware.plan import Block, Plan
from automl_kd.hardware.predictor.prediction import Prediction
from automl_kd.hardware.profile import Profile
from automl_kd.hardware.quantised_form import QuantisedForm

__all__ = [
    "Block",
    "Candidate",
    "CrossValidation",
    "DeviceFile",
    "Explanation",
    "Kernel",
    "Kind",
    "Kit",
    "KitTarget",
    "LatencyError",
    "MeasuredNetwork",
    "Measurement",
    "Network",
    "NetworkCounts",
    "Part",
    "Plan",
    "Prediction",
    "Profile",
    "QuantisedForm",
    "Results",
    "TrainedProfile",
    "TrainingStep",
    "cross_validation",
    "load_profile",
    "measure_latencies",
    "measure_latency",
    "profile_names",
    "read_kit",
    "read_results",
    "train_profile",
    "write_kit",
    "write_picks_kit",
]
