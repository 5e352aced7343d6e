"""Losses, one file each: a pure function of tensors, and the contract by which a recipe's part calls it."""

from collections.abc import Mapping
from types import MappingProxyType

from automl_kd.distillation.losses import (
    attention_transfer,
    ce_soft,
    correlation_congruence,
    correlation_congruence_adjacent,
    crd,
    crd_inbatch,
    dist,
    dkd,
    hint,
    kd,
    logit_standardization,
    mutual,
    nst,
    pkt,
    rkd_angle,
    rkd_distance,
    self_distillation,
    similarity_preserving,
    task,
)
from automl_kd.distillation.losses._contract import Compare, Contract, Inputs, Kind, Moment, Pair, Scene, WithOwn

CONTRACTS: Mapping[str, Contract] = MappingProxyType(
    {
        "task": task.CONTRACT,
        "kd": kd.CONTRACT,
        "dkd": dkd.CONTRACT,
        "logit_standardization": logit_standardization.CONTRACT,
        "ce_soft": ce_soft.CONTRACT,
        "hint": hint.CONTRACT,
        "attention_transfer": attention_transfer.CONTRACT,
        "rkd_distance": rkd_distance.CONTRACT,
        "rkd_angle": rkd_angle.CONTRACT,
        "dist": dist.CONTRACT,
        "similarity_preserving": similarity_preserving.CONTRACT,
        "correlation_congruence": correlation_congruence.CONTRACT,
        "correlation_congruence_adjacent": correlation_congruence_adjacent.CONTRACT,
        "nst": nst.CONTRACT,
        "pkt": pkt.CONTRACT,
        "crd": crd.CONTRACT,
        "crd_inbatch": crd_inbatch.CONTRACT,
        "self_distillation": self_distillation.CONTRACT,
        "mutual": mutual.CONTRACT,
    }
)
"""The contract of every loss by its name under ``distill.losses``."""

__all__ = ["CONTRACTS", "Compare", "Contract", "Inputs", "Kind", "Moment", "Pair", "Scene", "WithOwn"]
