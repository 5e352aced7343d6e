"""Modalities, one file each: how examples are stored and varied, and what of them a network takes."""

from automl_kd.tasks.modalities.image import Images
from automl_kd.tasks.modalities.modality import Mix, Modality, Views

__all__ = ["Images", "Mix", "Modality", "Views"]
