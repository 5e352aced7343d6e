"""A plan, a module or an ONNX file to fused kernels, and those to latency and memory with an interval."""

from automl_kd.hardware._accuracy import LeftOut, left_out
from automl_kd.hardware._calibration import MeasuredNetwork
from automl_kd.hardware._evidence import Accuracy, MeasuredNetworks
from automl_kd.hardware._explanation import Explanation, Part
from automl_kd.hardware._kernels.graph import Kind
from automl_kd.hardware._kernels.kernel import Kernel, Network
from automl_kd.hardware._measurement.kit import Kit, KitTarget, read_kit, write_kit, write_picks_kit
from automl_kd.hardware._measurement.measure import Measurement, measure, measure_together
from automl_kd.hardware._measurement.results import Results, read_results
from automl_kd.hardware._measurement.selection import Candidate
from automl_kd.hardware._measurement.training import Step, Trained, train
from automl_kd.hardware._plan import Block, Plan
from automl_kd.hardware._predictor.prediction import Prediction
from automl_kd.hardware._profile import Profile, load_profile, profile_names

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
