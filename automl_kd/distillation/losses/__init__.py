"""Losses, one file each: a pure function of tensors, and the spec by which a recipe's part calls it."""

from collections.abc import Mapping
from types import MappingProxyType

from automl_kd.distillation.losses import (
    activation_boundary,
    attention_transfer,
    ce_soft,
    channel_wise,
    correlation_congruence,
    correlation_congruence_adjacent,
    crd,
    crd_inbatch,
    dist,
    dkd,
    factor_transfer,
    fsp,
    gradient_matching,
    gram,
    hint,
    ickd,
    kd,
    logit_standardization,
    mmd,
    mutual,
    nst,
    pkd,
    pkt,
    review_hcl,
    rkd_angle,
    rkd_distance,
    self_distillation,
    similarity_preserving,
    simkd,
    srrl,
    task,
    tinybert_attention,
    tinybert_hidden,
    vid,
)
from automl_kd.distillation.losses.inputs import LossInputs, Pair
from automl_kd.distillation.losses.spec import BuildContext, Kind, LossOutput, LossSpec, StepContext

LOSS_SPECS: Mapping[str, LossSpec] = MappingProxyType(
    {
        "task": task.SPEC,
        "kd": kd.SPEC,
        "dkd": dkd.SPEC,
        "dist": dist.SPEC,
        "logit_standardization": logit_standardization.SPEC,
        "ce_soft": ce_soft.SPEC,
        "hint": hint.SPEC,
        "attention_transfer": attention_transfer.SPEC,
        "similarity_preserving": similarity_preserving.SPEC,
        "correlation_congruence": correlation_congruence.SPEC,
        "correlation_congruence_adjacent": correlation_congruence_adjacent.SPEC,
        "vid": vid.SPEC,
        "rkd_distance": rkd_distance.SPEC,
        "rkd_angle": rkd_angle.SPEC,
        "pkt": pkt.SPEC,
        "activation_boundary": activation_boundary.SPEC,
        "factor_transfer": factor_transfer.SPEC,
        "fsp": fsp.SPEC,
        "nst": nst.SPEC,
        "crd": crd.SPEC,
        "crd_inbatch": crd_inbatch.SPEC,
        "review_hcl": review_hcl.SPEC,
        "simkd": simkd.SPEC,
        "srrl": srrl.SPEC,
        "channel_wise": channel_wise.SPEC,
        "pkd": pkd.SPEC,
        "ickd": ickd.SPEC,
        "gram": gram.SPEC,
        "gradient_matching": gradient_matching.SPEC,
        "mmd": mmd.SPEC,
        "tinybert_hidden": tinybert_hidden.SPEC,
        "tinybert_attention": tinybert_attention.SPEC,
        "self_distillation": self_distillation.SPEC,
        "mutual": mutual.SPEC,
    }
)
"""The spec of every loss by its name under ``distill.losses``."""

__all__ = ["LOSS_SPECS", "BuildContext", "Kind", "LossInputs", "LossOutput", "LossSpec", "Pair", "StepContext"]
