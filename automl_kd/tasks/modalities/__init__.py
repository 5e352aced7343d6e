"""Modalities, one file each: how examples are stored and varied, and what of them a network takes."""

from automl_kd.tasks.modalities.image import Images
from automl_kd.tasks.modalities.modality import Fit, Mix, Modality, Views
from automl_kd.tasks.modalities.text import Texts

__all__ = ["Fit", "Images", "Mix", "Modality", "Texts", "Views"]
