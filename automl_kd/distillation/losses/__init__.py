"""Losses, one file each: a pure function of tensors, and the contract by which a recipe's part calls it."""

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
from automl_kd.distillation.losses.contract import Compare, Contract, Inputs, Kind, Moment, Pair, Scene, WithOwn

CONTRACTS: Mapping[str, Contract] = MappingProxyType(
    {
        "task": task.CONTRACT,
        "kd": kd.CONTRACT,
        "dkd": dkd.CONTRACT,
        "dist": dist.CONTRACT,
        "logit_standardization": logit_standardization.CONTRACT,
        "ce_soft": ce_soft.CONTRACT,
        "hint": hint.CONTRACT,
        "attention_transfer": attention_transfer.CONTRACT,
        "similarity_preserving": similarity_preserving.CONTRACT,
        "correlation_congruence": correlation_congruence.CONTRACT,
        "correlation_congruence_adjacent": correlation_congruence_adjacent.CONTRACT,
        "vid": vid.CONTRACT,
        "rkd_distance": rkd_distance.CONTRACT,
        "rkd_angle": rkd_angle.CONTRACT,
        "pkt": pkt.CONTRACT,
        "activation_boundary": activation_boundary.CONTRACT,
        "factor_transfer": factor_transfer.CONTRACT,
        "fsp": fsp.CONTRACT,
        "nst": nst.CONTRACT,
        "crd": crd.CONTRACT,
        "crd_inbatch": crd_inbatch.CONTRACT,
        "review_hcl": review_hcl.CONTRACT,
        "simkd": simkd.CONTRACT,
        "srrl": srrl.CONTRACT,
        "channel_wise": channel_wise.CONTRACT,
        "pkd": pkd.CONTRACT,
        "ickd": ickd.CONTRACT,
        "gram": gram.CONTRACT,
        "gradient_matching": gradient_matching.CONTRACT,
        "mmd": mmd.CONTRACT,
        "tinybert_hidden": tinybert_hidden.CONTRACT,
        "tinybert_attention": tinybert_attention.CONTRACT,
        "self_distillation": self_distillation.CONTRACT,
        "mutual": mutual.CONTRACT,
    }
)
"""The contract of every loss by its name under ``distill.losses``."""

__all__ = ["CONTRACTS", "Compare", "Contract", "Inputs", "Kind", "Moment", "Pair", "Scene", "WithOwn"]
