"""The losses as pure functions of tensors, for use without a recipe."""

from automl_kd.distillation.losses.activation_boundary import activation_boundary
from automl_kd.distillation.losses.attention_transfer import attention_transfer
from automl_kd.distillation.losses.ce_soft import ce_soft, ce_soft_bernoulli
from automl_kd.distillation.losses.channel_wise import channel_wise
from automl_kd.distillation.losses.correlation_congruence import correlation_congruence
from automl_kd.distillation.losses.correlation_congruence_adjacent import correlation_congruence_adjacent
from automl_kd.distillation.losses.crd import crd
from automl_kd.distillation.losses.crd_inbatch import crd_inbatch
from automl_kd.distillation.losses.dist import dist
from automl_kd.distillation.losses.dkd import dkd
from automl_kd.distillation.losses.factor_transfer import factor_transfer
from automl_kd.distillation.losses.fsp import fsp
from automl_kd.distillation.losses.gradient_matching import gradient_matching
from automl_kd.distillation.losses.gram import gram
from automl_kd.distillation.losses.hint import hint
from automl_kd.distillation.losses.ickd import ickd
from automl_kd.distillation.losses.kd import kd, kd_bernoulli, kd_real
from automl_kd.distillation.losses.logit_standardization import logit_standardization
from automl_kd.distillation.losses.mmd import mmd
from automl_kd.distillation.losses.mutual import mutual
from automl_kd.distillation.losses.nst import nst
from automl_kd.distillation.losses.pkd import pkd
from automl_kd.distillation.losses.pkt import pkt
from automl_kd.distillation.losses.review_hcl import review_hcl
from automl_kd.distillation.losses.rkd_angle import rkd_angle
from automl_kd.distillation.losses.rkd_distance import rkd_distance
from automl_kd.distillation.losses.self_distillation import self_distillation
from automl_kd.distillation.losses.similarity_preserving import similarity_preserving
from automl_kd.distillation.losses.simkd import simkd
from automl_kd.distillation.losses.srrl import srrl
from automl_kd.distillation.losses.tinybert_attention import tinybert_attention
from automl_kd.distillation.losses.tinybert_hidden import tinybert_hidden
from automl_kd.distillation.losses.vid import vid

__all__ = [
    "activation_boundary",
    "attention_transfer",
    "ce_soft",
    "ce_soft_bernoulli",
    "channel_wise",
    "correlation_congruence",
    "correlation_congruence_adjacent",
    "crd",
    "crd_inbatch",
    "dist",
    "dkd",
    "factor_transfer",
    "fsp",
    "gradient_matching",
    "gram",
    "hint",
    "ickd",
    "kd",
    "kd_bernoulli",
    "kd_real",
    "logit_standardization",
    "mmd",
    "mutual",
    "nst",
    "pkd",
    "pkt",
    "review_hcl",
    "rkd_angle",
    "rkd_distance",
    "self_distillation",
    "similarity_preserving",
    "simkd",
    "srrl",
    "tinybert_attention",
    "tinybert_hidden",
    "vid",
]
