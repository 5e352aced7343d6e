"""Compression: what is done to a student after its training, so that what is shipped is what was priced and scored."""

from automl_kd.compression.chain import (
    applied,
    begin_training,
    check_training,
    computes_as_module,
    described,
    priced,
    shipped,
    trained_share,
    write,
)
from automl_kd.compression.fallback import Fallback, fallbacks
from automl_kd.compression.form import FileForm
from automl_kd.compression.layers import layer_names
from automl_kd.compression.material import Material
from automl_kd.compression.stage import STAGES, Stage, Training
from automl_kd.compression.stages.quantise import Quantise
from automl_kd.compression.training import QuantisedStudent

__all__ = [
    "STAGES",
    "Fallback",
    "FileForm",
    "Material",
    "Quantise",
    "QuantisedStudent",
    "Stage",
    "Training",
    "applied",
    "begin_training",
    "check_training",
    "computes_as_module",
    "described",
    "fallbacks",
    "layer_names",
    "priced",
    "shipped",
    "trained_share",
    "write",
]
