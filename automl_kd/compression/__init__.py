"""Compression: what is done to a student after its training, so that what is shipped is what was priced and scored."""

from automl_kd.compression.chain import applied, described, priced, stored
from automl_kd.compression.stage import STAGES, Stage

__all__ = ["STAGES", "Stage", "applied", "described", "priced", "stored"]
