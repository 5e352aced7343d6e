"""Compression: what is done to a student after its training, so that what is shipped is what was priced and scored."""

from automl_kd.compression.chain import applied, computes_as_module, described, priced, shipped, write
from automl_kd.compression.form import FileForm
from automl_kd.compression.layers import layer_names
from automl_kd.compression.material import Material
from automl_kd.compression.stage import STAGES, Stage
from automl_kd.compression.stages.quantise import Quantise

__all__ = [
    "STAGES",
    "FileForm",
    "Material",
    "Quantise",
    "Stage",
    "applied",
    "computes_as_module",
    "described",
    "layer_names",
    "priced",
    "shipped",
    "write",
]
