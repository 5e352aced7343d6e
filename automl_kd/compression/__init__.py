"""Compression: what is done to a student after its training, so that what is shipped is what was priced and scored."""

from automl_kd.compression.chain import applied, computes_as_module, described, priced, shipped, write
from automl_kd.compression.fallback import Fallback, fallbacks
from automl_kd.compression.form import FileForm
from automl_kd.compression.material import Material
from automl_kd.compression.stage import STAGES, Stage

__all__ = [
    "STAGES",
    "Fallback",
    "FileForm",
    "Material",
    "Stage",
    "applied",
    "computes_as_module",
    "described",
    "fallbacks",
    "priced",
    "shipped",
    "write",
]
