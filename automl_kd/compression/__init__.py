"""Compression: what is done to a student after its training, so that what is shipped is what was priced and scored."""

from automl_kd.compression.chain import (
    applied,
    begin_training,
    check_training,
    computes_as_module,
    described,
    form_of,
    order_fault,
    priced,
    shipped,
    trained_share,
    write,
)
from automl_kd.compression.fallback import Fallback, fallbacks, form_in_words
from automl_kd.compression.form import FileForm
from automl_kd.compression.layers import layer_names
from automl_kd.compression.material import Material
from automl_kd.compression.mixed import Assignment, fastest, least_loss
from automl_kd.compression.sensitivity import Judged, Loss, Sensitivity
from automl_kd.compression.stage import STAGES, Stage, Training
from automl_kd.compression.stages.quantise import Quantise
from automl_kd.compression.training import QuantisedStudent
from automl_kd.compression.undecided import decided, kept_names, undecided

__all__ = [
    "STAGES",
    "Assignment",
    "Fallback",
    "FileForm",
    "Judged",
    "Loss",
    "Material",
    "Quantise",
    "QuantisedStudent",
    "Sensitivity",
    "Stage",
    "Training",
    "applied",
    "begin_training",
    "check_training",
    "computes_as_module",
    "decided",
    "described",
    "fallbacks",
    "fastest",
    "form_in_words",
    "form_of",
    "kept_names",
    "layer_names",
    "least_loss",
    "order_fault",
    "priced",
    "shipped",
    "trained_share",
    "undecided",
    "write",
]
