"""The losses as pure functions of tensors, for use without a recipe."""

from automl_kd.distillation.losses.attention_transfer import attention_transfer
from automl_kd.distillation.losses.dist import dist
from automl_kd.distillation.losses.hint import hint
from automl_kd.distillation.losses.kd import kd
from automl_kd.distillation.losses.nst import nst
from automl_kd.distillation.losses.pkt import pkt
from automl_kd.distillation.losses.rkd_angle import rkd_angle
from automl_kd.distillation.losses.rkd_distance import rkd_distance
from automl_kd.distillation.losses.similarity_preserving import similarity_preserving
from automl_kd.distillation.losses.task import cross_entropy, mix_labels

__all__ = [
    "attention_transfer",
    "cross_entropy",
    "dist",
    "hint",
    "kd",
    "mix_labels",
    "nst",
    "pkt",
    "rkd_angle",
    "rkd_distance",
    "similarity_preserving",
]
