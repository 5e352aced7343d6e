"""The losses as pure functions of tensors, for use without a recipe."""

from automl_kd.distillation.losses.attention_transfer import attention_transfer
from automl_kd.distillation.losses.ce_soft import ce_soft
from automl_kd.distillation.losses.correlation_congruence import correlation_congruence
from automl_kd.distillation.losses.correlation_congruence_adjacent import correlation_congruence_adjacent
from automl_kd.distillation.losses.crd import crd
from automl_kd.distillation.losses.crd_inbatch import crd_inbatch
from automl_kd.distillation.losses.dist import dist
from automl_kd.distillation.losses.dkd import dkd
from automl_kd.distillation.losses.hint import hint
from automl_kd.distillation.losses.kd import kd
from automl_kd.distillation.losses.logit_standardization import logit_standardization
from automl_kd.distillation.losses.mutual import mutual
from automl_kd.distillation.losses.nst import nst
from automl_kd.distillation.losses.pkt import pkt
from automl_kd.distillation.losses.rkd_angle import rkd_angle
from automl_kd.distillation.losses.rkd_distance import rkd_distance
from automl_kd.distillation.losses.self_distillation import self_distillation
from automl_kd.distillation.losses.similarity_preserving import similarity_preserving
from automl_kd.distillation.losses.task import cross_entropy, mix_labels

__all__ = [
    "attention_transfer",
    "ce_soft",
    "correlation_congruence",
    "correlation_congruence_adjacent",
    "crd",
    "crd_inbatch",
    "cross_entropy",
    "dist",
    "dkd",
    "hint",
    "kd",
    "logit_standardization",
    "mix_labels",
    "mutual",
    "nst",
    "pkt",
    "rkd_angle",
    "rkd_distance",
    "self_distillation",
    "similarity_preserving",
]
