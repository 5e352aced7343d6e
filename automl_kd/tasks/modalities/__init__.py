"""Modalities, one file each: how examples are stored and varied, and what of them a network takes."""

from automl_kd.tasks.modalities.for_teachers import Card, Shown, Transform
from automl_kd.tasks.modalities.image import Images
from automl_kd.tasks.modalities.image_for_teachers import ImageFacts
from automl_kd.tasks.modalities.modality import Fit, Mix, Modality, Resolution, Views
from automl_kd.tasks.modalities.text import Texts

__all__ = [
    "Card",
    "Fit",
    "ImageFacts",
    "Images",
    "Mix",
    "Modality",
    "Resolution",
    "Shown",
    "Texts",
    "Transform",
    "Views",
]
